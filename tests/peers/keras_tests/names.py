"""The names that a Keras test imports: minitl's packages under Keras's names.

A test file is run as text, in a namespace whose `__import__` is `imported`. So `from keras.src import layers` there
gives minitl's layers, and nothing changes for other modules.

    layers, losses, metrics, ...   minitl's packages. A name that is not there raises minitl's error when it is used
    ops, random, tree              Keras's own functions on arrays, for the arithmetic in the test: arrays of NumPy come
                                   out. On a symbolic tensor they raise what `minitl.ops` raises
    backend.Variable               an array with a name, which an optimizer moves (`Moves`)
    backend.KerasTensor            a symbolic tensor of minitl
    tensorflow, jax, grain         the error of `minitl.Dataset` when they are used
"""

import ast
import builtins
import importlib
import importlib.util
import types
from pathlib import Path

import keras
import numpy as np
import pytest

import minitl
from minitl.layers import InputLayer, SymbolicTensor

from .variables import Moves, Trainer, Variable, Variables, arrays, attribute

SOURCE = Path(importlib.util.find_spec("keras").origin).parent / "src"
ABSENT_PACKAGES = ("tensorflow", "jax", "grain", "pandas")
PLACES = {
    "activations": "activations",
    "callbacks": "callbacks",
    "constraints": "constraints",
    "initializers": "initializers",
    "layers": "layers",
    "losses": "losses",
    "metrics": "metrics",
    "models": "models",
    "optimizers": "optimizers",
    "regularizers": "regularizers",
    "saving": "saving",
    "trainers": "utils",
    "utils": "utils",
}


class Internal(Exception):
    """A test uses what no program can import from Keras: the case is set aside."""


class Absent:
    """A name that is not here: it raises `error` when it is used, and a class that derives from it when it is made."""

    def __init__(self, error):
        self._error = error

    def _refuse(self, *args, **kwargs):
        raise self._error

    __call__ = __iter__ = __getitem__ = __enter__ = _refuse

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(self._error)

    def __eq__(self, other):
        return isinstance(other, Absent) and str(self._error) == str(other._error)

    def __hash__(self):
        return hash(str(self._error))

    def __mro_entries__(self, bases):
        return (type("AbsentBase", (), {"__init__": self._refuse}),)


def absent(name, package=minitl):
    """Return what a package gives for a name that it does not have."""
    try:
        return getattr(package, name)
    except Exception as error:
        return Absent(error)


class Package(types.SimpleNamespace):
    """One of minitl's packages under Keras's name. A module within it, such as `layers.core.dense`, is it, too."""

    def __init__(self, name, **others):
        super().__init__(**others)
        self._name, self._package = name, absent(PLACES[name])

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        found = absent(name, self._package)
        if isinstance(found, Absent) and not hasattr(getattr(keras, self._name, None), name):
            found = Absent(Internal(f"keras.{self._name} does not export {name}"))
        is_module = any((SOURCE / self._name).rglob(f"{name}.py")) or (SOURCE / self._name / name).is_dir()
        return self if isinstance(found, Absent) and is_module else found


class Arithmetic:
    """Functions of Keras on arrays. Arrays of NumPy go in and come out."""

    def __init__(self, module, **others):
        self._module = module
        vars(self).update(others)

    def __getattr__(self, name):
        if name == "random" and not hasattr(self._module, name):
            return Arithmetic(keras.random)  # `keras.src.ops` has it, `keras.ops` has not
        found = getattr(self._module, name)
        if self._module.__name__.endswith(".config") and name.startswith(("set_", "enable_", "disable_")):
            is_of_gpus = name.endswith("_flash_attention")
            return (lambda: None) if is_of_gpus else absent(name, minitl.config)
        if isinstance(found, types.ModuleType):
            return Arithmetic(found)
        if isinstance(found, type) and (hasattr(keras, name) or hasattr(keras.random, name)):
            return absent(name if hasattr(keras, name) else "random")
        if isinstance(found, type) or not callable(found):
            return found

        def on_arrays(*args, **kwargs):
            if any(isinstance(each, SymbolicTensor) for each in _flat([args, kwargs])):
                absent("ops")._refuse()
            return arrays(found(*arrays(args), **arrays(kwargs)))

        return on_arrays


