"""Run a frozen beginning once (`one_pass`): kept in memory for one `fit` (`prefix`), kept on disk for the next run
(`on_disk`, in a `store`)."""

from .prefix import fit, frozen_prefix, split

__all__ = ["fit", "frozen_prefix", "split"]
