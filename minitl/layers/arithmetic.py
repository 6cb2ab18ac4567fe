"""Arithmetic with symbolic tensors: `a + b`, `x / 255`, `1 - x`, `-x`, `x ** 2`.

Each sign makes a call of a layer: `Add`, `Subtract`, `Multiply` or `Divide` for two tensors, and `WithNumber` for a
tensor and a number. So a graph has calls of layers and nothing else, as before. `SymbolicTensor` gets its signs here,
because it stands below the layers and cannot know them.

A sign is no layer in Keras, and a mask ends there: `words * 2` has none, though `Rescaling(2)(words)` has one. It is
the same here, with a warning.
"""

import numpy as np

from ..arguments import is_number
from ..errors import ArgumentError, GraphError, warn_of_mistake
from ..kernels import as_float
from .base import Layer
from .merging import Add, Multiply, Subtract, TwoInputs, sum_over_broadcast_axes
from .mode import is_inside_call
from .symbolic import SymbolicTensor


class Divide(TwoInputs):
    """y = x_1 / x_2, of two inputs."""

    keras_operation = "TrueDivide"

    def compute_output_dtype(self, input_dtypes):
        return "float32"

    def forward(self, x, training=False):
        a, b = (as_float(each) for each in self.arrays(x))
        y = a / b
        self.remember(a.shape, b, y)
        return y

    def backward(self, grad):
        """Return the gradients of a and b for y = a / b:  dy/da = 1 / b,  dy/db = -a / b^2 = -y / b."""
        shape, b, y = self.remembered()
        grad = grad / b
        return [sum_over_broadcast_axes(grad, shape), -sum_over_broadcast_axes(grad * y, b.shape)]


class WithNumber(Layer):
    """y = x (operation) number, or with is_first=True y = number (operation) x.

    operation   "add", "subtract", "multiply", "divide" or "power"
    number      one number, or a list with one for each channel: the last axis of x
    """

    config_names = ("operation", "number", "is_first")
    is_elementwise = keeps_channels = drops_mask = True

    def __init__(self, operation, number, is_first=False, **kwargs):
        super().__init__(**kwargs)
        if operation not in list(OPERATIONS):
            raise ArgumentError(f"operation is {operation!r}; expected one of {', '.join(OPERATIONS)}.")
        numbers = number if isinstance(number, (list, tuple)) else [number]
        if not numbers or not all(is_number(each) for each in numbers):
            raise ArgumentError(f"number is {number!r}; expected a number, or a list with one for each channel.")
        if is_first not in (True, False) or (is_first and operation == "power"):
            raise ArgumentError(f"is_first is {is_first!r}; expected True or False, and False for a power.")
        self.operation, self.is_first = operation, bool(is_first)
        self.number = [float(each) for each in numbers] if isinstance(number, (list, tuple)) else float(number)

    @property
    def in_keras(self):
        return not isinstance(self.number, list)  # Keras's files hold single numbers

    @property
    def keras_operation(self):
        return KERAS_OPERATIONS[self.operation]

    def keras_call(self, tensors):
        return [self.number, *tensors] if self.is_first else [*tensors, self.number]

    def check_input(self, input_shape):
        if isinstance(self.number, list) and input_shape[-1] not in (None, 1, len(self.number)):
            raise ArgumentError(
                f"layer '{self.name}': number has {len(self.number)} entries; the input {tuple(input_shape)} has "
                f"{input_shape[-1]} channels."
            )

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], len(self.number)) if isinstance(self.number, list) else input_shape

    def forward(self, x, training=False):
        self.accept(x.shape)
        x = as_float(x)
        number = np.asarray(self.number, x.dtype)
        self.remember(x)
        return OPERATIONS[self.operation](*((number, x) if self.is_first else (x, number)))

    def backward(self, grad):
        """Return grad times dy/dx, for the number c:

        x + c, c + x, x - c    1         c - x    -1        x * c, c * x    c
        x / c    1 / c                   c / x    -c / x^2           x^c    c x^(c - 1)
        """
        (x,) = self.remembered()
        c = np.asarray(self.number, x.dtype)
        if self.operation == "multiply":
            grad = grad * c
        elif self.operation == "divide":
            grad = grad * (-c / x**2) if self.is_first else grad / c
        elif self.operation == "power":
            grad = grad * (c * x ** (c - 1))
        elif self.is_first and self.operation == "subtract":
            grad = -grad
        return sum_over_broadcast_axes(grad, x.shape)


