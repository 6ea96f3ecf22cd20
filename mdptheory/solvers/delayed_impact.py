"""Policies of largest utility: of all, at equal rates, and at equal true-positive rates."""

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.errors import InvalidModelError
from mdptheory.models.delayed_impact import DelayedImpact, PolicyImpact
from mdptheory.operators.delayed_impact import fill_from_top, from_top, policy_impact

__all__ = ["demographic_parity_policy", "equal_opportunity_policy", "max_utility"]


def max_utility(model: DelayedImpact) -> PolicyImpact:
    """Accept exactly those who are worth accepting: the largest utility of all policies [1]_.

    Parameters
    ----------
    model : DelayedImpact
        Groups and scores.

    Returns
    -------
    PolicyImpact
        Scores of utility 0 are rejected.

    Notes
    -----
    No group declines if ``u_minus / u_plus <= c_minus / c_plus``, i.e. if a failure costs the
    institution relatively more than the applicant: whoever is worth accepting then gains.

    References
    ----------
    .. [1] L. T. Liu, S. Dean, E. Rolf, M. Simchowitz, M. Hardt (2018). Delayed impact of fair
       machine learning.

    Examples
    --------
    >>> model = DelayedImpact([[0.6, 0.4]], [0.2, 0.8], u_minus=-2.0)
    >>> max_utility(model).accept.tolist()
    [[0.0, 1.0]]
    """
    return policy_impact(model, (model.utility > 0).astype(np.float64))


def demographic_parity_policy(model: DelayedImpact) -> PolicyImpact:
    """Return the policy of largest utility among those with the same rate in each group.

    Parameters
    ----------
    model : DelayedImpact
        Groups and scores.

    Returns
    -------
    PolicyImpact
        A randomised threshold in each group; of several best rates the smallest.

    Notes
    -----
    At a given rate the highest scores are worth most, so utility is a sum of concave functions of
    the rate that are linear between the sums of the highest scores' masses. One of these is best.

    References
    ----------
    .. [1] L. T. Liu, S. Dean, E. Rolf, M. Simchowitz, M. Hardt (2018). Delayed impact of fair
       machine learning.

    Examples
    --------
    >>> model = DelayedImpact(
    ...     [[0.6, 0.4], [0.0, 1.0]], [0.2, 0.8], u_minus=-2.0, group_probs=[0.1, 0.9]
    ... )
    >>> found = demographic_parity_policy(model)
    >>> found.rates.tolist(), found.regimes[0].name
    ([1.0, 1.0], 'DECLINE|RELATIVE_HARM')
    """
    worth = from_top(model.pi * model.utility)
    rate = _best_level(model, from_top(model.pi), worth)
    return policy_impact(model, fill_from_top(model.pi, np.full(model.n_groups, rate)))


def equal_opportunity_policy(model: DelayedImpact) -> PolicyImpact:
    """Return the policy of largest utility among those with the same true-positive rate.

    Parameters
    ----------
    model : DelayedImpact
        Groups and scores.

    Returns
    -------
    PolicyImpact
        A randomised threshold in each group; of several best rates the smallest.

    Raises
    ------
    InvalidModelError
        If nobody in a group would succeed, so that it has no true-positive rate.

    Notes
    -----
    As for `demographic_parity_policy`, with masses of would-be successes: among policies that
    accept equally many of these, the one that starts at the highest scores accepts the fewest
    failures.

    References
    ----------
    .. [1] L. T. Liu, S. Dean, E. Rolf, M. Simchowitz, M. Hardt (2018). Delayed impact of fair
       machine learning.

    Examples
    --------
    >>> model = DelayedImpact(
    ...     [[0.6, 0.4], [0.0, 1.0]], [0.2, 0.8], u_minus=-2.0, group_probs=[0.5, 0.5]
    ... )
    >>> found = equal_opportunity_policy(model)
    >>> found.tpr.round(3).tolist(), found.rates.round(3).tolist()
    ([0.727, 0.727], [0.4, 0.727])
    """
    able = model.pi * model.rho
    total = able.sum(axis=1, keepdims=True)
    if not total.all():
        g = int(np.argmin(total[:, 0]))
        raise InvalidModelError(
            f"rho[{g}] is 0 wherever pi[{g}] is not; expected somebody who would succeed in each"
            " group"
        )
    successes = able / total
    worth = from_top(model.pi * np.where(able > 0, model.utility, 0.0))
    level = _best_level(model, from_top(successes), worth)
    accept = fill_from_top(successes, np.full(model.n_groups, level))
    return policy_impact(model, np.where(model.rho > 0, accept, 0.0))


def _best_level(model: DelayedImpact, levels: FloatArray, worth: FloatArray) -> float:
    """Maximise the weighted sum of concave functions, linear between their kinks, over [0, 1]."""
    kinks = np.unique(np.minimum(levels, 1.0))
    total = np.zeros_like(kinks)
    for share, mine, values in zip(model.group_probs, levels, worth, strict=True):
        total += share * np.interp(kinks, mine, values)
    return float(kinks[total.argmax()])
