"""Pixels: a folder of photographs with masks becomes a model that says the class of each pixel, and how right it is.

    job         the whole job: `finetune_segmentation`;   settings   its options
    showing     how a photograph is shown to the network: scale, frame, border;   tiles   large images in parts
    prediction  a saved model on photographs of any size, and on a folder to measure it
    evaluation  pixel accuracy and IoU, with intervals, and the worst images
    written     masks, overlays and a COCO file of predictions
    report      the page of `--report`

Read in this order. `applications.fcn` and `applications.unet` are the networks, `recipes.places` has the steps that
this job shares with the one for boxes.
"""

from .evaluation import PixelEvaluation
from .job import FinetunedSegmentation, finetune_segmentation
from .prediction import Segmenter, evaluate_segmentation, segment, segment_each
from .settings import SegmentationSettings
from .written import SegmentedLines, segment_into

__all__ = [
    "FinetunedSegmentation",
    "PixelEvaluation",
    "SegmentationSettings",
    "SegmentedLines",
    "Segmenter",
    "evaluate_segmentation",
    "finetune_segmentation",
    "segment",
    "segment_each",
    "segment_into",
]
