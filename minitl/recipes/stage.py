"""One stage of a fine-tuning: its optimizer and its callbacks, from the settings of the job.

Who calls this: `two_stages` (photographs and texts by class) and `places` (pixels and boxes). Their settings have
the same names for the same things.
"""

from ..optimizers import SGD, Adam
from ..training import BackupAndRestore, EarlyStopping, LearningRateHistory, ReduceLROnPlateau
from .epoch_lines import EpochLines
from .schedules import learning_rate_schedule

MOMENTUM = 0.9  # of SGD


def optimizer(settings, learning_rate, steps, warm_up=0, rate_factors=None, adam=False, undecayed=()):
    """Return the optimizer of a stage with so many steps.

    warm_up        steps in which the rate rises from 0
    rate_factors   {layer: what its learning rate is multiplied by}, or None
    adam           True: Adam; False: SGD with a momentum of `MOMENTUM`
    undecayed      words in the names of parameters that do not decay
    """
    rate = learning_rate_schedule(settings.schedule, learning_rate, steps, warm_up)
    options = {
        "weight_decay": settings.weight_decay or None,
        "l2_sp": settings.l2_sp or None,
        "global_clipnorm": settings.clip_norm,
        "rate_factors": rate_factors,
    }
    made = Adam(rate, **options) if adam else SGD(rate, momentum=MOMENTUM, **options)
    made.exclude_from_weight_decay(var_names=undecayed)
    return made


def callbacks(settings, runs, name, epochs, conditions):
    """Return (the callbacks of a stage, its `LearningRateHistory`).

    runs         the `RunFolder` for its checkpoints;   name   the stage's name there
    conditions   the names of settings that must be the same when a stopped run goes on, beside those that the
                 checkpoint knows itself
    """
    found = []
    if settings.patience is not None:
        found.append(EarlyStopping(patience=settings.patience, restore_best_weights=True, verbose=1))
    if settings.schedule == "plateau":
        found.append(ReduceLROnPlateau(factor=0.3, patience=2, verbose=1))
    backup = BackupAndRestore(
        runs.stage(name),
        save_freq=1,
        seconds_between=10,
        delete_checkpoint=False,
        despite_changes=settings.despite_changes,
        conditions={f"--{each}": getattr(settings, each) for each in conditions},
    )
    rates = LearningRateHistory()
    return [*found, EpochLines(epochs), rates, backup], rates
