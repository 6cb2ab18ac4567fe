"""Twenty mistakes that people make in transfer learning: what one sees, why, and what to do. Each is run, wrong and
mended, on the bundled pictures.

minitl mistakes                            the list
minitl mistakes softmax-twice              one of them
minitl mistakes --symptom "loss stuck"     which ones to suspect when one sees this
minitl mistakes --all                      all of them, in a table (some seconds)
"""

from ..course.mistakes import showing
from ..files.results import check_writable, write_json

HELP = "twenty classic mistakes: symptom, diagnosis, mend, run wrong and mended"


def add_arguments(parser):
    what = parser.add_mutually_exclusive_group()
    what.add_argument("name", metavar="NAME", nargs="?", help="one of the list")
    what.add_argument("--all", action="store_true", help="run all of them")
    what.add_argument("--symptom", metavar="WORDS", help="what you see: lists the mistakes that look like this")


def run(options):
    check_writable(options.json)
    if options.name is not None:
        results = showing.show(showing.mistake_called(options.name))
    elif options.all:
        results = showing.show_all()
    elif options.symptom is not None:
        results = showing.show_list(showing.suspects(options.symptom))
        print("\nminitl mistakes NAME shows one of them.")
    else:
        results = showing.show_list()
        print("\nminitl mistakes NAME shows one; minitl mistakes --symptom WORDS goes by what you see.")
    write_json(options.json, results)
