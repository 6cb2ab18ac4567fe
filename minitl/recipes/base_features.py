"""The features of photographs from one pass through a base: each command uses what another one has kept.

`minitl advise` asks for the pooled output of every block, `minitl finetune` for that of the last one that it keeps, and
`minitl evaluate` for that of a saved model whose base is frozen. They are small (VGG16's five take 6 kB a photograph),
so all of them are kept whenever a photograph goes through the base. A head on several cuts takes those of several
blocks side by side. The map of a block is large (VGG16's block4_pool takes 200 kB, half of what float32 would take). It
is kept only where a second stage starts from it.

Who calls this: `photograph_stages`, `prediction`, `advice.subjects`, `minitl.sklearn`. Read next: `features.on_disk`.
"""

from .. import initializers, transfer
from ..applications import NETWORKS, cuts
from ..errors import MinitlError
from ..features.on_disk import has_kept, kept_together, room_for
from ..features.side_by_side import side_by_side
from ..files.bundled import bundled_file
from ..layers import Concatenate, GlobalAveragePooling2D
from ..models import Model
from ..weights.published.catalogue import notop_name, present

# {base: the bundled file of its first blocks, and the cuts for which they are enough}
BUNDLED = {
    "vgg16": {"file": "vgg16_imagenet_blocks1to3.h5", "cuts": ("block1_pool", "block2_pool", "block3_pool")},
}


def published_weights(settings):
    """Return the name in the catalogue of the published weights that a base needs; None if it needs none: it has a file
    of its own, or its first blocks are bundled and enough."""
    if settings.weights or settings.ends[-1] in BUNDLED.get(settings.base, {"cuts": ()})["cuts"]:
        return None
    return notop_name(settings.base)


def built_base(settings, load=True):
    """Return a pre-trained network up to the layer `settings.cut`, and a pooling behind it, as a frozen model. With
    several cuts, there is a pooling behind each of them, and their outputs are put side by side.

    settings   settled `PhotographSettings`, of which `base`, `cut`, `image_size` and `weights` are used
    load       False: leave the arrays as they are in memory, for who looks at sizes alone

    Of VGG16, the first three blocks are bundled. Where they are enough, the whole file is not fetched.
    """
    network, size = NETWORKS[settings.base], settings.image_size
    options = {"include_top": False, "input_shape": (size, size, 3), "pooling": "avg"}
    bundled = BUNDLED.get(settings.base, {"cuts": ()})
    ends = settings.ends
    if not load:
        with initializers.weights_will_be_loaded():
            base = network.build(weights=None, **options)
    elif settings.weights or ends[-1] not in bundled["cuts"] or present(f"{settings.base}-notop"):
        weights = {"weights": settings.weights} if settings.weights else {}  # the default is ImageNet's
        base = network.build(**weights, **options)
    else:
        with initializers.weights_will_be_loaded():
            base = network.build(weights=None, **options)
        base.load_weights(bundled_file(bundled["file"]), partial=True)
    if len(ends) > 1:
        base = _joined(base, ends)
    elif settings.cut != cuts(settings.base)[-1]:
        base = transfer.replace_head(base, GlobalAveragePooling2D(name="average"), after=settings.cut)
    transfer.freeze(base)
    return base


def _joined(base, ends):
    """Return the base with a pooling behind each of the layers `ends`, the outputs of all of them side by side."""
    pooled = [GlobalAveragePooling2D(name=f"{end}_average")(base.output_of(end)) for end in ends]
    joined = Model(base.input, Concatenate(name="side_by_side")(pooled), name=base.name)
    gone = [layer.name for layer in base.layers if layer.weight_names and layer not in joined.layers]
    joined.notes = [*base.notes, *[f"removed behind '{ends[-1]}': {', '.join(gone)}"] * bool(gone)]
    return joined


def pooled_ends(model, base, until=None):
    """Return {layer: model whose output is the pooled map of this layer} of the ends of all blocks of a base.

    model   a model that begins with the application `base`;   until   the last block's end that it has
    """
    ends, names = cuts(base), {layer.name for layer in model.layers}
    ends = [end for end in (ends[: ends.index(until) + 1] if until else ends) if end in names]
    pooled = {end: GlobalAveragePooling2D(name=f"{end}_pooled")(model.output_of(end)) for end in ends}
    return {end: Model(model.input, tensor, name=base) for end, tensor in pooled.items()}


