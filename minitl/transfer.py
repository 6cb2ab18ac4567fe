"""Surgery: the middle steps of transfer learning, on any model.

    3  remove_layers    cut off what belongs to the old task
    4  replace_head     put new layers on
    5  adapt_input      other channels, another image size
       adapt_classes    other classes, keeping what was learned about those that stay
    6  freeze, unfreeze choose what may move;  frozen_digest proves that the rest did not

Those of steps 3 to 5 return a new `Model` that *shares* the layers it kept, so that training one trains both (only a
layer whose weights change their shape is a copy); the others act on the model they are given. In a new model, ask for a
layer's output with `model.output_of(name)`: `layer.output` is where the layer was used first.
Read next: `features`, which makes use of what is frozen.
"""

import numpy as np

from .errors import ArgumentError, GraphError, ShapeError
from .graph.digest import frozen_digest as frozen_digest
from .layers import Input, InputLayer, Layer
from .models import Model
from .weights.ledger import adapted


def remove_layers(model, after):
    """`model` up to and including the layer named `after`; everything behind it is left out. Raises GraphError where
    the model is no single path there (`model.cuts`)."""
    kept = model.part(model.input, _cut(model, after))
    return _continue(kept, model, f"removed behind '{after}'", class_names=None)


def replace_head(model, layers, after=None):
    """`model` up to and including the layer named `after` (default: all of it), followed by new `layers` in a row
    (a list, or a single one). Raises GraphError where the model is no single path there (`model.cuts`)."""
    if after is None and len(model.outputs) > 1:
        raise GraphError(
            f"the model has {len(model.outputs)} outputs ({', '.join(model.output_names)}); say behind which layer the "
            "new head goes, with after=."
        )
    tensor = model.outputs[0] if after is None else _cut(model, after)
    for layer in [layers] if isinstance(layers, Layer) else layers:
        tensor = layer(tensor)
    new = Model(model.input, tensor, name=model.name)
    return _continue(new, model, "replaced by a new head", class_names=None)


def _cut(model, name):
    """The output of the layer called `name`, if all that lies behind is computed from it alone."""
    if sum(call.layer.name == name for call in model.calls) > 1:
        raise GraphError(
            f"the model cannot be cut behind '{name}', which is called several times. It is a single path behind "
            f"{', '.join(repr(tensor.layer.name) for tensor in model.cuts)}."
        )
    tensor, cuts, tensors = model.output_of(name), model.cuts, model.tensors
    if tensor in cuts:
        return tensor
    place = tensors.index(tensor)
    before = [each.layer.name for each in cuts if each in tensors[:place]]
    after = [each.layer.name for each in cuts if each in tensors[place:]]
    found = [(call, each) for call in model.calls for each in call.inputs
             if call.outputs[0] in tensors[place + 1 :] and each in tensors[:place]]  # fmt: skip
    if not (found and before and after):
        ends = f"It is a single path behind {', '.join(map(repr, before + after))}." * bool(before + after)
        raise GraphError(
            f"the model cannot be cut behind '{name}': with several inputs or outputs, not all that lies behind is "
            f"computed from it alone. {ends}".rstrip()
        )
    behind, other = found[0]
    raise GraphError(
        f"the model cannot be cut behind '{name}', which lies in one of several branches: '{behind.layer.name}' also "
        f"needs '{other.layer.name}'. It is a single path behind '{before[-1]}', before the branches, and behind "
        f"'{after[0]}', after them."
    )


