"""Write the steps of a network yourself: exercises that say why you are wrong.

minitl exercises                     list them, and how far you are
minitl exercises start softmax       write softmax.py: one function to write
minitl exercises check softmax       check it; without a name: all begun
minitl exercises check --watch       check again whenever a file is saved
minitl exercises hint softmax        the next of three hints
minitl exercises solution softmax    the engine's own lines

All is kept in the current folder: NAME.py, and exercises.json (how far you
are). `--of FILE` takes the exercises of a teacher's own Python file.
"""

import argparse

from ..course.exercises import exercise_called, showing
from ..course.exercises.listing import exercises_of
from ..errors import AnswerError
from ..files.results import write_json
from ..files.writable import check_writable

HELP = "write the steps of a network yourself; checks say why"


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("--of", metavar="FILE", help="take the exercises of this Python file")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("start", help="write the file of an exercise into the current folder")
    check = actions.add_parser("check", help="check an answer, or all that were begun")
    actions.add_parser("hint", help="show the next hint")
    actions.add_parser("solution", help="show the engine's own lines")
    for name, action in actions.choices.items():
        action.add_argument("name", metavar="NAME", nargs="?" if name == "check" else None)
        action.add_argument("--of", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        action.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    check.add_argument("--watch", action="store_true", help="check again whenever the file is saved, until it is right")
    check.add_argument("--seconds", type=float, default=showing.SECONDS, help="time limit of an answer (default: 5)")


def run(options):
    """Run the command."""
    check_writable(options.json)
    if options.action is None:
        write_json(options.json, {"exercises": showing.show_list(of=options.of)})
        print("minitl exercises start NAME begins one.")
        return
    if options.action == "check":
        results = checked(options)
        write_json(options.json, {"exercises": results})
        wrong = [result["name"] for result in results if not result["passed"]]
        if wrong and not options.watch:
            raise AnswerError(f"not right yet: {', '.join(wrong)}. The text above says why.")
        return
    exercise = exercise_called(options.name, options.of)
    if options.action == "start":
        result = showing.show_start(exercise, of=options.of)
    elif options.action == "hint":
        result = showing.show_hints(exercise)
    else:
        result = showing.show_solution(exercise)
    write_json(options.json, {"exercises": [result]})


def checked(options):
    """Check what the options name, and return the verdicts as data."""
    names = [exercise.name for exercise in exercises_of(options.of)]
    if options.name is not None:
        names = [exercise_called(options.name, options.of).name]
    if options.watch:
        return showing.watch(names, seconds=options.seconds, of=options.of)
    if options.name is not None:
        return [showing.show_check(exercise_called(names[0], options.of), seconds=options.seconds, of=options.of)]
    return showing.show_checks(seconds=options.seconds, of=options.of)
