"""The steps of fine-tuning on texts: which are found, how they become numbers, and what is kept of them.

`two_stages` has the steps that do not depend on what the examples are. `job.finetune_texts` calls all of them in order.

With the bases "glove" and "minilm", a head learns on the mean vector of each text, as on the pooled features of a
photograph: the mean behind every layer is kept, so that another run, or another cut, computes nothing again. A second
stage needs the vectors of all tokens in front of the layers that learn (`source.StateRows`). They are kept in memory.

With "lstm", new layers read the vectors of the words one by one: they learn in the first stage, on the words
themselves.
"""

from dataclasses import replace

import numpy as np

from ... import transfer
from ...data.text.folder import read_texts
from ...features.on_disk import kept_together
from ...features.prefix import MOST_KEPT_BYTES
from ...models import Model
from ...terminal import printable, wrapped
from .. import stage
from ..head_choice import HeadChoice
from ..two_stages import TwoStages
from . import bases
from .evaluation import TextEvaluation
from .settings import BASES, options_named
from .source import StateRows, TextSource, cut_off, unknown_share

UNDECAYED = ("bias", "gamma", "beta")  # words in the names of parameters that do not decay
DECAY, CLIP = 0.01, 1.0  # of what reads tokens
NOUN = "training texts"
WORTH_SAYING = 0.001  # of the words, as the share that is unknown


