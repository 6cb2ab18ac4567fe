"""Every command of the course runs, in its order and in one folder, as a reader runs them.

They see a fifth of the images, and the long ones are made shorter: SHORTER says what is added to a command, and
nothing else of it is changed.
"""

import re
import shlex

import pytest
from cases.sounds import write_tone
from conftest import REPOSITORY

from minitl import cli, data
from minitl.applications import BERT
from minitl.course.gan import study as gan
from minitl.course.reading import attention, sentences
from minitl.course.self_supervised import study as without_labels
from minitl.course.self_supervised import worth
from minitl.course.study import whole
from minitl.course.where import boxes, pixels
from minitl.data.text import WordPiece
from minitl.layers import Input, PaddingMask
from minitl.models import Model
from minitl.recipes.texts import bases
from minitl.weights.distrust import known_files as known

FEWER = 100  # images to learn from, and to test on

# command -> what is added so that it takes seconds
SHORTER = {
    "minitl finetune": "--cut block1_pool --epochs 1 --no-scratch",
    "minitl finetune --no-scratch --report report": "--cut block1_pool --epochs 2",
    "minitl finetune --no-scratch --cut block1_pool": "--epochs 1",
    "minitl finetune --no-scratch --cut block2_pool": "--epochs 1",
    "minitl finetune --no-scratch --save model.h5": "--cut block1_pool --epochs 1",
    "minitl finetune photos/ --save insects.h5": "--image-size 32 --epochs 1 --tune-epochs 1",
    "minitl bench --quick": "--only naive",
    "minitl advise few/train --pattern '{class}_{speaker}_*'": "--base spectrogram",
    "minitl advise few/train --pattern '{digit}_{class}_*'": "--base spectrogram",
    "minitl finetune reviews.csv --base minilm --cut layer_3": "--epochs 1",
    "minitl finetune reviews.csv --base minilm --cut layer_3 --unfreeze layer_3": "--epochs 1 --tune-epochs 1",
}
OF_BASES = {"unlabelled": 10, "epochs": 1, "labels": (3,), "test_images": 10, "seeds": 2}
OF_MADE_IMAGES = {
    "real": 60,
    "few": 1,
    "epochs": 1,
    "made": 100,
    "test_images": 20,
    "seeds": 2,
    "steps": 1,
    "shown": (0, 1),
}
LONG = ("minitl study transfer --quick", "minitl advise")
COURSE = REPOSITORY / "minitl" / "course" / "README.md"
NEEDS = {"--report": "matplotlib", "--plot": "matplotlib", "photos/": "PIL"}  # the extras `plots` and `images`


