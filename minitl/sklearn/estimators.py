"""scikit-learn's estimators around the recipe for photographs: a frozen base, and a head on its pooled features.

    TransferFeatures     images -> features of the base: a transformer, for the beginning of a `Pipeline`
    TransferClassifier   images -> classes: the base, the choice of a head, its training, calibrated probabilities

Both keep features on the disk, as `minitl finetune` does: a photograph goes through the base once, however many folds,
learning rates and processes ask for it. Each step is a function of `minitl.recipes`, and the numbers are those of
`finetune_photographs` without a second stage.
"""

import random
import threading
from contextlib import contextmanager
from dataclasses import fields
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .. import randomness, transfer
from ..applications import NETWORKS
from ..errors import ArgumentError, DataError
from ..features.on_disk import kept_together
from ..features.side_by_side import side_by_side
from ..graph.packed import packed, unpacked
from ..layers import InputLayer
from ..models import Model
from ..recipes.base_features import built_base, pooled_ends
from ..recipes.head_choice import MOST_EPOCHS, candidates, choose_head
from ..recipes.head_training import divide_scores, trained_head
from ..recipes.heads_together import left_out
from ..recipes.settings import PhotographSettings
from ..recipes.view import CROP
from .inputs import ImageStream, images, is_paths, numbers, photographs, warn_of_range

BATCH = 32  # rows of features that go through a head at a time
OF_SETTINGS = [field.name for field in fields(PhotographSettings)]
_one_at_a_time = threading.RLock()  # minitl's random numbers are one sequence for the whole process


class _OnABase(BaseEstimator):
    """A frozen base, and what goes into it: the common part of both estimators."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = self.base is not None
        return tags

    def __getstate__(self):
        state = dict(super().__getstate__())
        return {**state, "model_": packed(state["model_"])} if "model_" in state else state

    def __setstate__(self, state):
        super().__setstate__({**state, "model_": unpacked(state["model_"], Model)} if "model_" in state else state)

    def _settled(self):
        """Return the parameters as `PhotographSettings`, checked, with the defaults of the base filled in."""
        given = {name: value for name, value in self.get_params(deep=False).items() if name in OF_SETTINGS}
        if given.get("weights") == "imagenet":
            given["weights"] = None
        if given["base"] is None:
            del given["base"]
        if hasattr(self, "random_state"):
            given["seed"] = self._seed()
        return PhotographSettings(**given).settled()

    def _seed(self):
        """Return the number that all random numbers of a fit start from."""
        if isinstance(self.random_state, Integral) and not isinstance(self.random_state, bool):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _source(self, X, settings, reset):
        """Return X as a source of examples for the base."""
        network = NETWORKS[settings.base]
        prepare = network.preparation.function
        if is_paths(X):
            if reset:
                validate_data(self, X, skip_check_array=True)  # the names of the columns of a table
            return photographs(X, prepare, settings.image_size)
        found = images(numbers(self, X, reset), self.input_shape)
        if reset:
            warn_of_range(found, settings.base, network.smallest_size)
        return ImageStream(found, prepare, settings.image_size)

    def _features_of(self, model, source, settings):
        """Return the features (N, D) of a source at the pooled end of the model's base."""
        ends = pooled_ends(model, settings.base, settings.ends[-1])
        if not settings.keep_features:
            ends = {end: ends[end] for end in settings.ends}
        found = kept_together(list(ends.values()), source, settings.keep_features, verbose=0, half=True)
        rows = side_by_side([each for end, each in zip(ends, found) if end in settings.ends])
        if rows.left_out:
            path, reason = rows.left_out[0]
            raise DataError(f"{path}: {reason}. Every example needs its features: leave this one out of X and y.")
        return rows.read(slice(None))


class TransferFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _OnABase):
    """A transformer from images to the features of a pre-trained base: one number for each channel at its cut.

    base          vgg16, resnet50 or inception_v3
    cut           the last layer of the base that is kept (default: its last), or several, as in `PhotographSettings`
    weights       "imagenet", or a file of the base's weights
    image_size    pixels (default: the size that the base was trained on)
    input_shape   (H, W, C) of the image in a flat row; None: X holds paths or images
    keep_features keep the features on the disk, for the next call
    """

    def __init__(
        self, base="vgg16", cut=None, weights="imagenet", image_size=None, input_shape=None, keep_features=True
    ):
        self.base = base
        self.cut = cut
        self.weights = weights
        self.image_size = image_size
        self.input_shape = input_shape
        self.keep_features = keep_features

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def fit(self, X, y=None) -> "TransferFeatures":
        """Load the base. Nothing is learned from X, which is only checked. Returns self."""
        with _as_it_was():
            settings = self._settled()
            self._source(X, settings, reset=True)
            self.model_ = built_base(settings)
            self._n_features_out = self.model_.output_shape[-1]
        return self

    def transform(self, X) -> np.ndarray:
        """Return the features (N, D) of X, float32."""
        check_is_fitted(self)
        with _as_it_was():
            settings = self._settled()
            return self._features_of(self.model_, self._source(X, settings, reset=False), settings)