def adapt_input(model, input_shape):
    """`model` for images of another `input_shape` (H, W, C).

    Another size needs no new weights, as long as no dense layer has counted the pixels. Other channels need a new
    kernel in every convolution that looks at the image itself (in every layer that names the axis of its channels, in
    `input_axes`); it is made from the old one by `adapt_channels`. All other layers are shared. Raises ShapeError where
    a layer behind cannot take what comes then.
    """
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) != 3 or input_shape[2] is None:
        raise ShapeError(f"input_shape is {input_shape!r}; expected (height, width, channels).")
    if len(model.inputs) > 1:
        raise ShapeError(f"the model has {len(model.inputs)} inputs ({', '.join(model.input_names)}); expected one.")
    (images,) = model.inputs
    if not isinstance(images.layer, InputLayer):
        raise ShapeError("the model begins in the middle of another one; adapt that one's input.")
    input_shape = tuple(input_shape)
    tensors = {images: Input(input_shape, name=images.layer.name)}
    image_like = {images}  # tensors whose channels are still those of the image
    replaced = {}  # layer -> its copy for other channels; a layer that is called twice is adapted once
    for call in model.calls:
        layer, before = call.layer, call.inputs[0]
        if before in image_like:
            if layer.keeps_channels:
                image_like.update(call.outputs)
            elif layer.input_axes and input_shape[-1] != before.shape[-1] and layer not in replaced:
                replaced[layer] = _with_channels(layer, tensors[before].shape)
        layer = replaced.get(layer, layer)
        inputs = [tensors[each] for each in call.inputs]
        try:
            outputs = layer(inputs if layer.merges else inputs[0])
            tensors.update(zip(call.outputs, outputs if isinstance(outputs, list) else [outputs]))
        except ShapeError as error:
            raise ShapeError(
                f"the model cannot take images of {input_shape}: {error} Cut it before '{layer.name}' with "
                "remove_layers or replace_head, adapt the input, and put a new head on."
            ) from None
    outputs = model.output_structure.packed([tensors[each] for each in model.outputs])
    new = Model(model.input_structure.packed([tensors[images]]), outputs, name=model.name)
    if replaced:  # how images of these channels have to be prepared, nobody knows
        return _continue(new, model, preprocessing=None)
    return _continue(new, model)


def adapt_channels(kernel, channels, axis=2):
    """Return a first kernel (KH, KW, C, F) for another number of input channels. `axis` is where they are counted.

    1 channel           the sum over the old channels: a grey image then gives exactly what it gave as three equal
                        channels (after VGG16's `preprocess_input` they are not equal: each has lost its own mean)
    more than before    the old ones, and zeros for the rest: RGBA starts as if alpha were not there, and training may
                        find a use for it
    any other number    the mean over the old channels, scaled so that the sum over all channels stays what it was
    """
    old = kernel.shape[axis]
    if channels == 1:
        return kernel.sum(axis=axis, keepdims=True)
    if channels > old:
        missing = (*kernel.shape[:axis], channels - old, *kernel.shape[axis + 1 :])
        return np.concatenate([kernel, np.zeros(missing, kernel.dtype)], axis=axis)
    return np.repeat(kernel.mean(axis=axis, keepdims=True) * (old / channels), channels, axis=axis)


def _with_channels(layer, input_shape):
    """Return a copy of a layer that sums over the channels of its input, for an input with other channels."""
    new, channels, how = type(layer)(**layer.get_config()), input_shape[-1], {}
    new.accept(input_shape)
    for name in layer.weight_names:
        weight = getattr(layer, name)
        if name in layer.input_axes:
            axis = layer.input_axes[name]
            old = weight.shape[axis]
            rule = "the sum over" if channels == 1 else "the mean of" if channels < old else "zeros behind"
            how[name] = f"{rule} the {old} channels"
            weight = adapt_channels(weight, channels, axis)
        getattr(new, name)[...] = weight
    _note_adapted(new, layer, how, f"the input has {channels} channels")
    return new