def commands():
    """Return the lines of the course's shell blocks that begin with minitl, without comments."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", COURSE.read_text(encoding="utf-8"), re.DOTALL)).splitlines()
    return [re.sub(r"\s+#.*", "", line) for line in lines if line.startswith("minitl ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("course")


@pytest.fixture
def less_to_do(monkeypatch, command):
    if "mistakes" in command:  # they choose for themselves, and remember it
        return
    image_set = data.fashion_mnist_few_shot()
    fewer = data.ImageSet(
        *(array[:FEWER] for array in image_set[:4]),
        class_names=image_set.class_names,
    )
    # The images lie class by class, and the study of made images needs all classes.
    of_all_classes = data.ImageSet(
        *(array[:: len(array) // FEWER] for array in image_set[:4]),
        class_names=image_set.class_names,
    )
    monkeypatch.setattr(data, "fashion_mnist_few_shot", lambda: fewer)
    monkeypatch.setattr(pixels, "EXTENT", pixels.EXTENT._replace(training=16, test=8, epochs=(1, 1, 1)))
    monkeypatch.setattr(boxes, "EXTENT", boxes.EXTENT._replace(training=16, test=8, epochs=1))
    monkeypatch.setattr(sentences, "EXTENT", sentences.Extent(training=16, test=8, epochs=1, lengths=(5, 7)))
    less = {"training": 16, "test": 8, "epochs": 1, "letters": 32, "letter_epochs": 1}
    monkeypatch.setattr(attention, "EXTENT", attention.EXTENT._replace(**less))
    monkeypatch.setattr(whole, "QUICK", whole.Extent(seeds=2, epochs=1, cuts=(1, 3, 6)))
    monkeypatch.setattr(data, "fashion_mnist", lambda folder: of_all_classes)
    monkeypatch.setattr(worth, "EPOCHS", {3: 1})
    for study, less in (without_labels, OF_BASES), (gan, OF_MADE_IMAGES):
        monkeypatch.setattr(study, "threads", lambda: 1)
        for extent in "WHOLE", "BUNDLED":
            monkeypatch.setattr(study, extent, getattr(study, extent)._replace(**less))


CASES = [pytest.param(line, marks=[pytest.mark.slow] if line in LONG else []) for line in commands()]


@pytest.mark.slow
@pytest.mark.parametrize("command", CASES)
def test_a_command_of_the_course(command, folder, less_to_do, monkeypatch, capsys, request):
    for word, package in NEEDS.items():
        if word in command:
            pytest.importorskip(package)
    monkeypatch.chdir(folder)
    if "photos/" in command:
        photographs(folder / "photos", request.getfixturevalue("full_base"))
    if "few/train" in command:
        recordings(folder / "few" / "train")
    if "reviews.csv" in command:
        reviews(folder / "reviews.csv")
        monkeypatch.setattr(bases, "build", narrow_encoder)
    arguments = shlex.split(f"{command} {SHORTER.get(command, '')}")[1:]
    status = cli.main(arguments)
    printed = capsys.readouterr()
    assert status == 0, printed.err
    assert printed.out.strip(), "a command says what it did"
    for name in re.findall(r"(?:--save|--plot|--json|--report) (\S+)", command):
        assert (folder / name).exists()


def photographs(folder, base):
    """Write photographs of two kinds, and put VGG16's base where the command looks for it."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for kind, brightness in ("ants", 60), ("bees", 180):
        (folder / kind).mkdir(parents=True)
        for number in range(8):
            pixels = random.normal(brightness, 30, (40, 40, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    (known.home_folder() / "models").mkdir(parents=True)
    (known.home_folder() / "models" / base.name).symlink_to(base)


def recordings(folder):
    """Write tones of three heights, said by two voices: 0_low_1.wav."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frequency in enumerate((300, 700, 1500)):
        for voice, height in ("low", 0.2), ("loud", 0.6):
            for take in range(4):
                write_tone(folder / f"{number}_{voice}_{take}.wav", frequency + 20 * take, height=height)


WORDS = {"good": "fine lovely superb".split(), "bad": "dull awful boring".split()}
OTHERS = "a film with music actors scenes words songs jokes tears dogs".split()


def reviews(path):
    """Write sixty sentences of two kinds as a table."""
    rows = [
        f"a {WORDS[kind][number % 3]} film with {OTHERS[3 + number % 8]} {'film ' * (number % 4)},{kind}"
        for kind in WORDS
        for number in range(30)
    ]
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")


def narrow_encoder(name):
    """Return MiniLM's layers with 16 numbers for a token and random weights, as the base of this name."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *OTHERS, *WORDS["good"], *WORDS["bad"]]
    sizes = {"width": 16, "heads": 2, "vocabulary": len(vocabulary), "positions": 512}
    tokens = Input((None,), dtype="int32", name="tokens")
    mask = PaddingMask(name="mask")(tokens)
    encoder = BERT(weights=None, pooling=None, layers=6, **sizes)
    model = Model(tokens, encoder({"tokens": tokens, "mask": mask}), name=name)
    ends = {"embeddings": "embeddings_norm"} | {f"layer_{k}": f"layer_{k}_output_norm" for k in range(6)}
    ends = {end: model.output_of(layer) for end, layer in ends.items()}
    return bases.Base(model, WordPiece(vocabulary), ends, mask)


def test_what_it_quotes_of_an_update_is_what_is_printed(capsys):
    quoted = re.search(r"```\n(5  dense .*?)```", COURSE.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert cli.main(["explain", "step"]) == 0
    printed = capsys.readouterr().out.splitlines()
    for line in quoted.splitlines():
        assert line in printed or line == "..."


def test_what_is_made_shorter_is_in_the_course():
    assert set(SHORTER) <= set(commands())
    assert len(commands()) >= 15
