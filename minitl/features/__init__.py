"""Run a frozen beginning once (`one_pass`): kept in memory for one training (`prefix`), kept on disk for the next run
(`on_disk`, in a `store`)."""

from .one_pass import all_outputs, outputs
from .prefix import KeptFeatures, frozen_prefix, split

__all__ = ["KeptFeatures", "all_outputs", "frozen_prefix", "outputs", "split"]
