"""Write a page about a saved run.

minitl finetune photos/ --json results.json
minitl report results.json --out report        report/index.html
minitl report run/ --out report                the curves of an unfinished run

RUN is the file after --json, or the folder of an unfinished run (--run DIR).
The page has the figures, the curves, the names of the mistakes and the
settings. It says what a saved run lacks: images, and where the network looked.
`minitl finetune --report DIR` shows these as well.
"""

from functools import partial

from ..files.results import write_json
from ..files.writable import check_writable
from ..recipes.report import check_folder, report_saved, write_page

HELP = "write a page about a saved run"


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("source", metavar="RUN", help="a file of `finetune --json`, or the folder of an unfinished run")
    parser.add_argument("--out", required=True, metavar="DIR", help="write the page to this folder, as index.html")


def run(options):
    """Run the command."""
    check_writable(options.json)
    check_folder(options.out, has_figures=False)
    page = report_saved(options.source, partial(write_page, folder=options.out))
    print(f"Report: {page}")
    write_json(options.json, {"page": str(page)})
