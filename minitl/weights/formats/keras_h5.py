"""Keras's two HDF5 layouts, read and written. Both hold the same arrays under different names.

The legacy layout (`.h5`), in which published VGG16, ResNet50 and InceptionV3 weights come:

    /                                attribute layer_names  = [b"block1_conv1", b"block1_pool", ...]
    /block1_conv1                    attribute weight_names = [b"block1_conv1/kernel:0", b"block1_conv1/bias:0"]
    /block1_conv1/block1_conv1/kernel:0     float32 (3, 3, 3, 64)

The two attributes list the arrays and their order. The paths of the arrays differ between writers (Keras 1 wrote
`block1_conv1_W_1:0`), so a reader follows the attributes and never guesses a path. In a file saved from a whole model,
the same groups lie under `/model_weights`. A model within the model is one group, whose weight_names begin with the
names of its layers. An attribute too large for HDF5's 64 KB limit is split into `layer_names0`, `layer_names1`, ...

Keras 3's layout (`.weights.h5`, and inside every `.keras` archive) names a group by the class of the layer and a count,
and numbers the layer's arrays. The layer's name is an attribute, which early versions left out:

    /layers/conv2d_1/vars            attribute name = "block1_conv2"
    /layers/conv2d_1/vars/0          float32 (3, 3, 64, 64): the kernel, since it is the first
    /layers/functional/layers/conv2d/vars/0      a model within the model
    /layers/lstm/cell/vars/0                     a part of a layer; its name is that of /layers/lstm/vars

Parts of a layer are numbered on their own, so their tensors keep the whole path below the layer: the parameter is
"cell/vars/0", and `naming` asks the model's layer which of its parameters that is (`Layer.keras_paths`).
"""

import hashlib
import json
import re

import h5py
import numpy as np

from ...errors import UnsafeFileError, WeightsError
from ...files import hdf5
from .keras_config import KERAS_MODEL, KERAS_TRAINING, STATED, stated
from .stored_file import FLOATS, WITHIN, Listing, StoredTensor

ATTRIBUTE_LIMIT = 60_000  # bytes; HDF5 stores attributes up to 64 KB, headers included
ARCHITECTURE, CONFIG = "minitl_architecture", "model_config"  # a whole model's, for minitl and for Keras
TRAINING = "training_config"  # Keras's arguments of `compile`
TEXTS = (ARCHITECTURE, "minitl_ledger")  # the datasets that minitl adds to either layout
TAKEN = {*TEXTS, "model_weights", "layers", "vars", "_layer_checkpoint_dependencies"}  # names of no layers
WEIGHTS = "model_weights"  # the group with the weights of a whole model
VERSION = "2.15.0"
TEXTS_DIGEST = "minitl_texts_sha256"  # the attribute with the sha256 over these texts
MOST_TEXT = 2**24  # bytes

# The ending of a tensor's name in Keras 1 -> minitl's name. What Keras 1 called std is the variance.
KERAS_1_ENDINGS = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}
# Groups of Keras 3 whose variables are no weights of a layer.
NO_LAYERS = ("optimizer", "optimizer_weights", "seed_generator", "compile_metrics", "metrics")


