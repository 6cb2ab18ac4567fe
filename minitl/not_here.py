"""Names of Keras that minitl does not have, and what to write instead: one table for all packages.

The packages with Keras's names end with a `__getattr__` that calls `missing`. So `from minitl.layers import Lambda`
says in one line what to do, and a name that is spelt wrongly gets the nearest one.
"""

from .arguments import nearest
from .errors import NoAttributeError, NotHereError

CELL = "SimpleRNN, LSTM and GRU are whole layers here. For a step of your own, write a Layer that loops over it."
OWN_LAYER = "Write a Layer with forward and backward: course/add_your_own.md."
PAGE = "course/add_your_own.md has it as its example: copy it into your program."
VOLUMES = "minitl has images and sequences, no volumes: use the 2D layer of this name, or TimeDistributed."
OWN_LOOP = (
    "minitl has hand-written gradients and no tape: write y = model.forward(x, training=True); loss.forward(t, y); "
    "model.backward(loss.backward()); optimizer.step(model)."
)
FLOAT32 = "minitl computes in float32: leave it out."
ONE_PROCESS = "minitl trains in one process: leave it out."
NO_TF = "Arrays of NumPy, lists and generators of them are the data of fit."
NETWORK = "The networks here are VGG16, ResNet50, InceptionV3 and EfficientNetLite0; course/add_your_own.md adds one."

