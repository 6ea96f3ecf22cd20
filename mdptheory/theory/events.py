"""Exact tests of "probability at most delta", and what their false alarms add up to."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

PValue: TypeAlias = Callable[[Sequence[bool], float], float]


def binomial_p_value(occurred: Sequence[bool], delta: float) -> float:
    """Return the chance of at least as many occurrences when each has probability ``delta``.

    Parameters
    ----------
    occurred : sequence of bool
        Whether the event occurred, one entry an independent run; the number of runs was fixed in
        advance.
    delta : float
        Claimed upper bound on the probability of the event, in [0, 1].

    Returns
    -------
    float
        ``P(Bin(n, delta) >= k)``: exact, and valid when the runs' probabilities differ but none
        exceeds ``delta``.

    Examples
    --------
    >>> binomial_p_value([True, True, False, False], 0.5)
    0.6875
    """
    from scipy.stats import binom

    count, hits = len(occurred), sum(map(bool, occurred))
    return 1.0 if hits == 0 else float(binom.sf(hits - 1, count, delta))


def anytime_p_value(occurred: Sequence[bool], delta: float) -> float:
    """Return an anytime-valid p-value of "each run's probability is at most ``delta``".

    Parameters
    ----------
    occurred : sequence of bool
        Whether the event occurred, in the order of the runs; looking after every run and stopping
        at will is allowed.
    delta : float
        Claimed upper bound on the probability of the event, in [0, 1].

    Returns
    -------
    float
        ``1 / max_t E_t``, at most 1.

    Notes
    -----
    ``E_t`` averages the likelihood ratio of Bernoulli(q) to Bernoulli(delta) over q uniform on
    [delta, 1]. Each ratio grows with an occurrence, so it is a supermartingale under any adaptive
    probabilities up to delta, and Ville's inequality gives ``P(max_t E_t >= 1/a) <= a``.
    In closed form ``E_t = B(k+1, n-k+1) P(Beta(k+1, n-k+1) > delta) / ((1-delta)
    delta^k (1-delta)^(n-k))``.

    Examples
    --------
    >>> anytime_p_value([False] * 50, 0.1)
    1.0
    >>> anytime_p_value([True] * 20, 0.1) < 1e-15
    True
    """
    best, hits = 0.0, 0
    for t, happened in enumerate(occurred, start=1):
        hits += bool(happened)
        best = max(best, _log_e_value(hits, t, delta))
    return math.exp(-best)


def _log_e_value(hits: int, count: int, delta: float) -> float:
    from scipy.special import betainc, betaln

    if delta >= 1.0:
        return 0.0
    if delta <= 0.0:
        return math.inf if hits else -math.log(count + 1.0)
    misses = count - hits
    tail = float(
        betainc(misses + 1.0, hits + 1.0, 1.0 - delta)
    )  # P(Beta(hits+1, misses+1) > delta)
    if tail == 0.0:
        return -math.inf
    likelihood = hits * math.log(delta) + (misses + 1.0) * math.log1p(-delta)
    return float(betaln(hits + 1.0, misses + 1.0)) + math.log(tail) - likelihood


def false_alarm(p_value: PValue, count: int, delta: float, level: float) -> float:
    """Return the largest probability that a true claim is refuted at ``level``.

    Parameters
    ----------
    p_value : callable
        The test.
    count : int
        Number of runs.
    delta : float
        Claimed upper bound on the probability of the event.
    level : float
        The claim is refuted when the p-value is below this.

    Returns
    -------
    float
        For the binomial test its attained size, ``P(Bin(count, delta) >= k)`` at the least
        refuting count ``k`` (0 if there is none); else ``level``, which Ville's inequality gives.

    Examples
    --------
    >>> false_alarm(binomial_p_value, 10, 0.5, 0.02)
    0.0107421875
    """
    if p_value is not binomial_p_value:
        return level
    from scipy.stats import binom

    sizes = binom.sf(np.arange(count), count, delta)  # at least 1, 2, .. count occurrences
    return float(sizes[sizes < level].max(initial=0.0))