def _flat(value):
    """Yield what is in nested tuples, lists and dicts."""
    if isinstance(value, (tuple, list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _flat(each)
    else:
        yield value


def keras_tensor(shape, dtype="float32", name=None, **others):
    """Return a symbolic tensor of this shape, with a batch of this size."""
    if any(others.values()):
        absent("KerasTensor")._refuse()
    tensor = InputLayer(shape=shape[1:], dtype=dtype, name=name).output
    tensor.shape = tuple(shape)
    return tensor


def _optimizers():
    """Return {name: optimizer that moves variables}."""
    package = minitl.optimizers
    known = {name: getattr(package, name) for name in package.__all__}
    is_one = [name for name, each in known.items() if isinstance(each, type) and issubclass(each, package.Optimizer)]
    return {name: type(name, (Moves, known[name]), {"_kind": known[name]}) for name in is_one}


def _get_optimizer(identifier):
    """Return `minitl.optimizers.get` of the same argument: of data an optimizer that moves variables; of a name
    minitl's own, which pickle finds."""
    found = minitl.optimizers.get(identifier)
    if isinstance(identifier, dict):
        found.__class__ = getattr(PACKAGES["optimizers"], type(found).__name__)
    return found


class MetricsUtils:
    """Keras's names for texts: `AUCCurve.PR` is "PR"."""

    AUCCurve = types.SimpleNamespace(ROC="ROC", PR="PR", PRGAIN="PRGAIN")
    AUCSummationMethod = types.SimpleNamespace(INTERPOLATION="interpolation", MAJORING="majoring", MINORING="minoring")


def _metrics():
    """Return {name: metric with the private attributes that Keras's tests look at}."""
    of_all = {"_dtype": property(lambda self: self.dtype), "_from_logits": property(lambda self: self.from_logits)}
    known = {name: getattr(minitl.metrics, name) for name in minitl.metrics.__all__}
    is_one = [name for name, each in known.items() if isinstance(each, type)]
    return {name: type(name, (known[name],), {**of_all, "_kind": known[name]}) for name in is_one}


def _registered(*args, **kwargs):
    """Return a decorator that leaves a class as it is: minitl is given classes by custom_objects."""
    return lambda each: each


def _seed_both(seed):
    """Seed minitl, and Keras, whose random numbers a test may use."""
    minitl.set_random_seed(seed)
    keras.utils.set_random_seed(seed)


class Float32:
    """`keras.dtype_policies`: it says float32, and takes nothing else."""

    def __getattr__(self, name):
        if name == "dtype_policy":
            return types.SimpleNamespace(dtype_policy=lambda: "float32", set_dtype_policy=_only_float32)
        return absent("dtype_policies")


def _only_float32(policy):
    """Accept what minitl computes in anyway."""
    if policy != "float32":
        absent("dtype_policies")._refuse()


class Marks:
    """`pytest.mark`, with Keras's own marks, which mean nothing here."""

    def __getattr__(self, name):
        return getattr(pytest.mark, name) if name in ("skip", "skipif") else _unmarked


def _unmarked(*args, **settings):
    """Return a test as it is, or a decorator that does."""
    return args[0] if args and callable(args[0]) else lambda each: each


PYTEST = types.SimpleNamespace(**{**vars(pytest), "mark": Marks()})


def _skip_if_backend(name, reason):
    return pytest.mark.skipif(name == "torch", reason=reason)


def _packages():
    """Return {name of a package of Keras: what a test gets for it}."""
    from . import case

    found = {name: Package(name) for name in PLACES}
    found["models"] = Package("models", Functional=minitl.Model)
    found["utils"] = Package("utils", set_random_seed=_seed_both)
    found["optimizers"] = Package("optimizers", **_optimizers(), get=_get_optimizer)
    found["metrics"] = Package("metrics", **_metrics(), metrics_utils=MetricsUtils)
    found["dtype_policies"] = Float32()
    found["saving"] = Package("saving", register_keras_serializable=_registered)
    found["ops"], found["random"], found["tree"] = (Arithmetic(getattr(keras, n)) for n in ("ops", "random", "tree"))
    found["backend"] = Arithmetic(
        importlib.import_module("keras.src.backend"),
        Variable=Variable,
        KerasTensor=keras_tensor,
        set_floatx=_only_float32,
        is_tensor=lambda x: isinstance(x, np.ndarray),
        set_image_data_format=minitl.config.set_image_data_format,
        get_keras_mask=lambda x: getattr(x, "mask", None),
        set_keras_mask=absent("set_keras_mask", minitl.backend),
    )
    helpers = importlib.import_module("keras.src.testing.test_utils")
    found["testing"] = types.SimpleNamespace(**{**vars(helpers), **vars(case)}, test_utils=helpers, test_case=case)
    return found


PACKAGES = {}
LOADED = {}  # path of a test file -> its namespace


def package(path):
    """Return what a test gets for a module of Keras, such as "keras.src.layers.core.dense"."""
    PACKAGES.update({} if PACKAGES else _packages())
    parts = [part for part in path.split(".")[1:] if part != "src"]
    if not parts:
        return Root()
    if parts[-1].endswith("_test"):
        return types.SimpleNamespace(**load("/".join(parts) + ".py"))
    if parts[0] in PACKAGES:
        if parts[:1] == ["backend"] and parts[-1] == "trainer":
            return types.SimpleNamespace(TorchTrainer=Trainer)
        if parts[-1] == "keras_tensor":
            return types.SimpleNamespace(KerasTensor=keras_tensor)
        found = PACKAGES[parts[0]]
        for part in parts[1:]:
            found = found if isinstance(found, Package) else getattr(found, part, found)
        return found
    return absent(parts[0])


class Root:
    """`keras` itself."""

    def __getattr__(self, name):
        if name == "src":
            return self
        return package(f"keras.{name}") if name in PACKAGES else absent(name)


def imported(name, scope=None, local=None, fromlist=(), level=0):
    """Stand in the place of `__import__` in a test file."""
    top = name.split(".")[0]
    if top == "keras":
        return package(name if fromlist else "keras")
    if name == "pytest":
        return PYTEST
    if top == "conftest":
        return types.SimpleNamespace(skip_if_backend=_skip_if_backend)
    if top in ABSENT_PACKAGES:
        return absent("Dataset")
    return builtins.__import__(name, scope, local, fromlist, level)


def load(path):
    """Run a test file of Keras and return its namespace."""
    if path not in LOADED:
        file = SOURCE / path
        of_tests = {**vars(builtins), "__import__": imported, "keras_attribute": attribute}
        LOADED[path] = {"__name__": "keras_tests." + path[:-3].replace("/", "."), "__builtins__": of_tests}
        tree = ast.fix_missing_locations(Variables().visit(ast.parse(file.read_text(encoding="utf-8"))))
        exec(compile(tree, str(file), "exec"), LOADED[path])
    return LOADED[path]
