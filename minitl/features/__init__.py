"""Run a frozen beginning once: kept in memory for one `fit` (`prefix`), kept on disk for the next run (`on_disk`)."""

from .prefix import fit, frozen_prefix, split

__all__ = ["fit", "frozen_prefix", "split"]
