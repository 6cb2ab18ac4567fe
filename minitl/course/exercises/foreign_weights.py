"""Exercises on weights from elsewhere: kernels with PyTorch's axes, a dense layer behind a flatten, grey images.

Read next: `fine_tuning`.
"""

import numpy as np

from ...layers import Conv2D, Dense
from ...models import Sequential
from ...transfer import adapt_channels, adapt_input
from ...weights.place import Place
from .exercise import Case, Exercise


def kernel_from_torch(kernel):
    return kernel.transpose(2, 3, 1, 0)


def kernel_from_torch_by_engine(kernel):
    return Place(None, "conv", "kernel", axes=Conv2D.torch_axes["kernel"]).convert(kernel)


def kernel_from_torch_cases(random):
    return [
        Case("5 filters on 4 channels, windows of 3x2", random.normal(size=(5, 4, 3, 2))),
        Case("3 filters on 3 channels, windows of 3x3: no shape shows a mistake", random.normal(size=(3, 3, 3, 3))),
        Case("windows of 1x1, as in a ResNet", random.normal(size=(4, 6, 1, 1))),
        Case("one filter on 3 colours, whole numbers", np.arange(18).reshape(1, 3, 2, 3)),
    ]


def reshaped(kernel):
    """Use reshape: it reads all numbers in their order and cuts them into other rows, so that a filter gets numbers of
    others. transpose moves the axes, and each number stays with its filter."""
    f, c, kh, kw = kernel.shape
    return kernel.reshape(kh, kw, c, f)


def reversed_axes(kernel):
    """Reverse all axes, as .T does: that gives (KW, KH, C, F), where each window is turned over, its rows are columns
    and its columns are rows."""
    return kernel.T


def filters_and_channels_swapped(kernel):
    """Swap the channels and the filters: the last axis is F. What a layer reads from stands before what it makes, as in
    the kernel (inputs, units) of a dense layer."""
    return kernel.transpose(2, 3, 0, 1)


def filters_alone_moved(kernel):
    """Move the filters to the end and leave the rest: that gives (C, KH, KW, F), and the channels belong behind the
    window."""
    return kernel.transpose(1, 2, 3, 0)


def the_way_back(kernel):
    """Use the axes of the way back: transpose(3, 2, 0, 1) makes PyTorch's axes of minitl's. The numbers say which old
    axis stands at each new place."""
    return kernel.transpose(3, 2, 0, 1)


def turned_by_180_degrees(kernel):
    """Turn the windows by 180 degrees: some textbooks define a convolution in this way. PyTorch and minitl both lay the
    kernel on the pixels as it is, so nothing is turned."""
    return kernel.transpose(2, 3, 1, 0)[::-1, ::-1]


def colours_turned(kernel):
    """Turn the order of the channels around: it would be blue, green, red then. Where weights want that, the images are
    turned, and not the kernel."""
    return kernel.transpose(2, 3, 1, 0)[:, :, ::-1]


def kernel_from_torch_by_hand(name, index, kernel):
    i, j, c, f = index
    return f"kernel[{f}, {c}, {i}, {j}]"


KERNEL_FROM_TORCH = Exercise(
    "kernel_from_torch",
    title="Loading a kernel from PyTorch's axes",
    text="""Weights from PyTorch have other axes than those of Keras and minitl. A kernel of a convolution is stored
    there as filters, channels, rows, columns, and here as rows, columns, channels, filters. Move the axes, so that each
    number keeps its filter, its channel and its place in the window. Where all windows are 3x3 and there are as many
    filters as channels, every wrong order has the right shape, and the network runs and predicts nonsense. So shapes
    prove nothing here.""",
    given={"kernel": "(F, C, KH, KW)  PyTorch's kernel: F filters on C channels, windows of KH rows and KW columns"},
    returns={"w": "(KH, KW, C, F)  the same kernel with minitl's axes"},
    formula="w[i, j, c, f] = kernel[f, c, i, j]",
    answer=kernel_from_torch,
    by_engine=kernel_from_torch_by_engine,
    lines=(Place.convert,),
    cases=kernel_from_torch_cases,
    wrong_answers=(
        reshaped, reversed_axes, filters_and_channels_swapped, filters_alone_moved, the_way_back, turned_by_180_degrees,
        colours_turned,
    ),
    by_hand=kernel_from_torch_by_hand,
    loops=False,
    hints=(
        "It is one call of a method of arrays. reshape is not the one: it does not move numbers, it only cuts their "
        "row into other pieces.",
        "kernel.transpose(a, b, c, d) makes the old axis a the first one, b the second one, and so on. F is the old "
        "axis 0, C is 1, KH is 2, KW is 3.",
        "The new order is KH, KW, C, F. Write the number of the old axis for each of them.",
    ),
    read_next="minitl/weights/naming.py, whose head lists who stores weights in which axes.",
)  # fmt: skip


