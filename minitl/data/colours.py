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


def to_rgb(image):
    """Return any kind of Pillow image as RGB, as a viewer shows it."""
    from PIL import Image

    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16 bits a pixel (32 in older files), of which a viewer shows the upper eight
        grey = np.asarray(image, np.float64)
        largest = 65535 if grey.max(initial=0) > 255 or image.mode != "I" else 255
        image = Image.fromarray((np.clip(grey / largest, 0, 1) * 255 + 0.5).astype(np.uint8))
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
