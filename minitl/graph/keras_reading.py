"""The configuration of a whole model that Keras saved, read as data: `tensors_of` builds the graph that it describes.

A configuration is class names, arguments, and which call takes whose output. Each class name is looked up among the
layers of minitl, and nothing else is made: no code in a file is run, whatever it says. A class that minitl does not
have, such as a Lambda, and an argument that it does not know are refused by their names. Keras 2 and 3 write different
forms of the same:

    Keras 3    {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["conv", 0, 0]}}], "kwargs": {}}
    Keras 2    [["conv", 0, 0, {}]]            ["conv", 0, 0]: the layer, the number of its call, that of its output

A model within the model gives its layers one by one, as everywhere in minitl. `keras_config` is the way back.
"""

import inspect

from .. import layers
from ..errors import GraphError
from ..layers import Layer
from ..layers.arithmetic import calculate
from ..layers.mode import inside
from ..layers.part import take_part
from ..layers.shared_arguments import OF_ALL_LAYERS

MODELS = ("Functional", "Sequential", "Model")  # class names of models; "Model" is Keras 2's functional one
SIGNS = {"Add": "add", "Subtract": "subtract", "Multiply": "multiply", "TrueDivide": "divide", "Divide": "divide",
         "Power": "power"}  # fmt: skip
NUMPY = "keras.src.ops.numpy"  # the module of Keras's operations on arrays, such as the signs + - * /
OTHER_FORMS = {"batch_input_shape", "batch_shape", "inbound_nodes", "module", "registered_name", "input_dtype"}
UNUSED = {"implementation", "time_major", "input_length", "input_dim", "quantization_config", "shared_object_id"}
USUAL = [("data_format", "channels_last"), ("value_range", [0, 255])]  # what minitl's layers have in any case
# Keras writes training=True or False for every call of these layers: where the program gave none, the default of
# `call`. So the default says nothing, and the mode is that of the model. `keras_config` writes 1 and 0 for a fixed one.
OFTEN_FALSE = "AlphaDropout Dropout GRU GaussianDropout GaussianNoise LSTM SimpleRNN SpatialDropout1D SpatialDropout2D"
OFTEN_TRUE = (
    "CenterCrop RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom "
    "Resizing"
)
DEFAULT_MODES = dict.fromkeys(OFTEN_FALSE.split(), False) | dict.fromkeys(OFTEN_TRUE.split(), True)
MOST_LAYERS, DEEPEST = 10_000, 20


def tensors_of(config, custom_objects=None):
    """Return (inputs, outputs, row) of the graph that Keras's configuration describes.

    inputs, outputs   symbolic tensors: one, a list or a dict
    row               the layers, if the model is a Sequential of layers alone; otherwise None
    custom_objects    {class name: class} of layers that are not minitl's

    Raises GraphError for what minitl does not have, and the error of a layer for its arguments. Other errors are
    those of a text that describes no model.
    """
    reader = _Reader(custom_objects or {})
    inputs, outputs = reader.model(config, None, 0)
    is_plain = config["class_name"] == "Sequential" and all(
        entry["class_name"] not in MODELS for entry in _entries(config)
    )
    return inputs, outputs, reader.made if is_plain else None


def _entries(config):
    """Return the entries of a model's layers. Keras 1 and early 2 wrote a Sequential as a bare list."""
    content = config["config"]
    return content if isinstance(content, list) else content["layers"]