def dense_after_flatten(kernel, height, width, channels):
    rows = kernel.T.reshape(channels, height, width, -1)
    return rows.transpose(1, 2, 0, 3).reshape(height * width * channels, -1)


def dense_after_flatten_by_engine(kernel, height, width, channels):
    place = Place(None, "fc1", "kernel", axes=Dense.torch_axes["kernel"], flattened=(height, width, channels))
    return place.convert(kernel)


def dense_after_flatten_cases(random):
    def case(what, units, height, width, channels):
        return Case(what, random.normal(size=(units, height * width * channels)), height, width, channels)

    return [
        case("maps of 2x3 pixels with 4 channels, 5 units", 5, 2, 3, 4),
        case("maps of 3x3 pixels with 3 channels, 4 units: no shape shows a mistake", 4, 3, 3, 3),
        case("a map of one pixel", 3, 1, 1, 6),
        case("one channel, 4x2 pixels", 3, 4, 2, 1),
        case("as many units as inputs", 12, 3, 2, 2),
    ]


def axes_alone(kernel, height, width, channels):
    """Swap the two axes alone: the rows are still in PyTorch's order, first all pixels of channel 0, then all of
    channel 1. Here the channels of the first pixel come first."""
    return kernel.T.copy()


def units_not_moved(kernel, height, width, channels):
    """Leave PyTorch's axes (units, inputs) as they are: minitl computes x @ kernel, so the inputs are the rows."""
    return dense_after_flatten(kernel, height, width, channels).T


def rows_cut_as_ours(kernel, height, width, channels):
    """Cut the old rows as (H, W, C): they are in PyTorch's order, so reshape them to (C, H, W) first. The numbers in
    reshape describe the order that is there, and transpose makes the new one."""
    return kernel.T.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.T.shape)


def columns_before_rows(kernel, height, width, channels):
    """Put the pixels in the order (W, H, C), column by column: both programs go through a map row by row."""
    return kernel.T.reshape(channels, height, width, -1).transpose(2, 1, 0, 3).reshape(kernel.T.shape)


def cut_as_width_height(kernel, height, width, channels):
    """Cut the old rows as (C, W, H): in PyTorch's order the columns come last, so they are (C, H, W)."""
    return kernel.T.reshape(channels, width, height, -1).transpose(2, 1, 0, 3).reshape(kernel.T.shape)


def reshaped_alone(kernel, height, width, channels):
    """Bring the kernel into the new shape by reshape alone: the numbers of a unit, which are a row in PyTorch, are torn
    apart. A transpose makes a column of each."""
    return kernel.reshape(kernel.shape[1], -1)


def transposed_too_late(kernel, height, width, channels):
    """Reshape (units, inputs) to (C, H, W, units): the units are the first axis of the old kernel, so they come first
    in reshape, or a transpose has to come before."""
    return kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(kernel.shape[1], -1)


def units_moved_by_reshape(kernel, height, width, channels):
    """Bring the units into the columns by a reshape at the end: it keeps the order of the numbers, and a unit would get
    numbers of others. transpose, or .T, moves them."""
    moved = kernel.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    return moved.reshape(-1, len(kernel))


