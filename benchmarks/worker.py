"""One program in a process of its own, told through a pipe when to run.

    python -m benchmarks.worker '{"engine": "minitl", "job": "inference", "options": {"batch": 8, "size": 224}}'

It sets everything up, runs once to warm up, and says "ready" with a digest of what it computed. For each line "go" it
runs for at least `LEAST_SECONDS` and answers with the mean time; at the end of its input it says how much memory it
took.
"""

import gc
import importlib
import json
import os
import sys
import time

import numpy as np

LEAST_SECONDS = 0.4
JOBS_THAT_ANSWER = ("layers", "accuracy")  # what they return is the result; others are timed


def main():
    task = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes elsewhere, not between the answers

    def say(**answer):
        print(json.dumps(answer), file=answers, flush=True)

    engine = importlib.import_module(f".engines.{task['engine']}_engine", __package__)
    run = getattr(engine, task["job"])(task["options"])
    long = task["job"] in ("recipe", *JOBS_THAT_ANSWER)  # no warm-up
    say(ready=True, output=None if long else summary(run()))
    for _ in sys.stdin:
        gc.collect()  # a model that is gone may still be there, as a cycle of references: its memory is not this run's
        start, runs = time.perf_counter(), 0
        while runs == 0 or (not long and time.perf_counter() - start < LEAST_SECONDS):
            result = run()
            runs += 1
        seconds = (time.perf_counter() - start) / runs
        say(seconds=seconds, result=result if long else None)
    say(peak_bytes=peak_bytes())


def summary(output):
    """A few numbers that tell whether two engines computed the same. An odd step meets all channels: they are 512."""
    if not isinstance(output, np.ndarray):
        return output if isinstance(output, float) else None
    flat = output.reshape(-1)
    return {
        "shape": list(output.shape),
        "largest": float(flat.max()),
        "some": flat[:: max(1, len(flat) // 999) | 1].tolist(),
    }


def peak_bytes():
    """The most memory that this process has held, or None where the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    main()
