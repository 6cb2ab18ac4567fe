"""`Model`: a graph, and what people do with one.

Keras's users expect `fit`, `save` and the like on the model, so they are here, each a call of the room where the work
is done: training in `minitl.training`, files in `minitl.weights`.
"""

from .. import optimizers, training, weights
from ..errors import GraphError
from ..graph.graph import Graph
from ..graph.structure import Structure
from ..graph.summary import summary_text


class Model(Graph):
    """`Model(inputs, outputs)`: the layers that lead from symbolic tensors to others. Each of the two is one tensor, a
    list, or a dict by name; `fit`, `evaluate` and `predict` take arrays in the same form.

    Models may share layers: a model cut out of another trains the same arrays.
    """

    optimizer = loss = None  # set by `compile`, as `metrics`: (name, Metric, ...) of `training.compiled`
    metrics = ()
    stop_training = False  # a callback sets it to end `fit` after the epoch

    def __init__(self, inputs, outputs, name=None):
        super().__init__(inputs, outputs, name or "model")

    def __call__(self, tensor, training=None):
        """Put this model's layers after `tensor`, one by one: the graph stays flat, with no model inside a model. A
        model with several inputs takes a list or dict of tensors. Called again, it uses the same layers again.

        `training=False`, which fixes a part of a Keras model to inference, is accepted where it changes nothing:
        BatchNormalization must be frozen already.
        """
        unfixed = [layer.name for layer in self.layers if layer.uses_batch or layer.random]
        if training is not None and (training or unfixed):
            raise GraphError(
                f"model '{self.name}' was called with training={training}; in minitl the same layers run in training "
                f"and inference as fit and predict say. Freeze its BatchNormalization and leave out Dropout: {unfixed}."
            )
        given = Structure(tensor, "the input").value
        known = dict(zip(self.inputs, self.input_structure.flat(given, f"the input of model '{self.name}'")))
        for call in self.calls:
            inputs = [known[each] for each in call.inputs]
            outputs = call.layer(inputs if call.layer.merges else inputs[0])
            known.update(zip(call.outputs, outputs if isinstance(outputs, list) else [outputs]))
        return self.output_structure.packed([known[each] for each in self.outputs])

    def _of_same_kind(self, inputs, outputs, name):
        return Model(inputs, outputs, name)

    @property
    def input_shape(self):
        """The shape of the input, with None for the batch; of several, in their form."""
        return self.input_structure.packed([tensor.shape for tensor in self.inputs])

    @property
    def output_shape(self):
        """The shape of the output, with None for the batch; of several, in their form."""
        return self.output_structure.packed([tensor.shape for tensor in self.outputs])

    @property
    def input_names(self):
        return list(self.input_structure.names)

    @property
    def output_names(self):
        """What outputs are called in `compile`, `fit` and the history: their keys, or the names of their layers."""
        return list(self.output_structure.names)

    def summary(self, print_fn=print):
        """Print the layers, their output shapes, their parameters, and what is frozen."""
        print_fn(summary_text(self))

    # ---- doors to the rooms where the work is done ----

    def compile(self, optimizer="sgd", loss=None, loss_weights=None, metrics=None, weighted_metrics=None):
        """Choose how to train: objects of `minitl.optimizers`, `losses` and `metrics`, or their Keras names.

        loss               one for all outputs, or a list or dict of one for each; None for an output that has none
        loss_weights       a number for each: the loss that is trained is the sum of the losses times these
        metrics            a list; with several outputs a list or dict of lists, one for each output. An example (or a
                           pixel, or a time step) of weight 0 does not count, all others count alike
        weighted_metrics   the same, but weighted as the loss is
        """
        if metrics is None and training.holds_metrics(loss_weights):  # compile(optimizer, loss, ["accuracy"])
            loss_weights, metrics = None, loss_weights
        self.optimizer = optimizers.get(optimizer)
        self.compiled_with = loss, loss_weights, metrics, weighted_metrics
        self.loss, self.metrics = training.compiled(self, *self.compiled_with)
        training.about_loss(self)

    def fit(self, x, y=None, *options, **named_options):
        """Train. Returns a `History`. Options: those of `minitl.training.fit`, in Keras's order. A frozen beginning of
        the model is run only once (`minitl.features`)."""
        return training.fit(self, x, y, *options, **named_options)

    def evaluate(self, x, y=None, batch_size=32, verbose=1, sample_weight=None, return_dict=False):
        """Return the loss on (x, y), or [loss, metrics...] as compiled."""
        return training.evaluate(self, x, y, batch_size, verbose, sample_weight, return_dict)

    def predict(self, x, batch_size=32, verbose=1):
        """Return the outputs for all of x, computed batch by batch."""
        return training.predict(self, x, batch_size, verbose)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Do one update on one batch. Returns the loss before it, or [loss, metrics...]."""
        return training.train_on_batch(self, x, y, sample_weight, class_weight, return_dict)

    def save(self, path):
        """Write architecture and weights into one HDF5 file, for `load_model`."""
        weights.save_model(self, path)

    def save_weights(self, path):
        """Write the weights alone, in Keras's legacy HDF5 layout."""
        weights.save_weights(self, path)

    def load_weights(self, path, partial=False, names=None):
        """Read weights by layer name from any of the formats in `minitl.weights`. Returns a `LoadReport`; with
        `partial`, layers may be missing on either side; `names` translates {name in the file: layer name}."""
        return weights.load_weights(self, path, partial, names)

    @property
    def ledger(self):
        """Where every tensor comes from, and whether it still is what was loaded. Print it."""
        return weights.ledger_of(self)