def list_hdf5(source, name, file_bytes, copy, start=0, layer_names=None):
    """Return the `Listing` of an HDF5 file in either layout.

    source        a path or a file object;  name   the file's name in messages
    start         the offset of the HDF5 file in the file of `file_bytes` bytes; None if it is compressed there
    copy          the `Copy` for the arrays of tensors that do not lie in one piece
    layer_names   {"layers/conv2d_1": "block1_conv2"} from the archive around the file, if there is one
    """
    with hdf5.opened(source, name) as file:
        place = {"file_name": name, "file_bytes": file_bytes, "start": start, "copy": copy}
        is_legacy = "layer_names" in file.attrs or "layer_names0" in file.attrs
        is_whole = WEIGHTS in file and not is_legacy
        root = hdf5.member(file, WEIGHTS, h5py.Group, name) if is_whole else file
        if "layer_names" in root.attrs or "layer_names0" in root.attrs:
            kind, tensors = "Keras HDF5, legacy layout (.h5)", list(_legacy(root, place))
        elif any(key in file for key in ("layers", "_layer_checkpoint_dependencies", "vars")):
            kind, tensors = "Keras 3 HDF5 (.weights.h5)", list(_numbered(file, place, layer_names or {}))
        else:
            raise WeightsError(
                f"{name}: is an HDF5 file but has neither the attribute 'layer_names' of Keras's .h5 files nor the "
                "group 'layers' of its .weights.h5 files. Expected weights saved by Keras or minitl."
            )
        texts = _texts(file, name)
        if CONFIG in file.attrs or ARCHITECTURE in texts:
            texts[STATED] = json.dumps(stated(file.attrs.get(CONFIG, texts.get(ARCHITECTURE))))
        for own_name, name_in_file in ((KERAS_MODEL, CONFIG), (KERAS_TRAINING, TRAINING)):
            if ARCHITECTURE not in texts and name_in_file in file.attrs:
                texts.update(_configuration(own_name, file.attrs[name_in_file]))
        return Listing(kind, tuple(tensors), texts)


def _configuration(own_name, text):
    """Return {own_name: a configuration of Keras}, or nothing if it is no text or too long."""
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return {own_name: text} if isinstance(text, str) and len(text) <= MOST_TEXT else {}


def _texts(file, name):
    """Return the texts that minitl added. Raises WeightsError if they are damaged: such a ledger proves nothing."""
    texts = {each: hdf5.text(file, each, MOST_TEXT) for each in TEXTS}
    texts = {key: value for key, value in texts.items() if value is not None}
    expected = file.attrs.get(TEXTS_DIGEST)
    if (texts or expected is not None) and _texts_digest(texts) != expected:
        raise WeightsError(f"{name}: its architecture or its ledger is not what was saved: the file is damaged.")
    return texts


def _texts_digest(texts):
    """Return one sha256 over all texts and their names."""
    return hashlib.sha256("\n".join(f"{key} {texts[key]}" for key in sorted(texts)).encode("utf-8")).hexdigest()


def _legacy(root, place):
    """Yield a `StoredTensor` for each array of the legacy layout, in the order of the attributes."""
    name = place["file_name"]
    for group_name in _names(root, "layer_names", name):
        group = hdf5.member(root, group_name, h5py.Group, name)
        seen = set()
        for weight_name in _names(group, "weight_names", name):
            layer, parameter = _layer_and_parameter(group_name, weight_name)
            if (layer, parameter) in seen:
                raise WeightsError(f"{name}: layer '{layer}' has two tensors called '{parameter}'.")
            seen.add((layer, parameter))
            dataset = hdf5.member(group, weight_name, h5py.Dataset, name)
            yield stored_tensor(dataset, layer, parameter, **place)


def _layer_and_parameter(group, name):
    """Return (layer, parameter): ('block1_conv1', 'kernel') for the name 'block1_conv1/kernel:0' in that group.

    Keras 1's 'block1_conv1_W_1:0' gives 'kernel', too. The layer has the name of the group, if that name also stands
    before the parameter ('sequential/dense/kernel' in the group 'dense'). Otherwise the group is a model within the
    model and holds tensors of several layers: 'conv1/kernel' in the group 'base' gives the layer 'base//conv1'. Names
    of layers may contain '/' themselves, as 'conv1/conv' in Keras's DenseNet.
    """
    path, _, last = name.rpartition("/")
    last = last.split(":")[0]
    if not path:  # Keras 1 wrote names without a path
        keras_1 = re.fullmatch(r".*_(W|b|gamma|beta|running_mean|running_std)(_\d+)?", last)
        return group, KERAS_1_ENDINGS.get(keras_1[1], keras_1[1]) if keras_1 else last
    return (group if f"/{path}".endswith(f"/{group}") else f"{group}{WITHIN}{path}"), last


