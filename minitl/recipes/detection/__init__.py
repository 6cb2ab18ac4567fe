"""Detection as a whole job: a folder of photographs with boxes becomes a measured detector.

    from minitl.recipes import detect, finetune_detection
    result = finetune_detection("cells/", save="cells.h5")
    print(result.evaluation)
    for found in detect("cells.h5", ["blood.jpg"]):
        print(found["file"], found["boxes"])

Read in this order:

    job             from the folder to the measured model; `places` has the steps that it shares with segmentation
    settings        the options
    prior_shapes    which boxes the network begins with;   targets   what it has to say about each of them
    decoding        from its outputs to boxes
    evaluation      how good these are
    prediction      boxes in other photographs;   written   the same as files: images with boxes on them, and JSON
    report          the sections of the page
"""

from .evaluation import BoxEvaluation
from .job import FinetunedDetection, finetune_detection
from .prediction import Detector, detect, detect_each, evaluate_detection
from .settings import DetectionSettings

__all__ = [
    "BoxEvaluation",
    "DetectionSettings",
    "Detector",
    "FinetunedDetection",
    "detect",
    "detect_each",
    "evaluate_detection",
    "finetune_detection",
]
