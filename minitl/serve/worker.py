"""One prediction at a time, and a short queue before it.

A model keeps arrays between its layers, and uses all cores for one photograph: two at once would be no faster, and
would take twice the memory. So one thread asks the model, and the threads of the connections wait for it. Where too
many wait already, or one has waited too long, the request is refused, and the client told when to come again.
"""

import math
import queue
import threading
import time

from .refusals import Refused

MOST_SECONDS_TO_COME_AGAIN = 60


class _Task:
    """A function to call, and what came out of it."""

    def __init__(self, function):
        self.function, self.done = function, threading.Event()
        self.result = self.error = None
        self.is_given_up = False


class Worker:
    """A thread that calls functions, one after the other.

    waiting   how many may wait while one runs
    """

    def __init__(self, waiting):
        self.queue, self.usual = queue.Queue(waiting), 1.0  # seconds of a prediction: a moving mean
        self.thread = threading.Thread(target=self._work, name="predictions", daemon=True)
        self.thread.start()

    def ask(self, function, seconds):
        """Return the result of a function, called in the thread of this worker, or raise its error. Raises Refused if
        too many wait, or if there is no result after so many seconds.

        A function that has begun cannot be stopped: it runs to its end, and its result is dropped.
        """
        task = _Task(function)
        try:
            self.queue.put_nowait(task)
        except queue.Full:
            words = f"{self.queue.maxsize} predictions wait already. Come again in a moment."
            raise Refused("busy", words, Retry_After=self.seconds_to_come_again()) from None
        if not task.done.wait(seconds):
            task.is_given_up = True
            words = f"There was no prediction after {seconds:g} seconds. Come again, with a smaller photograph or text."
            raise Refused("took_too_long", words, Retry_After=self.seconds_to_come_again())
        if task.error is not None:
            raise task.error
        return task.result

    def seconds_to_come_again(self):
        """Return after how many seconds those who wait now will have their answers, as a whole number."""
        return max(1, min(MOST_SECONDS_TO_COME_AGAIN, math.ceil(self.usual * (self.queue.qsize() + 1))))

    def end(self, seconds):
        """Refuse those who wait, and let the thread end after what it does now; wait for that so many seconds."""
        while True:
            try:
                task = self.queue.get_nowait()
            except queue.Empty:
                break
            task.error = Refused("ending", "The server is ending.")
            task.done.set()
        self.queue.put(None)
        self.thread.join(seconds)

    def _work(self):
        while (task := self.queue.get()) is not None:
            if task.is_given_up:
                continue
            start = time.monotonic()
            try:
                task.result = task.function()
            except BaseException as error:  # the one who asked gets it; the thread lives on
                task.error = error
            task.done.set()
            self.usual += 0.2 * (time.monotonic() - start - self.usual)
