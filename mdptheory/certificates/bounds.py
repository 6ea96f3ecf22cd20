"""The independent checker: it believes no solver, only the rows of the model.

What is proved
--------------
Write ``T_a x (s) = r(s, a) + gamma * sum_t P(t | s, a) x(t)``, ``T x = max_a T_a x``, and
``T_policy`` for the rows that a policy picks. Probabilities are not negative, so all of these are
monotone.

*Discounted.* If ``upper >= T upper``, monotonicity gives ``upper >= T upper >= T T upper >= ...``,
which converges to v*, because T is a contraction; so ``upper >= v*``. In the same way
``lower <= T_policy lower`` gives ``lower <= v_policy``. As ``v_policy <= v*``::

    lower <= v_policy <= v* <= upper

*Finite horizon.* The same, one stage at a time from the last: ``lower[H] <= terminal <= upper[H]``,
``upper[h] >= T_h upper[h + 1]`` and ``lower[h] <= T_policy[h] lower[h + 1]``.

*Total reward.* An absorbing state stays put with reward 0 and is worth 0. Let r and Q be the
rewards and the rows of a policy, restricted to the other states. The policy is proper if
``Q^n -> 0``; v* is the best value among proper policies. With ``upper >= T upper`` off the
absorbing states and ``upper >= 0`` on them, every proper policy has ``upper >= r + Q upper``, so
``upper >= r + Q r + ... + Q^(n-1) r + Q^n upper``, which tends to its value. With
``w >= 1 + P_policy w`` off the absorbing states and ``w >= 0``, we have ``w >= 1 + Q 1 + ... +
Q^n 1`` for every n, hence ``Q^n -> 0``: the certificate's policy is proper. Then ``lower <=
T_policy lower`` off the absorbing states and ``lower <= 0`` on them give ``lower <= v_policy`` as
before. The certificate calls w ``absorption``.

Rows that sum to 1 only up to rounding
--------------------------------------
Floats seldom sum to exactly 1. Each inequality is verified under both readings of a row: *as
stored* (then ``gamma * row sum < 1`` is required, so that T still contracts) and *divided by its
sum* (a true distribution). A reward per transition is averaged with the same reading of the row.
"""

import math
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import ROW_SUM_TOLERANCE
from mdptheory.certificates._arithmetic import (
    EPS,
    Arithmetic,
    Exact,
    Float,
    nearest,
    round_up,
)
from mdptheory.certificates._form import Place, bounds_array, largest_gap, policy_rows, require
from mdptheory.certificates._verdict import Verified
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import (
    BoundsCertificate,
    FiniteHorizon,
    TabularMDP,
    TotalReward,
    absorbing_states,
)

BLOCK = 1 << 20  # transitions looked at together, so that memory stays small


def check_bounds(certificate: BoundsCertificate, mdp: TabularMDP, exact: bool) -> Verified:
    """Verify that a certificate bounds the optimal value and its policy's value; see `check`."""
    claim = _well_formed(certificate, mdp)
    arithmetic = Exact(mdp) if exact else Float(mdp)
    if isinstance(mdp.objective, FiniteHorizon):
        checked, tolerance = _check_stages(claim, mdp, arithmetic, mdp.objective)
    elif isinstance(mdp.objective, TotalReward):
        checked, tolerance = _check_total(claim, mdp, arithmetic, exact)
    else:
        checked, tolerance = _check_discounted(claim, mdp, arithmetic)
    return Verified(largest_gap(claim.lower, claim.upper), exact, checked, tolerance)


# ---- the three objectives ---------------------------------------------------------------------


class _Claim(NamedTuple):
    """A certificate whose shapes fit, with a leading stage axis, and its policy's rows."""

    lower: FloatArray  # (1, S), or (H + 1, S)
    upper: FloatArray
    rows: list[IntArray]  # rows[h] has shape (S,)
    absorption: FloatArray | None
    place: "Place"


