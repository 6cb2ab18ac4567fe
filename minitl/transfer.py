"""Surgery: the middle steps of transfer learning, on any model.

    3  remove_layers    cut off the layers of the old task
    4  replace_head     add new layers
    5  adapt_input      change the channels or the image size
       adapt_classes    change the classes, and keep what was learned about those that stay
    6  freeze, unfreeze choose which layers training may change;  frozen_digest proves that it changed no others

The functions of steps 3 to 5 return a new `Model`. It *shares* the layers that were kept, so training one model trains
both. Only a layer whose weights change their shape is copied. The functions of step 6 change the model that they are
given. In a new model, ask for the output of a layer with `model.output_of(name)`, because `layer.output` is its output
where it was used first.

Read next: `features`, which saves time when layers are frozen.
"""

from collections.abc import Sequence

import numpy as np

from .errors import ArgumentError, GraphError, ShapeError
from .graph.digest import frozen_digest as frozen_digest
from .graph.graph import Graph
from .kernels.products import sums
from .layers import Input, InputLayer, Layer
from .layers.channels_first import ChannelsFirst
from .models import Model
from .terminal import counted
from .weights.ledger import adapted


def remove_layers(model: Model, after: str) -> Model:
    """Return `model` up to and including the layer named `after`, without all layers behind it. Raises GraphError where
    the model is not a single path there (`model.cuts`)."""
    kept = model.part(model.input, _cut(model, after))
    return _continue(kept, model, f"removed behind '{after}'", class_names=None)


def replace_head(model: Model, layers: Layer | Sequence[Layer], after: str | None = None) -> Model:
    """Return `model` up to and including the layer named `after` (default: all of it), followed by new `layers` (a list
    in order, or a single layer). Raises GraphError where the model is not a single path there (`model.cuts`)."""
    if after is None and len(model.outputs) > 1:
        raise GraphError(
            f"the model has {len(model.outputs)} outputs ({', '.join(model.output_names)}); name the layer before the "
            "new head with after=."
        )
    tensor = model.outputs[0] if after is None else _cut(model, after)
    for layer in [layers] if isinstance(layers, Layer) else layers:
        tensor = layer(tensor)
    new = Model(model.input, tensor, name=model.name)
    return _continue(new, model, "replaced by a new head", class_names=None)


def _cut(model, name):
    """Return the output of the layer called `name`, if everything behind it is computed from this output alone. Raises
    GraphError otherwise."""
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
    behind, bypass = found[0]
    raise GraphError(
        f"the model cannot be cut behind '{name}', which lies in one of several branches: '{behind.layer.name}' also "
        f"needs '{bypass.layer.name}'. It is a single path behind '{before[-1]}', before the branches, and behind "
        f"'{after[0]}', after them."
    )


def adapt_input(model: Model, input_shape: Sequence[int | None]) -> Model:
    """Return `model` for images of another `input_shape` (H, W, C).

    Another size needs no new weights, as long as no dense layer depends on the number of pixels. Another number of
    channels needs a new kernel in every convolution that takes the image itself (in every layer that names the axis of
    its input channels in `input_axes`). `adapt_channels` makes the new kernel from the old one, and its docstring says
    what such a model sees at first. With the same number of channels every kernel stays as it is. All other layers are
    shared. Raises ShapeError where a layer cannot take the input that it then gets.
    """
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) != 3 or input_shape[2] is None:
        raise ShapeError(f"input_shape is {input_shape!r}; expected (height, width, channels).")
    if len(model.inputs) > 1:
        raise ShapeError(f"the model has {len(model.inputs)} inputs ({', '.join(model.input_names)}); expected one.")
    (images,) = model.inputs
    if any(isinstance(layer, ChannelsFirst) for layer in model.layers):
        raise ShapeError("the model has layers with the channels first, (N, C, H, W); adapt_input knows (N, H, W, C).")
    if not isinstance(images.layer, InputLayer):
        raise ShapeError("the model begins in the middle of another model; adapt the input of that model instead.")
    input_shape = tuple(input_shape)
    tensors = {images: Input(input_shape, name=images.layer.name)}
    image_like = {images}  # tensors whose channels are still those of the image
    replaced = {}  # layer -> its copy for the new channels; a layer that is called twice is adapted once
    for call in model.calls:
        layer, before = call.layer, call.inputs[0]
        if before in image_like:
            if layer.keeps_channels:
                image_like.update(call.outputs)
            elif layer.input_axes and input_shape[-1] != before.shape[-1] and layer not in replaced:
                replaced[layer] = _with_channels(layer, tensors[before].shape)
        layer = replaced.get(layer, layer)
        inputs, by_name = call.arguments([tensors[each] for each in call.inputs])
        try:
            outputs = layer(inputs, **by_name)
            tensors.update(zip(call.outputs, outputs if isinstance(outputs, list) else [outputs]))
        except ShapeError as error:
            raise ShapeError(
                f"the model cannot take images of {input_shape}: {error} Cut it before '{layer.name}' with "
                "remove_layers or replace_head, adapt the input, and put a new head on."
            ) from None
    outputs = model.output_structure.packed([tensors[each] for each in model.outputs])
    new = Model(model.input_structure.packed([tensors[images]]), outputs, name=model.name)
    if replaced:  # the old preparation of images does not fit the new channels
        return _continue(new, model, preprocessing=None)
    return _continue(new, model)


