"""Show twenty mistakes of transfer learning: symptom, diagnosis and repair.

minitl mistakes                            list them
minitl mistakes softmax-twice              show one of them
minitl mistakes --symptom "loss stuck"     list those that look like this
minitl mistakes --all                      run all, in a table (some seconds)

Each mistake is run twice on the bundled images: wrong, and mended.
"""

from ..course.mistakes import showing
from ..files.results import write_json
from ..files.writable import check_writable

HELP = "show twenty classic mistakes: symptom, diagnosis, repair"


def add_arguments(parser):
    """Add the arguments of the command."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("name", metavar="NAME", nargs="?", help="show this mistake of the list")
    choice.add_argument("--all", action="store_true", help="run all mistakes")
    choice.add_argument("--symptom", metavar="WORDS", help="list the mistakes that look like this")


def run(options):
    """Run the command."""
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
        print("\nminitl mistakes NAME shows one of them.")
        print("minitl mistakes --symptom WORDS lists those that look like what you see.")
    write_json(options.json, results)