class _Reader:
    """The layers and models that have been made. A layer that occurs again is the same layer."""

    def __init__(self, custom_objects):
        known = {name: getattr(layers, name) for name in layers.__all__}
        known = {name: each for name, each in known.items() if isinstance(each, type) and issubclass(each, Layer)}
        self.classes, self.made = {**known, **custom_objects}, []
        self.within = {}  # id of the data of a model or layer -> what was made of it

    def model(self, config, given, depth):
        """Return (inputs, outputs) of a model. `given` are the symbolic tensors on which it is called, or None for
        inputs of its own."""
        if depth > DEEPEST or len(self.made) > MOST_LAYERS:
            raise GraphError(f"the model has more than {MOST_LAYERS:,} layers, or models {DEEPEST} deep.")
        if config["class_name"] not in MODELS:
            raise _unknown(config["class_name"])
        if config["class_name"] == "Sequential":
            return self.row(config, given, depth)
        content, places = config["config"], _Places()
        starts = _places_of(content["input_layers"])
        left = []
        for entry in content["layers"]:
            name = entry.get("name", entry["config"].get("name"))
            if entry["class_name"] == "InputLayer":
                position = [start[0] for start in starts].index(name)
                places.add(name, [self.layer(entry).output if given is None else given[position]])
            else:
                left += [(name, entry, node) for node in entry["inbound_nodes"]]
        while left:  # a call may stand before the calls that it depends on
            waiting = []
            for name, entry, node in left:
                before_it = any(each[0] == name for each in waiting)  # calls of a layer keep their order
                if before_it or not all(places.has(each) for each in _references(node)):
                    waiting.append((name, entry, node))
                else:
                    places.add(name, self.call(entry, *_arguments(node, places), depth))
            if len(waiting) == len(left):
                raise GraphError(f"'{left[0][0]}' takes the output of a layer that is not there.")
            left = waiting
        inputs = _structured(content["input_layers"], places)
        return inputs, _structured(content["output_layers"], places)

    def row(self, config, given, depth):
        """Return (input, output) of a Sequential."""
        entries = _entries(config)
        content = config["config"] if isinstance(config["config"], dict) else {}
        start = end = None if given is None else given[0]
        for entry in entries:
            if entry["class_name"] == "InputLayer":
                if start is None:
                    start = end = self.layer(entry).output
                continue
            if start is None and entry["class_name"] not in MODELS:
                own = entry["config"].get("batch_input_shape", entry["config"].get("batch_shape"))
                shape = own or content.get("build_input_shape")
                if not shape:
                    raise GraphError("a Sequential in the file does not say the shape of its input.")
                start = end = layers.Input(shape[1:], dtype=_plain(entry["config"].get("input_dtype")))
            if start is None:
                start, end = self.model(entry, None, depth + 1)
            else:
                (end,) = self.call(entry, [end], {}, depth)
        return start, end

    def call(self, entry, arguments, by_name, depth):
        """Return the outputs of a layer, model or operation that is called on these arguments, as a list."""
        if entry["class_name"] in MODELS:
            with inside(by_name.get("training")):
                _, outputs = self.model(entry, _flat(arguments), depth + 1)
        elif _is_operation(entry, arguments):
            with inside(None):  # that a mask ends there is no surprise: it did so in Keras
                outputs = _operation(entry["class_name"], arguments)
        else:
            layer, tensors = self.layer(entry), _flat(arguments)
            by_name = {name: value for name, value in by_name.items() if not _is_known_mask(value, tensors)}
            if by_name.get("training") is DEFAULT_MODES.get(entry["class_name"], ...):
                del by_name["training"]
            outputs = layer(tensors if layer.merges or len(tensors) > 1 else tensors[0], **by_name)
        found = list(outputs.values()) if isinstance(outputs, dict) else outputs
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def layer(self, entry):
        """Return the layer of an entry: a new one the first time."""
        if id(entry) in self.within:
            return self.within[id(entry)]
        name = entry["class_name"]
        if name not in self.classes:
            raise _unknown(name)
        layer = self.classes[name](**arguments_of(self.classes[name], entry["config"]))
        self.within[id(entry)] = layer
        if name != "InputLayer":
            self.made.append(layer)
        return layer


def _unknown(name):
    """Return the error for a class of a layer or model that minitl does not have."""
    code = " A Lambda is code, which is never run from a file." if name == "Lambda" else ""
    return GraphError(
        f"the model holds a {name}, which minitl does not have.{code} Build the model here and call load_weights, or "
        "name a class of your own in custom_objects."
    )


class _Places:
    """The symbolic outputs of each call, by the name of its layer."""

    def __init__(self):
        self.outputs = {}  # name -> [outputs of its first call, of its second, ...]

    def add(self, name, outputs):
        self.outputs.setdefault(name, []).append(outputs)

    def has(self, place):
        """Return whether this output is there. Keras 2 counts the calls of a model within a model from 1."""
        return place[0] in self.outputs and self._call(place) < len(self.outputs[place[0]])

    def _call(self, place):
        return 0 if len(self.outputs[place[0]]) == 1 and place[1] == 1 else place[1]

    def get(self, place):
        return self.outputs[place[0]][self._call(place)][place[2]]


def arguments_of(cls, config):
    """Return a layer's arguments of Keras's configuration in minitl's form.

    Initializers are left out, because the weights follow. An argument that this class does not have is left out if it
    is empty or says what is so in any case.
    """
    known = {*inspect.signature(cls).parameters, "name", "trainable", "input_shape", *OF_ALL_LAYERS}
    known |= set(getattr(cls, "regularized", {}))
    found = {}
    for key, value in config.items():
        if key in OTHER_FORMS and not (key == "batch_shape" and key in known):
            if key == "batch_input_shape" and cls is layers.InputLayer:
                found["batch_shape"] = value
            continue
        says_nothing = not value or (key, value) in USUAL  # for a class without this argument
        if key.endswith("_initializer") or key in UNUSED - known or (key not in known and says_nothing):
            continue
        value = _plain(value)
        is_one_axis = key == "axis" and isinstance(value, list) and len(value) == 1  # of Keras 2's BatchNormalization
        found[key] = value[0] if is_one_axis else value
    return found


