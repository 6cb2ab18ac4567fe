"""A graph with its weights as plain data that can be pickled: by value, and with no code of minitl.

Who calls this: `features.batch_by_batch`, which sends a frozen graph to other processes, and `minitl.sklearn`, whose
fitted estimators can be pickled.
"""

from .. import initializers
from .architecture import architecture, build
from .graph import Graph


def packed(graph):
    """Return a graph as data: its architecture, and the arrays of each layer."""
    weights = {layer.name: layer.get_weights() for layer in graph.layers if layer.weight_names}
    return {"architecture": architecture(graph), "weights": weights}


def unpacked(data, kind=Graph):
    """Return the graph that `packed` has described, as an object of the class `kind`."""
    with initializers.weights_will_be_loaded():
        inputs, outputs, layers = build(data["architecture"])
    graph = kind(inputs, outputs, name=data["architecture"]["name"])
    graph.metadata = data["architecture"]["metadata"]
    for layer in layers:
        if layer.name in data["weights"]:
            layer.set_weights(data["weights"][layer.name])
    return graph
