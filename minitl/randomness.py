"""One seed for everything random: initial weights, Dropout's masks, the order of examples."""

import numpy as np

from .arguments import whole_number

_generator = np.random.default_rng(0)


def set_random_seed(seed):
    """Start all random numbers of the library again from `seed` (an int): initial weights, the masks of Dropout layers
    made from now on, shuffling.

    Without a call, a fresh process starts from seed 0, so the same program gives the same numbers on the same machine.
    (Across machines the random numbers are equal too, but matrix products may round differently.)
    """
    global _generator
    _generator = np.random.default_rng(whole_number(seed, "seed", least=0))


def random_state():
    """Where the sequence that `set_random_seed` began has come to, as data; `set_random_state` goes back there."""
    return _generator.bit_generator.state


def set_random_state(state):
    _generator.bit_generator.state = state


def generator(seed=None):
    """A random generator of its own: from `seed`, or the next one in the sequence that `set_random_seed` began."""
    if seed is not None:
        return np.random.default_rng(seed)
    return np.random.default_rng(int(_generator.integers(2**63)))
