"""The command line. Each command is one file, which parses its options, calls one function and prints the result.

`finetune` is the main job, and a tour of the library.
"""

import sys
import warnings

from .. import starting
from ..errors import MinitlError, MistakeWarning, WeightsWarning
from ..interruption import StoppedAtOnce
from ..progress import watched
from ..terminal import wrapped
from ..version import __version__
from . import (
    advise,
    bench,
    cache,
    doctor,
    evaluate,
    exercises,
    explain,
    finetune,
    language,
    mistakes,
    predict,
    pretrain,
    report,
    search,
    serve,
    study,
    summary,
    weights,
    write,
)
from .parser import HelpFormatter, Parser

COMMANDS = {
    "finetune": finetune,
    "predict": predict,
    "evaluate": evaluate,
    "language": language,
    "write": write,
    "summary": summary,
    "advise": advise,
    "search": search,
    "serve": serve,
    "report": report,
    "explain": explain,
    "study": study,
    "pretrain": pretrain,
    "mistakes": mistakes,
    "exercises": exercises,
    "weights": weights,
    "cache": cache,
    "bench": bench,
    "doctor": doctor,
}


def main(arguments=None):
    """Run one command. Returns the exit status: 0, or 1 after an error, which is printed; argparse exits with 2."""
    starting.end()
    for stream in sys.stdout, sys.stderr:  # file names may hold letters that the terminal's encoding does not have
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = build_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings(), watched():
            warnings.showwarning = show_warning
            options.run(options)
    except MinitlError as error:
        line = "".join(c if c.isprintable() else "?" for c in " ".join(error.for_command_line().split()))
        line = (
            f"minitl: {line}"  # one line, even for an error of several lines; a terminal gets it without broken words
        )
        print(wrapped(line, "  ") if sys.stderr.isatty() else line, file=sys.stderr)
        return 1
    except StoppedAtOnce as stopped:  # it has printed what is kept
        return stopped.exit_status
    except KeyboardInterrupt:
        print("minitl: interrupted; nothing was saved.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has ended, as in `minitl summary | head`
        sys.stderr.close()
        return 0
    return 0


def show_warning(message, category, filename, lineno, file=None, line=None):
    """Print a warning of a mistake or of weights in one line, like an error, and any other warning as Python does."""
    if issubclass(category, (MistakeWarning, WeightsWarning)):
        print(f"minitl: warning: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr)


def build_parser():
    """Return the parser of all commands."""
    about = "Transfer learning in plain NumPy, written to be read."
    parser = Parser(prog="minitl", description=about, formatter_class=HelpFormatter)
    parser.add_argument("--version", action="version", version=f"minitl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=HelpFormatter,
        )
        module.add_arguments(command)
        command.add_argument("--json", metavar="FILE", help="write the results to this file as JSON")
        command.set_defaults(run=module.run)
    return parser