def channels_in_the_middle(kernel, height, width, channels):
    """Put the channels between rows and columns, in the order (H, C, W): the channels of a pixel stand together here,
    so C is the last of the three."""
    return kernel.T.reshape(channels, height, width, -1).transpose(1, 0, 2, 3).reshape(kernel.T.shape)


def dense_after_flatten_by_hand(name, index, kernel, height, width, channels):
    row, unit = index
    (i, j, c) = np.unravel_index(row, (height, width, channels))
    column = (c * height + i) * width + j
    return f"kernel[{unit}, ({c}*{height} + {i})*{width} + {j}] = kernel[{unit}, {column}]"


DENSE_AFTER_FLATTEN = Exercise(
    "dense_after_flatten",
    title="Loading the first dense layer after a flatten",
    text="""Behind the last map of VGG16 stands a flatten, and then a dense layer with an input for each channel of each
    pixel. PyTorch keeps maps as (C, H, W), so its flatten takes channel 0 of all pixels first, row by row, then channel
    1, and so on. minitl keeps maps as (H, W, C), so its flatten takes all channels of the first pixel first, then those
    of the pixel to its right. The inputs are the same numbers in another order, and the rows of the kernel have to
    follow them. Besides, PyTorch stores a dense kernel as (units, inputs). No shape tells whether it was done.""",
    given={
        "kernel": "(units, inputs)  PyTorch's kernel, inputs = C*H*W in the order (C, H, W)",
        "height": "H, the rows of the map",
        "width": "W, its columns",
        "channels": "C, its channels",
    },
    returns={"w": "(inputs, units)  minitl's kernel, the inputs in the order (H, W, C)"},
    formula="""
w[(i*W + j)*C + c, u] = kernel[u, (c*H + i)*W + j]      row i, column j,
                                                        channel c, unit u
""",
    answer=dense_after_flatten,
    by_engine=dense_after_flatten_by_engine,
    lines=(Place.convert,),
    cases=dense_after_flatten_cases,
    wrong_answers=(
        axes_alone, units_not_moved, rows_cut_as_ours, columns_before_rows, cut_as_width_height, reshaped_alone,
        transposed_too_late, units_moved_by_reshape, channels_in_the_middle,
    ),
    by_hand=dense_after_flatten_by_hand,
    loops=False,
    hints=(
        "Three steps: cut the axis of the inputs into three axes, move the axes, and join three of them again.",
        "reshape cuts and joins, and does not change the order of the numbers. So first reshape to the axes that are "
        "there, (units, C, H, W), and let transpose change the order.",
        "kernel.reshape(-1, C, H, W) has the axes units 0, C 1, H 2, W 3. Transpose it to (H, W, C, units), and "
        "reshape that to (H*W*C, -1).",
    ),
    read_next="minitl/weights/place.py, and flattened_inputs in naming.py, which finds the layers that need it.",
)  # fmt: skip


def grey_layer(kernel, bias):
    return kernel.sum(axis=2, keepdims=True), bias


def grey_layer_by_engine(kernel, bias):
    kh, kw, colours, filters = kernel.shape
    model = Sequential([Conv2D(filters, (kh, kw), input_shape=(kh + 3, kw + 3, colours), name="conv1")])
    model.get_layer("conv1").kernel, model.get_layer("conv1").bias = kernel, bias
    layer = adapt_input(model, (kh + 3, kw + 3, 1)).get_layer("conv1")
    return layer.kernel, layer.bias


def grey_layer_cases(random):
    def case(what, *shape):
        return Case(what, random.normal(size=shape), random.normal(size=shape[-1]))

    whole = np.arange(1, 13).reshape(1, 2, 3, 2)
    return [
        case("4 filters, windows of 5x2", 5, 2, 3, 4),
        case("3 filters, windows of 3x3: no shape shows a mistake", 3, 3, 3, 3),
        Case("whole numbers", whole, np.array([1.0, -2.0])),
        case("one filter, windows of 1x1", 1, 1, 3, 1),
    ]


