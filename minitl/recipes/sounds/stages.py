"""The steps of fine-tuning on recordings: which are found, how they are heard, and what is kept of them.

`two_stages` has the steps that do not depend on what the examples are. `job.finetune_sounds` calls all of them in
order.

Every recording goes once through the frozen base, and its vector is kept on the disk (`features.on_disk`), so another
run computes nothing again. A second stage reads the recordings once more: the layers that stay frozen run once, and
what they give is held in memory (`features.prefix`).
"""

from pathlib import Path

import numpy as np

from ... import transfer
from ...data.sound import SoundStream, audit_sounds
from ...errors import ArgumentError, DataError
from ...features.on_disk import kept_features
from ...models import Model
from ...terminal import counted, printable, wrapped
from ..settings import SettingError
from ..two_stages import TwoStages
from . import bases
from .evaluation import SoundEvaluation
from .settings import BASES

NOUN = "training recordings"


class SoundStages(TwoStages):
    """One fine-tuning on the recordings of a folder. `settings` are settled `SoundSettings`.

    prepare     the front end of the base
    sounds, sounds_val   `SoundStream`s of the recordings to learn from, and of those that are held back
    """

    def __init__(self, settings, runs):
        self.parts = BASES[settings.base].parts
        super().__init__(settings, runs)

    # ---- the data ----

    def find(self, path):
        """Find the recordings, and print what was found."""
        settings = self.settings
        self.folder = found_sounds(path, settings.pattern, settings.kept_whole, settings.share, settings.strict,
                                   settings.follow_links)  # fmt: skip
        print(printable(str(self.folder)), flush=True)
        self.require_groups()

    def require_groups(self):
        """Raise DataError if groups are to be left out and there are not two, or a class is of one group alone."""
        if self.settings.leave_out is None:
            return
        groups = self.folder.groups
        if len(groups) < 2:
            only = f"has one {self.settings.leave_out} only, '{groups[0]}'"
            raise DataError(f"{self.folder.path}: {only}. Nothing can be learned while it is left out.")
        for group in groups:
            self.folder.divided(lambda each, group=group: each.group == group)

    def stream(self, recordings):
        """Return `Recording`s as the base hears them."""
        return stream_of(recordings, self.prepare)

    # ---- the network ----

    def build(self, load=True):
        """Take steps 1 to 5 of transfer learning: load the base, pool its vectors, and put a new head on. With `load`
        False, the base has no weights."""
        self.base, self.prepare = bases.build(self.settings.base, self.settings.seconds, load)
        transfer.freeze(self.base)
        self.base_end = self.base.layers[-1].name
        self.put_on(self.heads[0])

    def put_on_layers(self, layers):
        """Put these new layers on the base, in place of those that are there."""
        self.head = layers
        self.model = transfer.replace_head(self.base, layers)

    def run_frozen_part(self):
        """Run the base once over every recording, and keep its vectors: `x` and `x_val`. `part` is the head.

        Where groups are left out, all recordings are learned from, and none is held back.
        """
        folder = self.folder
        if told := cut_off([*folder.train, *folder.val], self.settings.seconds):
            print(wrapped(told, "  "), flush=True)
        self.sounds, self.x, self.y, folder.train = self.heard(folder.train)
        self.pooled = (self.x.read(slice(None)), None)
        if folder.val:
            self.sounds_val, self.x_val, self.y_val, folder.val = self.heard(folder.val)
            self.pooled = (self.pooled[0], self.x_val.read(slice(None)))
        self.part = self.model.part(self.model.output_of(self.base_end), self.model.output)

    def heard(self, recordings):
        """Return (the stream of recordings, their features, their labels, the recordings) of all that can still be
        read."""
        about = {"base": self.settings.base, "folder": str(self.folder.path)}
        graph = Model(self.model.input, self.model.output_of(self.base_end), name=self.model.name)
        rows = kept_features(graph, self.stream(recordings), self.settings.keep_features, about=about)
        self.folder.skipped += rows.left_out
        if rows.left_out:
            recordings = [recordings[position] for position in rows.positions]
        return self.stream(recordings), rows, np.array([each.label for each in recordings]), recordings

    def examples_for_choice(self):
        """Return (groups (N,), the word for the examples) of the choice of a head: recordings of one group, or else
        copies of a recording, are left out together."""
        names = [each.sha256 if each.group is None else each.group for each in self.folder.train]
        return np.unique(names, return_inverse=True)[1], NOUN

    def unfreeze_blocks(self):
        """Unfreeze the last block and the head, which then are given the recordings themselves."""
        super().unfreeze_blocks()
        self.part, self.x, self.x_val = self.model, self.sounds, self.sounds_val

    def evaluation(self):
        """Return the `SoundEvaluation` on the recordings that were held back."""
        if self.pooled is None:
            probabilities = self.model.predict(self.x_val, verbose=0)  # its bar is shown within a recipe
        else:
            head = Model(self.model.output_of(self.base_end), self.model.output)
            probabilities = head.predict(self.pooled[1], verbose=0)
        return evaluation_of(self.folder, self.folder.val, probabilities)


def evaluation_of(folder, recordings, probabilities, class_names=None, numbers=None):
    """Return the `SoundEvaluation` of the probabilities (N, classes) for recordings of a `SoundFolder`.

    class_names, numbers   of a model with other classes: their names, and the number of each class of the folder there
    """
    names = [folder.name_of(each) for each in recordings]
    labels = np.array([each.label if numbers is None else numbers[each.label] for each in recordings])
    return SoundEvaluation(labels, probabilities, class_names or folder.class_names, names, recordings)


def stream_of(recordings, prepare):
    """Return `Recording`s as a stream of one shape: each is as long as the front end makes it."""
    return SoundStream(recordings, prepare, length=prepare.steps(1, prepare.rate))


def found_sounds(path, pattern, group, share, strict=False, follow_links=False):
    """Return the `SoundFolder` of recordings. Errors about the pattern name the setting."""
    if not Path(path).is_dir():
        raise DataError(
            f"{path}: expected a folder of recordings, found {'a file' if Path(path).exists() else 'none'}."
        )
    if group is not None and pattern is None:
        text = "{} or {} names a word of a pattern: give {} as well, such as '{{class}}/{{speaker}}_*'."
        raise SettingError(text, "group", "leave_out", "pattern")
    try:
        return audit_sounds(path, pattern, group, share, strict=strict, follow_links=follow_links)
    except ArgumentError as error:
        if isinstance(error, SettingError):
            raise
        name, _, rest = str(error).partition(" ")
        if name not in ("pattern", "group"):
            raise
        raise SettingError("{} " + rest.replace("{", "{{").replace("}", "}}"), name) from None


def cut_off(recordings, seconds):
    """Return a sentence on the recordings that are longer than `seconds`, or "" if there are none."""
    longer = 0 if seconds is None else sum(each.seconds > seconds for each in recordings)
    if not longer:
        return ""
    longest = max(each.seconds for each in recordings)
    return (
        f"{counted(longer, 'recording')} of {len(recordings):,} are longer than {seconds:g} s: their middle is heard, "
        f"and both ends are not. --seconds sets another limit (the longest has {longest:.2f} s)."
    )
