"""The test files of Keras that are run: those of what minitl offers. And what is set aside of them, and why."""

LAYERS = """
activations/activation activations/elu activations/leaky_relu activations/relu activations/softmax
attention/multi_head_attention
convolutional/conv convolutional/conv_transpose convolutional/depthwise_conv convolutional/separable_conv
core/dense core/embedding core/input_layer core/masking core/reversible_embedding
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

# {reason: cases, as patterns of "file::class.test"}. They concern how Keras is made, and no program can see it.
SET_ASIDE = {}

# {case, as a pattern: the decision for which minitl gives another answer}
DECISIONS = {}