def mean_of_the_colours(kernel, bias):
    """Take the mean over the colours: a grey pixel of 5 was 5 in all three channels, 5 * r + 5 * g + 5 * b, so the sum
    r + g + b stands for them. With the mean, all outputs are a third of what the rest of the network knows."""
    return kernel.mean(axis=2, keepdims=True), bias.copy()


def red_alone(kernel, bias):
    """Keep the kernel of the first colour: the other two have seen the same grey pixel, and their part is missing
    now."""
    return kernel[:, :, :1].copy(), bias.copy()


def brightness(kernel, bias):
    """Weight the colours by 0.299, 0.587 and 0.114: that makes a grey pixel of a coloured one. Here the pixels are grey
    already, and each colour of the kernel counts fully."""
    weights = np.array([0.299, 0.587, 0.114])[:, None]
    return (kernel * weights).sum(axis=2, keepdims=True), bias.copy()


def bias_of_three(kernel, bias):
    """Multiply the bias by 3: it belongs to a filter and not to a colour, and was added once."""
    return kernel.sum(axis=2, keepdims=True), 3 * bias


def bias_of_one_colour(kernel, bias):
    """Divide the bias by 3: it was never shared out to the colours, so it stays."""
    return kernel.sum(axis=2, keepdims=True), bias / 3


def axis_lost(kernel, bias):
    """Lose the axis of the channels: a grey image has the shape (H, W, 1), so a kernel for it is (KH, KW, 1, F)."""
    return kernel.sum(axis=2), bias.copy()


def sum_of_the_filters(kernel, bias):
    """Add up the filters, the last axis: each filter stays, and its three colours, axis 2, become one."""
    return kernel.sum(axis=3, keepdims=True), bias.copy()


def sum_and_copies(kernel, bias):
    """Give the sum to all three channels: the image has one channel now, and three equal ones would count its pixels
    three times."""
    return np.repeat(kernel.sum(axis=2, keepdims=True), kernel.shape[2], axis=2), bias.copy()


def grey_layer_by_hand(name, index, kernel, bias):
    if name == "new_bias":
        return f"bias[{index[0]}]"
    i, j, _, f = index
    return " + ".join(f"({each:.4f})" for each in kernel[i, j, :, f].tolist())


GREY_LAYER = Exercise(
    "grey_layer",
    title="Adapting the first convolution to grey images",
    text="""A network was trained on colour images, and yours are grey: one channel where its first convolution expects
    three. One could copy each grey pixel into all three channels. That computes the same products three times, so adapt
    the layer instead: make a kernel for one channel that gives, for every grey image, the same output as the old kernel
    gave for its three copies. Write down the three products of one pixel for that, and take the pixel out of them. All
    layers behind then get the numbers that they know.""",
    given={
        "kernel": "(KH, KW, 3, F)  the kernel for red, green and blue",
        "bias": "(F,)  the bias of each filter",
    },
    returns={
        "new_kernel": "(KH, KW, 1, F)  the kernel for grey images",
        "new_bias": "(F,)  the bias that goes with it",
    },
    formula="""
new output for a grey image x  =  old output for three channels that are x
""",
    answer=grey_layer,
    by_engine=grey_layer_by_engine,
    lines=(adapt_channels,),
    cases=grey_layer_cases,
    wrong_answers=(
        mean_of_the_colours, red_alone, brightness, bias_of_three, bias_of_one_colour, axis_lost, sum_of_the_filters,
        sum_and_copies,
    ),
    by_hand=grey_layer_by_hand,
    loops=False,
    hints=(
        "One place of one filter: x*r + x*g + x*b + bias, with the numbers r, g, b of the old kernel. What is x "
        "multiplied by? How often was the bias added?",
        "x*r + x*g + x*b = x*(r + g + b). So it is a sum over the axis of the channels, which is axis 2 of the kernel, "
        "and the axis stays with the size 1.",
        "kernel.sum(axis=2, keepdims=True), and the bias as it is.",
    ),
    read_next="minitl/transfer.py: adapt_channels has the rules for other numbers of channels, too.",
)  # fmt: skip
