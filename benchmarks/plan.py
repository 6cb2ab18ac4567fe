"""The plan of the benchmarks: groups of programs that run in turn and are compared with each other."""

import importlib.util
import platform
import sys
from dataclasses import dataclass

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
NETWORKS = {"resnet50": ("ResNet50", 224), "inception_v3": ("InceptionV3", 299)}  # beside VGG16, at their native sizes
OF_NETWORKS = ["minitl", "torch", "onnx", "keras"]  # the engines that have these networks
RECIPE = [
    ("minitl", "minitl", {}, []),
    ("PyTorch, as written", "torch", {"layout": "channels_last"}, ["torch"]),
    ("PyTorch, features kept by hand", "torch", {"layout": "channels_last", "cached": True}, ["torch"]),
    ("Keras on PyTorch, as written", "keras", {}, ["keras", "torch"]),
]
IDEAS = ["shared work", "reused memory", "kept transforms", "joined steps"]
PEERS = sorted({package for row in (*INFERENCE, *RECIPE) for package in row[3]})


@dataclass
class Group:
    """A group of programs that run in turn."""

    name: str  # in the JSON file
    title: str  # for people
    programs: list
    rounds: int


def missing_peers():
    """Return the packages of other frameworks that are not installed."""
    return [package for package in PEERS if not is_installed(package)]


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
        groups.append(Group(name, f"Training step, {part}, batch 8", members, 5))
    members = programs(RECIPE, "recipe", {"images": 80, "size": 224, "epochs": 10})
    groups.append(Group("recipe", "Ten epochs of transfer learning, 64 + 16 images", members, 3))
    for network in NETWORKS:
        groups += network_groups(network, rounds=5)
    groups += [ideas_group(batch, rounds=5) for batch in (1, 8)]
    groups += [ideas_group(8, rounds=5, network=network) for network in NETWORKS]
    groups.append(layers_group(rounds=1))
    groups.append(accuracy_group(images=2))
    groups.append(naive_group())
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
    groups.append(Group("training_all_layers", "Training step, all layers, batch 4", members, 2))
    groups += [layers_group(rounds=1), accuracy_group(images=1), naive_group()]
    return groups + curves(sizes=(64, 128), batches=(1, 8), channels=(32, 128, 512), rounds=1)


def network_groups(network, rounds):
    """Return groups for a network: inference, a training step, and a step of the last stage alone.

    The batch normalizations of the last stage are frozen.
    """
    title, size = NETWORKS[network]
    options = {"batch": 8, "size": size, "network": network}
    rows = [row for row in INFERENCE if row[1] in OF_NETWORKS and "algorithm" not in row[2]]
    members = [*programs(rows, "inference", options), roofline()]
    groups = [Group(f"inference_{network}", f"{title}: inference, batch 8", members, rounds)]
    for part in ("all layers", "last stage"):
        name = f"training_{network}_{part.replace(' ', '_')}"
        members = programs(TRAINING, "training", {**options, "part": part})
        groups.append(Group(name, f"{title}: training step, {part}, batch 8", members, rounds))
    return groups


def ideas_group(batch, rounds, network=None):
    """Return a group of minitl with one of its ideas switched off at a time."""
    rows = [("minitl", "minitl", {}, [])]
    rows += [(f"without {idea}", "minitl", {"without": idea}, []) for idea in IDEAS]
    rows += [("without Winograd", "minitl", {"algorithm": "im2col"}, [])]
    title, size = NETWORKS.get(network, ("VGG16", 224))
    options = {"batch": batch, "size": size, **({"network": network} if network else {})}
    name = f"ideas_{network or batch}"
    members = programs(rows, "inference", options)
    return Group(name, f"What each idea saves: inference of {title}, batch {batch}", members, rounds)


def layers_group(rounds):
    """Return the group that measures each layer of VGG16."""
    members = programs(INFERENCE[:2], "layers", {"batch": 8, "size": 224})
    return Group("layers", "Layer by layer, batch 8", members, rounds)


def accuracy_group(images):
    """Return the group that measures the error of VGG16 against float64."""
    members = programs(INFERENCE[:2], "accuracy", {"batch": images, "size": 224})
    return Group("accuracy", "Largest error of the whole network, against float64", members, 1)


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
