"""The test files of Keras that are run: those of what minitl offers. And what is set aside of them, and why."""

LAYERS = """
activations/activation activations/elu activations/leaky_relu activations/relu activations/softmax
attention/multi_head_attention
convolutional/conv convolutional/conv_transpose convolutional/depthwise_conv convolutional/separable_conv
core/dense core/embedding core/identity core/input_layer core/masking core/reversible_embedding
layer merging/merging
normalization/batch_normalization normalization/layer_normalization normalization/rms_normalization
normalization/unit_normalization
pooling/average_pooling pooling/global_average_pooling pooling/global_max_pooling pooling/max_pooling
preprocessing/normalization preprocessing/rescaling
preprocessing/image_preprocessing/center_crop preprocessing/image_preprocessing/random_brightness
preprocessing/image_preprocessing/random_contrast preprocessing/image_preprocessing/random_crop
preprocessing/image_preprocessing/random_flip preprocessing/image_preprocessing/random_rotation
preprocessing/image_preprocessing/random_translation preprocessing/image_preprocessing/random_zoom
preprocessing/image_preprocessing/resizing
regularization/alpha_dropout regularization/dropout regularization/gaussian_dropout regularization/gaussian_noise
regularization/spatial_dropout
reshaping/cropping1d reshaping/cropping2d reshaping/flatten reshaping/permute reshaping/repeat_vector
reshaping/reshape reshaping/up_sampling1d reshaping/up_sampling2d reshaping/zero_padding1d reshaping/zero_padding2d
rnn/bidirectional rnn/gru rnn/lstm rnn/simple_rnn rnn/time_distributed
"""
OTHERS = """
activations/activations
callbacks/backup_and_restore callbacks/callback callbacks/csv_logger callbacks/early_stopping
callbacks/lambda_callback callbacks/learning_rate_scheduler callbacks/model_checkpoint callbacks/monitor_callback
callbacks/reduce_lr_on_plateau callbacks/terminate_on_nan
initializers/constant_initializers initializers/initializer initializers/random_initializers
constraints/constraints
losses/loss losses/losses
metrics/accuracy_metrics metrics/confusion_metrics metrics/f_score_metrics metrics/hinge_metrics metrics/iou_metrics
metrics/metric metrics/probabilistic_metrics metrics/reduction_metrics metrics/regression_metrics
models/cloning models/functional models/model models/sequential
optimizers/adadelta optimizers/adagrad optimizers/adam optimizers/adamax optimizers/adamw optimizers/nadam
optimizers/optimizer optimizers/rmsprop optimizers/schedules/learning_rate_schedule optimizers/sgd
regularizers/regularizers
trainers/trainer
utils/image_dataset_utils utils/image_utils utils/numerical_utils utils/rng_utils utils/summary_utils
"""
FILES = [f"layers/{name}_test.py" for name in LAYERS.split()] + [f"{name}_test.py" for name in OTHERS.split()]

