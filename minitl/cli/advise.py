"""Before fine-tuning: where should I cut, what should I unfreeze, what will it cost?

    minitl advise photos/
    minitl advise photos/ --within 10            (minutes on this machine: the best that fits, and the command for it)
    minitl advise photos/ --memory 4             (GB)
    minitl advise photos/ --base resnet50
    minitl advise                                (the bundled pictures on VGG16's first three blocks)

Every training picture goes through the frozen base once. What comes out at the end of each block is judged by a head
in closed form and by the literature's scores; a few batches through each block are timed. The held-back pictures are
not looked at. With --backtest all of it is put to the test: every plan is carried out, and what was said is compared
with what came.
"""

from .. import interruption
from ..applications import bases
from ..arguments import whole_number
from ..errors import ArgumentError
from ..files.results import check_writable, write_json
from ..recipes.advice import advise_clothing, advise_photographs
from ..recipes.settings import PhotographSettings, option

HELP = "where to cut, what to unfreeze, and what it will cost"


def add_arguments(parser):
    parser.add_argument("photos", metavar="PHOTOS", nargs="?", help="a folder with a subfolder of photographs a class")
    parser.add_argument("--within", type=float, metavar="MINUTES", help="the best plan that takes no longer")
    parser.add_argument("--memory", type=float, metavar="GB", help="the best plan that takes no more")
    parser.add_argument("--base", choices=bases(), help=f"default: {PhotographSettings.base}")
    parser.add_argument("--image-size", type=int, help="pixels (default: what the base was trained on)")
    parser.add_argument(
        "--no-cache", action="store_true", help="do not keep the photographs' features for the next run"
    )
    parser.add_argument(
        "--backtest", action="store_true", help="carry all plans out and compare: as long as all of them together"
    )
    parser.add_argument("--seeds", type=int, default=3, help="of each plan in --backtest (default: %(default)s)")


def run(options):
    check_writable(options.json)
    whole_number(options.seeds, "--seeds")
    limits = {"within": options.within, "memory": options.memory}
    given = {name: getattr(options, name) for name in ("base", "image_size") if getattr(options, name) is not None}
    with interruption.graceful():
        if options.photos is not None:
            advice = advise_photographs(options.photos, **limits, **given, keep_features=not options.no_cache)
        elif given:
            raise ArgumentError(f"{option(next(iter(given)))} goes with photographs: minitl advise PHOTOS/")
        else:
            advice = advise_clothing(**limits)
        print(f"\n{advice}", flush=True)
        if options.backtest:
            advice.carry_out_all(options.seeds)
    write_json(options.json, advice.as_data())
