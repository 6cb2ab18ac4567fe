"""The steps of fine-tuning on photographs: which are found, how the base is cut, and what is kept of them.

`two_stages` has the steps that do not depend on what the examples are. `photographs.finetune_photographs` calls all of
them in order.
"""

import numpy as np

from .. import data, features, transfer
from ..applications import NETWORKS
from ..models import Model
from ..terminal import wrapped
from .base_features import built_base, features_of, room_for_features
from .evaluation import Evaluation
from .finding import found_photographs, pass_over
from .head_choice import NOUN
from .settings import SettingError, parts_before
from .two_stages import TwoStages
from .view import photograph_stream


class PhotographStages(TwoStages):
    """One fine-tuning on the photographs of a folder. `settings` are settled `PhotographSettings`."""

    has_figures = True  # its report has PNG files

    def __init__(self, settings, runs):
        network = NETWORKS[settings.base]
        self.parts, self.prepare = network.fine_tuning, network.preparation.function
        super().__init__(settings, runs)

    def find_photographs(self, path):
        """Find the photographs in the folder, and print what was found."""
        self.folder = found_photographs(path, self.settings)

    def build(self):
        """Take steps 1 to 5 of transfer learning: load the base, cut it, pool its maps, and put a new head on."""
        self.base = built_base(self.settings)
        self.base_end = self.base.layers[-1].name
        self.put_on(self.heads[0])

    def run_frozen_part(self, map=None):
        """Run the layers that stay frozen once over every photograph, and keep their outputs, `x` and `x_val`.

        map   as in `features.on_disk.kept_features`

        `part` is the rest of the network. With augmentation nothing can be kept, and `part` is the whole model.
        """
        settings, folder = self.settings, self.folder
        last_frozen = self.last_layer_to_keep()
        if last_frozen is None:
            augment = data.Augmentation() if settings.augment else None
            self.part, self.pooled = self.model, None
            self.x = self.stream(folder.train, augment=augment, seed=settings.seed)
            self.x_val = self.stream(folder.val)
        else:
            prefix, self.part = features.split(self.model, self.model.output_of(last_frozen))
            (self.x, end), (self.x_val, end_val) = (
                features_of(prefix, self.model, self.stream(photos, mirrored=mirrored), settings, folder.path, map)
                for photos, mirrored in ((folder.train, settings.mirror), (folder.val, False))
            )
            self.pooled = tuple(rows.read(slice(None)) for rows in (end, end_val))
            pass_over(folder, [*self.x.left_out, *self.x_val.left_out])
        self.y, self.y_val = (np.array([photo.label for photo in x.photos]) for x in (self.x, self.x_val))

    def stream(self, photos, **options):
        """Return photographs as a source of examples for the base."""
        return photograph_stream(photos, self.prepare, self.settings.image_size, **options)

    def last_layer_to_keep(self):
        """Return the name of the layer whose output is kept, or None if nothing is kept."""
        settings, bytes_wanted = self.settings, 0
        if settings.augment:
            return None
        last_frozen = self.parts[settings.unfreeze] if self.has_second_stage else self.base_end
        prefix = transfer.remove_layers(self.model, last_frozen)
        for photos, mirrored in (self.folder.train, settings.mirror), (self.folder.val, False):
            enough, size = room_for_features(
                prefix, self.model, self.stream(photos, mirrored=mirrored), settings, self.folder.path
            )
            bytes_wanted += size
            if not enough:
                size = f"{bytes_wanted / 1e6:,.0f} MB of features"
                for name, needs_features in ("mirror", settings.mirror), ("start", settings.start == "ridge"):
                    if needs_features:
                        text = "{} needs kept features, and there is no room to keep {size}. Leave it out."
                        raise SettingError(text, name, size=size)
                print(f"There is no room to keep {size}. Every epoch will read the\nphotographs again.")
                return None
        return last_frozen

    def why_no_second_stage(self):
        """Return why no block of the base learns, in a sentence, with what would change that."""
        last = next(iter(parts_before(self.settings.base, self.settings.cut)), None)
        if last is None:
            return "No second stage: there is nothing to train in it."
        return wrapped(
            "No second stage: on 245 photographs of ants and bees, training the last block as well changed the "
            f"accuracy on unseen ones by less than its error. --unfreeze {last} adds it."
        )

    def examples_for_choice(self):
        """Return (groups (N,), the word for the examples) of the choice of a head: copies and mirror images of a
        photograph are left out together."""
        groups = np.unique([photo.sha256 for photo in self.x.photos], return_inverse=True)[1]
        return groups, "images, half of them mirrored" if self.settings.mirror else NOUN

    def evaluation(self):
        """Return the `Evaluation` on the photographs that were held back."""
        names = [str(photo.path.relative_to(self.folder.path)) for photo in self.x_val.photos]
        if self.pooled is None:
            probabilities = self.part.predict(self.x_val, verbose=0)  # its bar is shown within a recipe
        else:  # the base is as it was
            head = Model(self.model.output_of(self.base_end), self.model.output)
            probabilities = head.predict(self.pooled[1], verbose=0)
        return Evaluation(self.y_val, probabilities, self.folder.class_names, names)