def adapt_channels(kernel: np.ndarray, channels: int, axis: int = 2) -> np.ndarray:
    """Return the kernel (KH, KW, C, F) of a first layer for another number of input channels. `axis` is the axis of C.

    With every rule, an image whose channels are all equal gives the same output as before. As an example, take one
    position of the kernel and one filter. The old kernel is [1, 2, 3] (for red, green and blue) or [6] (for grey):

        new channels     rule                                           from [1, 2, 3]        from [6]
        1                the sum over the old channels                  [6]                   [6]
        more than old    the old channels, then zeros                   to 4: [1, 2, 3, 0]    to 3: [6, 0, 0]
        any other        the mean over the old channels, times          to 2: [3, 3]
                         their number / the new number                  to 3: [2, 2, 2]

    1 channel: the one channel stands for all the old ones, so their kernels are added. A grey pixel of 5 gives the same
    number as three channels of 5 did: 5 * 6 = 5 * 1 + 5 * 2 + 5 * 3. (After VGG16's `preprocess_input` the three
    channels are not equal, because each has lost a mean of its own.)

    More channels: the old channels keep their kernels, and the new ones do not count yet. RGBA starts as if alpha were
    absent, and training can find a use for it. Beware of 1 -> 3: the layer sees only the red channel of a colour image,
    and this stays so while it is frozen. To see all three, set its kernel to [2, 2, 2], or convert the images to grey.

    Fewer channels, but more than one: nothing says which old channel a new one resembles. So all new channels get the
    same kernel, the mean, scaled so that its sum stays the same (3 + 3 = 1 + 2 + 3). The consequence is that the layer
    cannot tell the new channels apart until it is trained. If they are some of the old ones, as in RGBA -> RGB, it is
    better to cut the kernel: `kernel[:, :, :3]`.

    The same number: the rule of the mean holds here too. 3 -> 3 gives [2, 2, 2], which averages colour away.
    `adapt_input` never does this. It keeps the kernel if the number of channels stays the same.
    """
    old = kernel.shape[axis]
    if channels == 1:
        return sums(kernel, axis)
    if channels > old:
        missing = (*kernel.shape[:axis], channels - old, *kernel.shape[axis + 1 :])
        return np.concatenate([kernel, np.zeros(missing, kernel.dtype)], axis=axis)
    return np.repeat(sums(kernel, axis) / channels, channels, axis=axis)


def _with_channels(layer, input_shape):
    """Return a copy of `layer` for an input with another number of channels, with an adapted kernel."""
    new, channels, how = type(layer)(**layer.get_config()), input_shape[-1], {}
    new.accept(input_shape)
    for name in layer.weight_names:
        weight = getattr(layer, name)
        if name in layer.input_axes:
            axis = layer.input_axes[name]
            old, seen = weight.shape[axis], getattr(new, name).shape[axis]  # by one filter, if there are groups
            if seen > old and getattr(layer, "groups", 1) > 1:  # old channels would be in the groups of other filters
                raise ShapeError(
                    f"layer '{layer.name}' has {layer.groups} groups, and with {channels} channels its filters would "
                    "see other channels than before. Give it as many channels as it had, or fewer."
                )
            rule = "the sum over" if seen == 1 else "the mean of" if seen < old else "zeros behind"
            how[name] = f"{rule} the {old} channels"
            weight = adapt_channels(weight, seen, axis)
        getattr(new, name)[...] = weight
    _note_adapted(new, layer, how, f"the input has {channels} channels")
    return new


