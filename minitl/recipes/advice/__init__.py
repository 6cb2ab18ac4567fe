"""Before fine-tuning: where to cut, what to unfreeze, and what it will cost.

    advising  the whole: `advise_photographs`, `advise_clothing`, and the `Advice` that they return
    subjects  what there is to advise on: a folder of photographs, the bundled pictures
    judging   one look at the pictures gives the features of every cut; which of them suit the task?
    scores    LogME, H-score, LEEP: what the literature has to say of features without training
    costs     a few batches through each block, timed and weighed on this machine
    plans     what could be done, how long each would take, and which to choose
    words     the advice as text and as data
    backtest  every plan carried out, and what was said compared with what came;  carry_out: one plan, in a process

Read in this order.
"""

from .advising import Advice, advise_clothing, advise_photographs
from .costs import Block, measure_blocks
from .judging import CutScores, Ranking, features_at, judge, rank, split_by_cut
from .plans import Plan, choose
from .scores import h_score, leep, logme

__all__ = [
    "Advice",
    "Block",
    "CutScores",
    "Plan",
    "Ranking",
    "advise_clothing",
    "advise_photographs",
    "choose",
    "features_at",
    "h_score",
    "judge",
    "leep",
    "logme",
    "measure_blocks",
    "rank",
    "split_by_cut",
]
