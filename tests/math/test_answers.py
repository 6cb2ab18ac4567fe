"""Checks of answers: the rule that is in a mistake is named, and what is no mistake is none."""

import inspect

import numpy as np
import pytest

from minitl.course.exercises import Case, Exercise, exercise_called
from minitl.course.exercises.comparing import is_right
from minitl.errors import ArgumentError


def change_of(name, change):
    """Return the answer of an exercise with its result changed: change(result, *arguments)."""
    answer = exercise_called(name).answer
    return lambda *arguments: change(answer(*arguments), *arguments)


def at(array, place, number=0.5):
    """Return a copy of an array with a number added at some places."""
    array = array.copy()
    array[place] += number
    return array


# exercise, what is done to the right result, kind, words of the verdict
RULES = [
    ("convolution", lambda y, *_: y.transpose(0, 2, 1, 3), "shape", "The axes OW and OH are swapped"),
    ("convolution", lambda y, *_: y.transpose(3, 0, 1, 2), "shape", "in the order (F, N, OH, OW)"),
    ("convolution", lambda y, *_: y[..., None], "shape", "An axis of size 1 is too many"),
    ("convolution", lambda y, *_: y.sum(axis=0), "shape", "The axis N is missing"),
    ("convolution", lambda y, *_: y[:, :-1], "shape", "The axis OH has one less"),
    ("convolution", lambda y, *_: y.sum(), "shape", "One number alone"),
    ("convolution", lambda y, *_: y.ravel(), "shape", "as many numbers as there should be"),
    ("convolution", lambda y, *_: -y, "sign", "wrong sign"),
    ("convolution", lambda y, *_: 3.5 * y, "factor", "3.5 times what it should be"),
    ("kernel_gradient", lambda d, x, grad: d * len(x), "factor", "That is N = 2"),
    ("crossentropy_gradient", lambda d, z, labels: d / 15, "factor", "K*N = 15"),
    ("convolution", lambda y, *_: y[:, ::-1], "flipped", "turned around along the axis OH"),
    ("input_gradient", lambda d, *_: np.roll(d, 1, axis=1), "shifted", "one place later along the axis H"),
    ("convolution", lambda y, *_: np.sort(y.ravel()).reshape(y.shape), "order", "right numbers at other places"),
    ("convolution", lambda y, *_: at(y, np.s_[1:]), "place", "right for the first example only"),
    ("convolution", lambda y, *_: at(y, np.s_[..., 2]), "place", "wrong only for the third filter"),
    ("input_gradient", lambda d, *_: at(d, np.s_[:, 0]), "edges", "only at the edges: the first row"),
    ("max_pool_gradient", lambda d, x, *_: at(d, np.s_[:, :, -1]), "edges", "the last column"),
    ("convolution", lambda y, *_: y + 1, "offset", "Every number of y is 1 too large"),
    ("convolution", lambda y, *_: y.astype(int), "dtype", "the fractions were cut off"),
    ("convolution", lambda y, *_: np.where(y > 2, np.nan, y), "nan", "NaN"),
    ("convolution", lambda y, *_: y * np.inf, "nan", "not finite"),
    ("convolution", lambda y, *_: 0 * y, "zeros", "nothing but zeros"),
    ("batch_norm_backward", lambda d, x, *_: x, "input", "argument x itself"),
    ("convolution", lambda y, *_: np.ones_like(y), "constant", "are the same, 1"),
    ("convolution", lambda y, *_: at(y, (0, 1, 2, 3)), "number", "1 of 120 numbers are wrong, first y[0, 1, 2, 3]"),
    ("convolution", lambda y, *_: None, "type", "returns nothing"),
    ("convolution", lambda y, *_: "y", "type", "no numbers"),
    ("convolution", lambda y, *_: y + 1j, "type", "complex"),
    ("convolution", lambda y, *_: [[1], [1, 2]], "type", "no array"),
    ("convolution", lambda y, *_: {}, "type", "is dict"),
    ("dense_backward", lambda d, *_: d[:2], "type", "returns 2 values. Expected 3: return dx, dkernel, dbias"),
    ("dense_backward", lambda d, *_: (-d[0], *d[1:]), "sign", "dkernel and dbias are right. Every number of dx"),
]  # fmt: skip


@pytest.mark.parametrize("name, change, kind, words", RULES, ids=[f"{each[0]}-{each[3][:30]}" for each in RULES])
def test_a_rule_is_found(name, change, kind, words):
    verdict = exercise_called(name).check(change_of(name, change))
    assert (verdict.passed, verdict.kind) == (False, kind), verdict
    assert words in verdict.text and "The input: " in verdict.text


def test_only_where_the_maximum_ties():
    has_ties = exercise_called("max_pool_gradient").places["where several pixels of a window are equally large"]
    answer = exercise_called("max_pool_gradient").answer

    def wrong(x, grad, size, stride):
        return answer(x, grad, size, stride) + 0.25 * np.arange(x.size).reshape(x.shape) * has_ties(
            x, grad, size, stride
        )

    verdict = exercise_called("max_pool_gradient").check(wrong)
    assert verdict.kind == "place" and "wrong only where several pixels of a window are equally large" in verdict.text
    assert "Right before it: windows of 2x2 side by side" in verdict.text