INSTEAD = {
    "minitl": {
        "GradientTape": OWN_LOOP,
        **dict.fromkeys(("data", "Dataset", "keras"), NO_TF),
        **dict.fromkeys(("mixed_precision", "DTypePolicy", "dtype_policies", "quantizers"), FLOAT32),
        **dict.fromkeys(("distribution", "distribute", "tpu"), ONE_PROCESS),
        **dict.fromkeys(("Function", "Operation", "Variable", "KerasTensor"), OWN_LAYER),
        "RematScope": "An activation is dropped as soon as no gradient needs it; none is computed twice: leave it out.",
        "ops": f"On arrays use NumPy and minitl.kernels.activations (softmax). In a model: {OWN_LAYER}",
        "random": "On arrays use numpy.random. utils.set_random_seed seeds minitl.",
        **{
            name: f"It is minitl.{package}.{name}."
            for name, package in {
                "Loss": "losses",
                "Metric": "metrics",
                "Optimizer": "optimizers",
                "Initializer": "initializers",
                "Regularizer": "regularizers",
                "Constraint": "constraints",
            }.items()
        },
        "visualization": "model.summary() prints the graph; export writes ONNX.",
        "export": "Use model.export(path): .onnx, .safetensors or .pt.",
        "datasets": "minitl.data has the bundled images; read others with NumPy.",
        "wrappers": "minitl.sklearn has the estimators.",
    },
    "minitl.backend": {
        "set_keras_mask": "A mask is given by name: layer(x, mask=mask).",
        **dict.fromkeys(
            ("set_value", "get_value"),
            "A learning rate is set by optimizer.learning_rate = 0.01; "
            "get_weights() and set_weights(...) of a layer read and set its parameters.",
        ),
        **dict.fromkeys(
            ("set_learning_phase", "learning_phase"),
            "Layers know the mode by training=, as in base(x, training=False); fit and predict choose it themselves.",
        ),
        **dict.fromkeys(("get_session", "set_session", "gradients", "function"), OWN_LOOP),
        **dict.fromkeys(
            ("mean", "sum", "square", "sqrt", "log", "exp", "abs", "maximum", "clip", "dot", "softmax"),
            f"On arrays use NumPy. In a model: {OWN_LAYER}",
        ),
    },
    "minitl.config": {
        **dict.fromkeys(("set_dtype_policy", "dtype_policy"), FLOAT32),
        **dict.fromkeys(("set_max_epochs", "set_max_steps_per_epoch"), "Use fit(epochs=..., steps_per_epoch=...)."),
        "backend": "There is one engine, NumPy.",
    },
    "minitl.initializers": {"STFT": "minitl.data.sound has spectra: power_spectrum, and mel bands."},
    "minitl.layers": {
        "experimental": "Its layers are in minitl.layers itself: layers.Rescaling, layers.RandomFlip.",
        "Lambda": f"{OWN_LAYER} Simple ones are signs: x * 0.5, 1 - x, x[:, 0].",
        "RNN": "Use SimpleRNN, LSTM or GRU. For a step of your own, write a Layer that loops over it.",
        "StackedRNNCells": "Put layers one behind the other: LSTM(8, return_sequences=True), then LSTM(8).",
        **dict.fromkeys(("SimpleRNNCell", "LSTMCell", "GRUCell", "AbstractRNNCell"), CELL),
        **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), "Use TimeDistributed(Conv2D(...)), then an LSTM."),
        **dict.fromkeys(("CuDNNLSTM", "CuDNNGRU"), "Use LSTM or GRU: their weights are the same."),
        "PReLU": PAGE,
        **dict.fromkeys(("Conv3D", "Conv3DTranspose", "MaxPooling3D", "AveragePooling3D", "MaxPool3D"), VOLUMES),
        **dict.fromkeys(("GlobalAveragePooling3D", "GlobalMaxPooling3D", "UpSampling3D", "ZeroPadding3D"), VOLUMES),
        **dict.fromkeys(("Attention", "AdditiveAttention", "GroupQueryAttention"), "Use MultiHeadAttention."),
        **dict.fromkeys(("GroupNormalization", "SpectralNormalization"), "Use LayerNormalization or RMSNormalization."),
        "TextVectorization": "minitl.data.text turns texts into tokens.",
        **dict.fromkeys(("EinsumDense", "Wrapper", "ActivityRegularization"), OWN_LAYER),
        **dict.fromkeys(("TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"), "Export the model to ONNX."),
    },
    "minitl.optimizers": {
        "Lion": PAGE,
        **dict.fromkeys(("Ftrl", "Adafactor", "Lamb", "Muon", "ScheduleFreeAdamW"), "Use AdamW or Adam."),
        "LossScaleOptimizer": FLOAT32,
        "legacy": "Use the optimizers of minitl.optimizers.",
    },
    "minitl.callbacks": {
        "TensorBoard": "Use CSVLogger: each epoch is a row, which a table or plot program reads.",
        "RemoteMonitor": "Use LambdaCallback(on_epoch_end=...), and send the logs yourself.",
        "ProgbarLogger": "fit prints its progress with verbose=1.",
        "SwapEMAWeights": "With use_ema=True, optimizer.finalize_variable_values() gives the model its averages.",
        "OrbaxCheckpoint": "Use BackupAndRestore or ModelCheckpoint.",
        "CallbackList": "Give fit a list of callbacks.",
    },
    "minitl.applications": dict.fromkeys(
        "mobilenet VGG19 ResNet101 ResNet152 ResNet50V2 ResNet101V2 ResNet152V2 MobileNet MobileNetV2 MobileNetV3Small "
        "MobileNetV3Large DenseNet121 DenseNet169 DenseNet201 EfficientNetB0 EfficientNetB1 EfficientNetB2 "
        "EfficientNetB3 EfficientNetB4 EfficientNetB5 EfficientNetB6 EfficientNetB7 EfficientNetV2B0 EfficientNetV2S "
        "InceptionResNetV2 NASNetMobile NASNetLarge Xception ConvNeXtTiny ConvNeXtSmall ConvNeXtBase".split(),
        NETWORK,
    ),
    "minitl.utils": {
        **dict.fromkeys("disable_interactive_logging enable_interactive_logging".split(), "Use fit(..., verbose=0)."),
        "get_file": "Fetch the file with your browser or urllib.request, and compare its sha256 with the publisher's. "
        "Weights come by weights='imagenet', or `minitl weights get`.",
        **dict.fromkeys(("plot_model", "model_to_dot"), "model.summary() prints the graph; export writes ONNX."),
        "split_dataset": "image_dataset_from_directory(..., validation_split=0.2, subset='both', seed=1) divides a "
        "folder, and fit(..., validation_split=0.2) arrays.",
        "timeseries_dataset_from_array": "numpy.lib.stride_tricks.sliding_window_view(x, length, 0) cuts the windows.",
        "text_dataset_from_directory": "Use minitl.data.read_texts and TokenStream, or minitl finetune texts/.",
        "audio_dataset_from_directory": "Use minitl.data.sound.",
        "custom_object_scope": "Give load_model custom_objects={name: class}.",
        "register_keras_serializable": "Give load_model custom_objects={name: class}.",
        "multi_gpu_model": ONE_PROCESS,
    },
}