class TextStages(TwoStages):
    """One fine-tuning on the texts of a file or folder. `settings` are settled `TextSettings`.

    tokenizer, ends, mask       those of the `bases.Base`
    tokens, tokens_val   `TextSource`s of the texts to learn from, and of those that are held back
    """

    frozen_once = False  # what is frozen has run already, and the vectors of a word are looked up in a moment

    def __init__(self, settings, runs):
        self.kind = BASES[settings.base]
        self.parts = self.kind.parts
        super().__init__(settings, runs)

    # ---- the data ----

    def find(self, path):
        """Find the texts, and print what was found."""
        settings = self.settings
        with options_named():
            self.folder = read_texts(
                path, settings.text, settings.label, settings.share, settings.seed, settings.encoding,
                strict=settings.strict, follow_links=settings.follow_links,
            )  # fmt: skip
        print(printable(str(self.folder)), flush=True)

    def count_tokens(self):
        """Turn the texts into token numbers, and print how much of them is cut off or unknown."""
        length = self.settings.length
        self.tokens, self.tokens_val = (
            TextSource([each.text for each in texts], self.tokenizer, length, [each.source for each in texts])
            for texts in (self.folder.train, self.folder.val)
        )
        self.y, self.y_val = (np.array([each.label for each in part]) for part in (self.folder.train, self.folder.val))
        if told := cut_off(length, self.tokens, self.tokens_val):
            print(wrapped(told, "  "), flush=True)
        unknown = unknown_share(self.tokenizer, self.tokens, self.tokens_val)
        if unknown >= WORTH_SAYING:
            print(
                wrapped(f"{unknown:.1%} of the words are not in the vocabulary: to the base, all of them are the same.")
            )

    # ---- the network ----

    def build(self):
        """Take steps 1 to 5 of transfer learning: load the base, cut it, pool its vectors, and put a new head on."""
        base = bases.build(self.settings.base)
        self.tokenizer, self.ends, self.mask = base.tokenizer, base.ends, base.mask
        end = base.ends[self.settings.cut]
        last = end if self.kind.reads_steps else bases.pooled(end, base.mask)
        self.base = Model(base.model.input, last, name=self.settings.base)
        gone = [layer.name for layer in base.model.layers if layer.weight_names and layer not in self.base.layers]
        self.base.notes = list(base.model.notes)
        if gone:
            self.base.notes.append(f"removed behind '{self.settings.cut}': {', '.join(gone)}")
        transfer.freeze(self.base)
        self.base_end = last.layer.name
        self.put_on(self.heads[0])

    def put_on(self, head):
        """Put the new layers on the base: those of a `head_choice.Head`, or those that read the words one by one."""
        if not self.kind.reads_steps:
            super().put_on(head)
            return
        self.head = bases.reading_head(len(self.folder.class_names))
        self.model = transfer.replace_head(self.base, self.head)

    def run_frozen_part(self):
        """Run the base once over every text, and keep the mean vectors behind each of its layers, up to the cut.

        `x` and `x_val` are those at the cut, and `part` is the head. Where new layers read the words, `x` are the
        tokens, and `part` is the whole model.
        """
        self.part, self.pooled, self.x, self.x_val = self.model, None, self.tokens, self.tokens_val
        if self.kind.reads_steps:
            return
        settings = self.settings
        graphs = list(pooled_ends(self.model, self.ends, self.mask, settings.cut).values())
        about = {"base": settings.base, "folder": str(self.folder.path)}
        kept = [
            kept_together(
                graphs if settings.keep_features else graphs[-1:], source, settings.keep_features, about=about
            )
            for source in (self.tokens, self.tokens_val)
        ]
        self.x, self.x_val = (rows[-1] for rows in kept)
        self.pooled = tuple(rows.read(slice(None)) for rows in (self.x, self.x_val))
        self.part = self.model.part(self.model.output_of(self.base_end), self.model.output)

    def examples_for_choice(self):
        """Return (groups (N,), the word for the examples) of the choice of a head: copies of a text are left out
        together."""
        return np.unique(self.tokens.keys, return_inverse=True)[1], NOUN

    def choose_head(self):
        """Choose a head by cross-validation, and put it on. Layers that read the words one by one are not chosen."""
        if self.kind.reads_steps:
            self.choice = HeadChoice(self.heads[0], [], reason="new layers read the words one by one")
        else:
            super().choose_head()

    # ---- the training ----

    def check_settings(self):
        """Make the optimizers, callbacks and loss once, so that a wrong setting is refused now, not after an hour."""
        super().check_settings()
        if self.kind.reads_steps:
            self.heads = self.heads[:1]

    def optimizer(self, name, learning_rate, steps, warm_up=0, rate_factors=None):
        """Return the optimizer of a stage: SGD for a head, and Adam for layers that read tokens. Adam's steps are as
        large in the first layers as in the last ones; its weights decay, but not biases and norms (Devlin 2018)."""
        if name == "head" and not self.kind.reads_steps:
            return super().optimizer(name, learning_rate, steps, warm_up, rate_factors)
        settings = self.settings
        settings = replace(
            settings,
            weight_decay=DECAY if settings.weight_decay is None else settings.weight_decay,
            clip_norm=CLIP if settings.clip_norm is None else settings.clip_norm,
        )
        return stage.optimizer(settings, learning_rate, steps, warm_up, rate_factors, adam=True, undecayed=UNDECAYED)

    def unfreeze_blocks(self):
        """Unfreeze the layers that learn, and keep what they are given."""
        end, rest = self.unfreeze_layers()
        self.part, self.x, self.x_val = self.model, self.tokens, self.tokens_val
        if end is not None:
            self._keep_states(end, rest)

    def unfreeze_layers(self):
        """Unfreeze the last layers and the head, but no BatchNormalization. Returns (the end before them or None, the
        model from there on)."""
        end = self.parts[self.settings.unfreeze]
        rest = self.model if end is None else self.model.part([self.ends[end], self.mask], self.model.output)
        for layer in rest.layers:
            layer.trainable = not layer.statistic_names
        return end, rest

    def _keep_states(self, end, rest):
        """Run the base up to `end` once over all texts, and keep the vectors of all tokens there: from then on, `part`
        is `rest`. Where there is no room for them, the whole model stays."""
        beginning = Model(self.model.input, self.ends[end])
        size = sum(StateRows.bytes_for(beginning, each) for each in (self.tokens, self.tokens_val))
        if size > MOST_KEPT_BYTES:
            print(f"There is no room to keep {size / 1e9:.0f} GB of vectors: the whole base runs in each epoch.")
            return
        self.part = rest
        for name, source in ("x", self.tokens), ("x_val", self.tokens_val):
            states = StateRows(beginning, source, self.settings.batch_size, f"Up to {end}")
            setattr(self, name, (states, source.mask))

    def evaluation(self):
        """Return the `TextEvaluation` on the texts that were held back."""
        names = [text.source for text in self.folder.val]
        x = self.x_val if self.pooled is None else self.pooled[1]
        model = self.part if self.pooled is None else Model(self.model.output_of(self.base_end), self.model.output)
        probabilities = model.predict(x, verbose=0)  # its bar is shown within a recipe
        texts = [text.text for text in self.folder.val]
        return TextEvaluation(self.y_val, probabilities, self.folder.class_names, names, texts)


def pooled_ends(model, ends, mask, until=None):
    """Return {end: a model whose output is the mean vector of a text behind this end}, up to `until`.

    model   one that begins with the base;   ends, mask   as in `bases.Base`
    """
    names = list(ends)
    names = names if until is None else names[: names.index(until) + 1]
    pooled = {name: bases.pooled(ends[name], mask, f"{name}_pooled") for name in names}
    return {name: Model(model.input, tensor, name=model.name) for name, tensor in pooled.items()}
