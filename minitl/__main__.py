"""The command `minitl`, started as `python -m minitl`."""

import sys

from .cli import main

sys.exit(main())