OPERATIONS = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
}
KERAS_OPERATIONS = {name: "TrueDivide" if name == "divide" else name.capitalize() for name in OPERATIONS}
OF_TENSORS = {"add": Add, "subtract": Subtract, "multiply": Multiply, "divide": Divide}


def calculate(operation, a, b):
    """Return the symbolic result of `a (operation) b`, where at least one of them is a symbolic tensor and the other
    may be a number or an array with one number for each channel. Raises GraphError for anything else."""
    if isinstance(a, SymbolicTensor) and isinstance(b, SymbolicTensor):
        if operation not in OF_TENSORS:
            raise GraphError(f"'{operation}' of two symbolic tensors is not here; expected {', '.join(OF_TENSORS)}.")
        layer = OF_TENSORS[operation](name=None)
        layer.keras_operation = KERAS_OPERATIONS[operation]
        result = layer([a, b])
        if result.mask is not None:
            _warn_of_lost_mask(a, operation, f"{type(layer).__name__}()([a, b])")
            result.mask = None
        return result
    is_first = isinstance(b, SymbolicTensor)
    tensor, number = (b, a) if is_first else (a, b)
    number = number.tolist() if isinstance(number, (np.ndarray, np.generic)) and np.ndim(number) < 2 else number
    if not (is_number(number) or (isinstance(number, (list, tuple)) and all(map(is_number, number)))):
        raise GraphError(
            f"'{operation}' of a symbolic tensor {tensor.shape} and {type(number).__name__}; expected another symbolic "
            "tensor, a number, or a list with a number for each channel."
        )
    if tensor.mask is not None:
        _warn_of_lost_mask(tensor, operation, "For a factor and a summand, Rescaling(factor, summand)(x)")
    return WithNumber(operation, number, is_first)(tensor)


def _warn_of_lost_mask(tensor, operation, instead):
    """Warn that a mask ends at a sign. The `call` of a layer of one's own hands the mask on by itself."""
    if not is_inside_call():
        warn_of_mistake(
            f"the mask of {tensor!r} ends at '{operation}', as in Keras: for the layers behind it, padding counts like "
            f"everything else. {instead} keeps the mask."
        )


for _sign, _operation in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "pow": "power",
}.items():
    setattr(SymbolicTensor, f"__{_sign}__", lambda self, other, name=_operation: calculate(name, self, other))
    if _operation != "power":
        setattr(SymbolicTensor, f"__r{_sign}__", lambda self, other, name=_operation: calculate(name, other, self))


def _refused(sign):
    """Return the method of a sign that no layer computes: it raises a GraphError."""

    def refuse(self, other):
        raise GraphError(
            f"{self!r}: symbolic tensors have no sign {sign}; expected + - * / or a power with a number behind it. "
            "Write a Layer with forward and backward: course/add_your_own.md."
        )

    return refuse


OTHER_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "mod": "%", "floordiv": "//", "matmul": "@", "rpow": "**"}
for _name, _text in OTHER_SIGNS.items():
    setattr(SymbolicTensor, f"__{_name}__", _refused(_text))
SymbolicTensor.__neg__ = lambda self: calculate("multiply", self, -1)  # type: ignore[operator]


def _of_numpy(self, function, *arguments, **options):
    """Leave `array - tensor` to the signs above, and refuse all other functions of NumPy."""
    if function.__name__ in OPERATIONS and arguments[0] == "__call__":
        return calculate(function.__name__, *arguments[1:])
    raise GraphError(
        f"np.{function.__name__} was called on the output of a layer, which has no numbers yet, and minitl would have "
        "no gradient of it. Use layers and the signs + - * /, or write a Layer with forward and backward: "
        "course/add_your_own.md."
    )


SymbolicTensor.__array_ufunc__ = SymbolicTensor.__array_function__ = _of_numpy  # type: ignore[attr-defined]
SymbolicTensor.__array__ = lambda self, *others, **options: _of_numpy(self, np.asarray)  # type: ignore[attr-defined]
