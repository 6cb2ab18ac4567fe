"""`python -m benchmarks` runs the command `minitl bench`."""

import sys

from minitl.cli import main

sys.exit(main(["bench", *sys.argv[1:]]))
