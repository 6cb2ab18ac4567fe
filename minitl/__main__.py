"""`python -m minitl` is the command `minitl`."""

import sys

from .cli import main

sys.exit(main())
