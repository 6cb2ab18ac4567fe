"""The house: each package imports only from those above it, at the head of the file; no circles; short modules.

The second half holds the rules of `minitl/course/contributing.md` that a program can check: how docstrings begin, and
which words are not used.
"""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "minitl"
# From the ground up. A package may import those before it in this order, also those of its own line.
PACKAGES = """
    version errors arguments not_here configured interruption progress starting terminal randomness
    files kernels initializers regularizers constraints losses optimizers metrics layers graph testing
    weights data features export training models transfer applications recipes
    sklearn serve cluster
    course
    cli utils activations preprocessing callbacks saving config backend
""".split()
MOST_LINES = 350
MOST_LINES_OF_A_COMMAND = 90  # on average: a command parses, calls one function and prints
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    """Return 'minitl.graph.graph' of a file; a package's __init__ has the package's name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


@cache
def nodes(source):
    """Return all nodes of a module's syntax tree, the module first. Several tests look at them."""
    return tuple(ast.walk(ast.parse(source)))


def imports(path):
    """Yield (module of minitl that is imported, line, is it at the head of the file?)."""
    package = name_of(path).split(".") if path.name == "__init__.py" else name_of(path).split(".")[:-1]
    tree, *_ = all_nodes = nodes(path.read_text(encoding="utf-8"))
    for node in all_nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *(node.module or "").split(".")]).rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in NAMES else base), node.lineno, node in tree.body
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from ((name, node.lineno, node in tree.body) for name in names if name.split(".")[0] == "minitl")


def package_of(name):
    """Return 'graph' of 'minitl.graph.order'; '' of 'minitl' itself."""
    return name.split(".")[1] if "." in name else ""


def test_every_package_has_its_place():
    assert {package_of(name) for name in NAMES} - {"", "__main__"} == set(PACKAGES)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_package_imports_only_from_packages_above_it_and_at_the_head(path):
    name = name_of(path)
    if package_of(name) in ("", "__main__"):
        return  # these two may import all packages
    for target, line, is_at_the_head in imports(path):
        place = f"{path.relative_to(PACKAGE.parent)}:{line} imports {target}"
        assert target in NAMES or target.startswith("minitl._benchmarks"), place
        assert is_at_the_head, f"{place} within a function"
        assert target != "minitl", f"{place}, and so everything"
        assert PACKAGES.index(package_of(target)) <= PACKAGES.index(package_of(name)), place


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


def test_the_nearest_name_is_found_in_one_place():
    assert [name for name, path in NAMES.items() if "difflib" in path.read_text(encoding="utf-8")] == [
        "minitl.arguments"
    ]


def test_a_module_is_read_in_one_go():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in NAMES.items()}
    assert {name: count for name, count in lengths.items() if count > MOST_LINES} == {}
    of_commands = [count for name, count in lengths.items() if package_of(name) == "cli"]
    assert sum(of_commands) < MOST_LINES_OF_A_COMMAND * len(of_commands)


def test_no_two_names_beside_each_other_differ_by_a_letter():
    """A reader cannot tell `inside` from `insides`, or `advice` from `advise`, before opening them."""
    for folder in {path.parent for path in MODULES}:
        names = sorted(
            each.stem for each in folder.iterdir() if not each.stem.startswith("_") and each.suffix in ("", ".py")
        )
        for a in names:
            for b in names:
                assert not (a != b and a.rstrip("s") == b.rstrip("s")), f"{folder.name}: {a}, {b}"
                differ = sum(x != y for x, y in zip(a, b))
                assert a == b or len(a) != len(b) or differ > 1, f"{folder.name}: {a}, {b}"


# ---- the language ----

