"""The plan of the benchmarks: groups of programs that run in turn and are compared with each other."""

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass

from minitl.terminal import counted

from .run import Program

# (label, engine, options, packages that it needs). minitl comes first: the other engines are compared with it.
INFERENCE = [
    ("minitl", "minitl", {}, []),
    ("minitl, im2col only", "minitl", {"algorithm": "im2col"}, []),
    ("PyTorch, channels_last", "torch", {"layout": "channels_last"}, ["torch"]),
    ("PyTorch, default layout", "torch", {"layout": "default"}, ["torch"]),
    ("ONNX Runtime", "onnx", {}, ["onnxruntime", "onnx"]),
    ("Keras on PyTorch", "keras", {}, ["keras", "torch"]),
    ("DeZero (NumPy)", "dezero", {}, ["dezero"]),
]
TRAINING = [row for row in INFERENCE if row[1] in ("minitl", "torch") and "algorithm" not in row[2]]
# {name: (title, pixels)}
NETWORKS = {"vgg16": ("VGG16", 224), "resnet50": ("ResNet50", 224), "inception_v3": ("InceptionV3", 299)}
OTHERS = ["resnet50", "inception_v3"]  # with a table for each of them where the other tables are VGG16's
OF_OTHERS = ["minitl", "torch", "onnx", "keras"]  # the engines that have these two
FASTEST = [row for row in INFERENCE if row[0] in ("minitl", "PyTorch, channels_last", "ONNX Runtime")]
RECIPE = [
    ("minitl", "minitl", {}, []),
    ("PyTorch, as written", "torch", {"layout": "channels_last"}, ["torch"]),
    ("PyTorch, features kept by hand", "torch", {"layout": "channels_last", "cached": True}, ["torch"]),
    ("Keras on PyTorch, as written", "keras", {}, ["keras", "torch"]),
]
TEXT = [("minitl", "minitl_text", {}, []), ("PyTorch", "torch_text", {}, ["torch"])]
SUPPRESSION = [("minitl", "minitl", {}, []), ("OpenCV", "opencv", {}, ["cv2"])]
BOXES = (200, 1000, 8732)  # that are suppressed; SSD300 has 8,732 priors
IDEAS = ["shared work", "reused memory", "kept transforms", "joined steps"]
PEERS = sorted({package for row in (*INFERENCE, *RECIPE, *SUPPRESSION) for package in row[3]})
INSTALLED_AS = {"cv2": "opencv-python-headless"}  # the name of a package for pip where it differs


@dataclass
class Group:
    """A group of programs that run in turn."""

    name: str  # in the JSON file
    title: str  # for people
    programs: list
    rounds: int
    in_turn: bool = True  # False: one program after the other, so that only one needs memory


def options_of(network, batch):
    """Return the options that all engines take for a network. VGG16's base is theirs without a name."""
    name = {} if network == "vgg16" else {"network": network}
    return {"batch": batch, "size": NETWORKS[network][1], **name}


def cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def missing_peers():
    """Return the packages of other frameworks that are not installed, by their names for pip."""
    return [INSTALLED_AS.get(package, package) for package in PEERS if not is_installed(package)]


def is_installed(package):
    """Return whether a package is installed."""
    return importlib.util.find_spec(package) is not None


def programs(rows, job, options):
    """Return a program for each row whose packages are installed."""
    return [
        Program(label, engine, job, {**options, **own})
        for label, engine, own, packages in rows
        if all(map(is_installed, packages))
    ]


def roofline():
    """Return the program that measures NumPy's matrix product, the limit of direct convolution."""
    return Program("matrix product", "numpy", "sgemm", {})


def held_to_avx2():
    """Return minitl with OpenBLAS held to its code for x86 processors without AVX-512."""
    environment = {"OPENBLAS_CORETYPE": "Haswell"}
    return Program("minitl, AVX2 only", "minitl", "inference", {"batch": 8, "size": 224}, environment)


