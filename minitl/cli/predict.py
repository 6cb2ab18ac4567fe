"""Say what a fine-tuned model sees in pictures.

minitl finetune --save model.h5
minitl predict model.h5                       (some of the bundled test images, and what they really are)
minitl predict model.h5 shirt.jpg bag.png     (Pillow's formats need the extra `images`; .npy works without)
"""

from ..files.results import check_writable, write_json
from ..recipes.prediction import classified_table, classify

HELP = "classify pictures with a saved model"


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="a file from `minitl finetune --save`")
    parser.add_argument("files", metavar="FILE", nargs="*", help="pictures; default: ten bundled test images")


def run(options):
    check_writable(options.json)
    results = classify(options.model, options.files)
    print(classified_table(results))
    write_json(options.json, results)