def _check_discounted(
    claim: _Claim, mdp: TabularMDP, arithmetic: "Arithmetic"
) -> tuple[int, float]:
    lower, upper, place = claim.lower[0], claim.upper[0], claim.place
    modulus = Fraction(mdp.gamma) * arithmetic.largest_row_sum()
    if modulus >= 1:
        raise InvalidCertificateError(
            f"gamma = {mdp.gamma!r} times the largest row sum, 1 + {float(modulus - 1):.3g}, is not"
            " below 1: the rows as stored do not contract, nothing follows"
        )
    rows = np.arange(mdp.n_rows)
    slack = max(
        _require_bellman("upper", upper, upper, rows, arithmetic, place),
        _require_bellman("lower", lower, lower, claim.rows[0], arithmetic, place),
    )
    # upper + slack / (1 - modulus) satisfies its inequality exactly; so does the lower bound
    return mdp.n_rows, round_up(Fraction(slack) / (1 - modulus))


def _check_stages(
    claim: _Claim, mdp: TabularMDP, arithmetic: "Arithmetic", objective: FiniteHorizon
) -> tuple[int, float]:
    lower, upper, horizon = claim.lower, claim.upper, objective.horizon
    end = np.zeros(mdp.n_states) if objective.terminal is None else objective.terminal
    last = claim.place.at(horizon)
    require(lower[-1] <= end, "lower", lower[-1], "more than the terminal reward", end, last)
    require(upper[-1] >= end, "upper", upper[-1], "less than the terminal reward", end, last)
    growth = round_up(Fraction(mdp.gamma) * arithmetic.largest_row_sum())
    checked, tolerance, widest = 0, 0.0, 0.0
    for h in reversed(range(horizon)):
        block = h * mdp.n_states if mdp.n_stages > 1 else 0
        rows = np.arange(mdp.choice_ptr[block], mdp.choice_ptr[block + mdp.n_states])
        place = claim.place.at(h)
        slack = max(
            _require_bellman("upper", upper[h], upper[h + 1], rows, arithmetic, place),
            _require_bellman("lower", lower[h], lower[h + 1], claim.rows[h], arithmetic, place),
        )
        checked += len(rows)
        tolerance = (slack + growth * tolerance) * (1.0 + 4.0 * EPS)  # three rounded operations
        widest = max(widest, tolerance)  # with gamma < 1 the last stages may be the least certain
    return checked, widest


def _check_total(
    claim: _Claim, mdp: TabularMDP, arithmetic: "Arithmetic", exact: bool
) -> tuple[int, float]:
    lower, upper, place = claim.lower[0], claim.upper[0], claim.place
    weights = claim.absorption
    assert weights is not None  # _well_formed saw to it
    ends = absorbing_states(mdp)
    zero = np.zeros(mdp.n_states)
    require((lower <= 0) | ~ends, "lower", lower, "more than an absorbing state's", zero, place)
    require((upper >= 0) | ~ends, "upper", upper, "less than an absorbing state's", zero, place)
    require(weights >= 0, "absorption", weights, "less than", zero, place)
    picked = claim.rows[0][~ends]
    # a model that pays 1 a step: its T_policy is w -> 1 + P_policy w
    steps = replace(mdp, reward=np.ones(mdp.n_rows), transition_reward=None, validate=False)
    counting = Exact(steps) if exact else Float(steps)
    loss = _require_bellman("absorption", weights, weights, picked, counting, place)
    if loss >= 1:
        raise InvalidCertificateError(
            f"absorption reaches {float(weights.max())!r}: floats are too coarse to tell that the"
            " policy is proper; check with exact=True"
        )
    rows = np.flatnonzero(~ends[mdp.row_state()])
    above = _require_bellman("upper", upper, upper, rows, arithmetic, place)
    below = _require_bellman("lower", lower, lower, picked, arithmetic, place)
    if above > 0:
        return len(rows), math.inf  # other proper policies may take arbitrarily many steps
    # w / (1 - loss) satisfies its inequality exactly, and so does lower - below * w / (1 - loss)
    return len(rows), round_up(Fraction(below) * Fraction(weights.max()) / (1 - Fraction(loss)))


# ---- the Bellman inequality ---------------------------------------------------------------------


