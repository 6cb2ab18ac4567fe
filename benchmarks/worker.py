"""One program in a process of its own. A pipe tells it when to run.

    python -m benchmarks.worker '{"engine": "minitl", "job": "inference", "options": {"batch": 8, "size": 224}}'

It sets everything up, runs once to warm up, and answers "ready" with some numbers of its output and the matrix products
that minitl computed for it (`products`). For each line "go" it runs for at least `LEAST_SECONDS` and answers with the
mean time. At the end of its input it answers with its peak memory.
"""

import dataclasses
import gc
import importlib
import json
import os
import sys
import time

import numpy as np

from .products import counted

LEAST_SECONDS = 0.4
JOBS_THAT_ANSWER = ("layers", "accuracy")  # their return value is the result; the other jobs are timed


def main():
    """Run the program that the command line describes, until the input ends."""
    task = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the output of libraries goes to stderr, not between the answers

    def say(**answer):
        print(json.dumps(answer), file=answers, flush=True)

    engine = importlib.import_module(f".engines.{task['engine']}_engine", __package__)
    run = getattr(engine, task["job"])(task["options"])
    long = task["job"] in ("recipe", *JOBS_THAT_ANSWER)  # no warm-up
    with counted() as products:
        output = None if long else summary(run())
    say(ready=True, output=output, products=dataclasses.asdict(products))
    for _ in sys.stdin:
        gc.collect()  # the last run's model may still exist, in a reference cycle: its memory would be counted
        start, runs = time.perf_counter(), 0
        while runs == 0 or (not long and time.perf_counter() - start < LEAST_SECONDS):
            result = run()
            runs += 1
        seconds = (time.perf_counter() - start) / runs
        say(seconds=seconds, result=result if long else None)
    say(peak_bytes=peak_bytes())


def summary(output):
    """Return some numbers of an output, by which two engines are compared. An odd step meets all 512 channels."""
    if not isinstance(output, np.ndarray):
        return output if isinstance(output, float) else None
    flat = output.reshape(-1)
    return {
        "shape": list(output.shape),
        "largest": float(flat.max()),
        "some": flat[:: max(1, len(flat) // 999) | 1].tolist(),
    }


def peak_bytes():
    """Return the peak memory of this process in bytes, or None where it is not known (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    main()
