"""Two small networks that say where things are: the pixels of each class, and a box around each thing.

    minitl explain pixels      segmentation: every pixel gets a class, by a small FCN
    minitl explain boxes       detection: every thing gets a box and a class, by a small SSD

Both stand on the first blocks of VGG16, which are bundled and stay frozen, and learn from shapes that a program draws.
So everything is there after a few seconds, and the numbers are measured on images that the networks have not seen.
`applications.fcn` and `applications.ssd` are the same networks at full size.

Reading order: `maps` (the data), `pixels`, `boxes`, `figures`.
"""

from .boxes import explain_boxes
from .pixels import explain_pixels

__all__ = ["explain_boxes", "explain_pixels"]
