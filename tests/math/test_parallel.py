"""Threads that share work, buffers that are used again, and kept transforms: each is fast and never wrong."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
import weakref

import numpy as np
import pytest

from minitl import kernels
from minitl.graph.fusion import fused
from minitl.kernels import kernel_transform, memory, parallel, winograd, winograd_forms
from minitl.layers import Conv2D, Input, MaxPooling2D
from minitl.models import Model

needs_two_threads = pytest.mark.skipif(parallel.threads() < 2, reason="BLAS may use one thread only, or cannot be told")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17])
def test_every_part_is_worked_on_once(count):
    done = []
    parallel.share(done.extend, range(count))
    assert sorted(done) == list(range(count))


@needs_two_threads
def test_parts_go_to_several_threads_and_products_to_one():
    """BLAS uses one thread in each of our threads while they share work. Afterwards it has all of its threads again."""
    seen = set()
    both_are_there = threading.Barrier(2)

    def worker(parts):
        both_are_there.wait(timeout=10)
        seen.add((threading.get_ident(), parallel._openblas.get()))

    before = parallel._openblas.get()
    parallel.share(worker, [1, 2])
    assert {blas_threads for _, blas_threads in seen} == {1} and len(seen) == 2
    assert parallel._openblas.get() == before


def test_sharing_within_a_worker_is_a_plain_call():
    names = []

    def outer(parts):
        parallel.share(lambda inner: names.append((threading.get_ident(), list(inner))), [1, 2, 3])

    parallel.share(outer, [1, 2])
    assert all(parts == [1, 2, 3] for _, parts in names)


@pytest.mark.parametrize("part", [0, 1])
def test_an_error_in_any_thread_is_raised(part):
    def worker(parts):
        if part in parts:
            raise ZeroDivisionError("from the worker")

    before = parallel._openblas.get() if parallel._openblas else None
    with pytest.raises(ZeroDivisionError, match="from the worker"):
        parallel.share(worker, [0, 1])
    assert before is None or parallel._openblas.get() == before
    done = []
    parallel.share(done.extend, [1, 2])
    assert sorted(done) == [1, 2]


def test_what_numpy_does_about_overflow_holds_in_all_threads():
    large = np.full(8, 1e30, np.float32)

    def worker(parts):
        for _ in parts:
            large * large

    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        parallel.share(worker, [1, 2])
    with np.errstate(over="ignore"):
        parallel.share(worker, [1, 2])


def test_two_threads_of_the_program_at_once(rng):
    """One thread gets the cores, the other works alone. Both get the numbers that they would get by themselves."""
    x, kernel = rng.standard_normal((4, 40, 40, 32), np.float32), rng.standard_normal((3, 3, 32, 32), np.float32)
    expected = kernels.conv2d(x, kernel)
    before = parallel._openblas.get() if parallel._openblas else None
    found = []
    threads = [threading.Thread(target=lambda: found.append(kernels.conv2d(x, kernel))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(np.array_equal(each, expected) for each in found)
    assert before is None or parallel._openblas.get() == before


def test_same_numbers_every_time(rng):
    x, kernel = rng.standard_normal((3, 30, 30, 32), np.float32), rng.standard_normal((3, 3, 32, 48), np.float32)
    grad = rng.standard_normal((3, 28, 28, 48), np.float32)
    first = kernels.conv2d(x, kernel), kernels.conv2d_kernel_gradient(x, grad, (3, 3)), kernels.channel_sums(grad)
    for _ in range(5):
        again = kernels.conv2d(x, kernel), kernels.conv2d_kernel_gradient(x, grad, (3, 3)), kernels.channel_sums(grad)
        assert all(np.array_equal(a, b) for a, b in zip(first, again))


@pytest.mark.parametrize("shapes", [((700, 300), (300, 200)), ((20, 3000), (3000, 900)), ((3, 4), (4, 5))], ids=str)
def test_shared_products(rng, shapes):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    assert np.allclose(kernels.matmul(a, b), a @ b, rtol=1e-12)
    assert np.allclose(kernels.matmul(b.T, a.T), (a @ b).T, rtol=1e-12)


def helpers():
    """Return the helper threads that are alive. Threads of other tests, such as one of a progress bar, may just end."""
    return {thread.ident for thread in threading.enumerate() if thread.name == "minitl"}


@needs_two_threads
def test_threads_stay_and_a_late_one_is_not_waited_for(rng):
    a, b = rng.standard_normal((2, 400, 400))
    kernels.matmul(a, b)
    before = helpers()
    for _ in range(20):
        kernels.matmul(a, b)
    assert helpers() == before
    inside, leave = threading.Event(), threading.Event()
    task = parallel._Task(lambda: (inside.set(), leave.wait(10)))
    task.finish()  # nobody has come for it: withdrawn
    task.run()
    assert not inside.is_set() and task.work is None


@needs_two_threads
def test_nothing_is_kept_by_waiting_threads():
    """Waiting threads keep no arrays or errors of their latest work: these may be large."""

    class Part:
        pass

    part = Part()
    kept = weakref.ref(part)
    meet = threading.Barrier(2)

    def worker(parts, part=part):
        meet.wait(10)

    parallel.share(worker, [1, 2])
    del worker, part
    gc.collect()
    assert kept() is None


def test_tasks_beside_a_loop_are_done_when_they_are_needed(rng):
    """Each is done once, by another thread or by this one, in time for `complete` and at the end of the block."""
    a, found, done = rng.standard_normal((300, 300)), {}, []

    def work(k):
        found[k] = kernels.matmul(a, a)  # within a task, a product is not shared out again
        done.append(k)

    for is_worth_it in (True, False):
        found.clear()
        done.clear()
        with parallel.beside(is_worth_it) as add:
            tasks = [add(lambda k=k: work(k)) for k in range(20)]
            for k in (0, 5):
                tasks[k].complete()
                assert k in found
        assert sorted(done) == list(range(20))
        for each in found.values():
            np.testing.assert_array_equal(each, found[0])
    with parallel.beside() as add, parallel.beside() as inner:  # the inner one leaves the cores to the outer one
        add(lambda: work(20))
        inner(lambda: work(21))
    assert {20, 21} <= set(done)


def test_an_error_beside_a_loop_is_raised_and_the_rest_is_dropped():
    def fail():
        raise ValueError("in a task")

    with pytest.raises(ValueError, match="in a task"), parallel.beside() as add:
        add(fail).complete()
    late = []
    with pytest.raises(ValueError, match="in the loop"), parallel.beside(is_worth_it=False) as add:
        add(lambda: late.append(1))
        raise ValueError("in the loop")
    assert not late
    parallel.share(lambda parts: list(parts), [1, 2])  # the cores are free again


# ---- memory ----


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_is_used_again_when_nobody_refers_to_it():
    memory.release()
    first = memory.empty((2, 1_000_000), np.float32)
    at = address(first)
    view = first[1:].reshape(10, -1)[3:]
    del first
    gc.collect()
    view[...] = 7
    second = memory.empty((2_000_000,), np.float32)  # `view` still refers to the first
    assert not np.shares_memory(second, view)
    second[...] = 0
    assert (view == 7).all()
    del view
    third = memory.empty((1_900_000,), np.float32)
    assert address(third) == at
    memory.release()


def test_small_arrays_and_unlike_sizes_get_memory_of_their_own():
    memory.release()
    large = memory.empty((10_000_000,), np.float32)
    at = address(large)
    del large
    assert address(memory.empty((1_100_000,), np.float32)) != at, "it would hold nine times its size"
    assert memory.empty((3, 0, 2), np.float64).shape == (3, 0, 2)
    again = memory.empty((8_000_000,), np.float32)
    assert address(again) == at and again.flags.writeable
    memory.release()


def test_idle_memory_has_a_limit(monkeypatch):
    memory.release()
    monkeypatch.setattr(memory, "MOST_IDLE", 10 * 2**20)
    arrays = [memory.empty((2**20,), np.float32) for _ in range(8)]
    arrays.clear()
    memory.empty((2**20,), np.float32)
    assert sum(block.size for block in memory._idle) <= 10 * 2**20
    memory.release()


def test_predictions_that_are_kept_stay_as_they_are(rng):
    """Each forward uses the buffers of the one before again, but never an array that the user still holds."""
    inputs = Input((64, 64, 3))
    model = Model(inputs, Conv2D(64, 3, padding="same")(Conv2D(32, 3, padding="same", activation="relu")(inputs)))
    images = [rng.standard_normal((2, 64, 64, 3), np.float32) for _ in range(4)]
    outputs = [model.forward(x, gradients="none") for x in images]
    for x, y in zip(images, outputs):
        assert np.array_equal(y, model.forward(x, gradients="none"))


# ---- kept transforms of kernels ----


def counted(monkeypatch):
    made = []
    transform = kernel_transform.transformed_kernel
    monkeypatch.setattr(kernel_transform, "transformed_kernel", lambda *a, **k: made.append(1) or transform(*a, **k))
    return made


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.kernel.__setitem__((2, 1, 5, 7), 3.0),
        lambda layer: layer.kernel.__imul__(2),
        lambda layer: layer.set_weights([layer.kernel[:, :, ::-1].copy(), layer.bias]),
        lambda layer: setattr(layer, "kernel", layer.kernel[::-1].copy()),
    ],
    ids=["one number", "in place", "set_weights", "another array"],
)
@pytest.mark.parametrize("trainable", [True, False])
def test_a_kernel_is_transformed_once_until_it_changes(rng, monkeypatch, change, trainable):
    layer = Conv2D(48, 3, padding="same", trainable=trainable)
    x = rng.standard_normal((4, 16, 12, 48), np.float32)
    layer.forward(x)
    made = counted(monkeypatch)
    layer.forward(x)
    layer.forward(x)
    assert not made
    change(layer)
    y = layer.forward(x)
    assert len(made) == 1
    exact = kernels.conv2d(x.astype(float), layer.kernel.astype(float), layer.bias, padding="same")
    assert np.abs(y - exact).max() <= 1e-5 * np.abs(exact).max()


def test_a_kernel_that_is_trained_keeps_no_transform(rng):
    layer = Conv2D(48, 3, padding="same")
    x = rng.standard_normal((4, 16, 12, 48), np.float32)
    layer.forward(x)
    assert layer.transform.kept is not None
    layer.forward(x, training=True)
    assert layer.transform.kept is None
    layer.trainable = False
    layer.forward(x, training=True)
    assert layer.transform.kept is not None


# ---- convolution and pooling as one step ----


def test_pooling_is_joined_only_where_nobody_sees_the_difference(rng, monkeypatch):
    inputs = Input((16, 16, 3))
    pooling = MaxPooling2D()
    model = Model(inputs, pooling(Conv2D(4, 3, activation="relu")(inputs)))
    x = rng.standard_normal((2, 16, 16, 3), np.float32)
    y = model.forward(x)
    alone = []
    forward = pooling.forward
    monkeypatch.setattr(pooling, "forward", lambda *a, **k: alone.append(True) or forward(*a, **k))
    assert np.array_equal(model.forward(x, gradients="none"), y) and not alone
    model.forward(x, training=True)
    model.backward(np.ones_like(y))
    assert alone == [True]


@pytest.mark.parametrize(
    "convolution, pooling",
    [
        (Conv2D(4, 3, activation="softmax"), MaxPooling2D()),
        (Conv2D(4, 3), MaxPooling2D(3)),
        (Conv2D(4, 3), MaxPooling2D(2, strides=1)),
        (Conv2D(4, 3), MaxPooling2D(padding="same")),
    ],
    ids=["an activation that reorders", "window", "stride", "padding"],
)
def test_other_poolings_stay_on_their_own(convolution, pooling):
    inputs = Input((15, 15, 3))
    model = Model(inputs, pooling(convolution(inputs)))
    assert fused(model.calls, model.inputs, model.outputs, lambda call: True) == model.calls


def test_subclasses_are_asked_themselves(rng):
    """A layer of one's own may compute something else, and does not know that pooling is fused with it."""

    class MinPooling2D(MaxPooling2D):
        def forward(self, x, training=False):
            return -super().forward(-x, training)

    class MyConv2D(Conv2D):
        def forward(self, x, training=False):
            return super().forward(x, training)

    inputs = Input((8, 8, 3))
    for convolution, pooling in ((Conv2D(4, 3), MinPooling2D()), (MyConv2D(4, 3), MaxPooling2D())):
        model = Model(inputs, pooling(convolution(inputs)))
        x = rng.standard_normal((2, 8, 8, 3), np.float32)
        assert np.array_equal(model.forward(x, gradients="none"), model.forward(x))


