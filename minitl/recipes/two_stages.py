"""The stages of a fine-tuning: the head learns first, and then, if asked for, the last layers of the base with it.

`TwoStages` has a method for each step that is the same for all kinds of examples. `photograph_stages` and
`texts.stages` have the others. `photographs.finetune_photographs` and `texts.job.finetune_texts` call them in order.
"""

from dataclasses import replace

from .. import transfer
from ..data.balanced import balanced
from ..data.labels import balanced_weights, to_categorical
from ..losses import CategoricalCrossentropy
from ..models import Model
from ..optimizers import SGD
from ..progress import Progress
from ..randomness import set_random_seed
from ..terminal import counted
from ..training import range_test, ridge_head
from . import stage
from .head_choice import MOST_EPOCHS, HeadChoice, candidates, choose_head, fit_temperature
from .head_training import divide_scores
from .heads import before_normalization, learning_layers, without_a_batch_of_one
from .heads_together import left_out


class TwoStages:
    """One fine-tuning, step by step. `photograph_stages` and `texts.stages` have the subclasses.

    settings        settled settings;   runs   the `RunFolder` for its checkpoints
    folder          the examples as `data` has found them: it has the attributes path, class_names and skipped
    heads           the `head_choice.Head`s that may be chosen;   choice   a `HeadChoice`, with the one that is
    base, head, model           the pre-trained network, the new layers, and both together
    base_end        the name of the last layer of the base;   parts   {part that can learn: the layer before it}
    x, x_val, y, y_val          the outputs of the model's frozen part for the examples, and the labels
    part            the rest of the model, whose input is x
    pooled          (features, features for validation) at the end of the base; None where they are not kept
    learned, learning_rates     of each stage: the number of parameters that learned, a LearningRateHistory

    A subclass sets `parts`, and defines steps that find the examples, `build`, `run_frozen_part`,
    `examples_for_choice` and `evaluation`.
    """

    has_figures = False  # whether its report has PNG files, which need matplotlib
    conditions = ("seed", "start", "patience")  # settings that must be the same when a stopped run goes on
    frozen_once = True  # as in `fit`

    def __init__(self, settings, runs):
        self.settings, self.runs = settings, runs
        self.learned, self.learning_rates = {}, {}
        self.check_settings()
        set_random_seed(settings.seed)

    # ---- what a subclass writes ----

    def build(self):
        """Take steps 1 to 5 of transfer learning: load the base, cut it, and put a new head on."""
        raise NotImplementedError

    def run_frozen_part(self):
        """Run the layers that stay frozen once over every example, and keep their outputs, `x` and `x_val`."""
        raise NotImplementedError

    def examples_for_choice(self):
        """Return (groups (N,), the word for the examples) of the choice of a head: examples of one group, such as
        copies, are left out together."""
        raise NotImplementedError

    def evaluation(self):
        """Return the `Evaluation` on the examples that were held back."""
        raise NotImplementedError

    # ---- the steps ----

    def check_settings(self):
        """Make the optimizers, callbacks and loss once, so that a wrong setting is refused now, not after an hour."""
        settings = self.settings
        self.heads = candidates(
            None if settings.head == "auto" else settings.head, settings.learning_rate, settings.label_smoothing
        )
        for name, rate in (
            ("head", self.heads[0].learning_rate),
            *[("blocks", settings.tune_rate)] * self.has_second_stage,
        ):
            factors = {"*": settings.head_factor}
            self.optimizer(name, rate, steps=10, warm_up=round(settings.warm_up), rate_factors=factors)
        self.callbacks("head", 1)
        CategoricalCrossentropy(label_smoothing=self.heads[0].label_smoothing)

    def put_on(self, head):
        """Put the new layers of a `head_choice.Head` on the base."""
        self.head = learning_layers(len(self.folder.class_names), head.rows == "unit")
        self.model = transfer.replace_head(self.base, self.head)

    @property
    def has_second_stage(self):
        """Return whether blocks of the base learn as well, in a second stage."""
        return self.settings.unfreeze != "none"

    def choose_head(self):
        """Choose a head by cross-validation on the examples to learn from, and put it on.

        Where no features are kept, every candidate would need its own run over the examples: the first is taken.
        """
        settings = self.settings
        if self.pooled is None:
            self.choice = HeadChoice(self.heads[0], [], reason="nothing is chosen where no features are kept")
        else:
            groups, noun = self.examples_for_choice()
            self.choice = choose_head(
                self.heads, self.predict_left_out, self.pooled[0], self.y, groups, settings.seed, noun
            )
        print(f"\n{self.choice}", flush=True)
        chosen = self.choice.head
        self.settings = replace(
            settings, head=chosen.rows, learning_rate=chosen.learning_rate, label_smoothing=chosen.label_smoothing
        )
        if chosen != self.heads[0]:
            self.put_on(chosen)
            if self.pooled is not None:
                self.part = self.model.part(self.part.input, self.model.output, f"{self.model.name}, trained")
        set_random_seed(settings.seed)  # the choice leaves no trace: the same head, asked for, gives the same numbers

    def predict_left_out(self, heads, x, y, fold):
        """Return {head: probabilities (N, classes)} of the cross-validation among `heads`, each trained as stage 1
        trains it, for `MOST_EPOCHS` at most.

        x   features (N, D);   y   labels (N,);   fold   (N,)

        More epochs are not needed to choose, and fifteen long trainings would take longer than all the rest.
        """
        settings, classes = self.settings, len(self.folder.class_names)
        return left_out(settings, heads, x, y, classes, fold, min(settings.epochs, MOST_EPOCHS))

    def ridge(self, head, x, y):
        """Return the ridge head of features (N, D) as they reach the normalization of `head`."""
        return ridge_head(before_normalization(head, x), y, len(self.folder.class_names))

    def fit_ridge(self):
        """Compute a head in closed form, as a baseline. Returns its accuracy, or None without kept features.

        With `start` = "ridge", the head begins with its values.
        """
        if self.pooled is None:
            return None
        (x, x_val), head = self.pooled, self.head
        with Progress("Ridge regression"):
            ridge = self.ridge(head, x, self.y)
        x_val = before_normalization(head, x_val)
        accuracy = float((ridge.predict(x_val).argmax(axis=1) == self.y_val).mean())
        print(f"\nFor comparison, a head in closed form (ridge regression): {accuracy:.3f}", flush=True)
        if self.settings.start == "ridge":
            ridge.put_into(*head[-2:])
        return accuracy

    def find_rate(self):
        """Try learning rates for the head. Returns a `training.RangeTest`."""
        self.freeze_base()
        self.compile(self.part, SGD(self.settings.learning_rate, momentum=0.9))
        print("\nTraining the head, with one batch at each learning rate:")
        y = to_categorical(self.y, len(self.folder.class_names))
        return range_test(self.part, self.x, y, self.settings.batch_size)

    def train_head(self):
        """Train stage 1: the base is frozen, the head learns. Returns its `History`."""
        self.freeze_base()
        settings = self.settings
        self.runs.begin(settings.resume)
        print(f"\nStage 1: the head, {self.learning()}, {counted(settings.epochs, 'epoch')}.", flush=True)
        if self.pooled is None:
            return self.fit(self.part, self.x, self.x_val, "head", settings.epochs, settings.learning_rate)
        head = Model(self.model.output_of(self.base_end), self.model.output)
        return self.fit(head, *self.pooled, "head", settings.epochs, settings.learning_rate)

    def calibrate(self):
        """Divide the head's scores by the temperature of the choice: softmax((x @ kernel + bias) / T).

        A second stage trains another model than the one that the temperature was measured for: `calibrated_evaluation`
        calibrates it.
        """
        if not self.has_second_stage and self.choice.trials:
            self.divide_by(self.choice.temperature)

    def calibrated_evaluation(self):
        """Return the `Evaluation` on the examples that were held back, after a second stage with a temperature of its
        own.

        The examples to learn from cannot give this temperature, since the blocks have seen all of them. So those that
        were held back do, and the evaluation says so: of its figures, those of the calibration are then a little too
        good. One number was chosen, and it changes no prediction and no accuracy.
        """
        evaluation = self.evaluation()
        if not self.has_second_stage:
            return evaluation
        temperature, _ = fit_temperature(evaluation.probabilities, evaluation.labels)
        self.divide_by(temperature)
        evaluation = self.evaluation()
        evaluation.temperature = temperature
        return evaluation

    def divide_by(self, temperature):
        """Divide the head's scores by a temperature, and say so."""
        why = "so that probabilities fit how often they are right"
        print(f"Scores are divided by {temperature:.2f}, {why}.", flush=True)
        divide_scores(self.head[-1], temperature)

    def train_blocks(self):
        """Train stage 2: the last blocks learn with the head. Returns its `History`."""
        settings = self.settings
        self.unfreeze_blocks()
        epochs = counted(settings.tune_epochs, "epoch")
        print(f"\nStage 2: from {settings.unfreeze} on, {self.learning()}, {epochs}.", flush=True)
        factors, self.pooled = {"predictions": settings.head_factor}, None  # from now on the base changes
        return self.fit(self.part, self.x, self.x_val, "blocks", settings.tune_epochs, settings.tune_rate, factors)

    def unfreeze_blocks(self):
        """Make the last blocks ready to learn with the head."""
        self.unfreeze_layers()

    def unfreeze_layers(self):
        """Unfreeze the last blocks and the head, but no BatchNormalization, not even that of the head: the statistics
        of a few examples would change faster than the weights can follow."""
        transfer.unfreeze(self.model, after=self.parts[self.settings.unfreeze])
        for layer in self.model.layers:
            layer.trainable = layer.trainable and not layer.statistic_names

    def freeze_base(self):
        """Freeze all layers of the base."""
        transfer.freeze(self.model, until=self.base_end)

    def learning(self):
        """Return the number of parameters that learn, as text."""
        return f"{self.model.count_params(trainable_only=True):,} parameters learn"

    def compile(self, part, optimizer):
        """Compile a part of the model with the loss of both stages."""
        loss = CategoricalCrossentropy(label_smoothing=self.settings.label_smoothing)
        part.compile(optimizer, loss, metrics=["accuracy"])

    def optimizer(self, name, learning_rate, steps, warm_up=0, rate_factors=None):
        """Return the optimizer of the stage called `name` with so many steps: SGD."""
        return stage.optimizer(self.settings, learning_rate, steps, warm_up, rate_factors)

    def callbacks(self, name, epochs):
        """Return the callbacks of a stage."""
        made = stage.callbacks(self.settings, self.runs, name, epochs, self.conditions)
        callbacks, self.learning_rates[name] = made
        return callbacks

    def fit(self, part, x, x_val, name, epochs, learning_rate, rate_factors=None):
        """Train a part of the model on the outputs of the part before it. Returns the `History`."""
        settings, classes = self.settings, len(self.folder.class_names)
        batch_size = without_a_batch_of_one(settings.batch_size, len(self.y))
        steps_an_epoch = -(-len(self.y) // batch_size)
        warm_up = round(settings.warm_up * steps_an_epoch)
        self.compile(part, self.optimizer(name, learning_rate, epochs * steps_an_epoch, warm_up, rate_factors))
        self.learned[name] = self.model.count_params(trainable_only=True)
        return part.fit(
            balanced(x, self.y) if settings.balance else x,
            to_categorical(self.y, classes),
            batch_size,
            epochs,
            verbose=0,
            callbacks=self.callbacks(name, epochs),
            validation_data=(x_val, to_categorical(self.y_val, classes)),
            class_weight=balanced_weights(self.y, classes) if settings.class_weights else None,
            frozen_once=self.frozen_once,
        )
