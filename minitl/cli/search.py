"""Search texts by meaning: no word of the query need be in what is found.

minitl search reviews.csv "a film that made me cry"
minitl search notes/ "how do I renew my passport" --top 10
minitl search reviews.csv "dull" --text review --json found.json

TEXTS is a table (.csv, .tsv, .jsonl: each row is a text), any other text file
(each line is one), or a folder of such files. Every text goes once through a
pre-trained base; its vector is kept, so that the next search is quick. The
score is 1 for the same meaning, and about 0 for nothing in common.
"""

from ..files.results import write_json
from ..files.writable import check_writable
from ..recipes.texts.search import FOR_SEARCH, TOP, search_texts
from ..terminal import columns, printable, shortened, wrapped

HELP = "find the texts that are nearest in meaning to a query"
MOST_LINES, INDENT = 4, " " * 7  # of a text that is found


def add_arguments(parser):
    """Add the arguments of the command."""
    add = parser.add_argument
    add("texts", metavar="TEXTS", help="a file or a folder of texts")
    add("query", metavar="QUERY", help="what is searched for, in quotes")
    add("--top", type=int, default=TOP, metavar="K", help="name the K nearest texts (default: %(default)s)")
    add(
        "--base",
        choices=FOR_SEARCH,
        help="choose what texts are read with (default: minilm where its weights are here, otherwise glove)",
    )
    add("--text", metavar="COLUMN", help="name the column with the texts (default: text)")
    add("--encoding", metavar="NAME", help="name the encoding of the files, as latin-1 (default: UTF-8)")
    add("--no-cache", action="store_true", help="do not keep the vectors for the next search")


def run(options):
    """Run the command."""
    check_writable(options.json)
    found = search_texts(
        options.texts, options.query, options.top, options.base, options.text, options.encoding, not options.no_cache
    )
    for each in found:
        text = shortened(" ".join(printable(each["text"]).split()), MOST_LINES * (columns() - 8))
        print(f"\n{each['score']:.3f}  {printable(each['source'])}\n{wrapped(INDENT + text, INDENT)}")
    write_json(options.json, found)
