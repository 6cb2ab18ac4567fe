"""Advice before fine-tuning: where to cut, what to unfreeze, and what it will cost.

    advising  the whole advice: `advise_photographs`, `advise_clothing`, and the `Advice` that they return
    subjects  the data to advise on: a folder of photographs, or the bundled images
    judging   the features of every cut, in one pass over the images, and how well they suit the task
    scores    LogME, H-score and LEEP: scores of features without training, from the literature
    costs     time and memory of a few batches through each block, on this machine
    plans     the possible plans, the time and memory of each, and the choice among them
    words     the advice as text and as data
    bases     the same for every pre-trained network that is here: `advise_bases`
    backtest  carries out every plan and compares predictions with results;  carry_out   one plan, in a process

Read in this order.
"""

from .advising import Advice, advise_clothing, advise_photographs
from .bases import BasesAdvice, advise_bases
from .costs import Block, measure_blocks
from .judging import CutScores, Ranking, features_at, judge, rank, split_by_cut
from .plans import Plan, choose
from .scores import h_score, leep, logme

__all__ = [
    "Advice",
    "BasesAdvice",
    "Block",
    "CutScores",
    "Plan",
    "Ranking",
    "advise_bases",
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
