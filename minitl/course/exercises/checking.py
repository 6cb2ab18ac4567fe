"""The check of an answer: is it right, and if not, why?

`check` runs a function on every input of an exercise and compares what it returns with the engine's numbers. If they
differ, it asks, in this order: did it run at all, and end? Does it behave like one of the typical wrong answers? Is the
shape right? Is there a rule in what is wrong (`diagnosis`)? Else it shows the first wrong number with its terms.

Read next: `diagnosis`.
"""

import inspect
import time
from typing import NamedTuple

import numpy as np

from . import diagnosis, running
from .comparing import NotNumbers, are_right, as_numbers, is_right
from .wording import about_arguments, about_error, about_printed, joined

SECONDS = 5.0  # that a function may run in all
LEAST_LINES = 200  # that may run in any case where no loop over the numbers is asked for
TIMES_THE_ANSWER = 10  # and so many times the lines of the right answer


class Verdict(NamedTuple):
    """The result of a check.

    exercise        its name
    passed          whether the answer is right
    kind            of mistake, in one word ("typical", "shape", "sign", ...); "right" if there is none
    text            what there is to say, in paragraphs
    wrong_answer    the name of the typical wrong answer that it is, or None
    case            on which input it was found, in words, or None
    line            of the learner's file, or None
    compared        how many numbers were compared
    seconds         of the processor that the check took
    """

    exercise: str
    passed: bool
    kind: str
    text: str
    wrong_answer: str | None = None
    case: str | None = None
    line: int | None = None
    compared: int = 0
    seconds: float = 0.0

    def as_data(self):
        """Return the verdict in a form that JSON can hold."""
        return {("name" if key == "exercise" else key): value for key, value in self._asdict().items()}


class Outcome(NamedTuple):
    """The outcome of an answer on one input: its arrays, or the `Finding` that there are none, and its `Run`."""

    arrays: list
    finding: object
    run: running.Run


def check(exercise, function, seconds=SECONDS):
    """Return the `Verdict` on a function that is to do what the exercise asks.

    seconds   the time after which a function that has not ended is stopped (one in plain Python is)
    """
    start = time.process_time()
    finding = _of_signature(exercise, function)
    if finding is not None:
        return _verdict(exercise, start, finding)
    end = time.thread_time() + seconds
    cases, expected, outcomes, compared = exercise.made_cases(), [], [], 0
    for number, case in enumerate(cases):
        outcomes.append(outcome_of(exercise, function, case, end - time.thread_time()))
        if outcomes[-1].finding is not None:
            break
        expected.append(accepted(exercise, number, outcomes[-1].arrays))
        compared += sum(array.size for array in outcomes[-1].arrays)
    for number, outcome in enumerate(outcomes):
        if outcome.finding is not None or not are_right(outcome.arrays, expected[number]):
            verdict = _of_wrong(exercise, outcomes, expected, number)
            return verdict._replace(compared=compared, seconds=time.process_time() - start)
    finding = None if exercise.loops else _of_loops(exercise, outcomes)
    if finding is None:
        finding = diagnosis.Finding("right", f"Right. {compared:,} numbers on {len(cases)} inputs are the engine's.")
    return _verdict(exercise, start, finding, compared=compared)


def _verdict(exercise, start, finding, **details):
    """Return the `Verdict` of a finding."""
    details["seconds"] = time.process_time() - start
    return Verdict(exercise.name, finding.kind == "right", finding.kind, finding.text, **details)


def _of_signature(exercise, function):
    """Return a `Finding` where something is no function, or cannot be called with the exercise's arguments."""
    if not callable(function):
        return diagnosis.Finding("missing", f"{exercise.name} is {type(function).__name__}, and no function.")
    try:
        inspect.signature(function).bind(*exercise.given)
    except TypeError:
        found = f"{exercise.name}{inspect.signature(function)}"
        return diagnosis.Finding("arguments", f"The function is {found}. Expected {exercise.head}.")
    except ValueError:  # a function in C without a signature
        pass
    return None