def adapt_classes(model: Model, old_classes: Sequence[str], new_classes: Sequence[str]) -> Model:
    """Return `model` with another set of classes: its last layer, usually a `Dense` layer, gets one column for each of
    `new_classes`. (The layer names the argument that is the number of its outputs in `output_size_argument`.)

    old_classes, new_classes   the names, in the order of the outputs (ImageNet: the WordNet numbers of
                               `imagenet.classes()`)

    A class that stays keeps its column of the kernel and its bias, even in another place. A new class starts with the
    mean of the old columns: before the layer has seen an example of it, "like the average class" is the least wrong
    prediction. If no class stays, use `replace_head`. Raises ShapeError or ArgumentError.
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
            what = f"contains {twice[0]!r} more than once" if twice else "is empty"
            raise ArgumentError(f"{argument} {what}; expected each class once.")
    stays = [name for name in new_classes if name in old_classes]
    if not stays:
        raise ArgumentError("none of new_classes is one of old_classes; put a new head on with replace_head.")
    new = type(layer)(**{**layer.get_config(), size: len(new_classes)})
    new.accept(end.inputs[0].shape)
    for name in layer.weight_names:
        axis = layer.output_axes.get(name, -1)
        weight = np.moveaxis(getattr(layer, name), axis, -1)
        columns = [weight[..., old_classes.index(c)] if c in stays else weight.mean(axis=-1) for c in new_classes]
        getattr(new, name)[...] = np.stack(columns, axis=axis)
    added = len(new_classes) - len(stays)
    how = f"{len(stays)} of {counted(len(old_classes), 'class')} carried over, {added} new ones their mean"
    _note_adapted(new, layer, dict.fromkeys(layer.weight_names, how), "other classes")
    tensor = model.output_structure.packed([new(end.inputs[0])])
    return _continue(Model(model.input, tensor, name=model.name), model, class_names=new_classes)


def _note_adapted(new, old, how, why):
    """Set the origins of the weights of `new` for the ledger: adapted from those of `old`, or only copied."""
    for name in new.weight_names:
        origin = old.origins.get(name)
        if origin is None or origin.numbers is None:
            continue  # the old weight did not come from a file
        if name in how:
            origin = adapted(origin, how[name], why, getattr(old, name), getattr(new, name))
        new.origins[name] = origin


def _continue(new, old, what=None, **metadata):
    """Return the model `new`, which was made from `old`, with the notes and the metadata of `old`.

    metadata   entries that have changed; None drops an entry that is no longer true
    what       the words for the notes of the ledger, before the names of the layers that are gone
    """
    gone = [layer.name for layer in old.layers if layer.weight_names and layer not in new.layers]
    new.metadata = {key: value for key, value in {**old.metadata, **metadata}.items() if value is not None}
    new.notes = [*old.notes, f"{what}: {', '.join(gone)}"] if what and gone else list(old.notes)
    return new


def freeze(model: Graph, until: str | None = None) -> None:
    """Freeze every layer up to and including the one named `until` (default: all), in the order of `model.layers`.

    Training does not change the parameters of a frozen layer. A frozen BatchNormalization keeps and uses its moving
    statistics. Gradients still pass through a frozen layer. Freezing acts at once, without another `compile`: during
    `fit`, from the next update on.
    """
    for layer in model.layers[: None if until is None else _position(model, until) + 1]:
        layer.trainable = False


def unfreeze(
    model: Graph, since: str | None = None, batch_normalization: bool = False, after: str | None = None
) -> None:
    """Unfreeze every layer from the one named `since` on (default: all), in the order of `model.layers`; or every layer
    behind the one named `after`, for a block that has several first layers.

    Frozen BatchNormalization layers stay frozen unless `batch_normalization` is True. On a small data set the
    statistics of a few batches are worse than the pre-trained ones, and changing them changes the input of every layer
    behind.

    Unfreezing acts at once, without another `compile`. The one exception, in a callback between two batches of `fit`,
    is described in `training.Callback`.
    """
    if since is not None and after is not None:
        raise ArgumentError(f"since is {since!r} and after is {after!r}; expected one of them.")
    start = 0 if since is None and after is None else _position(model, since or after) + (after is not None)
    for layer in model.layers[start:]:
        if batch_normalization or not layer.statistic_names:
            layer.trainable = True


def _position(model, name):
    return model.layers.index(model.get_layer(name))
