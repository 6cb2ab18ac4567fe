"""Features: the output of a frozen beginning, which runs only once for each example (`one_pass`).

It is kept in memory for one training (`prefix`), or on the disk for the next run (`on_disk`, in a `store`). `cache`
lists and removes what is on the disk.
"""

from .one_pass import all_outputs, outputs
from .prefix import KeptFeatures, frozen_prefix, split

__all__ = ["KeptFeatures", "all_outputs", "frozen_prefix", "outputs", "split"]
