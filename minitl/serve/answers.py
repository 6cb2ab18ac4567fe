"""Answers of a model on a photograph, recording or text, as plain data: for each task a class with the same methods.

    about()                 which model this is, and what it takes
    answer(body, options)   what it says of the bytes of a photograph or recording, or of the text in a JSON object

The numbers are those of `recipes.classify`, `segment`, `detect`, `classify_sounds` and `classify_texts`. Images in an
answer are data URLs and come only if the request says `pictures=yes`: the page asks for them, and programs seldom do.

Nothing here opens a file: a photograph is decoded from the bytes that were sent. What it is depends on its first bytes
alone, never on a name.
"""

import base64
import io
import json
import os

import numpy as np

from ..applications import find
from ..data.box_augmentation import resized
from ..data.drawing import overlay_mask
from ..data.images import fitted
from ..data.photos import TooManyPixelsError, photo_and_orientation
from ..data.sound import read_sound
from ..data.text.audit import fault_of
from ..errors import DataError, GraphError, MissingExtraError
from ..recipes.detection.decoding import above
from ..recipes.detection.prediction import NO_BOXES, Detector
from ..recipes.detection.written import drawn
from ..recipes.models_by_name import imagenet_model
from ..recipes.prediction import Classifier, opened_model, require_task, task_of_model
from ..recipes.report.grad_cam import grad_cam
from ..recipes.report.heat import laid_over
from ..recipes.segmentation.prediction import Segmenter
from ..recipes.segmentation.written import OPACITY, colours_of
from ..recipes.sounds.players import middle, spectrogram
from ..recipes.sounds.prediction import SoundClassifier
from ..recipes.texts.prediction import TextClassifier
from ..recipes.texts.words import WordContributions
from .limits import Limits
from .refusals import Refused

RECORDING = "the recording"
PHOTOGRAPH = "the photograph"  # its name in messages
TOP = 5  # classes that are named, unless the request says how many
MOST_NAMED = 1000  # classes that `about` lists
SHOWN = 1024  # the longer side of an image in an answer, in pixels
# (position, bytes there): photographs as browsers and phones send them. Others are not decoded.
SIGNATURES = [
    (0, b"\xff\xd8\xff"), (0, b"\x89PNG\r\n\x1a\n"), (0, b"GIF8"), (8, b"WEBP"), (0, b"BM"), (0, b"II*\0"),
    (0, b"MM\0*"), (4, b"ftyp"),
]  # fmt: skip


def answers_of(model, limits=None):
    """Return the object that answers for a model: a `Model`, the file of one, or the name of a published network.

    Raises MissingExtraError if it is for photographs and Pillow is missing, and ArgumentError for a model that was made
    for something else.
    """
    if isinstance(model, (str, os.PathLike)) and not os.path.exists(model) and find(str(model)):
        model = imagenet_model(find(str(model)).name), str(model)
    model, name = opened_model(model)
    task = task_of_model(model)
    if task not in KINDS:
        require_task(model, name, "images")
    return KINDS[task](model, os.path.basename(name) or str(name), limits or Limits())


class OfPhotographs:
    """The answers of a model for photographs: what `Classes`, `Pixels` and `Boxes` share."""

    takes = "photograph"

    def __init__(self, model, name, limits):
        self.name, self.limits, self.most_bytes = name, limits, limits.body_bytes
        try:
            from PIL import Image  # noqa: F401
        except ImportError:
            raise MissingExtraError(
                "reading photographs needs Pillow (the extra 'images'): python -m pip install pillow"
            ) from None
        self.asked = self.recipe((model, name))

    def about(self):
        """Return which model this is, and what it takes, as JSON can hold it."""
        return {
            **about(self),
            "limits": {"bytes": self.limits.body_bytes, "pixels": self.limits.pixels, "seconds": self.limits.seconds},
        }

    def answer(self, body, options):
        """Return the answer for the bytes of a photograph. `options` are those of the address: {name: value}."""
        image = photograph(body, self.limits.pixels)
        found = {"task": self.task, "height": image.height, "width": image.width}
        return {**found, **self.found(image, options, options.get("pictures") == "yes")}