def full_plan():
    """Return all groups."""
    is_x86_linux = sys.platform == "linux" and platform.machine() == "x86_64"
    groups = []
    for batch in (1, 8, 32):
        members = programs(INFERENCE, "inference", {"batch": batch, "size": 224})
        if batch == 8 and is_x86_linux:
            members.insert(1, held_to_avx2())
        # DeZero would take most of the time, and batch 32 shows nothing about it that batch 8 does not.
        members = [each for each in members if batch < 32 or each.engine != "dezero"]
        rounds = 5 if batch == 32 else 7
        groups.append(Group(f"inference_{batch}", f"Inference, batch {batch}", [*members, roofline()], rounds))
    for part in ("all layers", "last block", "head"):
        members = programs(TRAINING, "training", {"batch": 8, "size": 224, "part": part})
        name = f"training_{part.replace(' ', '_')}"
        groups.append(Group(name, f"Training step, {part}, batch 8", [*members, roofline()], 5))
    members = programs(RECIPE, "recipe", {"images": 80, "size": 224, "epochs": 10})
    groups.append(Group("recipe", "Ten epochs of transfer learning, 64 + 16 images", members, 3))
    for network in OTHERS:
        groups += network_groups(network, rounds=5)
    groups += small_base_groups(rounds=5)
    groups += [segmentation_group(rounds=5), detection_group(rounds=5), suppression_group(rounds=5)]
    groups += text_groups(rounds=7)
    groups += [threads_group(network, rounds=5) for network in NETWORKS]
    groups += [memory_group(network) for network in NETWORKS]
    groups += [ideas_group(batch, rounds=5) for batch in (1, 8)]
    groups += [ideas_group(8, rounds=5, network=network) for network in OTHERS]
    groups += [layers_group(network) for network in NETWORKS]
    groups += [accuracy_group(NETWORKS), naive_group()]
    return groups + curves(
        sizes=(64, 128, 224, 320),
        batches=(1, 2, 4, 8, 16, 32),
        channels=(16, 32, 64, 128, 256, 512),
        rounds=3,
    )


def quick_plan():
    """Return groups of minitl alone, which take less than a minute."""
    groups = []
    for batch in (1, 8):
        members = programs(INFERENCE[:2], "inference", {"batch": batch, "size": 224})
        groups.append(Group(f"inference_{batch}", f"Inference, batch {batch}", [*members, roofline()], 3))
    members = programs(TRAINING[:1], "training", {"batch": 4, "size": 224, "part": "all layers"})
    groups.append(Group("training_all_layers", "Training step, all layers, batch 4", [*members, roofline()], 2))
    groups += [layers_group("vgg16"), accuracy_group(["vgg16"], gradients=False), naive_group()]
    return groups + curves(sizes=(64, 128), batches=(1, 8), channels=(32, 128, 512), rounds=1)


def network_groups(network, rounds):
    """Return groups for a network: inference, a training step, and a step of the last stage alone.

    The batch normalizations of the last stage are frozen.
    """
    title, groups = NETWORKS[network][0], []
    rows = [row for row in INFERENCE if row[1] in OF_OTHERS and "algorithm" not in row[2]]
    for batch in (1, 8) if network == "resnet50" else (8,):
        members = programs(rows, "inference", options_of(network, batch))
        name = f"inference_{network}" if batch == 8 else f"inference_{batch}_{network}"
        groups.append(Group(name, f"{title}: inference, batch {batch}", [*members, roofline()], rounds))
    for part in ("all layers", "last stage"):
        name = f"training_{network}_{part.replace(' ', '_')}"
        members = programs(TRAINING, "training", {**options_of(network, 8), "part": part})
        groups.append(Group(name, f"{title}: training step, {part}, batch 8", [*members, roofline()], rounds))
    return groups


def small_base_groups(rounds):
    """Return the groups of the small base: EfficientNet-Lite0, one image and eight. Keras has no such network."""
    rows = [row for row in INFERENCE if row[1] in ("minitl", "torch", "onnx") and "algorithm" not in row[2]]
    groups = []
    for batch in (1, 8):
        members = programs(rows, "inference", {"batch": batch, "size": 224, "network": "efficientnet_lite0"})
        title = f"EfficientNet-Lite0: inference, batch {batch}"
        groups.append(Group(f"inference_{batch}_efficientnet_lite0", title, [*members, roofline()], rounds))
    return groups


def segmentation_group(rounds):
    """Return the group of a network for pixels: FCN-8s on VGG16, an image at a time."""
    members = programs(TRAINING, "inference", {"batch": 1, "size": 256, "network": "fcn8"})
    title = "FCN-8s on VGG16: the classes of 256x256 pixels, batch 1"
    return Group("segmentation_fcn8", title, [*members, roofline()], rounds)


def detection_group(rounds):
    """Return the group of a network for boxes: SSD on VGG16, an image at a time. Its outputs are not yet boxes."""
    members = programs(TRAINING, "inference", {"batch": 1, "size": [256, 320], "network": "ssd"})
    title = "SSD on VGG16: the outputs of all priors of 256x320 pixels, batch 1"
    return Group("detection_ssd", title, [*members, roofline()], rounds)


def suppression_group(rounds):
    """Return the group of non-maximum suppression, which turns many boxes into one for each thing."""
    members = []
    for count in BOXES:
        found = programs(SUPPRESSION, "suppression", {"boxes": count})
        for each in found:
            each.label += f", {count:,} boxes"
        members += found
    return Group("suppression", "Non-maximum suppression", members, rounds)


