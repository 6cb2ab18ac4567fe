"""The table that `model.summary()` prints, and the floating-point operations of one example."""

from ..terminal import columns, counted, shortened, wrapped


def flops(model):
    """Return the number of floating-point operations of `forward` for one example. Only those that the layers count are
    in it: those of convolutions and dense layers. The model needs a fixed input size."""
    total = 0
    for call in model.calls:
        total += call.layer.flops(call.layer.packed([tensor.shape for tensor in call.by_position]))
    return total


def summary_text(model):
    """Return the table as text: for each layer its name (class), output shape, number of weights, and whether it is
    frozen; then the totals."""
    rows = [("Layer (type)", "Output shape", "Params", "Trainable", "Input from")]
    first_calls = [tensor.call for tensor in model.inputs if not tensor.inputs]
    previous, seen = None, set()
    for call in [*first_calls, *model.calls]:
        layer = call.layer
        inputs = [each.layer for each in call.inputs]
        shapes = [", ".join("None" if size is None else str(size) for size in each.shape) for each in call.outputs]
        rows.append(
            (
                f"{layer.name} ({type(layer).__name__})" + ", again" * (layer in seen),
                ", ".join(f"({shape})" for shape in shapes),
                "" if layer in seen else f"{layer.count_params():,}",
                ("yes" if layer.trainable else "frozen") if layer.weight_names else "",
                # In most networks nearly every layer takes the output of the line above: this is left out.
                "" if inputs in ([], [previous]) else ", ".join(each.name for each in inputs),
            )
        )
        seen.add(layer)
        previous = layer
    if not any(row[4] for row in rows[1:]):
        rows = [row[:4] for row in rows]
    rows, below = _fitted(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    # Numbers are aligned to the right, everything else to the left.
    lines = [
        "  ".join(cell.rjust(w) if c == 2 else cell.ljust(w) for c, (cell, w) in enumerate(zip(row, widths))).rstrip()
        for row in rows
    ]
    lines = [line + "".join(f"\n    {each}" for each in more) for line, more in zip(lines, below)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    total, trainable = model.count_params(), model.count_params(trainable_only=True)
    totals = [
        f"Total params          {total:>13,}  ({total * 4 / 1e6:,.1f} MB as float32)",
        f"Trainable params      {trainable:>13,}",
        f"Non-trainable params  {total - trainable:>13,}  (frozen, or moving statistics)",
    ]
    return "\n".join([f"Model: {model.name}", rule, lines[0], rule, *lines[1:], rule, *totals])


def _fitted(rows):
    """Return (the rows, lines to print below each row), so that the table fits the terminal: a layer's inputs stand
    below it, and the end of the name of its class is left out."""
    below = [[] for _ in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if len(widths) > 4 and sum(widths) + 8 > columns():
        below = [wrapped(f"from {row[4]}").split("\n") if row[4] and k else [] for k, row in enumerate(rows)]
        rows = [row[:4] for row in rows]
    room = max(24, columns() - sum(widths[1:4]) - 6)
    return [(_cut_class(row[0], room), *row[1:]) for row in rows], below


def _cut_class(cell, room):
    """Return the cell `name (Class)` in at most `room` characters."""
    name, _, rest = cell.partition(" (")
    if len(cell) <= room or len(name) + 8 > room:
        return shortened(cell, room)
    return f"{name} ({rest[: room - len(name) - 6]}...)"


def described(model):
    """Return a model in one line, for its `repr`."""

    def shapes_of(tensors):
        shapes = [", ".join(str(size or "?") for size in tensor.shape[1:]) for tensor in tensors]
        return ", ".join(f"(N, {shape})" for shape in shapes)

    learning, total = model.count_params(trainable_only=True), model.count_params()
    frozen = "" if learning == total else f" ({learning:,} learn)"
    numbers = f"{counted(len(model.layers), 'layer')}, {counted(total, 'parameter')}{frozen}"
    shapes = f"{shapes_of(model.inputs)} -> {shapes_of(model.outputs)}"
    return f"<{type(model).__name__} '{model.name}': {shapes}, {numbers}>"