def _plain(value):
    """Return a value of a configuration without Keras's wrapping: "float32" for a policy of this name, "relu" for the
    function of this name, [3] for {"class_name": "__tuple__", "items": [3]}. A layer stays data."""
    if isinstance(value, dict):
        kind, content = value.get("class_name"), value.get("config")
        if kind in ("DTypePolicy", "Policy"):
            return content["name"]
        if kind == "__tuple__":
            return [_plain(each) for each in value["items"]]
        if isinstance(content, str):  # {"class_name": "function", "config": "relu"}
            return content
        cls = vars(layers).get(kind) if isinstance(kind, str) else None
        if isinstance(content, dict) and isinstance(cls, type) and issubclass(cls, Layer):
            return {**value, "config": arguments_of(cls, content)}
        return value
    return value


def _references(node):
    """Return the places [layer, call, output] whose tensors a call takes."""
    if isinstance(node, dict):
        return [each["config"]["keras_history"] for each in _keras_tensors([node["args"], node["kwargs"]])]
    nested = [value for each in node for value in (each[3] if len(each) > 3 else {}).values()]
    return [each[:3] for each in node] + [value for value in nested if _is_place(value)]


def _arguments(node, places):
    """Return (positional arguments, arguments by name) of a call, with symbolic tensors in the places of references."""
    if isinstance(node, dict):
        return _replaced(node["args"], places), _replaced(node["kwargs"], places)
    by_name = node[0][3] if node and len(node[0]) > 3 else {}
    found = {name: places.get(value) if _is_place(value) else value for name, value in by_name.items()}
    tensors = [places.get(each) for each in node]
    return tensors, found


def _is_place(value):
    """Return whether a value is Keras 2's reference [layer, call, output]."""
    return isinstance(value, list) and len(value) == 3 and [type(each) for each in value] == [str, int, int]


def _keras_tensors(value):
    """Yield the references within arguments of Keras 3."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _keras_tensors(each)


def _replaced(value, places):
    """Return arguments of Keras 3 with symbolic tensors, slices and `...` in the places of their data."""
    if isinstance(value, list):
        return [_replaced(each, places) for each in value]
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind == "__keras_tensor__":
        return places.get(config["keras_history"])
    if kind == "__slice__":
        return slice(config["start"], config["stop"], config["step"])
    if kind == "__ellipsis__":
        return ...
    if kind == "__tuple__":
        return tuple(_replaced(each, places) for each in value["items"])
    return {key: _replaced(each, places) for key, each in value.items()}


def _is_operation(entry, arguments):
    """Return whether an entry is an operation on arrays. Without a module, Add is one if it takes two arguments, and
    a layer if it takes a list."""
    if "module" in entry:
        return entry["module"] == NUMPY
    return entry["class_name"] in (*SIGNS, "Negative", "GetItem") and not isinstance(arguments[0], (list, tuple))


def _operation(name, arguments):
    """Return the output of one of Keras's operations on arrays."""
    if name in SIGNS:
        return calculate(SIGNS[name], *arguments)
    if name == "Negative":
        return calculate("multiply", arguments[0], -1)
    if name == "NotEqual" and isinstance(arguments[1], (int, float)):  # the mask that Embedding(mask_zero=True) makes
        return layers.PaddingMask(int(arguments[1]))(arguments[0])
    if name == "LogicalOr":  # the mask that a merge makes of those of its inputs
        masks = list(dict.fromkeys(arguments))
        return layers.AnyMask()(masks) if len(masks) > 1 else masks[0]
    if name == "GetItem":
        index = arguments[1]
        return take_part(arguments[0], tuple(index) if isinstance(index, list) else index)
    raise GraphError(
        f"the model calls the operation {name}, which minitl does not have; expected one of {', '.join(SIGNS)}, "
        "Negative, GetItem, and NotEqual and LogicalOr for masks. Build the model here and call load_weights."
    )


def _is_known_mask(value, tensors):
    """Return whether an argument is None, or the mask that one of the inputs has here, too: layers find it there."""
    if isinstance(value, list) and value:
        return all(_is_known_mask(each, tensors) for each in value)
    if not isinstance(value, layers.SymbolicTensor) or not isinstance(value.call.layer, layers.PaddingMask):
        return value is None
    known = [each.mask.call for each in tensors if each.mask is not None]
    return any(
        isinstance(call.layer, layers.PaddingMask)
        and call.inputs == value.call.inputs
        and call.layer.padding == value.call.layer.padding
        for call in known
    )


def _flat(arguments):
    """Return the tensors in positional arguments as a flat list. A tensor that is given twice is kept twice."""
    if isinstance(arguments, dict):
        return [each for value in arguments.values() for each in _flat(value)]
    if isinstance(arguments, (list, tuple)):
        return [each for value in arguments for each in _flat(value)]
    return [] if arguments is None else [arguments]


def _places_of(form):
    """Return the places in a form of inputs or outputs: one, a list, or a dict by name."""
    values = list(form.values()) if isinstance(form, dict) else form
    return [values] if _is_place(values) else list(values)


def _structured(form, places):
    """Return the symbolic tensors of inputs or outputs in their form. A list of one is one, as in Keras 2's files."""
    if isinstance(form, dict):
        return {name: places.get(place) for name, place in form.items()}
    found = [places.get(place) for place in _places_of(form)]
    return found[0] if len(found) == 1 else found