def _numbered(file, place, layer_names):
    """Yield a `StoredTensor` for each array of Keras 3's layout."""
    name, names = place["file_name"], dict(layer_names)
    groups = {}  # owner -> its group of arrays
    for path, group in hdf5.groups_below(file, name):
        *owner, last = path.split("/")
        if last != "vars" or any(part in NO_LAYERS for part in owner):
            continue
        owner = "/".join(owner)
        groups[owner], layer = group, group.attrs.get("name", names.get(owner))
        if layer is not None and not isinstance(layer, str):
            raise WeightsError(f"{name}: the name of '{owner}' is {type(layer).__name__}, expected text.")
        if layer is not None:
            names[owner] = layer
    for owner, group in groups.items():
        layer, whole, part = names.get(owner), *_layer_and_part(owner)
        is_part = bool(part) and whole in names and layer is not None
        for number in sorted(group, key=hdf5.natural):
            dataset = hdf5.member(group, number, h5py.Dataset, name)
            position = int(number) if number.isdecimal() and len(number) < 5 else number
            if is_part:
                yield stored_tensor(dataset, f"{names[whole]}{WITHIN}{layer}", f"{part}/vars/{number}", **place)
            else:
                yield stored_tensor(dataset, layer, position, **place)


def _layer_and_part(owner):
    """Return ('layers/lstm', 'cell') for 'layers/lstm/cell', ('layers/dense', '') for 'layers/dense'."""
    pieces = owner.split("/")
    end = max((k for k, piece in enumerate(pieces[:-1]) if piece == "layers"), default=-2) + 2
    return "/".join(pieces[:end]), "/".join(pieces[end:])


def _names(group, attribute, file_name):
    """Return the list of names in an attribute, which may be bytes or text, in one piece or split."""
    if attribute in group.attrs:
        pieces = [group.attrs[attribute]]
    else:
        pieces = []
        while f"{attribute}{len(pieces)}" in group.attrs:
            pieces.append(group.attrs[f"{attribute}{len(pieces)}"])
    names = []
    for piece in pieces:
        for each in np.ravel(piece):
            if isinstance(each, bytes):
                each = each.decode("utf-8")
            if not isinstance(each, str) or not each or each.startswith("/"):
                raise WeightsError(f"{file_name}: the attribute '{attribute}' of '{group.name}' holds no names.")
            names.append(each)
    if len(set(names)) != len(names):
        raise WeightsError(f"{file_name}: the attribute '{attribute}' of '{group.name}' names something twice.")
    return names


def stored_tensor(dataset, layer, parameter, file_name, file_bytes, start, copy):
    """Return the `StoredTensor` of a dataset, with the place of its array.

    An array in one piece gets its offset in the whole file, in which the HDF5 file begins at `start` (None: it is
    compressed there). An array that is compressed or in pieces is appended to `copy`.
    """
    path = dataset.name.lstrip("/")
    place = f"{file_name}: '{path}'"
    if dataset.is_virtual or dataset.external:
        raise UnsafeFileError(f"{place} keeps its numbers in another file. Do not trust this file.")
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    unknown = [code for code in filters if code not in hdf5.FILTERS]
    if unknown:
        raise UnsafeFileError(
            f"{place} is packed with unknown filter {unknown[0]}. Save the file again without compression."
        )
    if dataset.shape is None:
        raise WeightsError(f"{place} has no shape and no numbers. Save the file again.")
    dtype = dataset.dtype.str if dataset.dtype.kind == "f" else str(dataset.dtype)
    tensor = StoredTensor(path, layer, parameter, tuple(map(int, dataset.shape)), dtype)
    if dtype not in FLOATS or not tensor.size:
        return tensor
    # HDF5 knows floats that NumPy does not (bfloat16, three bytes, ...); h5py converts them to the type that it names.
    is_plain = dataset.id.get_type().equal(h5py.h5t.py_create(np.dtype(dtype)))
    offset = dataset.id.get_offset() if is_plain else None
    if offset is not None and start is not None:
        if offset + tensor.nbytes > file_bytes:
            return tensor  # without an offset: the shape is larger than the file, and the loader reports it
        return _placed(tensor, start + offset, copied=False)
    if not copy.fits(tensor.nbytes):
        return tensor
    return _placed(tensor, copy.add(np.asarray(dataset[()])), copied=True)


