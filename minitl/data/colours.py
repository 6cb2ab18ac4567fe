"""Colours: any kind of pixels in a file, as the sRGB that a screen shows.

The numbers of a pixel are colours only together with a colour profile (ICC). Phones store Display P3, cameras Adobe
RGB, scanners and printers profiles of their own. A viewer converts them all to the colours of its screen, and the
published networks have seen photographs from the web: sRGB. Without a profile, the numbers are taken as sRGB.

`photos.open_photo` calls `to_rgb`. The conversions are LittleCMS's, by Pillow's `ImageCms`. They are made before an
image is resized: afterwards they would be faster, and single pixels up to 31 levels off, because the colours that sRGB
does not have are cut off one by one.
"""

import io
from functools import lru_cache

import numpy as np

BACKGROUND = (255, 255, 255)  # behind transparent pixels, as on a web page
# Which colour spaces of a profile go with pixels of a mode. Grey pixels are taken as three equal channels if need be.
SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
MOST_AT_ONCE = 2**22  # pixels that are converted at once: about 130 MB on the way
TIFF_PHOTOMETRIC = 262  # the tag of a TIFF file that says whether 0 is black (1) or white (0)
GREY_LEVELS = {"L;2": 3, "L;4": 15}  # Pillow's name of how a PNG file stores grey pixels: the number that is white


def to_rgb(image):
    """Return any kind of Pillow image as RGB, as a viewer shows it.

    A large image is converted in strips: what is computed on the way is several times as large as the result.
    """
    from PIL import Image

    levels = _black_and_white(image) if image.mode.startswith("I") else None
    rows = max(1, MOST_AT_ONCE // max(1, image.width))
    if image.height <= rows:
        return _strip_to_rgb(image, levels)
    shown = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        shown.paste(_strip_to_rgb(strip, levels), (0, top))
    return shown


def _strip_to_rgb(image, levels):
    from PIL import Image

    profile = image.info.get("icc_profile")
    if levels:
        image = _eight_bits(image, *levels)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, and it is unknown which of them is white")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("LA") if image.mode == "La" else image
        coloured = image.convert("RGBA")
        opaque = image.convert("L") if image.mode in ("L", "LA") else Image.merge("RGB", coloured.split()[:3])
        opaque = in_srgb(opaque, profile)
        opaque.putalpha(coloured.getchannel("A"))
        shown = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        shown.alpha_composite(opaque)
        return shown.convert("RGB")
    return in_srgb(image if image.mode in SPACES else image.convert("RGB"), profile)


def _black_and_white(image):
    """Return which numbers are black and white in a grey image of 16 bits a pixel, or of 32 (mode I)."""
    largest = np.asarray(image).max(initial=0)
    if largest > 65535:
        raise ValueError("its pixels are numbers of 32 bits, and it is unknown which of them is white")
    # Programs save small numbers as 32 bits too. Pillow stretches those of a PGM file to 16 bits.
    white = 255 if image.mode == "I" and image.format != "PPM" and largest <= 255 else 65535
    is_negative = image.format == "TIFF" and image.tag_v2.get(TIFF_PHOTOMETRIC) == 0  # as some scanners store it
    return (white, 0) if is_negative else (0, white)


def _eight_bits(image, black, white):
    """Return a grey image of more bits a pixel with 8, as a viewer shows it, and its transparent number as alpha."""
    from PIL import Image

    grey = np.asarray(image, np.float64)
    shown = Image.fromarray((np.clip((grey - black) / (white - black), 0, 1) * 255 + 0.5).astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        shown.putalpha(Image.fromarray(np.where(grey == transparent, 0, 255).astype(np.uint8)))
    return shown


def scale_transparency(image):
    """Give the transparent colour of a PNG image, opened and not yet loaded, in the units of its pixels.

    Pillow leaves it in those of the file, and makes 8 bits of pixels with 2 or 4, and of colours with 16.
    """
    colour, stored = image.info.get("transparency"), image.tile[0][3] if image.tile else None
    if colour is not None and stored in GREY_LEVELS:
        image.info["transparency"] = colour * 255 // GREY_LEVELS[stored]
    elif colour is not None and stored == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def in_srgb(image, profile):
    """Return an image of mode RGB, L or CMYK as RGB in sRGB. A profile that is None, damaged, or of another kind of
    colours is ignored."""
    if isinstance(profile, bytes):
        modes = (image.mode, "RGB") if image.mode == "L" else (image.mode,)
        for mode in modes:
            transform = _transform(profile, mode)
            if transform is not None:
                return transform.apply(image.convert(mode))
    return image.convert("RGB")


@lru_cache(maxsize=32)
def _transform(profile, mode):
    """Return the conversion of pixels of this mode to sRGB, or None if there is none to do: the profile is damaged, is
    for other pixels, or is sRGB.

    The intent is the perceptual one, as in viewers. Most profiles are matrices, for which all intents are the same.
    """
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != SPACES[mode]:
            return None
        screen = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, screen, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
        if mode != "CMYK":
            steps = range(256) if mode == "L" else range(0, 256, 15)
            colours = [steps] if mode == "L" else np.meshgrid(steps, steps, steps)
            sample = Image.merge(mode, [Image.fromarray(np.array(c, np.uint8).reshape(1, -1)) for c in colours])
            before, after = (np.asarray(each.convert("RGB"), int) for each in (sample, transform.apply(sample)))
            if np.abs(before - after).max() <= 1:  # the profile is sRGB, as most are: there is nothing to do
                return None
        return transform
    except Exception:  # LittleCMS is not built in, or refuses the profile
        return None


def colour_management():
    """Return whether this Pillow converts colour profiles: True, False, or None without Pillow."""
    try:
        from PIL import features
    except ImportError:
        return None
    return features.check("littlecms2")