def wanted_of(model, settings, last_frozen=None):
    """Return {layer: graph} of one pass with these settings: the pooled ends of the base and, where the features are
    kept, of all blocks before; and first, under None, the map behind the layer `last_frozen`, if it is given."""
    pooled = pooled_ends(model, settings.base, settings.ends[-1])
    if not settings.keep_features:
        pooled = {end: pooled[end] for end in settings.ends}
    maps = {None: model.part(model.input, model.output_of(last_frozen))} if last_frozen else {}
    return {**maps, **pooled}


def features_of(model, source, settings, folder, last_frozen=None, map=None):
    """Return (what the part of a model behind its frozen layers takes, the pooled features at the end of its base).

    last_frozen   the layer whose map the part begins with; None: it is the head, and both are the same
    map           as in `kept_together`

    Each is a stream of rows. With several cuts of which some lie before `last_frozen`, the first is a tuple: the map,
    and the pooled features at these cuts.
    """
    about = {"base": settings.base, "folder": str(folder)}
    graphs = wanted_of(model, settings, last_frozen)
    rows = kept_together(list(graphs.values()), source, settings.keep_features, half=True, about=about, map=map)
    found = dict(zip(graphs, rows))
    pooled = side_by_side([found[end] for end in settings.ends])
    if last_frozen is None:
        return pooled, pooled
    before = _before(last_frozen, settings)
    return (found[None], *(found[end] for end in before)) if before else found[None], pooled


def learning_part(model, base_end, settings, last_frozen=None):
    """Return the part of a model that takes the features of `features_of`, as a model.

    base_end   the last layer of its base;   last_frozen   as in `features_of`
    """
    if last_frozen is None:
        starts = model.output_of(base_end)
    elif before := _before(last_frozen, settings):
        starts = [model.output_of(last_frozen), *(model.output_of(f"{end}_average") for end in before)]
    else:
        starts = model.output_of(last_frozen)
    return model.part(starts, model.output, f"{model.name}, trained")


def _before(last_frozen, settings):
    """Return those of several cuts whose pooled features bypass the layers behind `last_frozen`."""
    ends = cuts(settings.base)
    if last_frozen is None or len(settings.ends) == 1:
        return []
    return [end for end in settings.ends if ends.index(end) < ends.index(last_frozen)]


def room_for_features(model, source, settings, folder, last_frozen=None):
    """Return (whether there is room, the bytes) of `features_of`."""
    about = {"base": settings.base, "folder": str(folder)}
    graphs = list(wanted_of(model, settings, last_frozen).values())
    return room_for(graphs, source, settings.keep_features, half=True, about=about)


def kept_beginning(model, source):
    """Return (graphs whose features are kept, the rest) of a saved model, or None if nothing is kept. The rest takes
    the features side by side.

    The graphs end with the pooled ends of its base. The key of their features contains a digest of all weights, so they
    are those that the model would compute.
    """
    base = NETWORKS.get(model.metadata.get("preprocessing"))
    if base is None:
        return None
    for tensor in model.cuts:
        ends = tensor.call.inputs if isinstance(tensor.layer, Concatenate) else (tensor,)
        if tensor is model.output or not all(_is_pooled_end(each, base) for each in ends):
            continue
        graphs = [model.part(model.input, each, base.name) for each in ends]
        if all(not layer.trainable or not layer.weight_names for graph in graphs for layer in graph.layers):
            try:
                if all(has_kept(graph, source) for graph in graphs):
                    return graphs, model.part(tensor, model.output, f"{model.name}, head")
            except MinitlError:
                return None
    return None


def _is_pooled_end(tensor, base):
    """Return whether a tensor is the pooled map at a cut of the application `base`."""
    return isinstance(tensor.layer, GlobalAveragePooling2D) and tensor.call.inputs[0].layer.name in base.cuts
