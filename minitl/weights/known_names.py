"""Names that other programs give to layers: those of published networks, wrappers around a network, counted names.

`naming` uses them to find the layer of a tensor. To make the names of one more publisher known, add a table to
`TABLES`.
"""

import re

from .formats.stored_file import WITHIN

_CONVOLUTIONS = [f"features.{i}" for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)]
_VGG16 = [f"block{block}_conv{i}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, count + 1)]
_VGG16 += ["fc1", "fc2", "predictions"]
# torchvision's names -> minitl's. torchvision's VGG16 counts every activation and every pooling as a layer.
TORCHVISION = {"vgg16": dict(zip([*_CONVOLUTIONS, *(f"classifier.{i}" for i in (0, 3, 6))], _VGG16))}
# timm's. Its first two dense layers are convolutions over the whole map.
TIMM = {"vgg16": dict(zip([*_CONVOLUTIONS, "pre_logits.fc1", "pre_logits.fc2", "head.fc"], _VGG16))}
TABLES = [*TORCHVISION.values(), *TIMM.values()]
COMPILED = "_orig_mod."  # what torch.compile puts before the names of a module


def without_wrappers(prefixes, known):
    """Return ({tensor: prefix without what wraps the network}, the table {their name: layer} of the publisher).

    prefixes   {tensor: what stands before its last dot}. DataParallel puts 'module.' before all names, Lightning
               'model.', and others other words. A word that stands before all of them is taken away if the names are
               then known, and not before.
    known      names of layers, and names that the caller translates
    """
    prefixes = {tensor: prefix.replace(COMPILED, "").removesuffix(".") for tensor, prefix in prefixes.items()}
    level = prefixes
    while True:
        found = set(level.values())
        if found & set(known):
            return level, {}
        for table in TABLES:
            if found and found <= set(table):
                return level, table
        first = {prefix.partition(".")[0] for prefix in found}
        if len(first) != 1 or not all("." in prefix for prefix in found):
            break
        level = {tensor: prefix.partition(".")[2] for tensor, prefix in level.items()}
    while prefixes and all(prefix.startswith("module.") for prefix in prefixes.values()):
        prefixes = {tensor: prefix.removeprefix("module.") for tensor, prefix in prefixes.items()}
    return prefixes, {}


def match_counted_names(file, model, partial):
    """Return {name in the file: layer name} for layers with automatic names.

    Keras counts the unnamed layers of a class through a whole session, in early versions from 1 on. InceptionV3's
    convolutions may therefore be conv2d to conv2d_93, conv2d_1 to conv2d_94 (in the published files), or conv2d_94 to
    conv2d_187. If file and model have equally many layers of a class, both counted without a gap, they are the same
    layers in the same order. With `partial`, the two may be parts of different models: equal names are kept if
    the shapes of all layers with equal names fit.
    """
    theirs, ours, translation = {}, {}, {}  # theirs, ours: layer name -> shapes of its tensors
    for tensor in file.tensors:
        theirs.setdefault((tensor.layer or "").partition(WITHIN)[0], []).append(tensor.shape)
    for layer in model.layers:
        ours[layer.name] = [getattr(layer, name).shape for name in layer.weight_names]
    for stem in {layer.class_name for layer in model.layers if layer.weight_names}:
        numbers, own_numbers = _numbers(stem, theirs), _numbers(stem, ours)
        counted = all(each and each[-1] - each[0] == len(each) - 1 for each in (numbers, own_numbers))
        if not counted or len(numbers) != len(own_numbers) or numbers == own_numbers:
            continue
        same = {_counted_name(stem, number) for number in set(numbers) & set(own_numbers)}
        if partial and same and all(sorted(theirs[name]) == sorted(ours[name]) for name in same):
            continue
        for number, own_number in zip(numbers, own_numbers):
            translation[_counted_name(stem, number)] = _counted_name(stem, own_number)
    return translation


def _numbers(stem, names):
    """Return the sorted numbers behind `stem` among `names`: 0 for the stem alone."""
    matches = [re.fullmatch(rf"{stem}(?:_([1-9][0-9]{{0,6}}))?", name or "") for name in names]
    return sorted(int(match[1] or 0) for match in matches if match)


def _counted_name(stem, number):
    """Return Keras's automatic name: 'conv2d' for 0, 'conv2d_1' for 1."""
    return f"{stem}_{number}" if number else stem