OWN_PARTS = "A layer here is its forward and backward, or a call() of other layers: course/add_your_own.md."
MASKS = "Masks are inputs: Input(..., dtype='bool'), or the mask of an Embedding(mask_zero=True) in a Model."
PENALTY = "Penalties on parameters are kernel_regularizer and others; a loss of your own is a minitl.losses.Loss."
PLAIN_ARRAYS = "Parameters are arrays of NumPy: layer.kernel, layer.weights."
# methods and attributes of Keras's layers, models, optimizers, losses and metrics
ATTRIBUTES = {
    **dict.fromkeys(("quantize", "quantized_build", "quantized_call", "quantization_mode", "is_quantized"), FLOAT32),
    **dict.fromkeys(("dtype_policy", "compute_dtype", "variable_dtype", "autocast", "get_quantization_layer"), FLOAT32),
    **dict.fromkeys(("enable_lora", "lora_rank", "lora_enabled"), "Freeze layers instead: transfer.freeze."),
    **dict.fromkeys(("add_loss", "add_metric", "activity_regularizer", "clear_losses"), PENALTY),
    **dict.fromkeys(("call", "stateless_call", "symbolic_call", "compute_output_spec", "input_spec"), OWN_PARTS),
    **dict.fromkeys(("call_has_mask_arg",), MASKS),
    **dict.fromkeys(("add_variable", "path", "assign", "get_state_tree", "set_state_tree"), PLAIN_ARRAYS),
    **dict.fromkeys(("save_own_variables", "load_own_variables", "get_build_config", "build_from_config"), OWN_PARTS),
    **dict.fromkeys(("metrics", "metrics_variables"), "Metrics are given to compile(metrics=[...])."),
    "add_weight": "A Model has layers, and these have parameters.",
    **dict.fromkeys(("rematerialize", "rematerialized_call", "jit_compile", "distribute_strategy"), ONE_PROCESS),
    **dict.fromkeys(("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"), OWN_LOOP),
    **dict.fromkeys(("make_train_function", "make_test_function", "make_predict_function", "train_function"), OWN_LOOP),
    **dict.fromkeys(
        ("apply_gradients", "stateless_apply", "apply", "update_step", "assign_sub", "assign_add"), OWN_LOOP
    ),
    **dict.fromkeys(("reset_states", "stateful", "reset_state"), "States are given by initial_state, and returned."),
    **dict.fromkeys(("get_random_transformation", "transform_images", "transform_labels"), OWN_PARTS),
    **dict.fromkeys(("stateless_update_state", "stateless_result", "stateless_reset_state"), PLAIN_ARRAYS),
    **dict.fromkeys(("run_eagerly", "steps_per_execution"), OWN_LOOP),
    **dict.fromkeys(
        ("query_dense", "key_dense", "value_dense", "output_dense"), "Its arrays are query_kernel, query_bias, ..."
    ),
    "set_weights": "The state of an optimizer is kept by BackupAndRestore.",
    **{f"{name}_generator": f"{name} takes generators: model.{name}(...)." for name in ("fit", "evaluate", "predict")},
    "variables": "weights has the arrays.",
    "trainable_variables": "trainable_weights has the arrays.",
}


def no_attribute(thing, name):
    """Return the error for an attribute that an object does not have. For one of Keras it says what to write."""
    what = f"{type(thing).__name__!r} object has no attribute {name!r}"
    error = NoAttributeError(f"{what}. {ATTRIBUTES[name]}") if name in ATTRIBUTES else AttributeError(what)
    error.name = name
    return error


def missing(package, name, known):
    """Return the error for a name that a package does not have. `known` are the names that it has.

    It is a NotHereError for a name of Keras, or one that is nearly that of something here. An `import` shows its text,
    as it does not show that of an AttributeError, which all other names get.
    """
    instead = INSTEAD.get(package, {}).get(name)
    if instead is not None:
        return NotHereError(f"{package} has no {name}. {instead}")
    near = [] if name.startswith("_") else nearest(name, known)
    if near:
        return NotHereError(f"{package} has no {name}. The nearest names are {', '.join(near)}.")
    return AttributeError(f"module {package!r} has no attribute {name!r}")