REPOSITORY = PACKAGE.parent
WRITTEN = [path for folder in ("minitl", "tests", "benchmarks") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
WRONG_BEGINNINGS = """
    What Of Whether How So Which Where Its Their Nothing Also Nor
    In By From On At To With Without Between Behind
""".split()
# The docstring of a function begins with a verb in the imperative. These words, and words in -s or -ing, are none
# (but words in -ss may be, and Bring is one).
NO_VERBS = """
    A An The All Any Both Each Every Nothing One Some Two
    He Her His It Its Our She That Their They This We You
    About After As At Before Behind Between By For From If In Into On Only To Under When Where Why With Within Without
    Array Function Gradient Helper Input Layer List Loss Model Name Number Output Path Shape True False None
""".split()
# Words that contributing.md forbids and that have no second meaning. They may be names (of options, keys, arguments).
WRONG_WORDS = re.compile(
    r"(?<!\w[(])(?<![\w`\"'./-])([Pp]ic(ture)?s?|[Pp]hotos?|[Tt]haw(s|ed|ing)?|[Tt]ruths?)(?![\w`\"'/(-]|  )"
)


def docstrings(source):
    """Yield (node, its docstring) of a module, and of the classes and functions in it."""
    for node in nodes(source):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
            yield node, text


def place_of(node):
    """Return the name and the line of a module, class or function."""
    return f"{getattr(node, 'name', 'module')}, line {getattr(node, 'lineno', 1)}"


def wrong_beginnings(source):
    """Return the docstrings that begin with one of WRONG_BEGINNINGS, as (place, first word)."""
    found = ((place_of(node), text.split()[0]) for node, text in docstrings(source))
    return [(place, word) for place, word in found if word in WRONG_BEGINNINGS]


def is_verb(word):
    """Return whether the first word of a docstring may be a verb in the imperative."""
    is_word = re.fullmatch(r"[A-Z][a-z]+(-[a-z]+)?,?", word)
    has_ending = re.search(r"[^s]s,?$|ing$", word) and word != "Bring"
    return bool(is_word) and word not in NO_VERBS and not has_ending


def functions_without_verb(source):
    """Return the functions whose docstring does not begin with a verb, as (place, first word).

    Properties are left out: a noun phrase may say what they are. The docstring of a mistake begins with its symptom.
    """
    found = []
    for node, text in docstrings(source):
        is_property = any("property" in ast.unparse(each) for each in getattr(node, "decorator_list", []))
        if isinstance(node, ast.FunctionDef) and not is_property and not text.startswith("Symptom: "):
            found.append((place_of(node), text.split()[0]))
    return [(place, word) for place, word in found if not is_verb(word)]


def wrong_words(source):
    """Return the WRONG_WORDS in docstrings, messages and comments, as (line, word).

    A text without a space is a name (an option, a key) and no message. In the other texts, a name stands in quotes, in
    a path or an option, or before two spaces, as the arguments in a docstring do.
    """
    texts = [
        (node.lineno, node.value)
        for node in nodes(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip()
    ]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    texts += [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    return [(line, found[0]) for line, text in texts for found in WRONG_WORDS.finditer(text)]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_docstrings_say_what_a_thing_is_or_does(path):
    source = path.read_text(encoding="utf-8")
    assert wrong_beginnings(source) == []
    if path.relative_to(REPOSITORY).parts[0] != "tests":  # a test's docstring may be a sentence that holds
        assert functions_without_verb(source) == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_one_word_for_one_thing(path):
    assert wrong_words(path.read_text(encoding="utf-8")) == []


CORRUPTED = '''"""What a layer keeps: an image called `photo`, read from "photos/"."""


def first(pictures):
    """The mean of the pictures."""
    raise ValueError(f"a {pictures} needs one picture more")  # the photo was not thawed


class Kept:
    """So that nothing is lost. The truth is kept."""

    @property
    def size(self):
        """The size."""

    def second(self):
        """Returns the size."""

    def third(self):
        """Return the size.

        pictures   the setting of that name;   "truth"   the key; `--pictures` and photos/ are names
        """
'''


def test_a_corrupted_module_is_found_out():
    assert wrong_beginnings(CORRUPTED) == [("module, line 1", "What"), ("Kept, line 9", "So")]
    assert functions_without_verb(CORRUPTED) == [("first, line 4", "The"), ("second, line 16", "Returns")]
    assert sorted(wrong_words(CORRUPTED)) == [
        (5, "pictures"), (6, "photo"), (6, "picture"), (6, "thawed"), (10, "truth")
    ]  # fmt: skip