def test_the_first_wrong_number_has_its_terms():
    exercise = exercise_called("dense_backward")
    verdict = exercise.check(change_of("dense_backward", lambda d, *_: (d[0], at(d[1], (1, 2)), d[2])))
    x, _, grad = exercise.made_cases()[0].arguments
    assert f"By hand, dkernel[1, 2] = {x[0, 1]:.3f}*" in verdict.text.replace("(", "").replace(")", "")
    assert f"= {x[:, 1] @ grad[:, 2]:.6g}." in verdict.text


def test_a_changed_argument():
    def softmax(x):
        x -= x.max(axis=1, keepdims=True)
        e = np.exp(x)
        return e / e.sum(axis=1, keepdims=True)

    verdict = exercise_called("softmax").check(softmax)
    assert verdict.kind == "changed" and "its argument x," in verdict.text


def test_several_changed_arguments():
    def momentum_step(p, v, g, learning_rate, momentum):
        v *= momentum
        v -= learning_rate * g
        p += v
        return p, v

    verdict = exercise_called("momentum_step").check(momentum_step)
    assert verdict.kind == "changed" and "its arguments p and v," in verdict.text


def test_loops_where_whole_arrays_were_asked_for():
    def dense_backward(x, kernel, grad):
        dx, dkernel = np.zeros(x.shape), np.zeros(kernel.shape)
        for n in range(len(x)):
            for i in range(x.shape[1]):
                for u in range(grad.shape[1]):
                    dx[n, i] += grad[n, u] * kernel[i, u]
                    dkernel[i, u] += x[n, i] * grad[n, u]
        return dx, dkernel, grad.sum(axis=0)

    verdict = exercise_called("dense_backward").check(dense_backward)
    assert not verdict.passed and verdict.kind == "loops" and "All numbers are right. But" in verdict.text


def test_an_endless_loop_is_stopped_in_its_line():
    def softmax(x):
        while True:
            pass

    verdict = exercise_called("softmax").check(softmax, seconds=0.1)
    assert verdict.kind == "time" and verdict.line - inspect.getsourcelines(softmax)[1] in (1, 2)


def sums(x):
    return [[sum(row) for row in x]]


SUMS = Exercise(
    "sums", "Sums", "Add up.", {"x": "(N, D)"}, {"y": "(1, N)"}, "y = sums", sums,
    lambda random: [Case("tenths", np.array([[0.1, 0.2, 0.3], [1e-3, 1e3, -1e3]]))], ("Add.",),
)  # fmt: skip


@pytest.mark.parametrize(
    "answer, passes",
    [
        (lambda x: [[0.6, 0.001]], True),
        (lambda x: np.array([[0.3 + 0.2 + 0.1, 0.001]], np.float32), True),
        (lambda x: [[np.float64(0.6), 0.001]], True),
        (lambda x: ((0.6, 0.001),), True),
        (lambda x: [[0.6001, 0.001]], False),
        (lambda x: np.array([[0.6002, 0.001]], np.float32), False),
        (lambda x: [], False),
        (lambda x: [[0, 0]], False),
        (lambda x: x, False),
    ],
)
def test_rounding_and_lists_are_no_mistakes(answer, passes):
    verdict = SUMS.check(answer)
    assert verdict.passed == passes and (verdict.compared > 0 or not passes)


def relu_gradient(x, grad):
    return grad * (x > 0)


def test_at_a_kink_both_slopes_are_right():
    exercise = Exercise(
        "relu_gradient", "ReLU", "Backward.", {"x": "(D,)", "grad": "(D,)"}, {"dx": "(D,)"}, "dx", relu_gradient,
        lambda random: [Case("with a zero", np.array([-1.0, 0.0, 2.0, 0.0]), np.array([3.0, 4.0, 5.0, 7.0]))],
        ("x > 0",), also_right=(lambda x, grad: grad * (x >= 0),),
    )  # fmt: skip
    for slopes in (0, 0), (1, 1), (0, 1):
        slope = np.array([0, slopes[0], 1, slopes[1]])
        assert exercise.check(lambda x, grad, slope=slope: grad * slope).passed
    assert not exercise.check(lambda x, grad: grad * np.array([0, 0.5, 1, 0.5])).passed


def test_a_small_error_is_one():
    right = np.random.default_rng(0).normal(size=100)
    assert is_right(right + 1e-9, right).all() and not is_right(right + 1e-4, right).any()
    assert is_right(np.float32(right), right).all() and not is_right(np.float32(right + 1e-3), right).any()
    assert is_right([np.nan, np.inf], [np.nan, np.inf]).all() and not is_right([np.nan, 1], [1, np.inf]).any()


def test_an_exercise_whose_parts_do_not_fit_is_refused():
    parts = dict(title="T", text="T", given={"x": "(D,)"}, returns={"y": "(D,)"}, formula="y", cases=lambda random: [])
    with pytest.raises(ArgumentError, match="expected a function other"):
        Exercise("other", answer=sums, hints=("A",), **parts)
    with pytest.raises(ArgumentError, match="expected hints"):
        Exercise("sums", answer=sums, hints=(), **parts)
    with pytest.raises(ArgumentError, match="no docstring"):
        Exercise("sums", answer=sums, hints=("A",), wrong_answers=(sums,), **parts)
    with pytest.raises(ArgumentError, match="a name that a function may have"):
        Exercise("my sums", answer=sums, hints=("A",), **parts)
