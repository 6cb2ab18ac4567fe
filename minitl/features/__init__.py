"""Run a frozen beginning once (`one_pass`): kept in memory for one training (`prefix`), kept on disk for the next run
(`on_disk`, in a `store`)."""

from .prefix import KeptFeatures, frozen_prefix, outputs_of, split

__all__ = ["KeptFeatures", "frozen_prefix", "outputs_of", "split"]
