"""Recovery: a training that was interrupted continues from a checkpoint.

Reading order: `backup` (what a training depends on), `conditions` (what must not change in between), `checkpoints` (how
there is always an undamaged one on the disk).
"""
