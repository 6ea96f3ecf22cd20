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
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory._validation import ROW_SUM_TOLERANCE
from mdptheory.errors import InvalidCertificateError, InvalidModelError
from mdptheory.models import (
    BoundsCertificate,
    FiniteHorizon,
    TabularMDP,
    TotalReward,
    absorbing_states,
)

EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)
BLOCK = 1 << 20  # transitions looked at together, so that memory stays small

Numbers: TypeAlias = npt.NDArray[Any]
"""An array of floats, or in exact mode an object array of Fractions."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What `check` proved: ``lower - tolerance <= v_policy <= v* <= upper + tolerance``.

    Attributes
    ----------
    gap : float
        Largest ``upper - lower`` of the certificate, rounded up.
    exact : bool
        Whether every inequality was verified in rational arithmetic.
    checked_rows : int
        State-action rows whose Bellman inequality was verified, over all stages.
    tolerance : float
        0 if exact. In floats, the most by which rounding may hide a violation, carried through the
        contraction; often 0 as well. ``inf`` for a total reward whose upper bound is met with
        equality up to rounding: then only ``exact=True`` proves it.
    """

    gap: float
    exact: bool
    checked_rows: int
    tolerance: float

    @property
    def policy_loss(self) -> float:
        """Proved bound on ``max(v* - v_policy)``."""
        if self.tolerance == 0.0:
            return self.gap
        return math.nextafter(self.gap + 2.0 * self.tolerance, math.inf)


def check(certificate: BoundsCertificate, mdp: TabularMDP, exact: bool = False) -> Verified:
    """Verify that a certificate bounds the optimal value and its policy's value.

    Parameters
    ----------
    certificate : BoundsCertificate
        The claim.
    mdp : TabularMDP
        The model it is about, with the same objective.
    exact : bool
        Verify in rational arithmetic on the stored floats; otherwise in floats, where an
        inequality may fail by a rigorous bound on the rounding error and no more.

    Returns
    -------
    Verified
        What was proved. ``exact=True`` makes it a theorem about the stored model.

    Raises
    ------
    InvalidCertificateError
        If the claim is malformed or an inequality fails; the message names the state.

    Notes
    -----
    The proofs are at the top of this module. Lists of rows are taken as the model's constructor
    left them; signs and finiteness of their numbers are looked at again.

    Examples
    --------
    >>> import numpy as np
    >>> from mdptheory.models import Discounted
    >>> mdp = TabularMDP.from_dense([[[1.0]]], [[1.0]], gamma=0.5)
    >>> claim = BoundsCertificate(Discounted(0.5), np.array([2.0]), np.array([2.0]), np.array([0]))
    >>> check(claim, mdp, exact=True)
    Verified(gap=0.0, exact=True, checked_rows=1, tolerance=0.0)
    """
    claim = _well_formed(certificate, mdp)
    arithmetic = _Exact(mdp) if exact else _Float(mdp)
    if isinstance(mdp.objective, FiniteHorizon):
        checked, tolerance = _check_stages(claim, mdp, arithmetic, mdp.objective)
    elif isinstance(mdp.objective, TotalReward):
        checked, tolerance = _check_total(claim, mdp, arithmetic, exact)
    else:
        checked, tolerance = _check_discounted(claim, mdp, arithmetic)
    return Verified(_gap(claim), exact, checked, tolerance)


# ---- the three objectives ---------------------------------------------------------------------


class _Claim(NamedTuple):
    """A certificate whose shapes fit, with a leading stage axis, and its policy's rows."""

    lower: FloatArray  # (1, S), or (H + 1, S)
    upper: FloatArray
    rows: list[IntArray]  # rows[h] has shape (S,)
    absorption: FloatArray | None
    place: "_Place"


