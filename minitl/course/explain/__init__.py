"""One update on one image: every number, its formula, and the line of source that computed it.

    minitl explain step                       a network so small that all of its numbers fit on the screen
    minitl explain step --network vgg16       the last layers of VGG16, with a new head

The update is a real one. `recording` lets the engine do it, and keeps the input and output of each layer and the lines
of source that ran. `steps` holds the formula of each layer and the place of its source. `small_network` and
`vgg16_layers` put formula, shapes, numbers and source beside each other. They compute every number that they print a
second time with `formulas`: sums and products in plain Python, which share nothing with the engine. If the two differ,
the command fails.

Reading order: `formulas`, `small_network`, `recording`, `steps`, `page`, `vgg16_layers`.
"""

from .page import Page
from .small_network import explain_small_network
from .vgg16_layers import explain_vgg16

__all__ = ["Page", "explain_small_network", "explain_vgg16"]