def _placed(tensor, offset, copied):
    """Return the tensor with the place of its array."""
    return StoredTensor(tensor.name, tensor.layer, tensor.parameter, tensor.shape, tensor.dtype, int(offset), copied)


# ---- writing ----


def write_legacy(root, layers):
    """Write [(layer name, {path: array}), ...] into an open, empty group in the layout of Keras 1 and 2.

    Keras loads by the order of the layers, which is that of `model.layers`.
    """
    root.attrs["backend"] = "minitl"
    root.attrs["keras_version"] = VERSION  # whose layout this is; Keras asks for it to read the file
    _write_names(root, "layer_names", [name for name, _ in layers])
    for layer_name, arrays in layers:
        group = root.require_group(layer_name)
        _write_names(group, "weight_names", [f"{layer_name}/{path}:0" for path in arrays])
        for path, array in arrays.items():
            group.create_dataset(f"{layer_name}/{path}:0", data=array)


def write_numbered(root, layers):
    """Write [(key, layer name, {path: array}), ...] into an open, empty group in the layout of Keras 3.

    `class_keys` gives the keys. A path is "vars/0", or "cell/vars/0" for an array of a part of the layer, which needs a
    name as well.
    """
    for key, layer_name, arrays in layers:
        group = root.create_group(f"layers/{key}")
        group.create_group("vars").attrs["name"] = layer_name
        for path, array in arrays.items():
            group.create_dataset(path, data=array)
            *part, number = path.split("/")
            if len(part) > 1:
                group["/".join(part)].attrs["name"] = part[-2]


def write_layers(root, layers, numbered):
    """Write the weights of `layers`, which are in Keras's order, in one of the two layouts."""
    which = 1 if numbered else 0
    arrays = {
        layer: {paths[which]: getattr(layer, name) for name, paths in layer.keras_paths().items()} for layer in layers
    }
    if numbered:
        write_numbered(root, [(key, layer.name, arrays[layer]) for key, layer in class_keys(layers)])
    else:
        write_legacy(root, [(layer.name, arrays[layer]) for layer in layers])


def write_config(file, text):
    """Write Keras's configuration of a whole model. Keras looks for its weights in a group of their own, which is made
    of links to the groups at the root."""
    file.attrs[CONFIG] = text
    file.attrs["keras_version"] = VERSION
    file.attrs["backend"] = "minitl"
    if WEIGHTS not in file:
        members = dict(file.items())
        group = file.create_group(WEIGHTS)
        for name, member in members.items():
            group[name] = member
        for name, value in file.attrs.items():
            if name != CONFIG:
                group.attrs[name] = value


def write_texts(file, texts):
    """Add {name: text} to an open file, with their digest."""
    for name, text in texts.items():
        file[name] = np.bytes_(text.encode("utf-8"))
    file.attrs[TEXTS_DIGEST] = _texts_digest(texts)


def class_keys(layers):
    """Yield (key in Keras 3's layout, layer) in the order of `layers`; the keys are conv2d, conv2d_1, dense, ..."""
    counts = {}
    for layer in layers:
        stem = layer.class_name
        number = counts[stem] = counts.get(stem, -1) + 1
        yield f"{stem}_{number}" if number else stem, layer


def _write_names(group, attribute, names):
    """Write a list of names as an attribute that `_names` reads. Keras writes fixed-length bytes."""
    encoded = np.array([name.encode("utf-8") for name in names], dtype="S" if names else "S1")
    pieces = -(-encoded.nbytes // ATTRIBUTE_LIMIT)
    if pieces <= 1:
        group.attrs[attribute] = encoded
        return
    for i, piece in enumerate(np.array_split(encoded, pieces)):
        group.attrs[f"{attribute}{i}"] = piece
