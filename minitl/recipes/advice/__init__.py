"""Before fine-tuning: where to cut, what to unfreeze, and what it will cost.

    judging   one look at the pictures gives the features of every cut; which of them suit the task?
    scores    LogME, H-score, LEEP: what the literature has to say of features without training
    costs     a few batches through each block, timed and weighed on this machine
    plans     what could be done, how long each would take, and which to choose

`minitl advise` puts them together. Read in this order.
"""

from .costs import Block, measure_blocks
from .judging import CutScores, Ranking, apart, features_at, judge, rank
from .plans import Plan, choose
from .scores import h_score, leep, logme

__all__ = [
    "Block",
    "CutScores",
    "Plan",
    "Ranking",
    "apart",
    "choose",
    "features_at",
    "h_score",
    "judge",
    "leep",
    "logme",
    "measure_blocks",
    "rank",
]