def text_groups(rounds):
    """Return the groups of networks for text: inference of an encoder, and training steps of it and of two others."""
    batch = {"batch": 32}
    inference = Group("minilm_inference", "MiniLM: the vectors of 32 texts", programs(TEXT, "inference", batch), rounds)
    groups = [inference]
    for name, network, part, title in (
        ("minilm_step", "minilm", "all layers", "MiniLM: a fine-tuning step of all layers, 32 texts"),
        ("minilm_step_last_blocks", "minilm", "last blocks", "MiniLM: a step of the last two blocks of six, 32 texts"),
        ("lstm_step", "lstm", "all layers", "LSTM(128): a training step, 32 texts of 64 tokens"),
        ("decoder_step", "decoder", "all layers", "Decoder: a training step, 32 windows of 128 characters"),
    ):
        members = programs(TEXT, "training", {**batch, "network": network, "part": part})
        groups.append(Group(name, title, members, rounds))
    return groups


def threads_group(network, rounds):
    """Return the group of inference on 1, 2, 4, ... threads, up to as many as there are cores.

    minitl has as many threads as NumPy's OpenBLAS, which an environment variable sets.
    """
    members = []
    for count in sorted({*(2**k for k in range(cores().bit_length())), cores()}):
        found = programs(FASTEST, "inference", {**options_of(network, 8), "threads": count})
        for each in found:
            each.label += f", {counted(count, 'thread')}"
            if each.engine == "minitl":
                each.environment["OPENBLAS_NUM_THREADS"] = str(count)
        members += found
    return Group(f"threads_{network}", f"{NETWORKS[network][0]} by threads: inference, batch 8", members, rounds)


def memory_group(network):
    """Return the group of the peak memory at batch 32: inference, and a training step of all layers."""
    rows = [row for row in INFERENCE if row[1] in OF_OTHERS and "algorithm" not in row[2]]
    members = []
    for job, rows_of in (("inference", rows), ("training", TRAINING)):
        found = programs(rows_of, job, {**options_of(network, 32), "part": "all layers"})
        for each in found:
            each.label += f": {job}"
        members += found
    return Group(f"memory_{network}", f"{NETWORKS[network][0]}: peak memory, batch 32", members, 1, in_turn=False)


def ideas_group(batch, rounds, network="vgg16"):
    """Return a group of minitl with one of its ideas switched off at a time."""
    rows = [("minitl", "minitl", {}, [])]
    rows += [(f"without {idea}", "minitl", {"without": idea}, []) for idea in IDEAS]
    rows += [("without Winograd", "minitl", {"algorithm": "im2col"}, [])]
    name = f"ideas_{batch if network == 'vgg16' else network}"
    members = programs(rows, "inference", options_of(network, batch))
    title = f"What each idea saves: inference of {NETWORKS[network][0]}, batch {batch}"
    return Group(name, title, members, rounds)


def layers_group(network):
    """Return the group that measures each layer of a network."""
    name = "layers" if network == "vgg16" else f"layers_{network}"
    members = programs(INFERENCE[:2], "layers", options_of(network, 8))
    return Group(name, f"{NETWORKS[network][0]} layer by layer, batch 8", members, 1)


def accuracy_group(networks, gradients=True):
    """Return the group that measures the errors of networks and of their gradients against float64."""
    arrays = [("output", {}), ("gradients", {"gradient": True})]
    members = []
    for network in networks:
        for what, own in arrays if gradients else arrays[:1]:
            for each in programs(INFERENCE[:2], "accuracy", {**options_of(network, 1), **own}):
                each.label = f"{NETWORKS[network][0]}, {what}{each.label.removeprefix('minitl')}"
                members.append(each)
    return Group("accuracy", "Errors of whole networks, against float64", members, 1, in_turn=False)


def naive_group():
    """Return the group that measures the loop twin of the convolution."""
    return Group("naive", "The loops", [Program("minitl, loops", "minitl", "naive", {})], 1)


def curves(sizes, batches, channels, rounds):
    """Return groups that show how the time grows with the image size, the batch and the channels."""
    by_size = [Program(f"{size}", "minitl", "inference", {"batch": 4, "size": size}) for size in sizes]
    by_batch = [Program(f"{batch}", "minitl", "inference", {"batch": batch, "size": 112}) for batch in batches]
    by_channels = [
        Program(f"{c}, {name}", "minitl", "convolution", {"batch": 8, "pixels": 56, "channels": c, "algorithm": name})
        for c in channels
        for name in ("im2col", "winograd")
    ]
    return [
        Group("by_size", "The whole network by image size, batch 4", by_size, rounds),
        Group("by_batch", "The whole network by batch, 112x112 pixels", by_batch, rounds),
        Group("by_channels", "One 3x3 convolution by channels, 56x56 pixels, batch 8", by_channels, rounds),
    ]