def _require_bellman(
    name: str,
    x: FloatArray,
    successor: FloatArray,
    rows: IntArray,
    arithmetic: "Arithmetic",
    place: "Place",
) -> float:
    """Require ``x(s) >= T_a successor (s)`` for all ``rows``, or ``<=`` if x is the lower bound.

    Return the largest violation that rounding may hide, 0 in exact arithmetic.
    """
    following = arithmetic.load(successor)
    is_lower, hidden = name == "lower", 0.0
    for some in _blocks(rows, place.mdp):
        have = x[place.states[some]]
        value = arithmetic.backup(some, following, have)
        step = value.least if is_lower else value.greatest  # the reading that is harder to meet
        bound = arithmetic.numbers(have)
        with np.errstate(over="ignore", invalid="ignore"):
            excess = bound - step if is_lower else step - bound
        fails = ~(excess <= value.allowance)  # NaN fails
        if fails.any():
            k = int(np.argmax(fails))
            raise InvalidCertificateError(
                f"{place.state(name, place.states[some[k]])} is {float(have[k])!r},"
                f" {'more' if is_lower else 'less'} than one Bellman step with"
                f" {place.action(some[k])}, {nearest(step[k])!r}, by {nearest(excess[k]):.3g}"
                f" ({int(fails.sum())} of {len(some)} rows looked at fail)"
            )
        hidden = max(hidden, nearest(np.max(excess + value.allowance)))
    return hidden


def _blocks(rows: IntArray, mdp: TabularMDP) -> list[IntArray]:
    longest = int(np.diff(mdp.row_ptr).max())
    size = max(1, BLOCK // longest)
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def _well_formed(certificate: BoundsCertificate, mdp: TabularMDP) -> _Claim:
    """Refuse a claim on another objective or of other shapes; find the policy's rows."""
    if certificate.objective != mdp.objective:
        raise InvalidCertificateError(
            f"the certificate is about {certificate.objective}; the model's objective is"
            f" {mdp.objective}"
        )
    _check_signs(mdp)
    place = Place(mdp, mdp.row_state())
    staged = isinstance(mdp.objective, FiniteHorizon)
    lead = (mdp.objective.horizon,) if isinstance(mdp.objective, FiniteHorizon) else ()
    shape = (*(h + 1 for h in lead), mdp.n_states)
    lower = bounds_array("lower", certificate.lower, shape, place)
    upper = bounds_array("upper", certificate.upper, shape, place)
    for h in range(len(lower)):
        here = place.at(h) if staged else place
        require(lower[h] <= upper[h], "lower", lower[h], "more than upper,", upper[h], here)
    weights = None
    if isinstance(mdp.objective, TotalReward):
        if certificate.absorption is None:
            raise InvalidCertificateError("absorption is missing: is the policy proper?")
        weights = bounds_array("absorption", certificate.absorption, shape, place)[0]
    rows = policy_rows(certificate.policy, mdp, (*lead, mdp.n_states))
    return _Claim(lower, upper, rows, weights, place)


def _check_signs(mdp: TabularMDP) -> None:
    """Refuse a model (built with validate=False) on which T is not monotone or not defined."""
    if not (mdp.prob >= 0).all():
        k = int(np.argmin(mdp.prob >= 0))
        raise InvalidCertificateError(f"prob[{k}] is {mdp.prob[k]} in the model: nothing is proved")
    off = np.abs(np.add.reduceat(mdp.prob, mdp.row_ptr[:-1]) - 1.0)
    if not (off <= ROW_SUM_TOLERANCE).all():
        row = int(np.argmin(off <= ROW_SUM_TOLERANCE))
        raise InvalidCertificateError(
            f"row {row} of the model sums to 1 only within {off[row]:.3g}: nothing is proved"
        )
    for name in ("reward", "transition_reward"):
        array = getattr(mdp, name)
        if array is not None and not np.isfinite(array).all():
            k = int(np.argmin(np.isfinite(array)))
            raise InvalidCertificateError(
                f"{name}[{k}] is {array[k]} in the model: nothing is proved"
            )