def outcome_of(exercise, function, case, seconds=None):
    """Return the `Outcome` of a function on one input, which it may change. `seconds` limits its time."""
    run = running.run(function, case.arguments, seconds)
    if isinstance(run.error, running.OutOfTime):
        where = f" It was in line {run.line} then." if run.line else ""
        text = f"{exercise.name} had not ended after {max(seconds, 0):.0f} seconds, so it was stopped.{where} "
        text += "Does the loop get nearer to its end in each round?"
        return Outcome([], diagnosis.Finding("time", text + about_printed(run)), run)
    if run.error is not None:
        return Outcome([], diagnosis.Finding("error", about_error(exercise, case, run)), run)
    if run.changed:
        names = joined([list(exercise.given)[k] for k in run.changed])
        arguments = "argument" if len(run.changed) == 1 else "arguments"
        text = f"{exercise.name} has changed its {arguments} {names}, which others still need: x += 1 and x[0] = 1 "
        text += "change the array that was handed over. Make a new one (x = x + 1), or a copy first (x.copy())."
        return Outcome([], diagnosis.Finding("changed", text), run)
    try:
        return Outcome(arrays_of(exercise, run.result, case), None, run)
    except NotNumbers as reason:
        return Outcome([], diagnosis.Finding("type", f"{reason}.{about_printed(run)}"), run)


def arrays_of(exercise, result, case):
    """Return what a function returned as a list of arrays, one for each name of `exercise.compared`.

    Raises NotNumbers, whose text is a whole sentence without its full stop.
    """
    if result is None and exercise.returns:
        names = ", ".join(exercise.returns)
        raise NotNumbers(f"{exercise.name} returns nothing. A function ends with `return {names}`")
    if exercise.seen is not None:
        result = exercise.seen(result, *case.arguments)
    names = list(exercise.compared)
    if len(names) == 1:
        values = [result]
    elif isinstance(result, (tuple, list)) and len(result) == len(names):
        values = result
    else:
        count = f"{len(result)} values" if isinstance(result, (tuple, list)) else "one value"
        raise NotNumbers(f"{exercise.name} returns {count}. Expected {len(names)}: return {', '.join(names)}")
    arrays = []
    for name, value in zip(names, values):
        try:
            if value is None:
                raise NotNumbers("is None")
            arrays.append(as_numbers(value))
        except NotNumbers as reason:
            raise NotNumbers(f"{name} {reason}") from None
    return arrays


def accepted(exercise, number, found):
    """Return the right arrays of input `number`. Where there are several right answers, the number that is nearest to
    what was found is taken at each place."""
    right = None
    for function in (exercise.by_engine, *exercise.also_right):
        case = exercise.made_cases()[number]
        arrays = [np.array(each) for each in arrays_of(exercise, function(*case.arguments), case)]
        if right is None:
            right = arrays
        for k, array in enumerate(arrays):
            if right[k].shape == array.shape == found[k].shape:
                right[k] = np.where(is_right(found[k], array), array, right[k])
    return right


def _of_wrong(exercise, outcomes, expected, number):
    """Return the `Verdict` on an answer that is wrong on input `number`, the first of its kind."""
    case, outcome = exercise.made_cases()[number], outcomes[number]
    right = [each.what for each in exercise.made_cases()[:number]]
    wrong_answer = _typical(exercise, outcomes, number)
    if wrong_answer is not None:
        why = " ".join(inspect.getdoc(wrong_answer).split())
        finding = diagnosis.Finding("typical", f"These are the numbers that you get if you {why[0].lower()}{why[1:]}")
    else:
        finding = outcome.finding or _of_arrays(exercise, case, outcome.arrays, expected[number])
    where = f"The input: {case.what}"
    where += f". Right before it: {joined(right)}." if right else "."
    text = f"{finding.text}\n{where}\n{about_arguments(exercise, case)}"
    name = None if wrong_answer is None else wrong_answer.__name__
    return Verdict(exercise.name, False, finding.kind, text, name, case.what, outcome.run.line)


