"""The pictures of the README's course: `python -m benchmarks.pictures [FOLDER]` draws them (needs matplotlib).

Each is drawn from what the chapter's own program computes; the figures of the bars are in the README.
"""

import sys
from pathlib import Path

import numpy as np

from minitl.course.mistakes import MISTAKES
from minitl.data import fashion_mnist_few_shot
from minitl.kernels import conv2d
from minitl.layers import Dense, Flatten
from minitl.losses import SparseCategoricalCrossentropy
from minitl.models import Sequential
from minitl.optimizers import SGD

README = Path(__file__).parent.parent / "README.md"
PICTURES = README.parent / ".github" / "pictures"


def templates(pyplot, folder):
    """Chapter 1: a picture of each kind, and the kernel column of the dense layer that has learned it."""
    pictures = fashion_mnist_few_shot()
    x, t = (pictures.x_train / 255).astype("float32"), pictures.y_train
    model = Sequential([Flatten(input_shape=(28, 28)), Dense(10, activation="softmax", kernel_initializer="zeros")])
    criterion, optimizer = SparseCategoricalCrossentropy(), SGD(learning_rate=0.1)
    for _ in range(100):
        criterion.forward(t, model.forward(x, training=True))
        model.backward(criterion.backward())
        optimizer.step(model)
    learned = model.layers[-1].kernel.reshape(28, 28, 10)
    figure, axes = pyplot.subplots(2, 10, figsize=(10, 2.4))
    for kind, (picture, template) in enumerate(axes.T):
        picture.imshow(x[t == kind][0], cmap="gray")
        picture.set_title(pictures.class_names[kind], fontsize=8)
        largest = np.abs(learned[..., kind]).max()
        template.imshow(learned[..., kind], cmap="RdBu_r", vmin=-largest, vmax=largest)
    save(figure, axes, folder / "templates.png")


def edges(pyplot, folder):
    """Chapter 3: a picture, and where two kernels find an edge."""
    picture = (fashion_mnist_few_shot().x_train[:1] / 255).astype("float32")[..., None]
    upright = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "float32")
    kernels = np.stack([upright, upright.T], axis=-1)[:, :, None, :]
    found = conv2d(picture, kernels)[0]
    figure, axes = pyplot.subplots(1, 5, figsize=(10, 2.2), width_ratios=[3, 1, 3, 1, 3])
    axes[0].imshow(picture[0, ..., 0], cmap="gray")
    axes[0].set_title("the picture", fontsize=9)
    for k, name in enumerate(("upright edges", "level edges")):
        kernel, map_of_it = axes[1 + 2 * k], axes[2 + 2 * k]
        kernel.imshow(kernels[..., 0, k], cmap="RdBu_r", vmin=-2, vmax=2)
        for (row, column), number in np.ndenumerate(kernels[..., 0, k]):
            colour = "white" if abs(number) == 2 else "black"
            text = f"{number:+.0f}" if number else "0"
            kernel.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
        map_of_it.imshow(found[..., k], cmap="RdBu_r", vmin=-4, vmax=4)
        map_of_it.set_title(name, fontsize=9)
    save(figure, axes, folder / "edges.png")


def mistakes(pyplot, folder):
    """Chapter 10: each mistake that is measured as an accuracy, wrong and mended."""
    rows = []
    for mistake in MISTAKES:
        outcome = mistake.run().outcome
        if outcome.quantity == "accuracy":
            rows.append((mistake.name, outcome.wrong, outcome.mended))
    figure, axis = pyplot.subplots(figsize=(8, 0.32 * len(rows) + 0.8))
    for row, (_, wrong, mended) in enumerate(reversed(rows)):
        axis.plot([wrong, mended], [row, row], color="#999999", zorder=1)
        axis.scatter([wrong], [row], color="#d55e00", marker="X", zorder=2)
        axis.scatter([mended], [row], color="#0072b2", zorder=2)
    axis.scatter([], [], color="#d55e00", marker="X", label="with the mistake")
    axis.scatter([], [], color="#0072b2", label="without")
    axis.set_yticks(range(len(rows)), [name for name, _, _ in reversed(rows)], fontsize=8)
    axis.set_xlim(0, 1.02)
    axis.set_xlabel("accuracy")
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, 1.1), ncols=2)
    bare(axis)
    save(figure, [], folder / "mistakes.png")


def speed(pyplot, folder):
    """Chapter 12: the README's own table of inference at batch 8, as bars."""
    columns = {"VGG16": 2, "ResNet50": 5, "InceptionV3": 6}
    engines = {"minitl": "#0072b2", "ONNX Runtime": "#56b4e9", "PyTorch, channels_last": "#e69f00",
               "Keras on PyTorch": "#999999"}  # fmt: skip
    rows = {}
    for line in README.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip(" *") for cell in line.split("|")[1:-1]]
        if len(cells) == 7 and cells[0] in engines:
            rows[cells[0]] = [float(cells[column]) for column in columns.values()]
    figure, axis = pyplot.subplots(figsize=(8, 3.2))
    for k, (engine, colour) in enumerate(engines.items()):
        places = [network + 0.2 * (k - 1.5) for network in range(len(columns))]
        bars = axis.bar(places, rows[engine], 0.19, label=engine, color=colour)
        axis.bar_label(bars, fmt="%.0f", fontsize=8)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_ylabel("ms an image, batch 8")
    axis.legend(frameon=False, fontsize=8)
    bare(axis)
    save(figure, [], folder / "speed.png")


def bare(axis):
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def save(figure, pictures, path):
    for axes in np.ravel(pictures):
        axes.axis("off")
    figure.patch.set_facecolor("white")  # a page may be dark
    figure.savefig(path, dpi=150, bbox_inches="tight", pad_inches=0.1, metadata={"Software": None})
    print(path)


def main():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (templates, edges, mistakes, speed):
        draw(pyplot, folder)


if __name__ == "__main__":
    main()
