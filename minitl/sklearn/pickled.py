"""A fitted model as plain data, so that a pickled estimator holds settings and weights by value, and no code of minitl.

Who calls this: `estimators`, when an estimator is pickled or sent to another process.
"""

from .. import initializers
from ..graph.architecture import architecture, build
from ..models import Model


def packed(model):
    """Return a model as data: its architecture, and the arrays of each layer."""
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weight_names}
    return {"architecture": architecture(model), "weights": weights}


def unpacked(data):
    """Return the model that `packed` has described."""
    with initializers.weights_will_be_loaded():
        inputs, outputs, layers = build(data["architecture"])
    model = Model(inputs, outputs, name=data["architecture"]["name"])
    model.metadata = data["architecture"]["metadata"]
    for layer in layers:
        if layer.name in data["weights"]:
            layer.set_weights(data["weights"][layer.name])
    return model
