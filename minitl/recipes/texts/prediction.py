"""Predictions of a saved model for texts: of single ones, of files, or of labelled texts, to measure it.

    from minitl.recipes import classify_texts, evaluate_texts
    classify_texts("reviews.h5", ["a fine film", "new.csv"])      # the two most probable classes of each
    evaluation, left_out = evaluate_texts("reviews.h5", "other_reviews.csv")

A model that `finetune_texts` has made keeps its tokenizer, its classes, and how many tokens of a text it reads. A model
without these is refused, and so is one whose vocabulary is not that of its weights: nothing is guessed.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...arguments import AnyPath, truth_value, whole_number
from ...data.text import tokenizer_from_data
from ...data.text.audit import fault_of
from ...data.text.folder import read_texts
from ...data.text.layout import ENDINGS
from ...data.text.tables import read_text
from ...errors import ArgumentError, DataError
from ...layers import Embedding
from ...models import Model
from ...progress import Progress
from ...terminal import columns, counted, printable, shortened, silent_unless, wrapped
from ..prediction import MOST_PROBABLE, files_in, opened_model, require_task
from .evaluation import TextEvaluation
from .settings import options_named
from .source import TextSource, cut_off
from .unlabelled import texts_of_table

BATCH = 32
PARTS = {"test": "the test part", "val": "the part for validation", "train": "all texts"}  # the one to measure on
WIDEST_CLASS = 24


class TextClassifier:
    """A model for texts (or the file of one) with all that a prediction needs.

    class_names   the names of its outputs;   tokenizer   makes token numbers of texts
    length        the tokens of a text that it reads;   columns   the names of the columns that it learned from

    Raises ArgumentError where the metadata of the model do not say these, or where they do not fit.
    """

    def __init__(self, model):
        self.model, name = opened_model(model)
        require_task(self.model, name, "texts")
        found, classes = self.model.metadata, self.model.output_shape[-1]
        self.class_names, self.length = found.get("class_names"), found.get("length")
        if not isinstance(self.class_names, list) or len(self.class_names) != classes:
            raise ArgumentError(f"{name}: its metadata do not name its {classes} outputs.")
        if type(self.length) is not int or self.length < 1:
            raise ArgumentError(f"{name}: its metadata 'length' is {self.length!r}; expected a number of tokens.")
        self.tokenizer = tokenizer_from_data(found.get("tokenizer"), str(name))
        for layer in self.model.layers:
            if isinstance(layer, Embedding) and layer.input is self.model.input:
                if layer.input_dim != len(self.tokenizer):
                    raise ArgumentError(
                        f"{name}: its layer '{layer.name}' has vectors of {layer.input_dim:,} tokens, and the "
                        f"vocabulary beside it has {len(self.tokenizer):,}. They do not belong together."
                    )
        named = found.get("columns")
        self.columns = named if isinstance(named, list) and len(named) == 2 else [None, None]

    def source(self, texts):
        """Return strings as a `TextSource`."""
        return TextSource(texts, self.tokenizer, self.length)

    def probabilities(self, source, verbose=0):
        """Return the outputs of the model for a `TextSource`: (N, classes)."""
        return self.model.predict(source, BATCH, verbose=verbose)

    def evaluation(self, texts):
        """Return (`TextEvaluation` of `data.text.folder.Text`s, a sentence on what was cut off, or "")."""
        source = self.source([each.text for each in texts])
        probabilities = self.probabilities(source)  # its bar is shown within a recipe
        labels, names = np.array([each.label for each in texts]), [each.source for each in texts]
        evaluation = TextEvaluation(labels, probabilities, self.class_names, names, [each.text for each in texts])
        return evaluation, cut_off(self.length, source)

    def best(self, probabilities, top):
        """Return the `top` most probable classes of one text, the most probable one first."""
        order = np.argsort(-probabilities, kind="stable")[:top]
        return [{"class": self.class_names[k], "probability": float(probabilities[k])} for k in order]


def classify_texts(
    model: Model | AnyPath,
    texts: Sequence[AnyPath],
    verbose: int = 1,
    top: int = MOST_PROBABLE,
    column: str | None = None,
) -> list[dict]:
    """Classify texts with a model for texts, or with the file of one.

    texts    strings and paths of files, as `texts_in` takes them
    top      the number of classes to name for each text
    column   of tables that holds the texts (None: the one that the model learned from)

    Returns for each text {"file", "text", "predictions": [{"class", "probability"}, ...], "cut_off": the number of
    tokens that were not read, "unknown": True if the vocabulary has none of its words}. Raises DataError for a file
    or row that cannot be read; `classify_texts_each` goes on.
    """
    results = []
    with silent_unless(verbose):
        for result in classify_texts_each(model, texts, top, verbose, column):
            if "error" in result:
                raise DataError(f"{result['file']}: {result['error']}.")
            results.append(result)
    return results


def classify_texts_each(model, texts, top=MOST_PROBABLE, verbose=1, column=None):
    """Yield the entries of `classify_texts`, batch by batch. In place of a file or row that cannot be read stands
    {"file", "error"}. `model` may be a `TextClassifier`."""
    classifier = model if isinstance(model, TextClassifier) else TextClassifier(model)
    whole_number(top, "top")
    found = texts_in([texts] if isinstance(texts, (str, os.PathLike)) else texts, column or classifier.columns[0])
    with Progress("Predicting", len(found), enabled=bool(verbose), lines=False) as bar:
        for first in range(0, len(found), BATCH):
            batch = found[first : first + BATCH]
            good = [text for _, text, reason in batch if reason is None]
            source = classifier.source(good) if good else None
            rows = iter(
                zip(classifier.probabilities(source), source.dropped_of.tolist(), source.unknown_of) if good else ()
            )
            for name, text, reason in batch:
                if reason is not None:
                    yield {"file": name, "error": reason}
                    continue
                probabilities, cut, unknown = next(rows)
                best = classifier.best(probabilities, top)
                yield {"file": name, "text": text, "predictions": best, "cut_off": cut, "unknown": unknown}
            bar.advance(len(batch))


def texts_in(arguments, column=None):
    """Return [(name, text, None)], or (name, None, reason) for what cannot be read, of texts and of files with texts.

    A table (.csv, .tsv, .jsonl) has a text in each row, in the column `column` (None: "text"). Any other file is one
    text, and a folder stands for all files in it and below. What is no file and does not look like a path is a text
    itself. Raises DataError for a path that is not there, and ArgumentError if there is nothing to predict.
    """
    found = []
    for number, argument in enumerate(map(os.fspath, arguments), start=1):
        if not os.path.exists(argument):
            if _looks_like_a_path(argument):
                raise DataError(f"{argument}: is not there. Nothing was classified.")
            found.append((f"text {number}", argument, fault_of(argument.strip() or argument)))
            continue
        for path in files_in([argument]):
            found += _texts_of(path, column)
    if not found:
        raise ArgumentError("no texts to predict: give some, or files of them.")
    return found


def _looks_like_a_path(text):
    """Return whether somebody who wrote this meant a file: it ends like one, or has the separators of a path and no
    space."""
    is_one_word = not any(character.isspace() for character in text)
    return is_one_word and (Path(text).suffix.lower() in ENDINGS or os.sep in text)


def _texts_of(path, column):
    """Return what `texts_in` returns of one file."""
    try:
        rows = texts_of_table(path, column)
        if rows is None:
            text = read_text(path).strip()
            return [(path, text, fault_of(text))]
        return [(f"{path}:{line}", text, reason or fault_of(text)) for line, text, reason in rows]
    except DataError as error:
        place, reason = re.match(rf"(?:{re.escape(path)}(:\d+)?: )?(.*)", str(error), re.DOTALL).groups()
        return [(path + (place or ""), None, reason.rstrip(".").replace(" text=", " column="))]


class ClassifiedTexts:
    """The lines of a table of classified texts.

    class_names   of the model;   top   the number of classes of each text
    """

    def __init__(self, class_names, top):
        longest = max(len(printable(name)) for name in class_names)
        self.word, self.top = min(max(longest, 5), WIDEST_CLASS), max(1, min(top, len(class_names)))
        self.shown = max(1, min(self.top, (columns() - 24) // (self.word + 8)))
        self.text = columns() - self.shown * (self.word + 8)

    def line(self, result):
        """Return the line of an entry of `classify_texts`; the text is shortened."""
        text = shortened(" ".join(printable(result["text"]).split()), self.text).ljust(self.text)
        pairs = [
            f"  {shortened(printable(each['class']), self.word):>{self.word}} {each['probability']:>4.0%} "
            for each in result["predictions"]
        ]
        lines = []
        for first in range(0, len(pairs), self.shown):
            start = text if first == 0 else " " * self.text
            lines.append((start + "".join(pairs[first : first + self.shown])).rstrip())
        return "\n".join(lines)


def evaluate_texts(
    model: Model | AnyPath, path: AnyPath, strict=False, verbose=1, follow_links=False, text=None, label=None,
    encoding=None,
) -> tuple[TextEvaluation, list]:  # fmt: skip
    """Measure a model for texts, or the file of one, on labelled texts.

    path                    a file or a folder, as for `finetune_texts`. If it has a test part, this one is measured;
                            otherwise that for validation; otherwise all texts
    text, label, encoding   as in `TextSettings` (default: the columns that the model learned from)

    Returns (`TextEvaluation`, [(source, reason) of everything that was left out]). With `strict`, raises DataError for
    the first of these instead. Raises DataError for a class that the model does not have.
    """
    strict, follow_links = truth_value(strict, "strict"), truth_value(follow_links, "follow_links")
    with silent_unless(verbose):
        classifier = TextClassifier(model)
        names = classifier.columns
        with options_named():
            folder = read_texts(
                path, text or names[0], label or names[1], val_share=0, encoding=encoding, strict=strict,
                class_names=classifier.class_names, follow_links=follow_links,
            )  # fmt: skip
        part = next(part for part in PARTS if getattr(folder, part))
        texts = getattr(folder, part)
        if len(folder.parts) > 1:
            print(wrapped(f"Measured on {PARTS[part]}: {counted(len(texts), 'text')}."), flush=True)
        for source, reason in folder.skipped:
            print(wrapped(printable(f"left out: {source}: {reason}"), "  "))
        evaluation, told = classifier.evaluation(texts)
        if told:
            print(wrapped(told.removesuffix(" --length sets another limit."), "  "))
    return evaluation, folder.skipped
