"""The published put: its price paths, and the exact value of what was learnt from them."""

from dataclasses import replace

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms import RealFit
from mdptheory.environments import AmericanPut, put_value
from mdptheory.models import RealData

PATHS_SEED, TEST_SEED = 1, 1


def published_start(seed: int) -> float:
    """Return the first price of a replication, which its seed draws from [95, 105]."""
    return float(np.random.RandomState(seed).uniform(95.0, 105.0))


def published_paths(put: AmericanPut, seed: int, n_episodes: int = 100) -> RealData:
    """Return the episodes of a replication: own first price, but the same moves in all of them.

    The published program seeds its generator anew, always alike, before it draws the moves: one
    uniform a step, up where it is less than the probability. The action is always to continue.
    """
    u = np.random.RandomState(PATHS_SEED).random_sample((n_episodes, put.horizon))
    moves = np.where(u < put.p_up, put.up, put.down)
    states = np.full((n_episodes, put.horizon + 1), published_start(seed))
    states[:, 1:] *= np.cumprod(moves, axis=1)
    return RealData(states, np.zeros((n_episodes, put.horizon), dtype=np.int64))


def tested(put: AmericanPut) -> AmericanPut:
    """Return the put of the test episodes, whose first price all replications share."""
    return replace(put, start=published_start(TEST_SEED))


def payoffs(put: AmericanPut, fit: RealFit, p_up: FloatArray) -> FloatArray:
    """Return the exact expected payoff of a learnt rule for each probability of an up move."""

    def stop(step: int, prices: FloatArray) -> FloatArray:
        return np.asarray(fit.act(step, prices) == 1)

    return np.array([put_value(put, float(p), stop) for p in p_up])