class Classes(OfPhotographs):
    """The classes of photographs, with the places that speak for the most probable one."""

    task, recipe = "images", Classifier
    options = ("pictures", "top", "class")

    def found(self, image, options, with_images):
        """Return the most probable classes of a Pillow image."""
        asked = self.asked
        pixels = fitted(image, *asked.size, asked.crop)
        x = asked.prepare(pixels[None])
        row = asked.probabilities(x)[0]
        found = {"predictions": asked.best(row, top_of(options, len(row)))}
        if with_images:
            label = int(row.argmax())
            if "class" in options:
                label = class_number(options["class"], asked.class_names)
            shown = enlarged(image, asked)
            found["shown"] = data_url(shown)
            try:
                heat = grad_cam(asked.model, x, [label])[0]
            except GraphError:  # a network without maps
                return found
            overlay, is_nothing = data_url(laid_over(shown, heat)), not heat.max() > 0
            found["grad_cam"] = {"class": asked.class_names[label], "overlay": overlay, "is_nothing": is_nothing}
        return found


class Pixels(OfPhotographs):
    """The class of each pixel."""

    task, recipe = "segment", Segmenter
    options = ("pictures",)

    def found(self, image, options, with_images):
        """Return the shares of the classes in a Pillow image, and with images the mask."""
        from PIL import Image

        asked, pixels = self.asked, np.asarray(image)
        (mask,) = asked.masks([pixels])
        found = {"classes": asked.answer(PHOTOGRAPH, mask)["classes"]}
        if with_images:
            colours, without = colours_of(asked)
            file, numbers = io.BytesIO(), Image.fromarray(mask)
            numbers.putpalette(colours.tobytes())
            numbers.save(file, "PNG")
            found["colours"] = dict(zip(asked.class_names, [f"#{bytes(each).hex()}" for each in colours]))
            found["mask"] = url_of(file, "png")
            found["overlay"] = data_url(overlay_mask(pixels, mask, colours, OPACITY, without))
        return found


class Boxes(OfPhotographs):
    """Boxes around things."""

    task, recipe = "detect", Detector
    options = ("pictures",)

    def found(self, image, options, with_images):
        """Return the boxes in a Pillow image, the best one first."""
        asked = self.asked
        x = asked.prepare(resized(image, NO_BOXES, *asked.size)[0][None])
        (detections,) = asked.found(x, [(image.height, image.width)])
        found = {"boxes": asked.named(above(detections, asked.score)), "score": asked.score}
        if with_images:
            small = image.copy()
            small.thumbnail((SHOWN, SHOWN))
            scale = np.array([small.width / image.width, small.height / image.height] * 2)
            boxes = [{**each, "box": np.array(each["box"]) * scale} for each in found["boxes"]]
            found["overlay"] = data_url(drawn(np.asarray(small), boxes, asked.class_names))
        return found


class Sounds:
    """The classes of recordings. They are WAV files, or what the extra `sound` reads."""

    task, takes = "sounds", "recording"
    options = ("pictures", "top")

    def __init__(self, model, name, limits):
        self.name, self.limits, self.most_bytes = name, limits, limits.body_bytes
        self.asked = SoundClassifier((model, name))

    def about(self):
        """Return which model this is, and what it takes, as JSON can hold it."""
        limits = {"bytes": self.limits.body_bytes, "samples": self.limits.samples, "seconds": self.limits.seconds}
        return {**about(self), "rate": self.asked.rate, "limits": limits}

    def answer(self, body, options):
        """Return the answer for the bytes of a recording. `options` are those of the address: {name: value}."""
        asked, sound = self.asked, recording(body, self.limits.samples)
        try:
            example = asked.example(sound)
        except DataError as error:
            raise Refused("unreadable", f"The recording {str(error).rstrip('.')}.") from None
        row = asked.probabilities(example[None])[0]
        found = {"task": self.task, **asked.answer(sound, row, top_of(options, len(row)))}
        if options.get("pictures") == "yes":
            try:
                found["spectrogram"] = data_url(spectrogram(middle(sound), sound.rate))
            except ImportError:  # without Pillow, there are no images
                pass
        return found


class Texts:
    """The classes of texts, with the contribution of each word."""

    task, takes = "texts", "text"
    options = ("top", "words")

    def __init__(self, model, name, limits):
        self.name, self.limits, self.most_bytes = name, limits, limits.text_bytes
        self.asked = TextClassifier((model, name))

    def about(self):
        """Return which model this is, and what it takes, as JSON can hold it."""
        limits = {"characters": self.limits.characters, "seconds": self.limits.seconds}
        return {**about(self), "tokens": self.asked.length, "limits": limits}

    def answer(self, body, options):
        """Return the answer for the bytes of a JSON object {"text": ...}."""
        asked, text = self.asked, text_of(body, self.limits.characters)
        source = asked.source([text])
        row = asked.probabilities(source)[0]
        found = {"task": self.task, "predictions": asked.best(row, top_of(options, len(row)))}
        found["cut_off"] = int(source.dropped_of[0])
        if options.get("words") == "yes":
            try:
                contributions = WordContributions(asked)
            except (GraphError, LookupError, AttributeError):  # a network without vectors of words, or another end
                return found
            values = contributions.of(source, np.array([0]), np.array([row.argmax()]))[0]
            found["words"] = [list(each) for each in contributions.words(text, values[: source.lengths[0]])]
        return found


