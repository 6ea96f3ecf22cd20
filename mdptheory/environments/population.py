"""Population: control a pest whose growth depends on the pesticide and its density."""

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory.environments._assemble import point_mass
from mdptheory.models import TabularMDP

CAPACITY = 50
START = 10
GROWTH_STD = (0.6, 0.6, 0.5, 0.4, 0.3)
COST = (0.0, 800.0, 840.0, 880.0, 920.0)
ARRIVAL_MEAN, ARRIVAL_STD = 3.0, 1.5
ACTIONS = ("nothing", "pesticide 1", "pesticide 2", "pesticide 3", "pesticide 4")


def _normal_cdf(x: npt.ArrayLike) -> FloatArray:
    from scipy.special import ndtr

    return ndtr(x)


def _after_growth(x: int, action: int) -> FloatArray:
    """Distribution of the population after one season's growth, shape (CAPACITY + 1,)."""
    slope = x * (CAPACITY - x) / CAPACITY
    if slope == 0:
        return point_mass(CAPACITY + 1, x)
    mean = 2.0 if action == 0 else 0.2 + (x - 25) ** 2 / 625
    growth = (np.arange(CAPACITY + 1) + 0.5 - x) / slope + 1  # largest growth that rounds to k
    cdf = _normal_cdf((growth - mean) / GROWTH_STD[action])
    cdf[growth < 0] = 0.0  # growth is cut at 0, which puts a point mass there
    cdf[-1] = 1.0
    return np.diff(cdf, prepend=0.0)


def _arrivals() -> FloatArray:
    """Distribution of the external arrivals 0, 1, ...; CAPACITY stands for that many or more."""
    cdf = _normal_cdf((np.arange(CAPACITY + 1) + 0.5 - ARRIVAL_MEAN) / ARRIVAL_STD)
    cdf[-1] = 1.0
    return np.diff(cdf, prepend=0.0)


def population(*, gamma: float = 0.9) -> TabularMDP:
    """Pest control with populations 0 to 50 and five levels of pesticide.

    A growth factor ``g = max(0, N(mean, std))`` acts logistically,
    ``round(x + (g - 1) x (50 - x) / 50)``, then ``round(max(0, N(3, 1.5)))`` individuals arrive;
    both steps are clamped to [0, 50]. Without pesticide the mean is 2, else
    ``0.2 + (x - 25)^2 / 625``; the standard deviations are 0.6, 0.6, 0.5, 0.4, 0.3. The reward is
    ``1000 - x^2 - cost`` with costs 0, 800, 840, 880, 920.

    Parameters
    ----------
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with a reward per state-action pair that starts with 10 individuals.

    Raises
    ------
    InvalidModelError
        If ``gamma`` lies outside [0, 1).

    Notes
    -----
    The source samples 10000 transitions a pair. The exact discretisation is our derivation: growth
    is an increasing function of ``g``, so that the population after it is at most ``k`` with
    probability ``Phi((G_k - mean) / std)`` where ``G_k = (k + 1/2 - x) / c + 1`` and
    ``c = x (50 - x) / 50`` (0 if ``G_k < 0``, 1 for ``k = 50``; no growth if ``c = 0``); arrivals
    are convolved with it and what exceeds 50 counts as 50.

    References
    ----------
    .. [1] M. Petrik et al., craam2, ``craam/simulators/population.hpp``.

    Examples
    --------
    >>> population().n_states
    51
    """
    arrivals = _arrivals()
    size = CAPACITY + 1
    P = np.empty((size, len(COST), size))
    for x in range(size):
        for a in range(len(COST)):
            total = np.convolve(_after_growth(x, a), arrivals)
            P[x, a] = total[:size]
            P[x, a, CAPACITY] += total[size:].sum()
    levels = np.arange(size, dtype=np.float64)
    r = 1000.0 - levels[:, None] ** 2 - np.array(COST)
    return TabularMDP.from_dense(P, r, gamma, initial=point_mass(size, START), action_names=ACTIONS)
