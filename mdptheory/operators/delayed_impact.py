"""What an acceptance policy earns, and what it does to the scores of each group."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import as_float_array, check_count, check_shape, place, read_only
from mdptheory.errors import InvalidModelError
from mdptheory.models.delayed_impact import DelayedImpact, ImpactRegime, PolicyImpact

STILL = 1e-12
"""Changes below this share of ``c_plus - c_minus`` count as none."""

ROUNDING = 1e-14
"""A threshold that splits off less of a score's mass than this does not split it."""


class OutcomeCurve(NamedTuple):
    """Change of a group's mean score by selection rate.

    Attributes
    ----------
    rates : array of shape (n,)
        Selection rates.
    outcomes : array of shape (n,)
        Expected change of the mean score when the highest scores are accepted first.
    """

    rates: FloatArray
    outcomes: FloatArray


def policy_impact(model: DelayedImpact, accept: npt.ArrayLike) -> PolicyImpact:
    """Evaluate a policy.

    Parameters
    ----------
    model : DelayedImpact
        Groups and scores.
    accept : array of shape (C,) or (G, C)
        Probability that an applicant of each score is accepted.

    Returns
    -------
    PolicyImpact
        Rates, utility and outcomes, exact but for rounding.

    Raises
    ------
    InvalidModelError
        If an entry is no probability.

    Examples
    --------
    >>> model = DelayedImpact([[0.6, 0.4]], [0.2, 0.8], c_plus=1.0, c_minus=-2.0)
    >>> everybody = policy_impact(model, [1.0, 1.0])
    >>> round(float(everybody.outcomes[0]), 3), everybody.regimes[0].name
    (-0.68, 'DECLINE|RELATIVE_HARM')
    """
    tau = _probabilities("accept", accept, model.pi.shape)
    accepted = model.pi * tau
    successes, able = (model.rho * accepted).sum(axis=1), (model.rho * model.pi).sum(axis=1)
    outcomes = (accepted * model.score_change).sum(axis=1)
    best = (model.pi * model.score_change * (model.utility > 0)).sum(axis=1)
    return PolicyImpact(
        accept=read_only(tau),
        rates=read_only(accepted.sum(axis=1)),
        tpr=read_only(np.divide(successes, able, np.full_like(able, np.nan), where=able > 0)),
        utility=float(model.group_probs @ (accepted * model.utility).sum(axis=1)),
        outcomes=read_only(outcomes),
        regimes=tuple(_regime(model, *pair) for pair in zip(outcomes, best, strict=True)),
    )


def threshold_policy(model: DelayedImpact, rates: npt.ArrayLike) -> FloatArray:
    """Accept the highest scores first, at random in the last of them, up to a selection rate.

    Parameters
    ----------
    model : DelayedImpact
        Groups and scores.
    rates : float or array of shape (G,)
        Selection rate of each group.

    Returns
    -------
    array of shape (G, C)
        Probability that an applicant is accepted; none where a rate is 0, all where it is 1.

    Examples
    --------
    >>> threshold_policy(DelayedImpact([[0.5, 0.25, 0.25]], [0.1, 0.5, 0.9]), 0.375).tolist()
    [[0.0, 0.5, 1.0]]
    """
    same = np.full(model.n_groups, rates) if np.ndim(rates) == 0 else rates
    wanted = _probabilities("rates", same, (model.n_groups,))
    return fill_from_top(model.pi, wanted)


def outcome_curve(
    model: DelayedImpact, group: int, rates: npt.ArrayLike | None = None
) -> OutcomeCurve:
    """Return how a group's mean score changes under threshold policies.

    Parameters
    ----------
    model : DelayedImpact
        Groups and scores.
    group : int
        Which group.
    rates : array of shape (n,), optional
        Where to evaluate; at the curve's kinks if absent.

    Returns
    -------
    OutcomeCurve
        Concave and linear between its kinks, which are the sums of the highest scores' masses: the
        slope is the change of the marginal applicant's score, which falls as more are accepted.

    Raises
    ------
    InvalidModelError
        If there is no such group, or a rate is none.

    Examples
    --------
    >>> curve = outcome_curve(DelayedImpact([[0.5, 0.5]], [0.0, 1.0], c_plus=1.0, c_minus=-2.0), 0)
    >>> curve.rates.tolist(), curve.outcomes.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.5, -0.5])
    """
    if check_count("group", group, low=0) >= model.n_groups:
        raise InvalidModelError(f"group is {group}; expected an index in [0, {model.n_groups})")
    kinks, at_kinks = from_top(model.pi)[group], from_top(model.pi * model.score_change)[group]
    if rates is None:
        return OutcomeCurve(kinks, at_kinks)
    at = as_float_array("rates", rates)
    at = _probabilities("rates", at, at.shape)
    return OutcomeCurve(at, np.interp(at, kinks, at_kinks))


def from_top(mass: FloatArray) -> FloatArray:
    """Return sums of the last k entries of each row, k = 0 to C; shape (G, C + 1).

    Parameters
    ----------
    mass : array of shape (G, C)
        Anything.

    Returns
    -------
    array of shape (G, C + 1)
        First 0, last the whole row's sum.
    """
    sums = np.cumsum(mass[:, ::-1], axis=1)
    return np.concatenate([np.zeros((len(mass), 1)), sums], axis=1)


def fill_from_top(mass: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return shares of the entries that make up an amount, the last entries first.

    Parameters
    ----------
    mass : array of shape (G, C)
        What there is, not negative.
    wanted : array of shape (G,)
        How much of each row; more than there is takes all.

    Returns
    -------
    array of shape (G, C)
        Shares in [0, 1]; of an entry without mass all, if everything above it is taken and more
        is wanted, else nothing.
    """
    above = from_top(mass)[:, -2::-1]  # what lies above each entry
    left = wanted[:, None] - above
    left[left < ROUNDING] = 0.0
    left = np.where(np.abs(left - mass) < ROUNDING, mass, left)
    full = np.where(left > 0, 1.0, 0.0)
    return np.clip(np.divide(left, mass, full, where=mass > 0), 0.0, 1.0)


def _regime(model: DelayedImpact, outcome: float, best: float) -> ImpactRegime:
    tiny = STILL * (model.c_plus - model.c_minus)
    if abs(outcome) <= tiny:
        found = ImpactRegime.STAGNATION
    else:
        found = ImpactRegime.IMPROVEMENT if outcome > 0 else ImpactRegime.DECLINE
    return found | ImpactRegime.RELATIVE_HARM if outcome < best - tiny else found


def _probabilities(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    given = as_float_array(name, value)
    if given.shape == shape[1:]:  # the same for every group
        given = np.broadcast_to(given, shape)
    check_shape(name, given, shape)
    outside = np.argwhere(~((given >= 0) & (given <= 1)))  # NaN is outside
    if outside.size:
        at = tuple(int(i) for i in outside[0])
        raise InvalidModelError(
            f"{place(name, at)} is {given[at]}; expected a probability"
            f" ({len(outside)} of {given.size} entries fail)"
        )
    return given