class TransferClassifier(ClassifierMixin, _OnABase):
    """A classifier of images: a frozen pre-trained base with a new head, as `minitl finetune` makes it.

    base ... keep_features    as in `TransferFeatures`. With base=None, X holds features that are computed already, such
                              as those of `TransferFeatures`, and only the head is trained
    head                      "unit", "plain", or "auto": chosen by cross-validation, with learning_rate and
                              label_smoothing where these are None
    epochs ... class_weights  as in `recipes.PhotographSettings`
    random_state              the seed of all random numbers

    classes_   the labels, sorted;   model_   the whole `Model`, ready for `model_.save("m.h5")`
    choice_    which head was taken, as data
    """

    def __init__(
        self,
        base="vgg16",
        cut=None,
        weights="imagenet",
        image_size=None,
        input_shape=None,
        keep_features=True,
        head="auto",
        epochs=60,
        learning_rate=None,
        label_smoothing=None,
        schedule="cosine",
        warm_up=0.0,
        batch_size=32,
        weight_decay=0.0,
        clip_norm=None,
        start="zeros",
        class_weights=False,
        random_state=0,
    ):
        self.base = base
        self.cut = cut
        self.weights = weights
        self.image_size = image_size
        self.input_shape = input_shape
        self.keep_features = keep_features
        self.head = head
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.label_smoothing = label_smoothing
        self.schedule = schedule
        self.warm_up = warm_up
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.start = start
        self.class_weights = class_weights
        self.random_state = random_state

    def fit(self, X, y) -> "TransferClassifier":
        """Choose a head, and train it on the features of the frozen base. Returns self.

        X   paths, images or rows (`inputs`);   y   a label for each: numbers or texts
        """
        with _as_it_was():
            settings = self._settled()
            source, x = self._examples(X, settings, reset=True)
            y = self._labels(y, len(source if x is None else x))
            self.classes_, labels = np.unique(y, return_inverse=True)
            if len(self.classes_) < 2:
                raise DataError(f"y has one class, {self.classes_[0]!r}; expected two classes at least.")
            base = None if x is not None else built_base(settings)
            if x is None:
                x = self._features_of(base, source, settings)
            groups = np.arange(len(x)) if source is None else np.unique(source.keys, return_inverse=True)[1]
            self._fit_head(base, x, labels, groups, settings)
        return self

    def _fit_head(self, base, x, labels, groups, settings):
        """Choose and train a head on features x (N, D), calibrate it, and put it on the base (None: there is none)."""
        classes = len(self.classes_)

        def predict(heads, x, y, fold):
            epochs = min(settings.epochs, MOST_EPOCHS)
            return left_out(settings, heads, x, y, classes, fold, epochs, verbose=0)

        rows = None if settings.head == "auto" else settings.head
        heads = candidates(rows, settings.learning_rate, settings.label_smoothing)
        choice = choose_head(heads, predict, x, labels, groups, settings.seed)
        head = trained_head(settings, choice.head, x, labels, classes, settings.epochs)
        divide_scores(head.layers[-1], choice.temperature)
        self.choice_ = choice.as_data()
        self.model_, self._base_end = head, None
        if base is not None:
            layers = [layer for layer in head.layers if not isinstance(layer, InputLayer)]
            self.model_, self._base_end = transfer.replace_head(base, layers), base.layers[-1].name
        names = [str(each) for each in self.classes_]
        self.model_.metadata = {"class_names": names, "preprocessing": settings.base, "crop": CROP}

    def predict_proba(self, X) -> np.ndarray:
        """Return the probabilities (N, classes). Their columns follow `classes_`."""
        check_is_fitted(self)
        with _as_it_was():
            settings = self._settled()
            source, x = self._examples(X, settings, reset=False)
            head = self.model_
            if source is not None:
                x = self._features_of(self.model_, source, settings)
                head = self.model_.part(self.model_.output_of(self._base_end), self.model_.output)
            return head.predict(x, BATCH, verbose=0)

    def predict(self, X) -> np.ndarray:
        """Return the most probable label of each example."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _examples(self, X, settings, reset):
        """Return (the source of X, None), or (None, X as features (N, D)) where there is no base."""
        if self.base is not None:
            return self._source(X, settings, reset), None
        x = numbers(self, X, reset)
        if x.ndim != 2:
            raise DataError(f"X has shape {x.shape}; with base=None, expected features (N, D).")
        with np.errstate(over="ignore"):
            x = x.astype(np.float32)
        if not np.isfinite(x).all():
            raise DataError("X has numbers that are infinite in float32: larger than 3.4e38.")
        return None, x

    def _labels(self, y, count):
        """Return y as (N,), one label for each of `count` examples."""
        if y is None:
            raise ArgumentError("TransferClassifier requires y to be passed, but the target y is None.")
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != count:
            raise DataError(f"X has {count} examples and y has {len(y)} labels; expected as many.")
        return y


@contextmanager
def _as_it_was():
    """Let one estimator at a time work in the block, and put back the random numbers of the program afterwards: a fit
    starts its own sequence (`randomness.set_random_seed`)."""
    with _one_at_a_time:
        before = randomness.random_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            yield
        finally:
            randomness.set_random_state(before[0])
            random.setstate(before[1])
            np.random.set_state(before[2])  # noqa: NPY002
