"""The maps of a network that other networks are built on: those with a place for 4, 8, 16 or 32 pixels.

A network for pixels (`fcn`, `unet`) or for boxes (`ssd`) takes maps from within a pre-trained one. A map of stride s
has a place for s pixels in each direction: it is s times smaller than the image.
"""

from ..errors import ArgumentError

# For each application, {stride: the last layer whose map has this stride}.
ENDS = {
    "vgg16": {2: "block1_pool", 4: "block2_pool", 8: "block3_pool", 16: "block4_pool", 32: "block5_pool"},
    "resnet50": {4: "conv2_block3_out", 8: "conv3_block4_out", 16: "conv4_block6_out", 32: "conv5_block3_out"},
}

# The same for a detector, which begins with a place for 8 pixels and takes the map from within a block: there, one of
# stride 8 has gone through a block more than the one at the end of its predecessor. ResNet50's blocks reduce the map at
# their beginning, so its ends are these maps already.
MAPS = {
    "vgg16": {8: "block4_conv3", 16: "block5_conv3"},
    "resnet50": {8: "conv3_block4_out", 16: "conv4_block6_out"},
}


def ends_by_stride(base, names=ENDS):
    """Return {stride: the symbolic output of the layer at the end of the maps of this stride} of an application.

    names   `ENDS`, or `MAPS`

    Raises ArgumentError for a network whose maps do not lie on a common grid, such as InceptionV3: some of its windows
    leave out the border.
    """
    if base.name not in names:
        raise ArgumentError(
            f"the base is {base.name!r}; expected one of {', '.join(names)}, whose maps are 4, 8, 16 and 32 times "
            "smaller than the image."
        )
    return {stride: base.output_of(name) for stride, name in names[base.name].items()}