KINDS = {kind.task: kind for kind in (Classes, Pixels, Boxes, Texts, Sounds)}


def about(answers):
    """Return what every model says of itself, as JSON can hold it."""
    names = answers.asked.class_names
    found = {"model": answers.name, "task": answers.task, "takes": answers.takes, "options": list(answers.options)}
    return {**found, "classes": len(names), "class_names": names[:MOST_NAMED]}


def photograph(body, most_pixels):
    """Return the bytes of a photograph as an upright Pillow image in RGB. Raises Refused."""
    if not any(body[place : place + len(mark)] == mark for place, mark in SIGNATURES):
        kind = body[:32].lstrip()[:1]
        what = "It begins as JSON does; this model takes photographs." if kind == b"{" else ""
        words = f"This is no photograph in a usual format: expected JPEG, PNG, WebP, GIF, BMP or TIFF. {what}".rstrip()
        raise Refused("wrong_kind", words)
    try:
        return photo_and_orientation(PHOTOGRAPH, most_pixels, body)[0]
    except DataError as error:
        name = "too_many_pixels" if isinstance(error, TooManyPixelsError) else "unreadable"
        raise Refused(name, f"The photograph {str(error).removeprefix(f'{PHOTOGRAPH}: ')}") from None


def recording(body, most_samples):
    """Return the bytes of a recording as a `Sound`. Raises Refused."""
    if any(body[place : place + len(mark)] == mark for place, mark in SIGNATURES) or body[:1] == b"{":
        kind = "This is a text" if body[:1] == b"{" else "This is a photograph"
        raise Refused("wrong_kind", f"{kind}, and the model takes recordings: send the bytes of a WAV file.")
    try:
        return read_sound(RECORDING, most_samples=most_samples, content=body)
    except (DataError, MissingExtraError) as error:
        raise Refused("unreadable", f"The recording {str(error).removeprefix(f'{RECORDING}: ')}") from None


def text_of(body, most_characters):
    """Return the text in the bytes of a JSON object {"text": ...}. Raises Refused."""
    if body[:1] != b"{" and any(body[place : place + len(mark)] == mark for place, mark in SIGNATURES):
        raise Refused("wrong_kind", 'This is a photograph, and the model takes texts: send {"text": "..."} as JSON.')
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused("wrong_text", 'This is no JSON in UTF-8; expected {"text": "..."}.') from None
    text = found.get("text") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise Refused("wrong_text", 'Expected an object with a text: {"text": "..."}.')
    text = text.strip()
    if len(text) > most_characters:
        raise Refused("too_many_characters", f"It has {len(text):,} characters; the limit is {most_characters:,}.")
    fault = fault_of(text)
    if fault:
        raise Refused("wrong_text", f"It cannot be read: {fault}.")
    return text


def top_of(options, classes):
    """Return how many classes to name."""
    text = options.get("top", str(min(TOP, classes)))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1):
        raise Refused("wrong_option", "The option top is no whole number of 1 or more.")
    return min(int(text), classes)


def class_number(text, class_names):
    """Return the number of a class that is named in a request. Raises Refused."""
    if text not in class_names:
        raise Refused("wrong_option", "The model has no class of this name.")
    return class_names.index(text)


def enlarged(image, classifier):
    """Return the part of a Pillow image that a `Classifier` is shown, uint8 (h, w, 3), with more pixels to look at."""
    height, width = (side * max(1, 448 // max(classifier.size)) for side in classifier.size)
    return fitted(image, height, width, classifier.crop).astype(np.uint8)


def data_url(pixels):
    """Return pixels uint8 (H, W, 3) as a data URL of a JPEG file, made smaller where they are many."""
    from PIL import Image

    image, file = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    image.thumbnail((SHOWN, SHOWN))
    image.save(file, "JPEG", quality=88)
    return url_of(file, "jpeg")


def url_of(file, kind):
    """Return what was written to a `BytesIO` as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
