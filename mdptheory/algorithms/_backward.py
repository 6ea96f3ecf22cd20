"""The backward pass of the learners on linear models: regress, take nature's reply, add widths.

``backward(steps, rule) -> Estimate`` walks from the last step to the first. ``steps`` yields one
`Step` a step in that order: Gram matrix and moments of the regression there, and the points, with
their features at the *next* step, at which the next values are needed. Finite state spaces have
their S states for points and counts for moments; samples have the K next states for points and
``Phi.T`` for moments. `Rule` says what nature may do, which sign the widths take (-1 pessimism
offline, +1 optimism online), how values are clipped, and whether the maximum over actions is soft
(``tau``). ``action_values(estimate, h, phi, reward, exact) -> (q, width)`` then gives the values of
any points at step ``h``: ``exact[n, a]`` marks actions whose value is their reward, as
``exact_actions(phi, fail)`` finds them.

Arrays start at 0: step ``h`` of H has the values ``v[h + 1]`` at most ``H - 1 - h`` behind it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from mdptheory._typing import BoolArray, FloatArray
from mdptheory.algorithms._factor_problem import Problem, Search
from mdptheory.algorithms._worth import worth_of_factors
from mdptheory.errors import InvalidModelError
from mdptheory.models.factor_ambiguity import FactorKind

Penalty: TypeAlias = Literal["l1", "l2", "ellipsoid"]
LeastValue: TypeAlias = Literal["zero", "state", "data"]

_LARGEST = 1e100  # of widths and worths: beyond any value, and squares of sums stay finite


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """How one backward pass estimates.

    Attributes
    ----------
    kind : FactorKind
        What nature may do.
    levels : array of shape (H, d)
        Radii or weights, see `factor_levels`.
    beta : array of shape (H, d)
        Widths in standard errors; 0 where there is none. ``"ellipsoid"`` reads column 0.
    ridge : float
        Added to the diagonal of the Gram matrices.
    sign : int
        -1 subtracts widths, +1 adds them.
    penalty : {"l1", "l2", "ellipsoid"}
        Width ``sum_i phi_i beta_i spread_i``, ``sqrt(sum_i (phi_i beta_i spread_i)^2)``, or
        ``beta_0 sqrt(phi' Lambda^-1 phi)``; spread is ``sqrt((Lambda^-1)_ii)``.
    vmin : {"zero", "state", "data"}
        What the least next value is taken to be: 0, the least of all points, of those seen.
    clip_zero, clip_w : bool
        Raise action values to 0; clip worths of factors to ``[0, H - 1 - h]``. Without the latter,
        duals search and floor at H instead of ``H - 1 - h``, as published programs do.
    kl_shift : bool
        Estimate KL moments as one minus the moment of ``1 - exp(-v / weight)``.
    regress_reward : bool
        Estimate rewards along with next values instead of using the known ones.
    flat_ceiling : bool
        Clip action values at H in every step instead of ``H - h``.
    search : Search
        How duals are maximised.
    tau : float
        Temperature of the soft maximum over actions; 0 is the maximum.
    log_reference : array of shape (A,) or (n, A), optional
        Logarithm of the policy the soft maximum refers to; None is uniform.
    """

    kind: FactorKind
    levels: FloatArray
    beta: FloatArray
    ridge: float
    sign: int = -1
    penalty: Penalty = "l1"
    vmin: LeastValue = "state"
    clip_zero: bool = True
    clip_w: bool = True
    kl_shift: bool = False
    regress_reward: bool = False
    flat_ceiling: bool = False
    search: Search = "breakpoints"
    tau: float = 0.0
    log_reference: FloatArray | None = None

    @property
    def horizon(self) -> int:
        """Number of steps H."""
        return int(self.levels.shape[0])

    def cap(self, step: int) -> float:
        """Return the bound on next values that duals use."""
        return float(self.horizon - 1 - step if self.clip_w else self.horizon)

    def ceiling(self, step: int) -> float:
        """Return the upper clip of action values."""
        return float(self.horizon if self.flat_ceiling else self.horizon - step)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The regression of one step, and the points behind it.

    Attributes
    ----------
    gram : array of shape (d, d)
        ``sum phi phi'`` without ridge.
    moments : array of shape (d, n)
        ``sum phi 1{next is point j}``; ``Phi.T`` if each sample has its own point.
    phi_next : array of shape (n, A, d)
        Features of the points at the next step. Not read in the last step.
    reward_next : array of shape (n, A)
        Known rewards of the points at the next step. Not read in the last step.
    seen : array of bool of shape (n,)
        Which points are in the data.
    reward_moment : array of shape (d,)
        ``sum phi r``; read only by rules that regress rewards.
    fail : int, optional
        A point known to be worth nothing.
    exact : array of bool of shape (n, A)
        Which actions of the points are worth their reward.
    """

    gram: FloatArray
    moments: FloatArray
    phi_next: FloatArray
    reward_next: FloatArray
    seen: BoolArray
    reward_moment: FloatArray
    fail: int | None = None
    exact: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        """Mark the actions that need no estimate."""
        object.__setattr__(self, "exact", exact_actions(self.phi_next, self.fail))


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a backward pass estimates.

    Attributes
    ----------
    rule : Rule
        How.
    w : array of shape (H, d)
        Worth of the factors; of rewards too if the rule regresses them.
    spread : array of shape (H, d)
        Standard errors ``sqrt((Lambda^-1)_ii)``.
    gram_inverse : array of shape (H, d, d)
        ``Lambda^-1``.
    """

    rule: Rule
    w: FloatArray
    spread: FloatArray
    gram_inverse: FloatArray


def exact_actions(phi: FloatArray, fail: int | None = None) -> BoolArray:
    """Mark the actions whose value is their reward: without features, or of the fail state.

    Parameters
    ----------
    phi : array of shape (n, A, d)
        Features.
    fail : int, optional
        The point that is worth nothing.

    Returns
    -------
    array of bool of shape (n, A)
        True where nothing is to be estimated.
    """
    exact = np.asarray(~phi.any(axis=-1))
    if fail is not None:
        exact[fail] = True
    return exact


def backward(steps: Iterable[Step], rule: Rule) -> Estimate:
    """Estimate the worth of all factors, from the last step to the first.

    Parameters
    ----------
    steps : iterable of Step
        H steps, the last one first. Each is used before the next is asked for.
    rule : Rule
        How to estimate.

    Returns
    -------
    Estimate
        Worths, spreads and inverse Gram matrices.
    """
    shape = rule.levels.shape
    estimate = Estimate(rule, np.zeros(shape), np.empty(shape), np.empty((*shape, shape[1])))
    for h, step in zip(reversed(range(rule.horizon)), steps, strict=True):
        factor = _factorise(step.gram, rule.ridge, h)
        estimate.gram_inverse[h] = _solve(factor, np.eye(shape[1]))
        estimate.spread[h] = np.sqrt(np.diagonal(estimate.gram_inverse[h]))
        estimate.w[h] = _worth(estimate, h, step, factor)
    return estimate


def action_values(
    estimate: Estimate, h: int, phi: FloatArray, reward: FloatArray, exact: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return the clipped values of actions at a step, and their widths.

    Parameters
    ----------
    estimate : Estimate
        Worths and spreads of the step.
    h : int
        Step, from 0.
    phi : array of shape (n, A, d)
        Features of the points at this step.
    reward : array of shape (n, A)
        Their rewards.
    exact : array of bool of shape (n, A)
        Which actions are worth their reward.

    Returns
    -------
    q : array of shape (n, A)
        Values, in units of reward.
    width : array of shape (n, A)
        What was added or subtracted before clipping; 0 for exact actions.
    """
    rule = estimate.rule
    width = _width(estimate, h, phi)
    q = phi @ estimate.w[h] + rule.sign * width
    if not rule.regress_reward:
        q += reward
    np.clip(q, 0.0 if rule.clip_zero else None, rule.ceiling(h), out=q)
    if exact.any():
        q[exact] = reward[exact]
        width[exact] = 0.0
    return q, width


def state_values(rule: Rule, q: FloatArray) -> FloatArray:
    """Return the maximum over actions of ``q`` (n, A), soft with ``tau > 0``."""
    top = q.max(axis=1)
    if rule.tau == 0.0:
        return np.asarray(top)
    log_reference = rule.log_reference
    if log_reference is None:
        log_reference = np.full(q.shape[1], -np.log(q.shape[1]))
    mass = np.exp(log_reference + (q - top[:, None]) / rule.tau).sum(axis=1)
    return np.asarray(top + rule.tau * np.log(mass))


def _worth(estimate: Estimate, h: int, step: Step, factor: FloatArray) -> FloatArray:
    """Return the worth of the factors of a step; those behind it are done."""
    rule = estimate.rule
    paid = step.reward_moment if rule.regress_reward else None
    if h == rule.horizon - 1:
        return np.zeros(len(step.gram)) if paid is None else _solve(factor, paid)
    q, _ = action_values(estimate, h + 1, step.phi_next, step.reward_next, step.exact)
    v = state_values(rule, q)
    if paid is not None:
        return _solve(factor, step.moments @ v + paid)
    floor = {"zero": np.zeros(1), "state": v, "data": v[step.seen]}[rule.vmin].min()
    problem = Problem(
        rule.kind, rule.levels[h], v, float(floor), rule.cap(h), rule.kl_shift, rule.search
    )
    w = worth_of_factors(
        problem, step.moments, estimate.gram_inverse[h], lambda rhs: _solve(factor, rhs)
    )
    return np.clip(w, 0.0, rule.cap(h)) if rule.clip_w else np.clip(w, -_LARGEST, _LARGEST)


def _width(estimate: Estimate, h: int, phi: FloatArray) -> FloatArray:
    """Return the widths of points (n, A)."""
    rule = estimate.rule
    beta = np.minimum(rule.beta[h], _LARGEST)
    if not beta.any():
        return np.zeros(phi.shape[:2])
    if rule.penalty == "l1":
        return np.asarray(phi @ (beta * estimate.spread[h]))
    if rule.penalty == "l2":
        scale = beta * estimate.spread[h]
        if not scale.any():  # underflow
            return np.zeros(phi.shape[:2])
        return np.asarray(scale.max() * np.sqrt((phi * phi) @ np.square(scale / scale.max())))
    flat = phi.reshape(-1, phi.shape[-1])
    squares = np.einsum("nd,nd->n", flat @ estimate.gram_inverse[h], flat)
    return np.asarray(beta[0] * np.sqrt(np.maximum(squares, 0.0))).reshape(phi.shape[:2])


def _factorise(gram: FloatArray, ridge: float, h: int) -> FloatArray:
    """Return the lower Cholesky factor of the Gram matrix with its ridge, or refuse the ridge."""
    from scipy.linalg import LinAlgError, cholesky

    regular = gram + ridge * np.eye(len(gram))
    try:
        factor: FloatArray = cholesky(regular, lower=True, check_finite=False)
    except LinAlgError:
        raise InvalidModelError(
            f"ridge is {ridge:g}, which is lost in floats beside the Gram matrix of step {h} with"
            f" entries up to {np.abs(gram).max():g}; expected a larger ridge"
        ) from None
    return factor


def _solve(factor: FloatArray, rhs: FloatArray) -> FloatArray:
    """Return ``Lambda^-1 rhs``."""
    from scipy.linalg import cho_solve

    solution: FloatArray = cho_solve((factor, True), rhs, check_finite=False)
    return solution