def _typical(exercise, outcomes, number):
    """Return the typical wrong answer that gives the same as the learner's on input `number`, the first wrong one. Of
    several, it is the one that does so on most inputs. None if there is none."""
    best, most = None, 0
    for wrong_answer in exercise.wrong_answers:
        cases = exercise.made_cases()
        if _same(exercise, wrong_answer, cases[number], outcomes[number]):
            others = [k for k in range(len(outcomes)) if k != number]
            same = 1 + sum(_same(exercise, wrong_answer, cases[k], outcomes[k]) for k in others)
            if same > most:
                best, most = wrong_answer, same
    return best


def _same(exercise, wrong_answer, case, outcome):
    """Return whether a typical wrong answer gives this outcome, or none for the same reason."""
    theirs = outcome_of(exercise, wrong_answer, case)
    if theirs.finding is not None or outcome.finding is not None:
        kinds = [None if each is None else each.kind for each in (theirs.finding, outcome.finding)]
        same_error = type(theirs.run.error) is type(outcome.run.error)
        return kinds[0] == kinds[1] and same_error and theirs.run.changed == outcome.run.changed
    return are_right(outcome.arrays, theirs.arrays)


def _of_arrays(exercise, case, found, expected):
    """Return a `Finding` about the first array that is wrong."""
    arguments, sizes = dict(zip(exercise.given, case.arguments)), exercise.sizes(case.arguments)
    wrong = [k for k, (a, b) in enumerate(zip(found, expected)) if a.shape != b.shape or not is_right(a, b).all()]
    k = wrong[0]
    name = list(exercise.compared)[k]
    letters = exercise.axes_of(name)
    if found[k].shape != expected[k].shape:
        finding = diagnosis.shape_finding(name, letters, expected[k].shape, found[k].shape)
    else:
        places = {}
        if k == 0:
            places = {text: np.asarray(place(*case.arguments)) for text, place in exercise.places.items()}
        finding = diagnosis.values_finding(name, letters, expected[k], found[k], arguments, sizes, places)
        number = _first_wrong_number(exercise, case, name, found[k], expected[k])
        finding = diagnosis.Finding(finding.kind, f"{finding.text}\n{number}") if finding else (
            diagnosis.Finding("number", number))  # fmt: skip
    others = [list(exercise.compared)[j] for j in range(len(found)) if j not in wrong]
    if others:
        finding = diagnosis.Finding(finding.kind, f"{joined(others)} is right. {finding.text}".replace(
            " is right", " are right" if len(others) > 1 else " is right", 1))  # fmt: skip
    return finding


def _first_wrong_number(exercise, case, name, found, expected):
    """Return a sentence about the first wrong number, with its terms."""
    wrong = ~is_right(found, expected)
    index = diagnosis.first(wrong)
    where = f"{name}{diagnosis.shown_index(index)}"
    count = f"{wrong.sum():,} of {wrong.size:,} numbers are wrong, first" if wrong.size > 1 else "A number is wrong:"
    text = f"{count} {where}: you have {diagnosis.shown(found[index])}."
    terms = exercise.by_hand(name, index, *case.arguments) if exercise.by_hand else None
    right = diagnosis.shown(expected[index])
    return f"{text} By hand, {where} = {terms} = {right}." if terms else f"{text} Right is {right}."


def _of_loops(exercise, outcomes):
    """Return a `Finding` where Python goes through the numbers one by one, and whole arrays were asked for."""
    for case, outcome in zip(exercise.made_cases(), outcomes):
        usual = running.run(exercise.answer, case.arguments, SECONDS).count
        most = max(LEAST_LINES, TIMES_THE_ANSWER * usual)
        if outcome.run.count > most:
            text = f"All numbers are right. But {outcome.run.count:,} lines ran to compute them ({case.what}), where "
            text += (
                f"whole arrays take {usual}: NumPy adds and multiplies thousands of numbers in the time of one such "
            )
            text += "line. Which product of matrices, or which sum over an axis, does the work of the loops?"
            return diagnosis.Finding("loops", text)
    return None
