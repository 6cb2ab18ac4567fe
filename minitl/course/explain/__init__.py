"""One image, one update: every number of it, with its formula and the line of source that computed it.

    minitl explain step                       a network so small that all of its numbers fit on the screen
    minitl explain step --network vgg16       the last layers of VGG16, with a new head

The update is a real one: `recording` lets the engine do it and keeps what goes in and out of each layer, and which
lines ran. `steps` puts formula, shapes, numbers and source beside each other, and computes every number that it prints
a second time, by `formulas`: sums and products written as plain Python, that share nothing with the engine. If the two
differ, the command fails.

Reading order: `formulas`, `small_network`, `recording`, `steps`, `page`.
"""

from .page import Page
from .small_network import explain_small_network
from .vgg16_layers import explain_vgg16

__all__ = ["Page", "explain_small_network", "explain_vgg16"]
