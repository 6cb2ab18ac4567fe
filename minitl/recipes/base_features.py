"""The features of photographs from one pass through a base: each command uses what another one has kept.

`minitl advise` asks for the pooled output of every block, `minitl finetune` for that of the last one that it keeps, and
`minitl evaluate` for that of a saved model whose base is frozen. They are small (VGG16's five take 6 kB a photograph),
so all of them are kept whenever a photograph goes through the base. The map of a block is large (VGG16's block4_pool
takes 200 kB, half of what float32 would take). It is kept only where a second stage starts from it.

Who calls this: `photograph_stages`, `prediction`, `advice.subjects`, `minitl.sklearn`. Read next: `features.on_disk`.
"""

from .. import initializers, transfer
from ..applications import NETWORKS, cuts
from ..errors import MinitlError
from ..features.on_disk import has_kept, kept_together, room_for
from ..files.bundled import bundled_file
from ..layers import GlobalAveragePooling2D
from ..models import Model
from ..weights.published.catalogue import present

# {base: the bundled file of its first blocks, and the cuts for which they are enough}
BUNDLED = {
    "vgg16": {"file": "vgg16_imagenet_blocks1to3.h5", "cuts": ("block1_pool", "block2_pool", "block3_pool")},
}


def built_base(settings):
    """Return a pre-trained network up to the layer `settings.cut`, and a pooling behind it, as a frozen model.

    settings   settled `PhotographSettings`, of which `base`, `cut`, `image_size` and `weights` are used

    Of VGG16, the first three blocks are bundled. Where they are enough, the whole file is not fetched.
    """
    network, size = NETWORKS[settings.base], settings.image_size
    options = {"include_top": False, "input_shape": (size, size, 3), "pooling": "avg"}
    bundled = BUNDLED.get(settings.base, {"cuts": ()})
    if settings.weights or settings.cut not in bundled["cuts"] or present(f"{settings.base}-notop"):
        weights = {"weights": settings.weights} if settings.weights else {}  # the default is ImageNet's
        base = network.build(**weights, **options)
    else:
        with initializers.weights_will_be_loaded():
            base = network.build(weights=None, **options)
        base.load_weights(bundled_file(bundled["file"]), partial=True)
    if settings.cut != cuts(settings.base)[-1]:
        base = transfer.replace_head(base, GlobalAveragePooling2D(name="average"), after=settings.cut)
    transfer.freeze(base)
    return base


def pooled_ends(model, base, until=None):
    """Return {layer: model whose output is the pooled map of this layer} of the ends of all blocks of a base.

    model   a model that begins with the application `base`;   until   the last block's end that it has
    """
    ends, names = cuts(base), {layer.name for layer in model.layers}
    ends = [end for end in (ends[: ends.index(until) + 1] if until else ends) if end in names]
    pooled = {end: GlobalAveragePooling2D(name=f"{end}_pooled")(model.output_of(end)) for end in ends}
    return {end: Model(model.input, tensor, name=base) for end, tensor in pooled.items()}


def wanted_of(prefix, model, settings):
    """Return the graphs of one pass: `prefix`, the frozen part of a fine-tuning with these settings; the pooled end of
    the base; and, where the features are kept, the pooled ends of all blocks."""
    pooled = pooled_ends(model, settings.base, settings.cut)
    others = list(pooled.values())[:-1] if settings.keep_features else []
    return [prefix, pooled[settings.cut], *others]


def features_of(prefix, model, source, settings, folder, map=None):
    """Return (`FeatureRows` of the frozen part `prefix` of a model, those of the pooled end of its base). `map` as in
    `kept_together`."""
    about = {"base": settings.base, "folder": str(folder)}
    graphs = wanted_of(prefix, model, settings)
    return kept_together(graphs, source, settings.keep_features, half=True, about=about, map=map)[:2]


def room_for_features(prefix, model, source, settings, folder):
    """Return (whether there is room, the bytes) of `features_of`."""
    about = {"base": settings.base, "folder": str(folder)}
    return room_for(wanted_of(prefix, model, settings), source, settings.keep_features, half=True, about=about)


def kept_beginning(model, source):
    """Return (the beginning of a saved model whose features are kept, the rest), or None if nothing is kept.

    The beginning ends with the pooled end of its base. The key of its features contains a digest of all weights, so
    they are those that the model would compute.
    """
    base = NETWORKS.get(model.metadata.get("preprocessing"))
    if base is None:
        return None
    for tensor in model.cuts:
        is_pooled = isinstance(tensor.layer, GlobalAveragePooling2D) and tensor is not model.output
        if not is_pooled or tensor.call.inputs[0].layer.name not in base.cuts:
            continue
        beginning = model.part(model.input, tensor, base.name)
        if all(not layer.trainable or not layer.weight_names for layer in beginning.layers):
            try:
                if has_kept(beginning, source):
                    return beginning, model.part(tensor, model.output, f"{model.name}, head")
            except MinitlError:
                return None
    return None
