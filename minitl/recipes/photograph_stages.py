"""The steps of fine-tuning on photographs: which are found, how the base is cut, and what is kept of them.

`two_stages` has the steps that do not depend on what the examples are. `photographs.finetune_photographs` calls all of
them in order.
"""

from dataclasses import replace

import numpy as np

from .. import data
from ..applications import NETWORKS
from ..models import Model
from ..terminal import wrapped
from . import stage
from .base_features import built_base, features_of, learning_part, room_for_features
from .evaluation import Evaluation
from .finding import found_photographs, pass_over
from .head_choice import NOUN
from .heads import before_normalization
from .settings import AUTO, SettingError, parts_before
from .two_stages import TwoStages
from .view import VIEWS, photograph_stream
from .view_choice import choose_view, view_trial


class PhotographStages(TwoStages):
    """One fine-tuning on the photographs of a folder. `settings` are settled `PhotographSettings`."""

    has_figures = True  # its report has PNG files

    def __init__(self, settings, runs):
        network = NETWORKS[settings.base]
        self.parts, self.prepare = network.fine_tuning, network.preparation.function
        super().__init__(settings, runs)

    def optimizer(self, name, learning_rate, steps, warm_up=0, rate_factors=None):
        """Return the optimizer of a stage: SGD for the head, and what the base needs for its blocks."""
        adam = name == "blocks" and NETWORKS[self.settings.base].second_stage.adam
        return stage.optimizer(self.settings, learning_rate, steps, warm_up, rate_factors, adam)

    def find(self, path):
        """Find the photographs in the folder, and print what was found."""
        self.folder = found_photographs(path, self.settings)

    def build(self, load=True):
        """Take steps 1 to 5 of transfer learning: load the base, cut it, pool its maps, and put a new head on. With
        `load` False, the base has no weights."""
        self.base = built_base(self.settings, load)
        self.base_end = self.base.layers[-1].name
        self.put_on(self.heads[0])

    def choose_view(self, map=None):
        """Choose the view on the photographs to learn from, if that is asked for. Each goes through the base for every
        view; the features of the chosen one are then there already. `map` as in `run_frozen_part`."""
        self.view, settings = None, self.settings
        if settings.view != AUTO:
            return
        trials = []
        for view in VIEWS:
            self.settings = replace(settings, view=view)
            rows = features_of(self.model, self.stream(self.folder.train), self.settings, self.folder.path, map=map)[1]
            labels = np.array([photo.label for photo in rows.photos])
            trials.append(view_trial(view, before_normalization(self.head, rows.read(slice(None))), labels, settings))
        self.view = choose_view(trials)
        print(f"\n{self.view}", flush=True)
        self.settings = replace(settings, view=self.view.view)

    def run_frozen_part(self, map=None):
        """Run the layers that stay frozen once over every photograph, and keep their outputs, `x` and `x_val`.

        map   as in `features.on_disk.kept_features`

        `part` is the rest of the network. Where the head learns with augmentation, nothing can be kept, and `part` is
        the whole model.
        """
        settings, folder = self.settings, self.folder
        if not self.has_room_for_features():
            self.part, self.pooled = self.model, None
            self.x = end = self.stream_to_learn_from(folder.train)
            self.x_val = end_val = self.stream(folder.val)
        else:
            last = self.kept_end
            self.part = learning_part(self.model, self.base_end, settings, last)
            (self.x, end), (self.x_val, end_val) = (
                features_of(self.model, self.stream(photos, mirrored=mirrored), settings, folder.path, last, map)
                for photos, mirrored in self.sets
            )
            self.pooled = tuple(rows.read(slice(None)) for rows in (end, end_val))
            pass_over(folder, [*end.left_out, *end_val.left_out])
        self.photos, self.photos_val = end.photos, end_val.photos
        self.y, self.y_val = (np.array([photo.label for photo in photos]) for photos in (self.photos, self.photos_val))

    @property
    def sets(self):
        """The two sets of photographs, each with whether it has mirror images as well."""
        return (self.folder.train, self.settings.mirror), (self.folder.val, False)

    @property
    def last_frozen(self):
        """The layer of the base behind which the second stage learns; None where there is no such stage."""
        return self.parts[self.settings.unfreeze] if self.has_second_stage else None

    @property
    def kept_end(self):
        """The layer whose maps are kept, so that the second stage starts from them. None where there is no such stage,
        and with augmentation: then the whole network sees other variations in each epoch of that stage."""
        return None if self.settings.augment else self.last_frozen

    def train_blocks(self):
        """Train stage 2: the last blocks learn with the head, and with augmentation if that is asked for. Returns its
        `History`."""
        if self.settings.augment:
            self.part, self.x = self.model, self.stream_to_learn_from(self.photos)
            self.x_val = self.stream(self.photos_val)
        return super().train_blocks()

    def stream_to_learn_from(self, photos):
        """Return photographs as a source of examples for the base, with augmentation if that is asked for."""
        augment = data.Augmentation() if self.settings.augment else None
        return self.stream(photos, augment=augment, seed=self.settings.seed)

    def stream(self, photos, **options):
        """Return photographs as a source of examples for the base."""
        return photograph_stream(photos, self.prepare, self.settings.image_size, self.settings.view, **options)

    def has_room_for_features(self):
        """Return whether the output of the frozen part can be kept. Otherwise, print why not."""
        settings, bytes_wanted = self.settings, 0
        if settings.augment and not self.has_second_stage:
            return False
        for photos, mirrored in self.sets:
            enough, size = room_for_features(
                self.model, self.stream(photos, mirrored=mirrored), settings, self.folder.path, self.kept_end
            )
            bytes_wanted += size
            if not enough:
                size = f"{bytes_wanted / 1e6:,.0f} MB of features"
                for name, needs_features in ("mirror", settings.mirror), ("start", settings.start == "ridge"):
                    if needs_features:
                        text = "{} needs kept features, and there is no room to keep {size}. Leave it out."
                        raise SettingError(text, name, size=size)
                print(f"There is no room to keep {size}. Every epoch will read the\nphotographs again.")
                return False
        return True

    def why_no_second_stage(self):
        """Return why no block of the base learns, in a sentence, with what would change that."""
        last = next(iter(parts_before(self.settings.base, self.settings.ends[-1])), None)
        if last is None:
            return "No second stage: there is nothing to train in it."
        return wrapped(
            "No second stage: on 245 photographs of ants and bees, training the last block as well changed the "
            f"accuracy on unseen ones by less than its error. --unfreeze {last} adds it."
        )

    def examples_for_choice(self):
        """Return (groups (N,), the word for the examples) of the choice of a head: copies and mirror images of a
        photograph are left out together."""
        groups = np.unique([photo.sha256 for photo in self.photos], return_inverse=True)[1]
        return groups, "images, half of them mirrored" if self.settings.mirror else NOUN

    def evaluation(self):
        """Return the `Evaluation` on the photographs that were held back."""
        names = [str(photo.path.relative_to(self.folder.path)) for photo in self.photos_val]
        if self.pooled is None:
            probabilities = self.part.predict(self.x_val, verbose=0)  # its bar is shown within a recipe
        else:  # the base is as it was
            head = Model(self.model.output_of(self.base_end), self.model.output)
            probabilities = head.predict(self.pooled[1], verbose=0)
        return Evaluation(self.y_val, probabilities, self.folder.class_names, names)
