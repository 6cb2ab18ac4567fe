"""Which calls lie between inputs and outputs, in which order the layers count, and what they are called."""

from ..errors import GraphError
from ..layers import InputLayer


def calls_between(inputs, outputs):
    """Return all calls that `outputs` are computed by, back to `inputs` and without those of `inputs`, oldest first.

    A call is made after the calls that it depends on, so this is a valid order of computation, and its reverse a valid
    order for gradients. Raises GraphError where an output depends on an Input that is not among `inputs`, or where one
    of `inputs` is used by nothing.
    """
    found, used, to_visit = set(), set(), list(outputs)
    while to_visit:
        tensor = to_visit.pop()
        if tensor in inputs:
            used.add(tensor)
        elif tensor.call not in found:
            if not tensor.inputs:
                names = ", ".join(f"'{each.layer.name}' {each.shape}" for each in inputs)
                raise GraphError(
                    f"the output depends on '{tensor.layer.name}', which is not the model's input; that is another Input: "
                    f"{names}. Where models share layers, layer.output is the layer's first use; model.output_of(name) "
                    "is this one's."
                )
            found.add(tensor.call)
            to_visit.extend(tensor.inputs)
    idle = [tensor.layer.name for tensor in inputs if tensor not in used]
    if idle:
        raise GraphError(f"the outputs do not depend on the input '{idle[0]}'. Leave it out, or connect it.")
    return sorted(found, key=lambda call: call.serial)


def inputs_needed(inputs, outputs):
    """Return those of `inputs` that `outputs` depend on, in their order."""
    found, seen, to_visit = set(), set(), list(outputs)
    while to_visit:
        tensor = to_visit.pop()
        if tensor in inputs:
            found.add(tensor)
        elif tensor not in seen:
            seen.add(tensor)
            to_visit.extend(tensor.inputs)
    return [tensor for tensor in inputs if tensor in found]


def layers_in_keras_order(inputs, outputs):
    """Return the layers as Keras's `model.layers` has them, which weight files without names and programs that freeze
    `model.layers[:249]` go by.

    The longer the way from a layer to the outputs, the earlier it comes; among equals, the one first met when walking
    back from the outputs. A layer that is called several times stands where the longest way puts it, and the way of
    each earlier call is measured from there (`map_graph_network` in Keras's `function.py`).
    """
    met, walk = {}, _walk_back(inputs, outputs)
    for kind, node in walk:
        if kind == "met":
            met.setdefault(node.layer, len(met))
    way_of_layer, way = {}, {}  # calls to the outputs
    for node in reversed([node for kind, node in walk if kind == "done"]):
        layer = node.layer
        way_of_layer[layer] = way[node] = max(way.get(node, 0), way_of_layer.get(layer, 0))
        for before in _nodes_before(node, inputs):
            way[before] = max(way.get(before, 0), way[node] + 1)
    called = {node.layer for kind, node in walk if node not in inputs}
    layers = [layer for layer in met if isinstance(layer, InputLayer) or layer in called]
    return sorted(layers, key=lambda layer: (-way_of_layer[layer], met[layer]))


def _walk_back(inputs, outputs):
    """Return ("met", node) and ("done", node) of a walk from the outputs to the inputs, depth first. A node is a call,
    or one of `inputs`. It is done when all that it depends on is done. Not recursive: a deep network is deeper than
    Python's stack."""
    events, seen, to_visit = [], set(), []
    for output in outputs:
        to_visit.append(("met", output if output in inputs else output.call))
        while to_visit:
            kind, node = to_visit.pop()
            if kind == "done":
                events.append((kind, node))
            elif node not in seen:
                seen.add(node)
                events.append((kind, node))
                to_visit.append(("done", node))
                to_visit.extend(("met", before) for before in reversed(_nodes_before(node, inputs)))
    return events


def _nodes_before(node, inputs):
    return [] if node in inputs else [tensor if tensor in inputs else tensor.call for tensor in node.inputs]


def settle_names(layers):
    """Give names to layers that nobody named. Names are unique in a model, since weight files go by them: such a layer
    is called by its class, with a number where that is taken (dense, dense_1, ...), in the first model that it joins;
    then the name stays."""
    taken = set()
    for layer in layers:
        if layer.name_is_settled and layer.name in taken:
            raise GraphError(f"two layers are named '{layer.name}'; give one of them another name (name=...).")
        if layer.name_is_settled:
            taken.add(layer.name)
    for layer in layers:
        if not layer.name_is_settled:
            number = 0
            while layer.name in taken:
                number += 1
                layer.name = f"{layer.class_name}_{number}"
            taken.add(layer.name)
            layer.name_is_settled = True