def adapt_classes(model, old_classes, new_classes):
    """`model` with another set of classes: its last layer, as a rule a `Dense` one, gets one column for each of
    `new_classes`. (The layer has to name the argument that counts its outputs, in `output_size_argument`.)

    old_classes, new_classes   the names, in the order of the outputs (ImageNet: the WordNet numbers of
    `imagenet.classes()`)

    A class that stays, or takes another place, brings its column of the kernel and its bias along. A new one starts
    with the mean of the old columns: of all things that the layer could say about it before it has seen one, "like the
    average class" is the least wrong. Where no class stays, use `replace_head`. Raises ShapeError, ArgumentError.
    """
    for argument, names in ("old_classes", old_classes), ("new_classes", new_classes):
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
            raise ArgumentError(f"{argument} is {names!r:.80}; expected a list of the classes' names.")
    if len(model.outputs) > 1:
        raise ShapeError(f"the model has {len(model.outputs)} outputs ({', '.join(model.output_names)}); expected one.")
    (end,) = model.outputs
    layer, old_classes, new_classes = end.layer, list(old_classes), list(new_classes)
    size = layer.output_size_argument
    if size is None or getattr(layer, size) != len(old_classes):
        found = f"a {type(layer).__name__} layer" if size is None else f"{getattr(layer, size)} {size}"
        raise ShapeError(
            f"the model ends with '{layer.name}', {found}; expected Dense with {len(old_classes)} classes."
        )
    for argument, names in ("old_classes", old_classes), ("new_classes", new_classes):
        twice = [name for name in names if names.count(name) > 1]
        if twice or not names:
            raise ArgumentError(f"{argument}: {f'{twice[0]!r} stands there twice' if twice else 'names no class'}.")
    stays = [name for name in new_classes if name in old_classes]
    if not stays:
        raise ArgumentError("none of new_classes is one of old_classes; put a new head on with replace_head.")
    new = type(layer)(**{**layer.get_config(), size: len(new_classes)})
    new.accept(end.inputs[0].shape)
    for name in layer.weight_names:
        weight = getattr(layer, name)
        columns = [weight[..., old_classes.index(c)] if c in stays else weight.mean(axis=-1) for c in new_classes]
        getattr(new, name)[...] = np.stack(columns, axis=-1)
    how = (
        f"{len(stays)} of {len(old_classes)} classes carried over, {len(new_classes) - len(stays)} new ones their mean"
    )
    _note_adapted(new, layer, dict.fromkeys(layer.weight_names, how), "other classes")
    tensor = model.output_structure.packed([new(end.inputs[0])])
    return _continue(Model(model.input, tensor, name=model.name), model, class_names=new_classes)


def _note_adapted(new, old, how, why):
    """Origins for the ledger: what was adapted, and what was merely copied along."""
    for name in new.weight_names:
        origin = old.origins.get(name)
        if origin is None or origin.numbers is None:
            continue  # it was new, and still is
        if name in how:
            origin = adapted(origin, how[name], why, getattr(old, name), getattr(new, name))
        new.origins[name] = origin


def _continue(new, old, what=None, **metadata):
    """`new` was made out of `old`: its notes and metadata go on (but for `metadata` that is no longer true: None drops
    it), and the ledger says which layers are gone."""
    gone = [layer.name for layer in old.layers if layer.weight_names and layer not in new.layers]
    new.metadata = {key: value for key, value in {**old.metadata, **metadata}.items() if value is not None}
    new.notes = [*old.notes, f"{what}: {', '.join(gone)}"] if what and gone else list(old.notes)
    return new


def freeze(model, until=None):
    """Freeze every layer up to and including the one named `until` (default: all), in the order of `model.layers`.

    A frozen layer's parameters do not move, and a frozen BatchNormalization keeps and uses its moving statistics.
    Gradients still pass through. Takes effect at once.
    """
    for layer in model.layers[: None if until is None else _position(model, until) + 1]:
        layer.trainable = False


def unfreeze(model, since=None, batch_normalization=False, after=None):
    """Make every layer from the one named `since` on (default: all) trainable, in the order of `model.layers`; or every
    layer behind the one named `after`, where a block has several first layers.

    Frozen BatchNormalization layers stay frozen unless asked for: on a small data set the statistics of a few batches
    are worse than the pre-trained ones, and changing them changes every layer behind.
    """
    if since is not None and after is not None:
        raise ArgumentError(f"since is {since!r} and after is {after!r}; expected one of them.")
    start = 0 if since is None and after is None else _position(model, since or after) + (after is not None)
    for layer in model.layers[start:]:
        if batch_normalization or not layer.statistic_names:
            layer.trainable = True


def _position(model, name):
    return model.layers.index(model.get_layer(name))
