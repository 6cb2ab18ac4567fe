"""The parser of the command line. An error is one line that names what is wrong and what is nearest to it."""

import argparse
import sys

from ..arguments import nearest
from ..terminal import columns, wrapped

MOST_NAMED = 8  # choices that are named where none is near


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors come first and are short, with exit status 2 as before. Options are written out:
    an abbreviation would mean something else as soon as there is another option."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, allow_abbrev=False, **options)

    def error(self, message):
        """Print the error and where the help is, and exit with 2."""
        line = "".join(c if c.isprintable() else "?" for c in f"minitl: {message}")
        print(wrapped(line, "  "), file=sys.stderr)
        print(f"usage: {self.prog} --help shows what there is.", file=sys.stderr)
        self.exit(2)

    def _check_value(self, action, value):
        """Raise ArgumentError unless a value is one of an option's choices."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        if isinstance(action, argparse._SubParsersAction):
            raise argparse.ArgumentError(None, f"there is no '{value}'{did_you_mean(value, choices)}")
        raise argparse.ArgumentError(action, f"there is no {value!r}{did_you_mean(value, choices)}")

    def parse_args(self, args=None, namespace=None):
        """Return the options. An option that is unknown is an error of the command that it was given to."""
        arguments = sys.argv[1:] if args is None else list(args)
        options, unknown = self.parse_known_args(arguments, namespace)
        if unknown:
            parser, first = self._parser_of(arguments), unknown[0]
            known = [name for action in parser._actions for name in action.option_strings]
            what = f"there is no {first.partition('=')[0]}"
            if not first.startswith("-"):
                parser.error(f"'{first}' is one argument too many")
            parser.error(f"{what}{did_you_mean(first.partition('=')[0], known, name_some=False)}")
        return options

    def _parser_of(self, arguments):
        """Return the parser of the command that is named in the arguments."""
        parser = self
        for word in arguments:
            for action in parser._actions:
                if isinstance(action, argparse._SubParsersAction) and word in action.choices:
                    parser = action.choices[word]
                    break
        return parser


def did_you_mean(word, known, name_some=True):
    """Return `: did you mean A, or B?` with the names that are nearest to a word, or else `; expected one of ...`."""
    near = nearest(word, known)
    if near:
        return f": did you mean {', or '.join(near)}?"
    if not name_some or not known:
        return ""
    shown = [*known[:MOST_NAMED], *["..."] * (len(known) > MOST_NAMED)]
    return f"; expected one of {', '.join(shown)}"


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """The usual help, as wide as the terminal."""

    def __init__(self, prog):
        super().__init__(prog, width=min(columns(), 100) - 2)
