"""The exercises: right answers pass, each typical wrong answer is named, random changes of a right answer are found.

Every test here goes over all exercises of the course, so a new one needs no test of its own.
"""

import ast
import inspect
import sys
import textwrap

import numpy as np
import pytest

from minitl.course.exercises import EXERCISES, THEMES
from minitl.course.exercises.checking import SECONDS, arrays_of, outcome_of
from minitl.course.exercises.comparing import are_right
from minitl.course.exercises.exercise import SEED

EACH = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
WRONG = [(exercise, wrong_answer) for exercise in EXERCISES for wrong_answer in exercise.wrong_answers]
MUTATIONS = 10  # of each answer


@EACH
def test_the_answer_and_the_engine_are_right(exercise):
    for function in (exercise.answer, exercise.by_engine, *exercise.also_right):
        verdict = exercise.check(function)
        assert verdict.passed and verdict.kind == "right", verdict.text
        assert verdict.compared > 0 and verdict.seconds < 2
    assert exercise.by_engine is not exercise.answer, "the answer would be compared with itself"


@pytest.mark.slow
@pytest.mark.parametrize(
    "exercise, wrong_answer", WRONG, ids=[f"{exercise.name}-{each.__name__}" for exercise, each in WRONG]
)
def test_a_typical_wrong_answer_is_named(exercise, wrong_answer):
    verdict = exercise.check(wrong_answer)
    assert (verdict.passed, verdict.kind, verdict.wrong_answer) == (False, "typical", wrong_answer.__name__), verdict
    sentence = " ".join(inspect.getdoc(wrong_answer).split())
    assert sentence[1:] in verdict.text and 40 < len(sentence) < 330 and sentence.endswith(".")


@EACH
def test_any_two_wrong_answers_are_told_apart(exercise):
    assert len(exercise.wrong_answers) >= 5
    outcomes = [
        [outcome_of(exercise, each, case, SECONDS) for case in exercise.made_cases()] for each in exercise.wrong_answers
    ]
    for k, first in enumerate(outcomes):
        for second in outcomes[:k]:
            assert not all(are_right(a.arrays, b.arrays) and a.finding == b.finding for a, b in zip(first, second))


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("kind", ["zeros", "nothing", "an empty list", "the first argument", "random numbers"])
def test_what_is_no_answer_fails(exercise, kind):
    random = np.random.default_rng(3)

    def no_answer(*arguments):
        case = exercise.made_cases()[0]
        right = arrays_of(exercise, exercise.by_engine(*case.arguments), case)
        values = {
            "zeros": [np.zeros(array.shape) for array in right],
            "nothing": [None] * len(right),
            "an empty list": [[]] * len(right),
            "the first argument": [arguments[0]] * len(right),
            "random numbers": [random.normal(size=array.shape) for array in right],
        }[kind]
        return values[0] if len(values) == 1 else tuple(values)

    # A function may be asked to return what it has changed on purpose, and then nothing is what comes back.
    verdict = exercise.check(no_answer)
    assert not verdict.passed and verdict.text


@EACH
def test_rounding_is_no_mistake(exercise):
    def in_float32(*arguments):
        result = exercise.answer(*arguments)
        each = result if isinstance(result, tuple) else (result,)
        each = tuple(np.float32(value).tolist() for value in each)  # lists, of numbers that have lost digits
        return each if isinstance(result, tuple) else each[0]

    assert exercise.check(in_float32).passed, exercise.check(in_float32).text


@EACH
def test_the_page_is_complete(exercise):
    assert len(exercise.hints) == 3 == len(set(exercise.hints)) and min(map(len, exercise.hints)) > 20
    assert all(exercise.hints) and exercise.read_next.startswith("minitl/") and exercise.lines
    assert max(map(len, exercise.formula.splitlines())) <= 76, "a terminal has 80 columns, and it is indented by 4"
    assert len(exercise.text) > 150 and exercise.formula and exercise.title and exercise.given and exercise.returns
    assert len(exercise.answer_lines().splitlines()) <= 20, "as much as a learner may write"
    body = exercise.answer_lines().splitlines()[1:]
    assert not any(line.strip() in exercise.text + exercise.formula for line in body if len(line.strip()) > 14)


def test_names_are_unique_and_shadow_no_module():
    names = [exercise.name for exercise in EXERCISES]
    assert len(set(names)) == len(names) and not set(names) & set(sys.stdlib_module_names)
    assert [exercise for exercises in THEMES.values() for exercise in exercises] == list(EXERCISES)
    assert len({exercise.title for exercise in EXERCISES}) == len(names)