def test_memory_that_arrays_have_left_has_a_limit_at_once(monkeypatch):
    memory.release()
    monkeypatch.setattr(memory, "MOST_IDLE", 10 * 2**20)
    arrays = [memory.empty((2**20,), np.float32) for _ in range(8)]
    arrays.clear()
    assert sum(block.size for block in [*memory._idle, *memory._left]) <= 10 * 2**20
    memory.release()


def test_transforms_of_two_kinds_of_tiles_are_kept(rng):
    kept, kernel = kernel_transform.KernelTransform(), rng.standard_normal((3, 3, 4, 4), np.float32)

    def of(outputs):
        forms = [winograd_forms.form_of(3, outputs, np.dtype(np.float32), larger=True)] * 2
        u = kept.of(kernel, forms)
        np.testing.assert_array_equal(u, winograd.transformed_kernel(kernel, forms))
        return u

    by_fives, by_fours = of(14), of(8)
    assert of(14) is by_fives and of(8) is by_fours
    of(18)
    assert of(8) is by_fours and of(14) is not by_fives and len(kept.kept.transforms) == 2
    kernel[0] = 1
    assert of(8) is not by_fours and len(kept.kept.transforms) == 1


def test_threads_that_alternate_kernels_get_the_right_transform(rng):
    kept = kernel_transform.KernelTransform()
    forms = [winograd_forms.form_of(3, 8, np.dtype(np.float32))] * 2
    pairs = [(k, winograd.transformed_kernel(k, forms)) for k in rng.standard_normal((2, 3, 3, 4, 4), np.float32)]
    wrong = []

    def worker():
        for step in range(300):
            kernel, u = pairs[step % 2]
            wrong.extend([] if np.array_equal(kept.of(kernel, forms), u) else [step])

    workers = [threading.Thread(target=worker) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_starts_anew():
    """A forked process works even if a thread was sharing work at the moment of the fork."""
    program = """
import os, threading, warnings
warnings.simplefilter("ignore")
from minitl.kernels import parallel
inside, leave = threading.Event(), threading.Event()
def worker(parts):
    inside.set(); leave.wait()
threading.Thread(target=lambda: parallel.share(worker, [1, 2])).start()
inside.wait()
child = os.fork()
if child == 0:
    done = []
    parallel.share(done.extend, [1, 2])
    fine = sorted(done) == [1, 2] and not parallel._cores.locked() and parallel._users == 0
    os._exit(0 if fine and (not parallel._openblas or parallel._openblas.get() == parallel.threads()) else 1)
leave.set()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60
    )
    assert result.stdout == "0\n", result.stderr


@needs_two_threads
def test_ctrl_c_waits_for_the_other_threads():
    """No thread works on the arrays any more when KeyboardInterrupt comes out of `share`."""
    both, written = threading.Barrier(2), []

    def worker(parts):
        both.wait()
        if threading.current_thread() is not threading.main_thread():
            signal.raise_signal(signal.SIGINT)  # is answered by the main thread, which waits for this one
            time.sleep(0.2)
            written.append(True)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            parallel.share(worker, [1, 2])
        assert written == [True]
    finally:
        signal.signal(signal.SIGINT, before)


def test_overflow_is_reported_to_the_function_that_the_program_named():
    found = []
    before = np.seterrcall(lambda kind, flag: found.append(kind)), np.seterr(over="call")
    try:
        parallel.share(lambda parts: [np.float32(3e38) * np.ones(2, np.float32) * 9 for _ in parts], list(range(8)))
    finally:
        np.seterrcall(before[0])
        np.seterr(**before[1])
    assert found and set(found) == {"overflow"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_while_memory_is_handed_out():
    with memory._lock:  # as another thread might hold it
        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on: a process with threads is forked
            child = context.Process(target=memory.empty, args=((2**21,), np.float32))
            child.start()
        child.join(30)
    if child.is_alive():
        child.kill()
    assert child.exitcode == 0
