"""The figures of the course: `python -m benchmarks.pictures [FOLDER]` draws them (needs matplotlib and Pillow).

Each figure shows the results of the chapter's own program. The numbers of the bars are those of `benchmarks/README.md`.
"""

import sys
from pathlib import Path

import numpy as np

from minitl.course.mistakes import MISTAKES
from minitl.course.where import explain_boxes, explain_pixels
from minitl.data import fashion_mnist_few_shot
from minitl.kernels import conv2d
from minitl.kernels.mel import mel_filters
from minitl.kernels.spectra import frames, hann
from minitl.layers import Dense, Flatten
from minitl.losses import SparseCategoricalCrossentropy
from minitl.models import Sequential
from minitl.optimizers import SGD

SPEED = Path(__file__).parent / "README.md"
FIGURES = SPEED.parent.parent / ".github" / "pictures"


def templates(pyplot, folder):
    """Draw the figure of chapter 1: an image of each class, and the column of the dense kernel that has learned it."""
    dataset = fashion_mnist_few_shot()
    x, t = (dataset.x_train / 255).astype("float32"), dataset.y_train
    model = Sequential([Flatten(input_shape=(28, 28)), Dense(10, activation="softmax", kernel_initializer="zeros")])
    criterion, optimizer = SparseCategoricalCrossentropy(), SGD(learning_rate=0.1)
    for _ in range(100):
        criterion.forward(t, model.forward(x, training=True))
        model.backward(criterion.backward())
        optimizer.step(model)
    learned = model.layers[-1].kernel.reshape(28, 28, 10)
    figure, axes = pyplot.subplots(2, 10, figsize=(10, 2.4))
    for label, (image, template) in enumerate(axes.T):
        image.imshow(x[t == label][0], cmap="gray")
        image.set_title(dataset.class_names[label], fontsize=8)
        largest = np.abs(learned[..., label]).max()
        template.imshow(learned[..., label], cmap="RdBu_r", vmin=-largest, vmax=largest)
    save(figure, axes, folder / "templates.png")


def edges(pyplot, folder):
    """Draw the figure of chapter 3: an image, and the places where two kernels find an edge."""
    image = (fashion_mnist_few_shot().x_train[:1] / 255).astype("float32")[..., None]
    upright = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "float32")
    kernels = np.stack([upright, upright.T], axis=-1)[:, :, None, :]
    found = conv2d(image, kernels)[0]
    figure, axes = pyplot.subplots(1, 5, figsize=(10, 2.2), width_ratios=[3, 1, 3, 1, 3])
    axes[0].imshow(image[0, ..., 0], cmap="gray")
    axes[0].set_title("the image", fontsize=9)
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
    """Draw the figure of chapter 10: each mistake that is measured as an accuracy, wrong and mended."""
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
    """Draw the figure of chapter 12: the table of inference at batch 8 in `benchmarks/README.md`, as bars."""
    columns = {"VGG16": 2, "ResNet50": 6, "InceptionV3": 7}
    engines = {"minitl": "#0072b2", "ONNX Runtime": "#56b4e9", "PyTorch, channels_last": "#e69f00",
               "Keras on PyTorch": "#999999"}  # fmt: skip
    rows = {}
    for line in SPEED.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip(" *") for cell in line.split("|")[1:-1]]
        if len(cells) == 8 and cells[0] in engines:
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


def where(pyplot, folder):
    """Draw the figures of chapters 13 and 14: their commands draw them, too."""
    explain_pixels(folder)
    explain_boxes(folder)


def sound(pyplot, folder):
    """Draw the figure of chapter 18: a sound on its way from samples to a log-mel spectrogram."""
    rate, t = 16000, np.arange(8000) / 16000
    voice = sum(np.sin(2 * np.pi * 120 * k * t) * np.exp(-(((120 * k - 700) / 300) ** 2)) for k in range(1, 30))
    hiss = np.diff(np.random.default_rng(0).standard_normal(8001)) * np.linspace(0, 0.5, 8000)
    samples = 0.1 * np.where(t < 0.25, voice, hiss)
    pieces = frames(samples, 400, 160, center=False) * hann(400)
    power = np.abs(np.fft.rfft(pieces, 512)) ** 2
    mel = power @ mel_filters(rate, 512, 40)
    figure, axes = pyplot.subplots(1, 5, figsize=(13, 2.6))
    axes[0].plot(t, samples, color="#0072b2", linewidth=0.5)
    axes[1].plot(1000 * t[:400] + 100, pieces[10], color="#0072b2", linewidth=1)
    for axis, array in zip(axes[2:], (power, mel, 10 * np.log10(np.maximum(mel, 1e-10)))):
        axis.imshow(array.T, origin="lower", aspect="auto", cmap="cividis", extent=(0, 0.5, 0, len(array.T)))
    titles = ("samples", "a frame of 25 ms", "power: 257 frequencies", "40 mel bands", "their logarithm")
    units = ("seconds", "ms", *["seconds"] * 3)
    for axis, title, unit in zip(axes, titles, units):
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(unit, fontsize=8)
        axis.tick_params(labelsize=7)
    for axis in axes[:2]:
        bare(axis)
    figure.tight_layout()
    save(figure, [], folder / "sound.png")


def bare(axis):
    """Remove the upper and the right line of a frame."""
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def save(figure, images, path):
    """Write a figure to a file, without a frame around its images."""
    for axes in np.ravel(images):
        axes.axis("off")
    figure.patch.set_facecolor("white")  # the page around it may be dark
    figure.savefig(path, dpi=150, bbox_inches="tight", pad_inches=0.1, metadata={"Software": None})
    print(path)


def main():
    """Draw all figures."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (templates, edges, mistakes, speed, where, sound):
        draw(pyplot, folder)


if __name__ == "__main__":
    main()
