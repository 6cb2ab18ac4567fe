"""Run a frozen beginning once: kept in memory for one training (`prefix`), kept on disk for the next run (`on_disk`)."""

from .prefix import KeptFeatures, frozen_prefix, outputs_of, split

__all__ = ["KeptFeatures", "frozen_prefix", "outputs_of", "split"]
