"""Print the table of results by file: `python -m tests.peers.keras_tests [WORD ...]`, of files with a WORD in the path.

With `-v`, also each case that does not pass, with its error.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"  # Keras reads it once, when it is imported


def main():
    from . import files, running

    words = [word for word in sys.argv[1:] if word != "-v"] or [""]
    cases = [case for path in files.FILES if any(word in path for word in words) for case in running.run_file(path)]
    if "-v" in sys.argv:
        for case in cases:
            if case.result != running.PASS:
                print(f"{case.result}\t{case.full_name}\t{case.error[:300]!r}", file=sys.stderr)
    print(running.table(cases))
    print(running.shares(cases))


if __name__ == "__main__":
    main()