# {reason: cases, as patterns of "file::class.test"}: they ask for something that no promise of minitl is about.
SET_ASIDE = {
    "Keras's bookkeeping: the variables that it tracks, the operations of a graph, numbers in names, private layers": [
        "layers/layer_test.py::LayerTest.test_custom_layer_add_weight_in_init_name",
        "layers/layer_test.py::LayerTest.test_init_after_state_tracking",
        "layers/layer_test.py::LayerTest.test_functional_model_with_remat",
        "layers/attention/multi_head_attention_test.py::*.test_causal_only_skipped_for_subclass",
        "layers/core/input_layer_test.py::InputLayerTest.test_input_basic_dense",
        "initializers/random_initializers_test.py::*.test_mha_query_projection_variance",
        "models/functional_test.py::FunctionalTest.test_functional_slicing",
        "optimizers/optimizer_test.py::OptimizerTest.test_optimizer_auto_naming",
        "optimizers/optimizer_test.py::OptimizerTest.test_overwrite_with_gradient*",
        "trainers/trainer_test.py::TestTrainer.test_metric_tracking",
        "trainers/trainer_test.py::TestTrainer.test_multiple_compiles",
        "trainers/trainer_test.py::TestTrainer.test_nested_trainer_metrics*",
    ],
    "the words of an error, or the names of a callback's own attributes": [
        "regularizers/regularizers_test.py::*.test_orthogonal_regularizer_*_validation",
        "callbacks/terminate_on_nan_test.py::*.test_raise_error_terminate_stops_on_later_batch",
        "callbacks/reduce_lr_on_plateau_test.py::*.test_state_reset_across_fit_calls",
        "callbacks/early_stopping_test.py::EarlyStoppingTest.test_early_stopping",
    ],
    "a callback is driven with a stand-in that is no model": [
        "callbacks/early_stopping_test.py::*.test_early_stopping_final_weights_when_restoring_model_weights",
    ],
    "a layer is looked up by its position; in minitl masks are layers of the graph, too": [
        "layers/normalization/batch_normalization_test.py::*.test_bachnorm_ignore_masked_values*",
        "models/functional_test.py::FunctionalTest.test_layer_getters",
    ],
    "numbers that a seed draws with Keras's generator lie within the tolerance": [
        "layers/regularization/dropout_test.py::DropoutTest.test_dropout_rescaling",
    ],
}

# {case, as a pattern: the decision for which minitl gives another answer}
DECISIONS = {
    "layers/layer_test.py::LayerTest.test_end_to_end_masking": "a mask does not reach the loss by itself: "
    "masks are inputs, so give sample_weight",
    "layers/layer_test.py::LayerTest.test_trainable_init_arg_validation": "1 and 0 are accepted for True and False",
    "layers/merging/merging_test.py::MergingLayersTest.test_concatenate_with_mask": "a sequence all of whose steps are "
    "real has no mask: in Keras it has one of True alone",
    "layers/preprocessing/normalization_test.py::NormalizationTest.test_broadcast_*": "a given mean stays as it was "
    "given: a number or a list, not an array with the axes of the input",
    "callbacks/csv_logger_test.py::CSVLoggerTest.test_CSVLogger": "the columns are those of the first epoch, so with "
    "validation_freq=3 there are none of the validation",
    "callbacks/reduce_lr_on_plateau_test.py::*.test_reduces_lr_with_model_fit": "rates are float64, 0.1 * 0.1",
    "losses/loss_test.py::LossTest.test_get_method": "losses.get gives an object of the class, with backward",
    "losses/loss_test.py::LossTest.test_pickle": "as before",
    "losses/loss_test.py::LossTest.test_reduction": "a loss of float64 arrays is computed in float64",
    "metrics/iou_metrics_test.py::MeanIoUTest.test_user_warning_float_weight": "weights count as they are; Keras warns "
    "that it rounds them down",
    "models/functional_test.py::FunctionalTest.test_list_input_with_dict_build": "arrays in a list are taken in the "
    "order of a dict's inputs",
    "models/functional_test.py::FunctionalTest.test_warning_for_mismatched_inputs_structure": "as before",
    "models/functional_test.py::FunctionalTest.test_restored_multi_output_type_tuple": "several outputs are a list",
    "models/model_test.py::ModelTest.test_functional_struct_outputs_namedtuple_struct_losses": "as before",
    "models/model_test.py::ModelTest.test_reviving_functional_from_config_custom_model": "from_config gives a Model, "
    "without the attributes of a class of your own",
    "optimizers/optimizer_test.py::OptimizerTest.test_empty_gradients": "a step that moves nothing is a warning",
    "trainers/trainer_test.py::TestTrainer.test_predict_dropout": "a mode that a call fixes holds in predict as well, "
    "as Keras's guide to transfer learning says; Keras's predict overrules it",
    "utils/image_dataset_utils_test.py::*.test_image_dataset_from_directory_shuffle_tf": "a set that is gone through "
    "by hand has the order of its epoch; fit draws a new one for each",
}
