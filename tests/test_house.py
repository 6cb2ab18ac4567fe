"""The house: each room imports only from rooms above it, openly, at the head of the file; no circles; short modules."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "minitl"
# From the ground up. Rooms in one line may not import each other either, unless they stand in this order.
ROOMS = """
    version errors arguments interruption progress terminal randomness
    files kernels initializers losses optimizers metrics layers graph testing
    weights data features training models transfer applications recipes
    course
    cli utils callbacks saving
""".split()
MOST_LINES = 350
MOST_LINES_OF_THE_COMMAND_LINE = 1700
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    """Return 'minitl.graph.graph' of a file; a package's __init__ has the package's name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def imports(path):
    """Yield (module of minitl that is imported, line, is it at the head of the file?)."""
    package = name_of(path).split(".") if path.name == "__init__.py" else name_of(path).split(".")[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *(node.module or "").split(".")]).rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in NAMES else base), node.lineno, node in tree.body
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from ((name, node.lineno, node in tree.body) for name in names if name.split(".")[0] == "minitl")


def room_of(name):
    return name.split(".")[1] if "." in name else ""


def test_every_room_has_its_place():
    assert {room_of(name) for name in NAMES} - {"", "__main__"} == set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_from_rooms_above_it_alone_and_openly(path):
    name = name_of(path)
    if room_of(name) in ("", "__main__"):
        return  # the package's front door shows all rooms
    for target, line, is_at_the_head in imports(path):
        place = f"{path.relative_to(PACKAGE.parent)}:{line} imports {target}"
        assert target in NAMES or target.startswith("minitl._benchmarks"), place
        assert is_at_the_head, f"{place} within a function"
        assert target != "minitl", f"{place}, and so everything"
        assert ROOMS.index(room_of(target)) <= ROOMS.index(room_of(name)), place


def test_no_two_modules_import_each_other():
    graph = {name: {target for target, *_ in imports(path) if target in NAMES} - {name} for name, path in NAMES.items()}

    def reached(start):
        seen, to_visit = set(), [start]
        while to_visit:
            for target in graph[to_visit.pop()] - seen:
                seen.add(target)
                to_visit.append(target)
        return seen

    assert [name for name in graph if name in reached(name)] == []


def test_a_module_is_read_in_one_go():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in NAMES.items()}
    assert {name: count for name, count in lengths.items() if count > MOST_LINES} == {}
    assert sum(count for name, count in lengths.items() if room_of(name) == "cli") < MOST_LINES_OF_THE_COMMAND_LINE


def test_no_two_names_beside_each_other_differ_by_a_letter():
    """`inside` and `insides`, `advice` and `advise` cannot be told apart by somebody who has not opened them."""
    for folder in {path.parent for path in MODULES}:
        names = sorted(
            each.stem for each in folder.iterdir() if not each.stem.startswith("_") and each.suffix in ("", ".py")
        )
        for a in names:
            for b in names:
                assert not (a != b and a.rstrip("s") == b.rstrip("s")), f"{folder.name}: {a}, {b}"
                differ = sum(x != y for x, y in zip(a, b))
                assert a == b or len(a) != len(b) or differ > 1, f"{folder.name}: {a}, {b}"
