"""`Model`: a graph with methods to train, evaluate, save and load it.

Users of Keras expect `fit`, `save` and others as methods of the model. Each method here calls the package that does the
work: `minitl.training` for training, `minitl.weights` for files.
"""

from collections.abc import Callable, Sequence
from typing import Any

from .. import export, optimizers, training, weights
from ..arguments import AnyPath, refuse_methods
from ..errors import ArgumentError, GraphError
from ..graph.graph import Graph
from ..graph.structure import Structure
from ..graph.summary import summary_text
from ..losses import Loss
from ..optimizers import Optimizer
from ..training import History
from ..weights.ledger import Ledger

# What a subclass of Keras's Model may define, and no method here calls.
KERAS_METHODS = ("call", "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics")


class Model(Graph):
    """`Model(inputs, outputs)`: all layers on the paths from the symbolic tensors `inputs` to the tensors `outputs`.

    Each of the two is one tensor, a list, or a dict by name. `fit`, `evaluate` and `predict` take arrays in the same
    form. Models may share layers: a model that was cut out of another model trains the same arrays.
    """

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
            "Describe the model as Model(inputs, outputs) with inputs = Input(shape), and write a step of your own as "
            "a loop: model.forward, loss.forward, model.backward, optimizer.step.",
        )
        return model

    def __init__(self, inputs, outputs, name: str | None = None) -> None:
        super().__init__(inputs, outputs, name or "model")

    def __call__(self, tensor, training=None):
        """Call this model's layers on `tensor`, one by one, and return the output. The graph stays flat: no model is
        inside a model. A model with several inputs takes a list or dict of tensors. A second call uses the same layers
        again.

        In Keras, `training=False` fixes a part of a model to inference. Here it is accepted only where it changes
        nothing: all BatchNormalization layers must be frozen already.
        """
        unfixed = [layer.name for layer in self.layers if layer.uses_batch or layer.random]
        if training is not None and (training or unfixed):
            raise GraphError(
                f"model '{self.name}' was called with training={training}; in minitl, fit runs its layers in training "
                f"mode and predict in inference mode. Freeze its BatchNormalization and leave out Dropout: {unfixed}."
            )
        given = Structure(tensor, "the input").value
        known = dict(zip(self.inputs, self.input_structure.flat(given, f"the input of model '{self.name}'")))
        for call in self.calls:
            inputs, by_name = call.arguments([known[each] for each in call.inputs])
            outputs = call.layer(inputs, **by_name)
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

    def summary(self, print_fn: Callable[[str], object] = print) -> None:
        """Print the layers, their output shapes, their parameters, and which of them are frozen."""
        print_fn(summary_text(self))

    # ---- methods that call the packages which do the work ----

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
        return training.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict)

    def predict(self, x, batch_size: int = 32, verbose=1, steps=None, callbacks=None) -> Any:
        """Return the outputs for all examples of x, computed batch by batch."""
        return training.predict(self, x, batch_size, verbose, steps, callbacks)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False) -> Any:
        """Do one update on one batch. Returns the loss before the update, or [loss, metrics...]."""
        return training.train_on_batch(self, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False) -> Any:
        """Return the loss on one batch, or [loss, metrics...]. Nothing is updated."""
        return training.test_on_batch(self, x, y, sample_weight, return_dict)

    def predict_on_batch(self, x) -> Any:
        """Return the outputs for one batch."""
        return training.predict_on_batch(self, x)

    def save(self, path: AnyPath) -> None:
        """Write the architecture and the weights to one HDF5 file, for `load_model`."""
        weights.save_model(self, path)

    def export(self, path: AnyPath, preprocessing: bool = False, names: dict[str, str] | None = None) -> None:
        """Write the model for another program, by the ending of `path`: .onnx, .safetensors, .pt (`minitl.export`)."""
        export.export(self, path, preprocessing, names)

    def save_weights(self, path: AnyPath) -> None:
        """Write the weights alone to a file, in Keras's legacy HDF5 layout."""
        weights.save_weights(self, path)

    def load_weights(
        self, path: AnyPath, partial: bool = False, names: dict[str, str] | None = None
    ) -> weights.LoadReport:
        """Read weights by layer name from a file in any format of `minitl.weights`. Returns a `LoadReport`.

        partial   True: layers may be missing in the file or in the model
        names     {name in the file: layer name}, for names that differ
        """
        return weights.load_weights(self, path, partial, names)

    @property
    def ledger(self) -> Ledger:
        """The ledger: where every weight comes from, and whether it has changed since it was loaded. Print it."""
        return weights.ledger_of(self)
