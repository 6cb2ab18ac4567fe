"""The one seed of everything random: initial weights, Dropout's masks, the order of examples."""

import random

import numpy as np

from .arguments import whole_number

_generator = np.random.default_rng(0)


def set_random_seed(seed):
    """Start all random numbers of the library again from `seed`, an int: initial weights, shuffling, and the masks of
    Dropout layers that are made from now on. As in Keras, Python's `random` and NumPy's `np.random` start again as
    well: minitl does not use them, but programs do.

    Without a call, a new process starts from seed 0, so the same program gives the same numbers on the same machine.
    (The random numbers are the same on all machines, but matrix products may round differently.)
    """
    global _generator
    seed = whole_number(seed, "seed", least=0)
    _generator = np.random.default_rng(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (this is the legacy generator); it takes no larger seeds


def random_state():
    """Return the present state of the sequence that `set_random_seed` began, for `set_random_state`."""
    return _generator.bit_generator.state


def set_random_state(state):
    """Continue the sequence from a state that `random_state` has returned."""
    _generator.bit_generator.state = state


def generator(seed=None):
    """Return a new random generator. It starts from `seed` or, without one, from the next number in the sequence that
    `set_random_seed` began."""
    if seed is not None:
        return np.random.default_rng(whole_number(seed, "seed", least=0))
    return np.random.default_rng(int(_generator.integers(2**63)))
