"""The steps of a fine-tuning that answers "where?": the class of each pixel, or boxes around things.

`PlaceJob` has a method for each step that both jobs take in the same way: a base is loaded and frozen, new layers are
put on several of its maps, the frozen part runs once over all photographs, the new layers learn on what was kept, and
in a second stage, if it is asked for, the last block of the base learns with them. `segmentation.job` and
`detection.job` say what is different: which files are read, which layers are new, and what is to be learned.

A classifier keeps one row of features for each photograph. Here the new layers begin at several maps, so several graphs
run together over a photograph (`features.on_disk.kept_together`), and the rest of the model takes several inputs.
"""

import numpy as np

from .. import initializers, transfer
from ..applications import NETWORKS
from ..features.cache import size_text
from ..features.on_disk import kept_together, room_for
from ..features.prefix import fixed_ends
from ..progress import Progress
from ..randomness import set_random_seed
from ..terminal import counted
from . import stage
from .finding import pass_over
from .heads import without_a_batch_of_one
from .place_settings import GRID, RANDOM
from .settings import SettingError

LARGEST_SIDE = 512  # pixels, of images whose size nobody has chosen


class PlaceJob:
    """The base of the two jobs.

    settings           settled `PlaceSettings`;   runs   the `RunFolder` for its checkpoints
    folder             the photographs, as `data` has found them: it has the attributes path, class_names and skipped
    base, model        the pre-trained network, and the whole model; they share layers
    part               the trained end of the model, whose inputs are the kept maps
    x, x_val           tuples of `FeatureRows`, one for each of these maps
    y, y_val           what is to be learned (N, ...);   learned, learning_rates   as in `two_stages.TwoStages`

    A subclass defines `find`, `network`, `stream`, `labels` and `loss`.
    """

    has_figures = False  # whether its report has PNG files, which need matplotlib
    conditions = ("seed", "patience", "variations")

    def __init__(self, settings, runs):
        self.settings, self.runs = settings, runs
        network = NETWORKS[settings.base]
        self.application, self.parts, self.prepare = network.build, network.fine_tuning, network.preparation.function
        self.learned, self.learning_rates = {}, {}
        for rate in settings.learning_rate, settings.tune_rate:  # a wrong setting is refused now, not after an hour
            stage.optimizer(settings, rate, steps=10, warm_up=round(settings.warm_up), adam=True)
        set_random_seed(settings.seed)

    # ---- what a subclass writes ----

    def find(self, path):
        """Find the photographs in the folder, and print what was found. Sets `folder` and `image_hw`."""
        raise NotImplementedError

    def network(self, base):
        """Return the `Model` with its new layers on a base."""
        raise NotImplementedError

    def stream(self, photos, variations):
        """Return photographs as `data.variations.Variations`, in so many variations."""
        raise NotImplementedError

    def labels(self, stream, positions):
        """Return what is to be learned of the examples at these positions of a stream, as an array (N, ...)."""
        raise NotImplementedError

    def loss(self):
        """Return the loss."""
        raise NotImplementedError

    def metrics(self):
        """Return the metrics that are measured in each epoch; a subclass may have some."""
        return []

    def class_weight(self):
        """Return {class: how much its labels count}, or None if all count alike; a subclass may weigh them."""
        return None

    # ---- the steps ----

    @property
    def has_second_stage(self):
        """True if blocks of the base learn as well, in a second stage."""
        return self.settings.has_second_stage

    def build(self, load=True):
        """Load the base, freeze it, and put the new layers on its maps. With `load` False, the base has no weights."""
        settings = self.settings
        weights = {"weights": settings.weights} if settings.weights else {}  # the default is ImageNet's
        if settings.weights == RANDOM:
            weights = {"weights": None}
        if load:
            self.base = self.application(**weights, include_top=False, input_shape=(*self.image_hw, 3))
        else:
            with initializers.weights_will_be_loaded():
                self.base = self.application(weights=None, include_top=False, input_shape=(*self.image_hw, 3))
        transfer.freeze(self.base)
        self.model = self.network(self.base)

    def run_frozen_part(self):
        """Run the layers that stay frozen in all stages once over every photograph, and keep the maps that the rest of
        the model begins with."""
        self.freeze_base()  # the new layers learn in stage 1, also those that rest in stage 2
        if self.settings.has_second_stage:
            transfer.unfreeze(self.base, after=self.parts[self.settings.unfreeze])
        ends = fixed_ends(self.model)
        self.freeze_base()
        self.part = self.model.part(ends, self.model.output)
        graphs = [self.model.part(self.model.input, end, self.settings.base) for end in self.part.inputs]
        about = {"base": self.settings.base, "folder": str(self.folder.path)}
        self.photos = {}
        for name, photos, variations in (
            ("", self.folder.train, self.settings.variations),
            ("_val", self.folder.val, 1),
        ):
            stream = self.stream(photos, variations)
            enough, size = room_for(graphs, stream, self.settings.keep_features, half=True, about=about)
            if not enough:
                text = "there is no room to keep {size} of maps. Make room, or lower {}, {} and {}."
                raise SettingError(text, "variations", "height", "width", size=size_text(size))
            rows = kept_together(graphs, stream, self.settings.keep_features, half=True, about=about)
            pass_over(self.folder, rows[0].left_out)
            setattr(self, f"x{name}", tuple(rows))
            with Progress("What is to be learned", enabled=len(stream) > 100):
                setattr(self, f"y{name}", self.labels(stream, rows[0].positions))
            self.photos[name] = rows[0].photos

    def train_head(self):
        """Train stage 1: the base is frozen, the new layers learn. Returns its `History`."""
        settings = self.settings
        self.freeze_base()
        self.runs.begin(settings.resume)
        print(f"\nStage 1: the new layers, {self.learning()}, {counted(settings.epochs, 'epoch')}.", flush=True)
        return self.fit("head", settings.epochs, settings.learning_rate)

    def train_blocks(self):
        """Train stage 2: the last blocks learn with the new layers. Returns its `History`."""
        settings = self.settings
        self.unfreeze_layers()
        epochs = counted(settings.tune_epochs, "epoch")
        print(f"\nStage 2: from {settings.unfreeze} on, {self.learning()}, {epochs}.", flush=True)
        new = [layer.name for layer in self.model.layers if layer not in self.base.layers]
        return self.fit("blocks", settings.tune_epochs, settings.tune_rate, dict.fromkeys(new, settings.head_factor))

    def unfreeze_layers(self):
        """Unfreeze the last blocks of the base, but no BatchNormalization."""
        transfer.unfreeze(self.base, after=self.parts[self.settings.unfreeze])
        for layer in self.model.layers:
            layer.trainable = layer.trainable and not layer.statistic_names

    def freeze_base(self):
        """Freeze all layers of the base, and unfreeze all others."""
        transfer.freeze(self.base)
        for layer in self.model.layers:
            if layer not in self.base.layers:
                layer.trainable = True

    def learning(self):
        """Return the number of parameters that learn, as text."""
        return f"{self.model.count_params(trainable_only=True):,} parameters learn"

    def fit(self, name, epochs, learning_rate, rate_factors=None):
        """Train the end of the model on the kept maps. Returns the `History`."""
        settings, examples = self.settings, len(self.y)
        batch_size = without_a_batch_of_one(settings.batch_size, examples)
        steps_an_epoch = -(-examples // batch_size)
        steps, warm_up = epochs * steps_an_epoch, round(settings.warm_up * steps_an_epoch)
        # Scores of several maps add up, and their gradients differ much in size: Adam moves all of them alike.
        optimizer = stage.optimizer(settings, learning_rate, steps, warm_up, rate_factors, adam=True)
        callbacks, self.learning_rates[name] = stage.callbacks(settings, self.runs, name, epochs, self.conditions)
        self.learned[name] = self.model.count_params(trainable_only=True)
        self.part.compile(optimizer, self.loss(), metrics=self.metrics())
        return self.part.fit(
            self.x if len(self.x) > 1 else self.x[0],
            self.y,
            batch_size,
            epochs,
            verbose=0,
            callbacks=callbacks,
            validation_data=(self.x_val if len(self.x_val) > 1 else self.x_val[0], self.y_val),
            class_weight=self.class_weight(),
            # What still rests in stage 2 is the normalization of the kept maps: kept once more, it would fill the
            # memory with gigabytes and save no time.
            frozen_once=name == "head",
        )


def sides_for(sizes, most=LARGEST_SIDE):
    """Return (height, width) for images of these sizes [(height, width), ...], as multiples of `GRID`.

    They are the median sides, reduced so that the longer one has at most `most` pixels.
    """
    height, width = np.median(np.asarray(sizes, float), axis=0)
    shrunk = min(1.0, most / max(height, width))
    return tuple(max(GRID, int(round(side * shrunk / GRID)) * GRID) for side in (height, width))
