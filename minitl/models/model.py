"""`Model`: a graph with methods to train, evaluate, save and load it.

Users of Keras expect `fit`, `save` and others as methods of the model. Each method here calls the package that does the
work: `minitl.training` for training, `minitl.weights` for files.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from .. import export, optimizers, training, weights
from ..arguments import AnyPath, NotHere, keras_arguments, refuse_methods, truth_value
from ..errors import ArgumentError
from ..files.writable import refuse_overwriting
from ..graph.keras_config import keras_config
from ..graph.keras_reading import tensors_of
from ..graph.order import shapes_of
from ..graph.structure import Structure, flattened
from ..graph.summary import summary_text
from ..layers import InputLayer, SymbolicTensor
from ..layers.array_masks import mask_of
from ..layers.mode import inside, mode_around, mode_of
from ..layers.names import snake_case
from ..layers.nested import mapped
from ..layers.on_arrays import as_array
from ..losses import Loss
from ..optimizers import Optimizer
from ..training import History
from ..training.state import result_names
from ..weights.ledger import Ledger
from .waiting import Waiting, input_for

ZIPPED = NotHere(None, (True,), "A .keras file is a zip archive.")
WIDTH = NotHere(instead="The table is as wide as the terminal.")
# What a subclass of Keras's Model may define, and no method here calls.
KERAS_METHODS = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics")


class Model(Waiting):
    """`Model(inputs, outputs)`: all layers on the paths from the symbolic tensors `inputs` to the tensors `outputs`.

    Each of the two is one tensor, a list, or a dict by name. `fit`, `evaluate` and `predict` take arrays in the same
    form. Models may share layers: a model that was cut out of another model trains the same arrays.
    """

    keras_class = "Functional"  # the class of `get_config` in Keras
    optimizer: Optimizer | None = None  # set by `compile`, as are the next two
    loss: Loss | None = None
    metrics: Sequence = ()  # the `CompiledMetric`s of `training.compiled`
    history: History | None = None  # set by `fit`: its latest one
    # A callback sets these to True to end `fit`, `evaluate` or `predict` after the current batch.
    stop_training = stop_evaluating = stop_predicting = False

    def __new__(cls, *arguments, **named_arguments):
        model = super().__new__(cls)
        refuse_methods(
            model,
            KERAS_METHODS,
            "Write a step of your own as a loop: model.forward, loss.forward, model.backward, optimizer.step.",
        )
        model.name, model.metadata, model.notes = snake_case(cls.__name__), {}, []
        return model

    def __init__(self, inputs=None, outputs=None, name: str | None = None, trainable=True, **others) -> None:
        has_call = hasattr(type(self), "call")
        if others or has_call != (inputs is None and outputs is None):
            raise ArgumentError(
                f"Model got {', '.join(others) or 'no inputs or outputs'}; in minitl it takes Model(inputs, outputs, "
                "name) with inputs = Input(shape), or nothing if your class has a call(inputs)."
            )
        self.name = name or self.name
        if not has_call:
            super().__init__(inputs, outputs, name or "model")
        if not truth_value(trainable, "trainable"):
            self.trainable = False

    def __call__(self, tensor, training=None):
        """Call this model's layers on `tensor`, one by one, and return the output. On arrays this is `forward`. On
        symbolic tensors the graph stays flat: no model is inside a model. A model with several inputs takes a list or
        dict of tensors. A second call uses the same layers again.

        training   True or False: the mode of all these calls, whatever the model does that they become a part of.
                   `base(x, training=False)` keeps the statistics of a BatchNormalization in fine-tuning as they are
        """
        if not any(isinstance(each, SymbolicTensor) for each in flattened(tensor)):
            tensor = self.prepare_for(tensor)
            arrays = self.input_structure.flat(tensor, f"the input of model '{self.name}'")
            arrays, training = [as_array(each) for each in arrays], self._mode_alone(training)
            if any(mask_of(each) is not None for each in arrays):
                with inside(training):
                    return self.called(arrays)
            return self.forward(self.input_structure.packed(arrays), training)
        given = Structure(tensor, "the input").value
        if self.is_waiting:
            self.begin_with(mapped(input_for, given))
        with inside(mode_around() if training is None else training):
            return self.called(self.input_structure.flat(given, f"the input of model '{self.name}'"))

    def _mode_alone(self, training):
        """Return True or False for a call on arrays. As in Keras, a row of RandomFlip and the like varies its images
        when it is called alone, unless training=False."""
        training, layers = mode_of(training), [each for each in self.layers if not isinstance(each, InputLayer)]
        varies = any(each.varies_when_called for each in layers) and not any(each.weight_names for each in layers)
        return varies if training is None else training

    def called(self, tensors, layer_of=lambda layer: layer):
        """Return the outputs of all calls again, on other symbolic inputs, in the form of `output`. `layer_of` gives
        the layer to call in the place of each."""
        known = dict(zip(self.inputs, tensors))
        for call in self.calls:
            inputs, by_name = call.arguments([known[each] for each in call.inputs])
            outputs = layer_of(call.layer)(inputs, **by_name)
            known.update(zip(call.outputs, outputs if isinstance(outputs, list) else [outputs]))
        return self.output_structure.packed([known[each] for each in self.outputs])

    def _of_same_kind(self, inputs, outputs, name):
        return Model(inputs, outputs, name)

    @property
    def input_shape(self):
        """The shape of the input, with None for the batch axis. With several inputs: a list or dict of shapes."""
        return self.input_structure.packed([tensor.shape for tensor in self.inputs])

    @property
    def output_shape(self):
        """The shape of the output, with None for the batch axis. With several outputs: a list or dict of shapes."""
        return self.output_structure.packed([tensor.shape for tensor in self.outputs])

    @property
    def input_names(self) -> list[str]:
        return list(self.input_structure.names)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs in `compile`, `fit` and the history: their keys, or the names of their layers."""
        return list(self.output_structure.names)

    @keras_arguments(after="print_fn", expand_nested=NotHere(False, (True,)), show_trainable=NotHere(False, (True,)),
                     layer_range=NotHere())  # fmt: skip
    @keras_arguments(line_length=WIDTH, positions=WIDTH)
    def summary(self, print_fn: Callable[[str], object] | None = print) -> None:
        """Print the layers, their output shapes, their parameters, and which of them are frozen."""
        (print_fn or print)(summary_text(self))

    # ---- the architecture as data, in Keras's form ----

    def get_config(self):
        """Return the architecture without weights, as Keras writes it: data that JSON can hold."""
        return keras_config(self, with_modules=True)["config"]

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the model, with new weights, of a `get_config`. `custom_objects`: as in `load_model`."""
        inputs, outputs, row = tensors_of({"class_name": cls.keras_class, "config": config}, custom_objects)
        return cls._from_tensors(inputs, outputs, row, config.get("name"))

    @classmethod
    def _from_tensors(cls, inputs, outputs, row, name):
        return Model(inputs, outputs, name=name)

    def to_json(self):
        """Return the architecture as JSON text, for `model_from_json` here and in Keras."""
        return json.dumps(keras_config(self, with_modules=True))

    # ---- methods that call the packages which do the work ----

    @property
    def compiled(self):
        """Return whether `compile` has chosen how to train."""
        return self.loss is not None

    @property
    def metrics_names(self):
        """Return the names of the numbers that `evaluate` returns, in order: the loss, and the metrics. Empty before
        `compile`."""
        return result_names(self.loss, self.output_structure, self.metrics) if self.compiled else []

    def compute_output_shape(self, input_shape):
        """Return the shape of the output for an input of this shape, batch first."""
        given = zip(self.inputs, self.input_structure.flat(input_shape, "input_shape"))
        shapes = shapes_of(self.calls, given)
        return self.output_structure.packed([shapes[each] for each in self.outputs])

    def compile(
        self,
        optimizer: Optimizer | str = "rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
    ) -> None:
        """Choose how to train: objects of `minitl.optimizers`, `losses` and `metrics`, or their Keras names.

        loss               one loss for all outputs, or a list or dict with one for each; None for an output without
        loss_weights       a number for each output: the loss that is trained is the sum of the losses times these
        metrics            a list; with several outputs a list or dict of lists, one for each output. An example (or a
                           pixel, or a time step) of weight 0 does not count, and all others count equally
        weighted_metrics   the same, but weighted as the loss is

        Layers may be frozen and unfrozen after `compile`: `fit` reads `layer.trainable` at each update. If an argument
        is refused, the model stays as it was compiled before. Keras's last four arguments say how Keras computes; they
        change nothing here.
        """
        if metrics is None and training.holds_metrics(loss_weights):  # compile(optimizer, loss, ["accuracy"])
            loss_weights, metrics = None, loss_weights
        if steps_per_execution not in (None, 1, "auto"):
            raise ArgumentError(f"steps_per_execution is {steps_per_execution!r}; minitl does one step at a time: 1.")
        if self.is_waiting:
            self.optimizer = optimizers.get(optimizer)
            self.waiting_to_compile = self.optimizer, loss, loss_weights, metrics, weighted_metrics
            return
        compiled_with = loss, loss_weights, metrics, weighted_metrics
        chosen, (loss, metrics) = optimizers.get(optimizer), training.compiled(self, *compiled_with)
        advice = (
            "An optimizer defines start(parameter) and update(parameter, gradient, *state): course/add_your_own.md."
        )
        refuse_methods(chosen, ("update_step",), advice)
        self.optimizer, self.loss, self.metrics, self.compiled_with = chosen, loss, metrics, compiled_with
        training.about_loss(self)

    def fit(self, x, y=None, *options, **named_options) -> History:
        """Train the model. Returns a `History`. The options are those of `minitl.training.fit`, in Keras's order. A
        frozen beginning of the model is run only once (`minitl.features`)."""
        x = self.prepare_for(x)
        return training.fit(self, x, y, *options, **named_options)

    def evaluate(
        self,
        x,
        y=None,
        batch_size: int = 32,
        verbose=1,
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
    ) -> Any:
        """Return the loss on (x, y), or [loss, metrics...] as compiled."""
        x = self.prepare_for(x)
        return training.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict)

    def predict(self, x, batch_size: int = 32, verbose=1, steps=None, callbacks=None) -> Any:
        """Return the outputs for all examples of x, computed batch by batch."""
        x = self.prepare_for(x)
        return training.predict(self, x, batch_size, verbose, steps, callbacks)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False) -> Any:
        """Do one update on one batch. Returns the loss before the update, or [loss, metrics...]."""
        x = self.prepare_for(x)
        return training.train_on_batch(self, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False) -> Any:
        """Return the loss on one batch, or [loss, metrics...]. Nothing is updated."""
        x = self.prepare_for(x)
        return training.test_on_batch(self, x, y, sample_weight, return_dict)

    def predict_on_batch(self, x) -> Any:
        """Return the outputs for one batch."""
        x = self.prepare_for(x)
        return training.predict_on_batch(self, x)

    @keras_arguments(after="overwrite", zipped=ZIPPED)
    def save(self, filepath: AnyPath, overwrite: bool = True) -> None:
        """Write the architecture and the weights to one file, .keras or HDF5, for `load_model`. With overwrite=False, a
        file that is there already is an error."""
        refuse_overwriting(filepath, overwrite)
        weights.save_model(self, filepath)

    @keras_arguments(after="names", format=NotHere(instead="The ending of the path says it: .onnx, .safetensors, .pt."))
    def export(self, path: AnyPath, preprocessing: bool = False, names: dict[str, str] | None = None) -> None:
        """Write the model for another program, by the ending of `path`: .onnx, .safetensors, .pt (`minitl.export`)."""
        export.export(self, path, preprocessing, names)

    @keras_arguments(after="overwrite", max_shard_size=NotHere(instead="Weights are one file."))
    def save_weights(self, filepath: AnyPath, overwrite: bool = True) -> None:
        """Write the weights alone to a file, in Keras's legacy HDF5 layout. `overwrite`: as in `save`."""
        refuse_overwriting(filepath, overwrite)
        weights.save_weights(self, filepath)

    def load_weights(
        self,
        filepath: AnyPath,
        skip_mismatch: bool = False,
        by_name: bool = False,
        partial: bool = False,
        names: dict[str, str] | None = None,
    ) -> weights.LoadReport:
        """Read weights by layer name from a file in any format of `minitl.weights`. Returns a `LoadReport`.

        skip_mismatch   True: a layer whose shapes are others in the file keeps its weights
        by_name         Keras's name of `partial`
        partial         True: layers may be missing in the file or in the model
        names           {name in the file: layer name}, for names that differ
        """
        return weights.load_weights(self, filepath, partial or by_name, names, skip_mismatch)

    @property
    def ledger(self) -> Ledger:
        """The ledger: where every weight comes from, and whether it has changed since it was loaded. Print it."""
        return weights.ledger_of(self)
