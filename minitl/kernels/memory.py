"""Large arrays in memory that is used again, because fresh memory is slow.

A large `np.empty` gets new memory from the operating system. The system finds and clears every page at the first touch,
and takes all pages back when the array is freed. That costs about 0.25 ms a megabyte here, for each layer of each
batch. `empty` hands out the memory of an earlier array, once nothing refers to that array or to a view of it any more.

Three rules limit the waste. A block of memory is only used for arrays of at least half its size. A new block replaces
smaller idle blocks. Idle blocks have at most MOST_IDLE bytes together. A training step of VGG16 at batch 8 takes 1,190
MB, with `np.empty` 1,010 MB.
"""

import math
import os
import re
import sys
import threading
import weakref
from collections import deque
from pathlib import Path

import numpy as np

# Bytes of the smallest array in reused memory. Below it the C library reuses memory by itself, and faster: VGG16 at
# batch 1 takes 91 ms; with a limit of 1 MB it takes 101 ms.
SMALLEST = 4 * 2**20
# The limit is lower for scratch: in threads other than the first, the C library returns it to the system after use.
SMALLEST_SCRATCH = 2**17
MOST_WASTED = 2  # the memory of an array may be this many times as large as the array
MOST_IDLE = 2**30  # bytes that may lie unused

_left = deque()  # blocks whose array has just been freed; a deque, because that may happen at any moment
_idle = []  # blocks that can be handed out; the one that has been idle longest comes first
_lock = threading.Lock()


def _start_anew():
    """Make a new lock in a forked process, where the thread that held the old lock does not exist."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_start_anew)


def empty(shape, dtype, is_scratch=False):
    """Return an array of undefined content, as `np.empty` does, in the memory of an earlier array where one fits."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < (SMALLEST_SCRATCH if is_scratch else SMALLEST):
        return np.empty(shape, dtype)
    block = _used_block(size)
    if block is None:
        block = np.empty(size, np.uint8)
    # This array is made from a memoryview and not from another array. So every view of it, and every view of a view,
    # refers to the array itself. When the last view is freed, the array is, and the finalizer takes its memory back.
    array = np.frombuffer(memoryview(block), dtype, count=math.prod(shape))
    weakref.finalize(array, _take_back, block).atexit = False
    return array.reshape(shape)


def _take_back(block):
    """Take the memory of a freed array back.

    Python may call this at any moment and in any thread, perhaps in one that already holds the lock. So this function
    must not wait for the lock.
    """
    _left.append(block)
    if _lock.acquire(blocking=False):
        try:
            _tidy()
        finally:
            _lock.release()


def _tidy():
    """Move the blocks of freed arrays to the idle ones, and free the longest idle ones beyond MOST_IDLE bytes."""
    while _left:
        _idle.append(_left.popleft())
    while sum(block.size for block in _idle) > MOST_IDLE:
        del _idle[0]


def release():
    """Give all unused memory back to the operating system."""
    with _lock:
        _left.clear()
        _idle.clear()


def _used_block(size):
    """Return the smallest idle block that holds `size` bytes, or None."""
    with _lock:
        _tidy()
        fits = [k for k, block in enumerate(_idle) if size <= block.size <= MOST_WASTED * size]
        best = min(fits, key=lambda k: _idle[k].size, default=None)
        if best is not None:
            return _idle.pop(best)
        given_back, kept = 0, []
        for block in _idle:  # the caller makes a new block; it replaces idle blocks that were too small
            if block.size < size and given_back < size:
                given_back += block.size
            else:
                kept.append(block)
        _idle[:] = kept
        return None


class Scratch(threading.local):
    """Named arrays of one type for intermediate results.

    Each thread has arrays of its own, and gets the same memory again whenever it asks for the same name. The first
    request, usually the largest, allocates it.
    """

    def __init__(self, dtype):  # called once in each thread that uses the object
        self.dtype = dtype
        self.memory = {}

    def array(self, name, *shape):
        """Return this thread's array `name` in the given shape. Its content is undefined."""
        size = math.prod(shape)
        if name not in self.memory or self.memory[name].size < size:
            self.memory.pop(name, None)  # freed first, so that the new memory replaces the old
            self.memory[name] = empty((size,), self.dtype, is_scratch=True)
        return self.memory[name][:size].reshape(shape)


def peak_bytes():
    """Return the most bytes that this process has held so far, or None where the system does not tell (Windows)."""
    try:
        status = Path("/proc/self/status").read_text()  # Linux, where getrusage would count the parent process, too
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", status)[1])
    except (OSError, TypeError):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
