"""Train a small language model on a text of your own.

minitl language shakespeare.txt --save model.h5
minitl language shakespeare.txt --save model.h5 --resume
minitl language shakespeare.txt --epochs 5 --save model.h5      a quick one
minitl write model.h5 "ROMEO:" --temperature 0.8

The model learns to predict each next character of the text, a file in UTF-8
of some hundred thousand characters or more. The last tenth is held back, to
measure on. After a stop or a crash, --resume goes on. The network is a decoder
in Llama's form: see applications/decoder.py and recipes/language/.
"""

from dataclasses import fields

from ..interruption import Interrupted
from ..recipes.language import LanguageSettings, train_language_model
from ..recipes.run_folder import RunFolder
from .finetune import say_how_to_go_on

HELP = "train a small language model on a text"
DEFAULTS = LanguageSettings()


def add_arguments(parser):
    """Add the arguments of the command. Each option has the name of a setting, and sets it."""
    parser.add_argument("text", metavar="TEXT", help="a file of text, in UTF-8")

    def add(option, text, kind=int, **more):
        name = more.pop("dest", option[2:].replace("-", "_"))
        default = getattr(DEFAULTS, name)
        shown = "" if default is None else f" (default: {default:g})"
        parser.add_argument(option, dest=name, type=kind, metavar="N", help=text + shown)

    add("--epochs", "go through the text so often")
    add("--length", "let the model see so many characters")
    add("--width", "give each character so many numbers")
    add("--layers", "put so many blocks on each other")
    add("--heads", "give each block so many heads of attention")
    add("--key-value-heads", "let them share so many heads of keys and values (default: 4, or fewer)")
    add("--hidden", "set the units of the feed-forward parts (default: 8/3 of --width)")
    add("--batch-size", "train on so many windows at a time")
    add("--learning-rate", "set the highest learning rate", float)
    add("--weight-decay", "set the weight decay", float)
    add("--validation", "hold back this share of the text, at its end", float)
    add("--seed", "set the seed of all random numbers")
    add = parser.add_argument
    add("--save", metavar="FILE", help="write the trained model to this file, for `minitl write`")
    add("--run", dest="run_folder", metavar="DIR", help="keep checkpoints here (default: in $MINITL_HOME/runs)")
    add("--resume", action="store_true", help="go on with the run that was stopped")
    add("--despite-changes", action="store_true", help="with --resume: even if text, code or machine have changed")


def run(options):
    """Run the command."""
    given = {field.name: getattr(options, field.name, None) for field in fields(LanguageSettings)}
    settings = LanguageSettings(**{name: value for name, value in given.items() if value is not None})
    try:
        train_language_model(options.text, settings)
    except Interrupted:
        say_how_to_go_on(RunFolder(options.text, settings.run_folder).is_unfinished())
        raise