@EACH
def test_cases_are_made_anew_and_equal(exercise):
    first, second = exercise.made_cases(), exercise.made_cases()
    for a, b in zip(first, second, strict=True):
        for x, y in zip(a.arguments, b.arguments, strict=True):
            if isinstance(x, np.ndarray):
                assert np.array_equal(x, y) and not np.shares_memory(x, y)
    assert len({case.what for case in first}) == len(first) and exercise.sizes(first[0].arguments) is not None
    for array in arrays_of(exercise, exercise.by_engine(*first[0].arguments), first[0]):
        assert len(set(array.shape)) == array.ndim, "swapped axes would not be seen"


# ---- random changes of a right answer ----

OPERATORS = {
    ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div, ast.Add], ast.Div: [ast.Mult],
    ast.Lt: [ast.LtE, ast.Gt], ast.LtE: [ast.Lt], ast.Gt: [ast.GtE, ast.Lt], ast.GtE: [ast.Gt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.FloorDiv: [ast.Div],
}  # fmt: skip


def mutations(exercise):
    """Yield (what was changed, function) for each place of the answer that can be changed, in random order."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(exercise.answer)))
    if ast.get_docstring(tree.body[0]):
        tree.body[0].body = tree.body[0].body[1:]
    places = []
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, (ast.BinOp, ast.AugAssign)):
            places += [(number, "operator", each) for each in OPERATORS.get(type(node.op), [])]
        elif isinstance(node, ast.Compare):
            places += [(number, "comparison", each) for each in OPERATORS.get(type(node.ops[0]), [])]
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            places += [(number, "constant", each) for each in (node.value + 1, node.value - 1)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            places.append((number, "constant", not node.value))
        elif isinstance(node, ast.For):
            places += [(number, "left out", k) for k, line in enumerate(node.body) if isinstance(line, ast.Expr)]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            places.append((number, "sign", None))
        elif isinstance(node, ast.Attribute) and node.attr == "T":
            places.append((number, "not turned", None))
        elif isinstance(node, ast.Return):
            count = len(node.value.elts) if isinstance(node.value, ast.Tuple) else 1
            changes = ("-({})", "2 * ({})", "({})[::-1]", "({}) * 1.001")
            places += [(number, "result", (k, change)) for k in range(count) for change in changes]
    for k in np.random.default_rng(1).permutation(len(places)):
        number, what, new = places[k]
        yield f"{what} {number}: {getattr(new, '__name__', new)}", mutant(exercise, tree, number, what, new)


def mutant(exercise, tree, number, what, new):
    """Return the function of a tree with one node changed."""
    tree = ast.parse(ast.unparse(tree))
    node = list(ast.walk(tree))[number]
    if what == "operator":
        node.op = new()
    elif what == "comparison":
        node.ops[0] = new()
    elif what == "constant":
        node.value = new
    elif what == "sign":
        node.op = ast.UAdd()
    elif what == "left out":
        del node.body[new]
    elif what == "not turned":
        node.attr = "real"
    else:
        k, change = new
        value = node.value.elts[k] if isinstance(node.value, ast.Tuple) else node.value
        changed = ast.parse(change.format(f"np.asarray({ast.unparse(value)})"), mode="eval").body
        if isinstance(node.value, ast.Tuple):
            node.value.elts[k] = changed
        else:
            node.value = changed
    names = dict(vars(inspect.getmodule(exercise.answer)))
    exec(compile(ast.fix_missing_locations(tree), f"<mutation of {exercise.name}>", "exec"), names)
    return names[exercise.name]


def does_the_same(exercise, function):
    """Return whether a mutation does on other inputs, too, what the answer does: then it is no mistake."""
    for seed in range(SEED + 1, SEED + 4):
        for mine, theirs in zip(exercise.made_cases(seed), exercise.made_cases(seed)):
            outcome = outcome_of(exercise, function, theirs, SECONDS)
            right = outcome_of(exercise, exercise.answer, mine, SECONDS)
            if outcome.finding is not None or not are_right(outcome.arrays, right.arrays):
                return False
    return True


@pytest.mark.slow
@EACH
def test_ten_random_mutations_are_found(exercise):
    found = 0
    for what, function in mutations(exercise):
        verdict = exercise.check(function, seconds=1)
        if verdict.passed:
            assert does_the_same(exercise, function), f"{exercise.name}: {what} was not found"
            continue
        assert verdict.text and verdict.kind != "right"
        found += 1
        if found == MUTATIONS:
            return
    assert found >= MUTATIONS, "the answer has too few places to change"
