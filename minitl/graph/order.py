"""The calls between inputs and outputs, their shapes and cuts, the order of a model's layers, and their names."""

from ..errors import GraphError
from ..layers import InputLayer


def calls_between(inputs, outputs):
    """Return all calls on the way from `inputs` to `outputs`, oldest first. The calls that made `inputs` are left out.

    A call is made after the calls that it depends on, so this is a valid order of computation, and its reverse is a
    valid order for gradients. Raises GraphError if an output depends on an Input that is not among `inputs`, or if one
    of `inputs` is not used.
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
                    f"the output depends on '{tensor.layer.name}', which is not the model's input. The model was given "
                    f"another Input: {names}. If models share layers, layer.output is the output of the layer's first "
                    "call; model.output_of(name) gives the output of its call in this model."
                )
            found.add(tensor.call)
            to_visit.extend(tensor.inputs)
    unused = [tensor.layer.name for tensor in inputs if tensor not in used]
    if unused:
        raise GraphError(f"the outputs do not depend on the input '{unused[0]}'. Leave it out, or connect it.")
    return sorted(found, key=lambda call: call.serial)


def source_inputs(tensors):
    """Return the inputs of InputLayers on which these symbolic tensors depend, oldest first."""
    found, to_visit = set(), list(tensors)
    seen = set(to_visit)
    while to_visit:
        tensor = to_visit.pop()
        if not tensor.inputs:
            found.add(tensor)
        to_visit.extend(set(tensor.inputs) - seen)
        seen.update(tensor.inputs)
    return sorted(found, key=lambda tensor: tensor.call.serial)


def inputs_needed(inputs, outputs):
    """Return those of `inputs` on which `outputs` depend, in their order."""
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
    """Return the layers in the order of Keras's `model.layers`.

    Programs and files rely on this order, which is not that of the calls. A Keras program freezes by position,
    as in `model.layers[:249]` of InceptionV3. Keras reads the arrays of an older HDF5 file by position, unless it is
    told to go by name; a file of Keras 3 numbers the layers of a class (conv2d, conv2d_1, ...) in this order.

    The layers are sorted by distance: the number of calls on the longest way from a layer to the outputs. The largest
    distance comes first. Among layers of equal distance, a walk back from the outputs decides: the layer that it meets
    first comes first. An example, a small residual block:

        x = Input((8,)); s = Dense(4, name="shortcut")(x)
        a = Dense(4, name="a")(x); b = Dense(4, name="b")(a); y = Add()([b, s])

        order of the calls     shortcut, a, b, add
        distances              input 3, a 2, b 1, shortcut 1, add 0
        order of the layers    input, a, b, shortcut, add          (b before shortcut, since Add takes b first)

    So `layers[:2]` are the input and a, not the input and the shortcut. In a model that is a single path, both orders
    are the same. A layer that is called several times has the largest distance of its calls. The distances
    are found on the way from the outputs to the inputs, and calls that feed one of its calls count from the largest
    distance of the layer so far (`map_graph_network` in Keras's `function.py`).
    """
    met, walk = {}, _walk_back(inputs, outputs)
    for kind, node in walk:
        if kind == "met":
            met.setdefault(node.layer, len(met))
    distance_of_layer, distance = {}, {}  # each in calls, from there to the outputs
    for node in reversed([node for kind, node in walk if kind == "done"]):
        layer = node.layer
        distance_of_layer[layer] = distance[node] = max(distance.get(node, 0), distance_of_layer.get(layer, 0))
        for before in _nodes_before(node, inputs):
            distance[before] = max(distance.get(before, 0), distance[node] + 1)
    called = {node.layer for kind, node in walk if node not in inputs}
    layers = [layer for layer in met if isinstance(layer, InputLayer) or layer in called]
    return sorted(layers, key=lambda layer: (-distance_of_layer[layer], met[layer]))


def _walk_back(inputs, outputs):
    """Return the events ("met", node) and ("done", node) of a depth-first walk from the outputs to the inputs.

    A node is a call, or one of `inputs`. It is done when everything that it depends on is done. The walk is not
    recursive, since a deep network is deeper than Python's stack.
    """
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
    """Return the nodes whose outputs a node takes: calls, or some of `inputs`."""
    return [] if node in inputs else [tensor if tensor in inputs else tensor.call for tensor in node.inputs]


def name_unnamed_layers(layers):
    """Give a name to each unnamed layer. Raises GraphError if two layers were given the same name.

    Names are unique in a model, since weight files go by them. The first model that an unnamed layer joins names it
    after its class, with a number where that name is taken (dense, dense_1, ...). From then on the name stays, unless
    the layer joins another one of this name in a new model. Then the one that comes later is numbered again.
    """
    taken, unnamed = set(), []
    for layer in layers:
        if layer.is_named and layer.name in taken:
            raise GraphError(f"two layers are named '{layer.name}'; give one of them another name (name=...).")
        if layer.is_named:
            taken.add(layer.name)
    for layer in layers:
        if layer.name_is_final and not layer.is_named and layer.name not in taken:
            taken.add(layer.name)
        elif not layer.is_named:
            unnamed.append(layer)
    for layer in unnamed:
        number = 0
        while layer.name in taken:
            number += 1
            layer.name = f"{layer.class_name}_{number}"
        taken.add(layer.name)
        layer.name_is_final = True


def shapes_of(calls, inputs):
    """Return {symbolic tensor: shape} of all inputs and outputs of calls in order, from those of the first inputs: the
    shapes that symbolic tensors leave open, such as the size of an image, follow from these."""
    shapes = dict(inputs)
    for call in calls:
        shape = call.layer.packed([shapes[tensor] for tensor in call.by_position])
        found = call.layer.compute_output_shape(shape, **call.options)
        shapes.update(zip(call.outputs, found if isinstance(found, list) else [found]))
    return shapes


def cuts_between(inputs, calls, outputs):
    """Return the symbolic tensors at which a graph can be cut in two, in order: `Graph.cuts`."""
    tensors = [*inputs, *(tensor for call in calls for tensor in call.outputs)]
    position = {tensor: k for k, tensor in enumerate(tensors)}
    last_use = {tensor: position[call.outputs[0]] for call in calls for tensor in call.inputs}
    last_use.update({tensor: len(tensors) for tensor in outputs if tensor is not tensors[-1]})
    found, needed_until = [], 0
    for k, tensor in enumerate(tensors):
        is_alone = not any(each in last_use for each in tensor.call.outputs if each is not tensor)
        if needed_until <= k and is_alone and (k >= len(inputs) or len(inputs) == 1):
            found.append(tensor)  # behind it, no other tensor from before is used
        needed_until = max(needed_until, last_use.get(tensor, 0))
    return found
