"""Let a language model write.

minitl write model.h5                                  a model of your own
minitl write model.h5 "ROMEO:" --temperature 0.8       go on from a beginning
minitl write stories260K.bin "Once upon a time"        a file of llama2.c

The text is printed as it is written. With --temperature 0 it is the most
likely one, the same every time; above 0 it is drawn, and 1 draws with the
model's own probabilities. `minitl language` trains a model on a text.

A file of llama2.c needs its tokenizer: tok512.bin (for 512 tokens) or
tokenizer.bin beside it, or --tokenizer.
"""

import time

from ..files.results import write_json
from ..files.writable import check_writable
from ..recipes.language import load, write_each
from ..terminal import printable

HELP = "let a language model write"


def add_arguments(parser):
    """Add the arguments of the command."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a file from `minitl language --save`, or a .bin file of llama2.c")
    add("prompt", metavar="PROMPT", nargs="?", default="", help="the beginning of the text (default: none)")
    add("--tokens", type=int, default=200, metavar="N", help="write so many tokens at most (default: %(default)s)")
    add("--temperature", type=float, default=0.0, metavar="X", help="draw the tokens (default: 0, the most likely one)")
    add("--top-p", type=float, default=1.0, metavar="P", help="draw among the likely ones, P in all (default: 1)")
    add("--seed", type=int, default=0, help="set the seed of the draws (default: %(default)s)")
    add("--tokenizer", metavar="FILE", help="read the tokenizer of a .bin file from this file")


def run(options):
    """Run the command."""
    check_writable(options.json)
    model, tokenizer = load(options.model, options.tokenizer)
    start, pieces = time.perf_counter(), []
    limits = options.tokens, options.temperature, options.top_p, options.seed
    for piece in write_each(model, tokenizer, options.prompt, *limits):
        pieces.append(piece)
        print(printable(piece), end="", flush=True)
    print()
    seconds, text = time.perf_counter() - start, "".join(pieces)
    write_json(options.json, {"prompt": options.prompt, "text": text, "seconds": seconds})
