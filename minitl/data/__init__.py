"""Where images come from: files (`images`) and the set that comes with the project (`bundled`)."""

from .bundled import ImageSet, fashion_mnist_few_shot
from .images import grey_to_rgb, read_image, resize

__all__ = ["ImageSet", "fashion_mnist_few_shot", "grey_to_rgb", "read_image", "resize"]
