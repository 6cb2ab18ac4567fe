"""`Model`: a graph, and what people do with one.

The upper half is the model's own: its weights and its freezing. The lower half are doors. Keras's users expect `fit`,
`save` and the like on the model, so they are here, each a call of the floor where the work is done: training in
`minitl.training` (by way of `minitl.features`), files in `minitl.weights`. These doors and `models.load_model` are the
only places where a lower floor of the house calls a higher one, and they import it when they are used.
"""

from .. import losses, optimizers
from ..errors import ArgumentError, GraphError, ShapeError
from ..graph.graph import Graph, one_tensor
from ..graph.summary import summary_text
from ..metrics import get as get_metric


class Model(Graph):
    """`Model(inputs, outputs)`: the layers that lead from one symbolic tensor to another.

    Models may share layers: a model cut out of another trains the same arrays.
    """

    optimizer = loss = None  # set by compile
    stop_training = False  # a callback sets it to end `fit` after the epoch

    def __init__(self, inputs, outputs, name=None):
        self.name = name or "model"
        self.metrics = []  # (name in the history, Metric)
        self.metadata = {}  # anything JSON can hold that should be saved with the model: class names, preprocessing
        self.notes = []  # lines for the ledger: what was skipped and removed
        super().__init__(inputs, outputs)

    def __call__(self, tensor, training=None):
        """Put this model's layers after `tensor`, one by one: the graph stays flat, with no model inside a model.

        `training=False`, which fixes a part of a Keras model to inference, is accepted where it changes nothing:
        BatchNormalization must be frozen already.
        """
        thawed = [la.name for la in self.layers if la.uses_batch or la.random]
        if training is not None and (training or thawed):
            raise GraphError(
                f"model '{self.name}' was called with training={training}; in minitl the same layers run in training "
                f"and inference as fit and predict say. Freeze its BatchNormalization and leave out Dropout: {thawed}."
            )
        outputs = {self.input: one_tensor(tensor, "the input")}
        for step in self.steps:
            inputs = [outputs[each] for each in step.inputs]
            outputs[step] = step.layer(inputs if step.layer.merges else inputs[0])
        return outputs[self.output]

    @property
    def trainable(self):
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value):
        """Freeze or unfreeze every layer. Takes effect at once; nothing has to be compiled again."""
        for layer in self.layers:
            layer.trainable = value

    @property
    def input_shape(self):
        return self.input.shape

    @property
    def output_shape(self):
        return self.output.shape

    @property
    def dtype(self):
        """The type the model computes in: its first parameter's."""
        for layer in self.layers:
            for name in layer.weight_names:
                return getattr(layer, name).dtype
        return None

    def count_params(self, trainable_only=False):
        """Numbers that are learned or measured; with `trainable_only`, those that the optimizer moves."""
        if not trainable_only:
            return sum(layer.count_params() for layer in self.layers)
        return sum(getattr(layer, name).size for layer in self.layers for name in layer.trainable_names)

    @property
    def weights(self):
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def trainable_weights(self):
        return [weight for layer in self.layers for weight in layer.trainable_weights]

    def get_weights(self):
        """Copies of all parameters and statistics, layer by layer."""
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights):
        weights = list(weights)
        expected = sum(len(layer.weight_names) for layer in self.layers)
        if len(weights) != expected:
            raise ShapeError(f"the model expected {expected} weight arrays, found {len(weights)}.")
        parts = []
        for layer in self.layers:
            count = len(layer.weight_names)
            parts.append((layer, weights[:count]))
            weights = weights[count:]
        for layer, part in parts:  # all are checked before any is changed
            layer.check_weights(part)
        for layer, part in parts:
            layer.set_weights(part)

    def summary(self, print_fn=print):
        """Print the layers, their output shapes, their parameters, and what is frozen."""
        print_fn(summary_text(self))

    # ---- doors to the upper floors ----

    def compile(self, optimizer="sgd", loss=None, metrics=None):
        """Choose how to train: objects of `minitl.optimizers`, `losses` and `metrics`, or their Keras names."""
        if loss is None:
            raise ArgumentError("compile needs a loss, as in loss='categorical_crossentropy'.")
        self.optimizer, self.loss = optimizers.get(optimizer), losses.get(loss)
        metrics = [metrics] if isinstance(metrics, str) else metrics or []
        self.metrics = [get_metric(metric, self.loss, self.output_shape) for metric in metrics]
        from ..training.warned import about_loss

        about_loss(self)

    def fit(self, x, y, *options, **named_options):
        """Train. Returns a `History`. Options: those of `minitl.training.fit`, in Keras's order. A frozen beginning of
        the model is run only once (`minitl.features`)."""
        from .. import features

        return features.fit(self, x, y, *options, **named_options)

    def evaluate(self, x, y, batch_size=32, verbose=1, return_dict=False):
        """The loss on (x, y), or [loss, metrics...] as compiled."""
        from .. import training

        return training.evaluate(self, x, y, batch_size, verbose, return_dict)

    def predict(self, x, batch_size=32, verbose=1):
        """The outputs for all of x, batch by batch."""
        from .. import training

        return training.predict(self, x, batch_size, verbose)

    def train_on_batch(self, x, y, return_dict=False):
        """One update on one batch. Returns the loss before it, or [loss, metrics...]."""
        from .. import training

        return training.train_on_batch(self, x, y, return_dict)

    def save(self, path):
        """Write architecture and weights into one HDF5 file, for `load_model`."""
        from .. import weights

        weights.save_model(self, path)

    def save_weights(self, path):
        """Write the weights alone, in Keras's legacy HDF5 layout."""
        from .. import weights

        weights.save_weights(self, path)

    def load_weights(self, path, partial=False, names=None):
        """Read weights by layer name from any of the formats in `minitl.weights`. Returns a `LoadReport`; with
        `partial`, layers may be missing on either side; `names` translates {name in the file: layer name}."""
        from .. import weights

        return weights.load_weights(self, path, partial, names)

    @property
    def ledger(self):
        """Where every tensor comes from, and whether it still is what was loaded. Print it."""
        from .. import weights

        return weights.ledger_of(self)
