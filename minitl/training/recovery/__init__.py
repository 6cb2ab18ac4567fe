"""Never lose work. Reading order: `backup` (what a training depends on), `checkpoints` (always a whole one on disk)."""
