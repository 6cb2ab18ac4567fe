"""The figure of made images as the generator learns: a block of images for each epoch that was kept, a row a class.

Needs matplotlib (extra `plots`).
"""

import numpy as np

from ..study.plot import check, figure_file

__all__ = ["check", "draw"]

MOST = 3  # images of each class that are shown


def draw(run, path):
    """Write the figure of a `study.Run` to `path`: the same random numbers after more and more epochs."""
    epochs = sorted(run.samples)
    with figure_file(path, (1.1 * len(epochs) + 0.4, 3.9)) as figure:
        panels = figure.subplots(1, len(epochs), squeeze=False)[0]
        for panel, epoch in zip(panels, epochs):
            images = np.asarray(run.samples[epoch])[:, :MOST]  # (classes, MOST, 28, 28)
            classes, count, rows, columns = images.shape
            panel.imshow(images.swapaxes(1, 2).reshape(classes * rows, count * columns), cmap="gray", vmin=0, vmax=255)
            panel.set_title(f"epoch {epoch}\ndistance {run.distances[epoch]:.0f}", fontsize=8)
            panel.set_axis_off()