def _check_discounted(
    claim: _Claim, mdp: TabularMDP, arithmetic: "_Arithmetic"
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
    return mdp.n_rows, _round_up(Fraction(slack) / (1 - modulus))


def _check_stages(
    claim: _Claim, mdp: TabularMDP, arithmetic: "_Arithmetic", objective: FiniteHorizon
) -> tuple[int, float]:
    lower, upper, horizon = claim.lower, claim.upper, objective.horizon
    end = np.zeros(mdp.n_states) if objective.terminal is None else objective.terminal
    last = claim.place.at(horizon)
    _require(lower[-1] <= end, "lower", lower[-1], "more than the terminal reward", end, last)
    _require(upper[-1] >= end, "upper", upper[-1], "less than the terminal reward", end, last)
    growth = _round_up(Fraction(mdp.gamma) * arithmetic.largest_row_sum())
    checked, tolerance = 0, 0.0
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
    return checked, tolerance


def _check_total(
    claim: _Claim, mdp: TabularMDP, arithmetic: "_Arithmetic", exact: bool
) -> tuple[int, float]:
    lower, upper, place = claim.lower[0], claim.upper[0], claim.place
    weights = claim.absorption
    assert weights is not None  # _well_formed saw to it
    ends = absorbing_states(mdp)
    zero = np.zeros(mdp.n_states)
    _require((lower <= 0) | ~ends, "lower", lower, "more than an absorbing state's", zero, place)
    _require((upper >= 0) | ~ends, "upper", upper, "less than an absorbing state's", zero, place)
    _require(weights >= 0, "absorption", weights, "less than", zero, place)
    picked = claim.rows[0][~ends]
    # a model that pays 1 a step: its T_policy is w -> 1 + P_policy w
    steps = replace(mdp, reward=np.ones(mdp.n_rows), transition_reward=None, validate=False)
    counting = _Exact(steps) if exact else _Float(steps)
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
    return len(rows), _round_up(Fraction(below) * Fraction(weights.max()) / (1 - Fraction(loss)))


# ---- the Bellman inequality ---------------------------------------------------------------------


def _require_bellman(
    name: str,
    x: FloatArray,
    successor: FloatArray,
    rows: IntArray,
    arithmetic: "_Arithmetic",
    place: "_Place",
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
                f" {place.action(some[k])}, {_nearest(step[k])!r}, by {_nearest(excess[k]):.3g}"
                f" ({int(fails.sum())} of {len(some)} rows looked at fail)"
            )
        hidden = max(hidden, _nearest(np.max(excess + value.allowance)))
    return hidden


def _blocks(rows: IntArray, mdp: TabularMDP) -> list[IntArray]:
    longest = int(np.diff(mdp.row_ptr).max())
    size = max(1, BLOCK // longest)
    return [rows[first : first + size] for first in range(0, len(rows), size)]


# ---- arithmetic: the value of rows under both readings ----------------------------------------


class _Value(NamedTuple):
    """``T_a x`` for some rows: the lesser and the greater reading, and the rounding allowance."""

    least: Numbers
    greatest: Numbers
    allowance: Numbers


class _Exact:
    """Rational arithmetic on the stored floats, which are integers over a power of two."""

    def __init__(self, mdp: TabularMDP) -> None:
        self.gamma = Fraction(mdp.gamma)
        self.row_ptr, self.next_state = mdp.row_ptr.tolist(), mdp.next_state.tolist()
        self.prob, self.prob_unit = _integers(mdp.prob)
        self.per_transition = mdp.transition_reward is not None
        paid = mdp.reward if mdp.transition_reward is None else mdp.transition_reward
        self.reward, self.reward_unit = _integers(paid)

    def load(self, x: FloatArray) -> Any:
        return _integers(x)

    def numbers(self, x: FloatArray) -> Numbers:
        return np.array([Fraction(value) for value in x.tolist()], dtype=object)

    def largest_row_sum(self) -> Fraction:
        """Return the larger of 1 and the largest sum of a row as stored."""
        sums = (sum(self.prob[i:j]) for i, j in pairwise(self.row_ptr))
        return max(Fraction(1), Fraction(max(sums), self.prob_unit))

    def backup(self, rows: IntArray, x: tuple[list[int], int], against: FloatArray) -> _Value:
        """Return both readings of ``T_a x``; nothing is rounded, so nothing is allowed."""
        both = [self._readings(row, *x) for row in rows.tolist()]
        least = np.array([min(pair) for pair in both], dtype=object)
        greatest = np.array([max(pair) for pair in both], dtype=object)
        return _Value(least, greatest, np.zeros(len(rows), dtype=np.int64))

    def _readings(self, row: int, x: list[int], x_unit: int) -> tuple[Fraction, Fraction]:
        start, stop = self.row_ptr[row], self.row_ptr[row + 1]
        p = self.prob[start:stop]
        total = Fraction(sum(p), self.prob_unit)
        ahead = sum(pk * x[t] for pk, t in zip(p, self.next_state[start:stop], strict=True))
        future = self.gamma * Fraction(ahead, self.prob_unit * x_unit)
        if self.per_transition:
            paid = sum(pk * rk for pk, rk in zip(p, self.reward[start:stop], strict=True))
            stored = Fraction(paid, self.prob_unit * self.reward_unit) + future
            return stored, stored / total
        reward = Fraction(self.reward[row], self.reward_unit)
        return reward + future, reward + future / total


def _integers(array: FloatArray) -> tuple[list[int], int]:
    """Return integers k and a unit u with ``array == k / u`` exactly."""
    ratios = [number.as_integer_ratio() for number in array.tolist()]
    unit = max(below for _, below in ratios)  # powers of two: the largest is a common multiple
    return [above * (unit // below) for above, below in ratios], unit


class _Float:
    """Float arithmetic with a bound on its error.

    A row of n transitions: the sum of the n products rounds each term at most n times, gamma and
    the reward once each; dividing by the row's sum adds the n - 1 roundings of that sum and one of
    the division; comparing with the bound and adding the allowance two more. So, with u = eps / 2,
    the computed excess is off by at most ``(2n + 4) u / (1 - (2n + 4) u) * M``, where M = |r| +
    gamma sum p |x| + |bound| (for rewards per transition, sum p |r|). Dividing by a row sum within
    1e-9 of 1, and rounding while M is computed, change M by a factor below 1 + 2e-9 + 4 n u. All
    this stays below the allowance ``(n + 4) eps M = (2n + 8) u M`` while n < 1e7.
    TINY covers products that underflow.
    """

    def __init__(self, mdp: TabularMDP) -> None:
        self.mdp = mdp

    def load(self, x: FloatArray) -> Any:
        return x

    def numbers(self, x: FloatArray) -> FloatArray:
        return x

    def largest_row_sum(self) -> Fraction:
        """Return an upper bound on 1 and on every row sum as stored."""
        sums, length = (
            np.add.reduceat(self.mdp.prob, self.mdp.row_ptr[:-1]),
            np.diff(self.mdp.row_ptr),
        )
        largest = max(1.0, float((sums * (1.0 + (length + 1) * EPS)).max()))
        return Fraction(largest)

    def backup(self, rows: IntArray, x: FloatArray, against: FloatArray) -> _Value:
        """Return both readings of ``T_a x`` and the rounding of a comparison with ``against``."""
        mdp, gamma = self.mdp, self.mdp.gamma
        n = (mdp.row_ptr[rows + 1] - mdp.row_ptr[rows]).astype(np.int64)
        starts = np.cumsum(n) - n
        picked = np.repeat(mdp.row_ptr[rows] - starts, n) + np.arange(int(n.sum()))
        p, ahead = mdp.prob[picked], x[mdp.next_state[picked]]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            total = np.add.reduceat(p, starts)
            future = gamma * np.add.reduceat(p * ahead, starts)
            size = gamma * np.add.reduceat(p * np.abs(ahead), starts) + np.abs(against)
            if mdp.transition_reward is None:
                paid = mdp.reward[rows]
                stored, divided = paid + future, paid + future / total
                size += np.abs(paid)
            else:
                products = p * mdp.transition_reward[picked]
                stored = np.add.reduceat(products, starts) + future
                divided = stored / total
                size += np.add.reduceat(np.abs(products), starts)
            allowance = (n + 4) * EPS * size + TINY
        allowance[~np.isfinite(allowance)] = np.nan  # too large for floats: refused
        return _Value(np.minimum(stored, divided), np.maximum(stored, divided), allowance)


_Arithmetic: TypeAlias = _Exact | _Float


def _nearest(number: Fraction | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _round_up(number: Fraction) -> float:
    """Return a float that is not below ``number``."""
    nearest = _nearest(number)
    if math.isinf(nearest) or Fraction(nearest) >= number:
        return nearest
    return math.nextafter(nearest, math.inf)


def _gap(claim: _Claim) -> float:
    with np.errstate(over="ignore"):
        gap = float(np.max(claim.upper - claim.lower))
    # a computed difference is 0 only if the true one is: gradual underflow
    return math.nextafter(gap, math.inf) if gap else 0.0


# ---- the form of the claim --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Names the state and the action of a row."""

    mdp: TabularMDP
    states: IntArray  # of each row
    stage: int | None = None

    def at(self, stage: int) -> "_Place":
        return replace(self, stage=stage)

    def state(self, name: str, state: int) -> str:
        lead = "" if self.stage is None else f"{self.stage}, "
        return f"{name}[{lead}{self.mdp.state_label(state)}]"

    def action(self, row: int) -> str:
        return f"action {self.mdp.action_label(int(self.mdp.action[row]))}"


def _require(
    holds: BoolArray, name: str, have: FloatArray, relation: str, want: FloatArray, place: _Place
) -> None:
    if not holds.all():
        s = int(np.argmin(holds))
        raise InvalidCertificateError(
            f"{place.state(name, s)} is {float(have[s])!r}, {relation} {float(want[s])!r}"
            f" ({int((~holds).sum())} of {len(holds)} states fail)"
        )


def _well_formed(certificate: BoundsCertificate, mdp: TabularMDP) -> _Claim:
    """Refuse a claim on another objective or of other shapes; find the policy's rows."""
    if certificate.objective != mdp.objective:
        raise InvalidCertificateError(
            f"the certificate is about {certificate.objective}; the model's objective is"
            f" {mdp.objective}"
        )
    _check_signs(mdp)
    place = _Place(mdp, mdp.row_state())
    staged = isinstance(mdp.objective, FiniteHorizon)
    lead = (mdp.objective.horizon,) if isinstance(mdp.objective, FiniteHorizon) else ()
    shape = (*(h + 1 for h in lead), mdp.n_states)
    lower = _bounds("lower", certificate.lower, shape, place)
    upper = _bounds("upper", certificate.upper, shape, place)
    for h in range(len(lower)):
        here = place.at(h) if staged else place
        _require(lower[h] <= upper[h], "lower", lower[h], "more than upper,", upper[h], here)
    weights = None
    if isinstance(mdp.objective, TotalReward):
        if certificate.absorption is None:
            raise InvalidCertificateError("absorption is missing: is the policy proper?")
        weights = _bounds("absorption", certificate.absorption, shape, place)[0]
    rows = _policy_rows(certificate.policy, mdp, (*lead, mdp.n_states))
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


def _bounds(name: str, given: FloatArray, shape: tuple[int, ...], place: _Place) -> FloatArray:
    """Return finite bounds of the wanted shape, as an array with a leading stage axis."""
    array = np.asarray(given)
    if array.shape != shape:
        raise InvalidCertificateError(f"{name} has shape {array.shape}; expected {shape}")
    if array.dtype != np.float64:
        raise InvalidCertificateError(f"{name} has dtype {array.dtype}; expected float64")
    finite = np.isfinite(array)
    if not finite.all():
        *stage, s = (int(i) for i in np.argwhere(~finite)[0])
        here = place.at(stage[0]) if stage else place
        raise InvalidCertificateError(
            f"{here.state(name, s)} is {array[(*stage, s)]}; expected a finite number"
        )
    return array.reshape(-1, shape[-1])


def _policy_rows(given: IntArray, mdp: TabularMDP, shape: tuple[int, ...]) -> list[IntArray]:
    """Return the row that the policy picks in each state, one array a stage."""
    policy = np.asarray(given)
    if policy.shape != shape or policy.dtype.kind not in "iu":
        raise InvalidCertificateError(
            f"policy has shape {policy.shape} and dtype {policy.dtype}; expected integers of"
            f" shape {shape}"
        )
    found = []
    for h, actions in enumerate(policy.reshape(-1, shape[-1])):
        try:
            found.append(mdp.policy_rows(actions, stage=h))
        except InvalidModelError as error:
            stage = f" at stage {h}" if len(shape) > 1 else ""
            raise InvalidCertificateError(f"{error}{stage}") from None
    return found
