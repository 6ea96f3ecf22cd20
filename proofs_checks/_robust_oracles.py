"""Slow second routes for ambiguity sets: distances by definition, duals by plain maximisation.

Nothing here calls an operator or a kernel of the library; sets are read as data.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self, TypeAlias, assert_never

import numpy as np

from mdptheory import TabularMDP
from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    RowAmbiguity,
    WassersteinBall,
    WeightedL1Ball,
)
from proofs_checks._oracles import dense_rows

GRID = 65  # points of one round of the zoom
ROUNDS = 8  # each round narrows the bracket by a factor of 32
Sets: TypeAlias = RowAmbiguity | list[RowAmbiguity]
STEPS = 10_000  # of the robust value's loop, which takes about five


def admissible_outcomes(p: FloatArray, ambiguity: RowAmbiguity) -> BoolArray:
    """Return the outcomes that a row of the set may use."""
    on_support = isinstance(ambiguity, KLBall | ChiSquareBall | CVaRSet | EVaRSet)
    on_support |= getattr(ambiguity, "support", "all") == "nominal"
    return p > 0 if on_support else np.full(p.size, True)


# ---- distances ----------------------------------------------------------------------------------


def excess(p: FloatArray, q: FloatArray, ambiguity: RowAmbiguity) -> FloatArray:
    """Return by how much each row of ``q``, shape (m, n), leaves the set; 0 or less inside."""
    outside = np.where(admissible_outcomes(p, ambiguity), 0.0, q).max(axis=1)
    improper = np.maximum(np.abs(q.sum(axis=1) - 1.0), np.maximum(-q.min(axis=1), outside))
    beyond = np.array(_beyond(p, q, ambiguity))
    return np.where(improper > 1e-13, np.maximum(improper, beyond), beyond)


def _beyond(p: FloatArray, q: FloatArray, ambiguity: RowAmbiguity) -> FloatArray:
    """Return distance minus radius."""
    move = np.abs(q - p)
    match ambiguity:
        case L1Ball(radius=r):
            return move.sum(axis=1) - r
        case WeightedL1Ball(radius=r, weights=w):
            return move @ w - r
        case LinfBall(radius=r):
            return move.max(axis=1) - r
        case L2Ball(radius=r):
            return np.sqrt((move**2).sum(axis=1)) - r
        case KLBall(radius=r):
            return relative_entropy(q, p) - r
        case EVaRSet(alpha=alpha):
            return relative_entropy(q, p) + np.log(alpha)
        case BurgBall(radius=r):
            return relative_entropy(p, q) - r
        case ChiSquareBall(radius=r):
            on = p > 0
            return (move[:, on] ** 2 / p[on]).sum(axis=1) - r
        case CVaRSet(alpha=alpha):
            return (q - p / alpha).max(axis=1)
        case ContaminationSet(fraction=share):
            return ((1 - share) * p - q).max(axis=1)
        case IntervalSet(lower=lower, upper=upper):
            return np.maximum(lower - q, q - upper).max(axis=1)
        case FiniteSet(rows=rows):
            return np.abs(q[:, None, :] - rows).max(axis=2).min(axis=1)
        case WassersteinBall(radius=r, cost=cost):
            return np.array([transport_cost(p, row, cost) for row in q]) - r
        case _:
            assert_never(ambiguity)


def relative_entropy(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return ``sum_i a_i log(a_i / b_i)`` along the last axis, infinite where b alone is 0."""
    a, b = np.broadcast_arrays(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(a > 0, a * (np.log(a) - np.log(b)), 0.0)
    return np.asarray(terms.sum(axis=-1))


def transport_cost(p: FloatArray, q: FloatArray, cost: FloatArray) -> float:
    """Least cost of moving p to q, by scipy's HiGHS; q is rescaled to p's mass."""
    from scipy.optimize import linprog

    n = p.size
    rows = np.kron(np.eye(n), np.ones(n))
    columns = np.kron(np.ones(n), np.eye(n))
    target = np.maximum(q, 0.0) * p.sum() / np.maximum(q, 0.0).sum()
    answer = linprog(
        cost.ravel(),
        A_eq=np.vstack([rows, columns])[:-1],
        b_eq=[*p, *target][:-1],
        bounds=(0, None),
    )
    if not answer.success:
        raise RuntimeError(f"the linear program ended with: {answer.message}")
    return float(answer.fun)


# ---- duals --------------------------------------------------------------------------------------


def dual_bound(p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity) -> float:
    """Return the best lower bound on ``q @ z`` over the set that its dual problem gives."""
    keep = admissible_outcomes(p, ambiguity)
    low, spread = z[keep].min(), float(np.ptp(z[keep]))
    if spread == 0.0:
        return float(low)
    unit = (z[keep] - low) / spread
    if isinstance(ambiguity, WeightedL1Ball):
        return float(low) + spread * _weighted_l1(p[keep], unit, ambiguity, keep)
    return float(low) + spread * _unit_dual(p[keep] / p[keep].sum(), unit, ambiguity)


def _unit_dual(p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity) -> float:
    """Return the bound for objective rows with least entry 0 and largest 1."""
    match ambiguity:
        case L1Ball(radius=r):
            return max(float(p @ np.minimum(z, eta) - r / 2 * eta) for eta in z)
        case LinfBall(radius=r):
            return _interval(np.maximum(p - r, 0.0), np.minimum(p + r, 1.0), z)
        case IntervalSet(lower=lower, upper=upper):
            return _interval(lower, upper, z)
        case CVaRSet(alpha=alpha):
            return _interval(np.zeros(p.size), p / alpha, z)
        case KLBall(radius=r):
            return _kl(p, z, float(r))
        case EVaRSet(alpha=alpha):
            return _kl(p, z, -float(np.log(alpha)))
        case BurgBall(radius=r):
            return _burg(p, z, float(r))
        case ChiSquareBall(radius=r):
            return _chi_square(p, z, float(r))
        case L2Ball(radius=r):
            return _l2(p, z, float(r))
        case WassersteinBall(radius=r, cost=cost):
            return _wasserstein(p, z, cost, float(r))
        case ContaminationSet(fraction=share):
            return float((1 - share) * (p @ z))
        case FiniteSet(rows=rows):
            return float((rows @ z).min())
        case WeightedL1Ball():
            raise TypeError("weights are given for all outcomes; use dual_bound")
        case _:
            assert_never(ambiguity)


def zoom(f: Callable[[FloatArray], FloatArray], low: float, high: float) -> float:
    """Maximise a unimodal function of one variable on ever finer grids."""
    best = -np.inf
    for _ in range(ROUNDS):
        grid = np.linspace(low, high, GRID)
        values = f(grid)
        k = int(np.argmax(values))
        best = max(best, float(values[k]))
        low, high = grid[max(k - 1, 0)], grid[min(k + 1, GRID - 1)]
    return best


def _interval(lower: FloatArray, upper: FloatArray, z: FloatArray) -> float:
    gain = [eta + lower @ np.maximum(z - eta, 0.0) - upper @ np.maximum(eta - z, 0.0) for eta in z]
    return float(max(gain))


def kl_dual(
    p: FloatArray, z: FloatArray, radius: float, multiplier: FloatArray, sign: float = -1.0
) -> FloatArray:
    """Return ``-lam log sum_i p_i exp(-z_i / lam) - lam radius`` for each lam."""
    moment = (p * np.exp(-z / multiplier[:, None])).sum(axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(-multiplier * np.log(moment) + sign * multiplier * radius)


def _kl(p: FloatArray, z: FloatArray, radius: float) -> float:
    if radius == 0.0:
        return float(p @ z)
    best = zoom(lambda x: kl_dual(p, z, radius, np.exp(x)), -21.0, np.log(2.0 / radius + 2.0))
    return max(best, 0.0)


def _burg(p: FloatArray, z: FloatArray, radius: float) -> float:
    if radius == 0.0:
        return float(p @ z)

    def bound(x: FloatArray) -> FloatArray:
        nu = np.exp(x)
        return np.asarray(nu * np.expm1(np.log1p(z / nu[:, None]) @ p - radius))

    return max(zoom(bound, -35.0, 25.0), 0.0)


def _chi_square(p: FloatArray, z: FloatArray, radius: float) -> float:
    if radius == 0.0:
        return float(p @ z)

    def bound(eta: FloatArray) -> FloatArray:
        below = np.maximum(eta[:, None] - z, 0.0) ** 2 @ p
        return np.asarray(eta - np.sqrt((1 + radius) * below))

    return zoom(bound, 0.0, 2.0 + 1.0 / np.sqrt(radius))


def _l2(p: FloatArray, z: FloatArray, radius: float) -> float:
    if radius == 0.0:
        return float(p @ z)

    def bound(x: FloatArray) -> FloatArray:
        t = np.exp(x)[:, None]
        q = projected(p - z / (2 * t))
        return np.asarray(q @ z + t[:, 0] * (((q - p) ** 2).sum(axis=1) - radius**2))

    return max(zoom(bound, -18.0, np.log(10.0 * p.size / radius)), 0.0)


def projected(points: FloatArray) -> FloatArray:
    """Project the rows of ``points`` on the simplex."""
    ordered = -np.sort(-points, axis=1)
    level = (np.cumsum(ordered, axis=1) - 1.0) / np.arange(1, points.shape[1] + 1)
    last = (ordered > level).sum(axis=1) - 1
    return np.maximum(points - level[np.arange(len(points)), last][:, None], 0.0)


def _wasserstein(p: FloatArray, z: FloatArray, cost: FloatArray, radius: float) -> float:
    """Evaluate the piecewise linear dual at every multiplier where two outcomes change places."""
    fall = z[:, None] - z
    multipliers = {0.0}
    for line in cost:
        rise = line - line[:, None]
        ok = (fall > 0) & (rise > 0)
        multipliers |= set((fall[ok] / rise[ok]).tolist())
    return max(
        float(p @ (z + lam * cost).min(axis=1) - lam * radius) for lam in sorted(multipliers)
    )


def _weighted_l1(p: FloatArray, z: FloatArray, ball: WeightedL1Ball, keep: BoolArray) -> float:
    """Evaluate the one-dimensional dual at its breakpoints."""
    p, w = p / p.sum(), ball.weights[keep]
    fall = z[:, None] - z
    multipliers = {0.0}
    for slope in (w[:, None] + w, w - w[:, None]):
        ok = (fall > 0) & (slope > 0)
        multipliers |= set((fall[ok] / slope[ok]).tolist())
    best = -np.inf
    for lam in multipliers:
        level = (z + lam * w).min()
        best = max(best, level - lam * float(ball.radius) + p @ np.minimum(z - level, lam * w))
    return float(best)


# ---- robust values ------------------------------------------------------------------------------


class Game(NamedTuple):
    """A model's rows as dense arrays, with the state of each."""

    rows: FloatArray
    reward: FloatArray
    state: IntArray
    gamma: float

    @classmethod
    def of(cls, mdp: TabularMDP) -> Self:
        """Read the rows of a discounted model."""
        P, r = dense_rows(mdp)
        here = np.isfinite(r)
        return cls(P[here], r[here], np.nonzero(here)[0], mdp.gamma)

    def worth(self, v: FloatArray) -> FloatArray:
        """Return reward plus discounted value, shape (n_rows, n_states)."""
        return np.asarray(self.reward[:, None] + self.gamma * v)

    def best(self, q: FloatArray) -> FloatArray:
        """Return the largest entry of each state's rows."""
        return np.array([q[self.state == s].max() for s in range(self.state[-1] + 1)])

    def greedy(self, q: FloatArray) -> IntArray:
        """Return the first best row of each state."""
        best = self.best(q)
        return np.array(
            [np.flatnonzero((self.state == s) & (q == best[s]))[0] for s in range(best.size)]
        )

    def value(self, rows: FloatArray, chosen: IntArray) -> FloatArray:
        """Return the value of the policy that uses the chosen rows, under any rows."""
        system = np.eye(len(chosen)) - self.gamma * rows[chosen]
        return np.asarray(np.linalg.solve(system, self.reward[chosen]))

    def worst(
        self, sets: Sets, z: FloatArray, nature: Callable[..., Any]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the values and the rows of nature's replies to all rows: one set, or one a row."""
        each = sets if isinstance(sets, list) else [sets] * len(z)
        replies = [nature(p, x, one) for p, x, one in zip(self.rows, z, each, strict=True)]
        return np.array([x.value for x in replies]), np.array([x.row for x in replies])


def robust_value(game: Game, sets: Sets, nature: Callable[..., Any]) -> FloatArray:
    """Return the fixed point of ``v -> max_a min_q r + gamma q.v``, up to rounding.

    Policy and nature are frozen at their greedy choices and evaluated; where this does not shrink
    the residual by gamma, one step of value iteration is taken instead, so that the loop ends.
    """
    v = np.zeros(game.state[-1] + 1)
    swept, target = _sweep(game, sets, nature, v)
    for _ in range(STEPS):
        residual = float(np.abs(swept - v).max())
        if residual <= 1e-13 * (1.0 + np.abs(v).max()):
            break
        frozen = target, *_sweep(game, sets, nature, target)
        if np.abs(frozen[1] - frozen[0]).max() > game.gamma * residual:
            frozen = swept, *_sweep(game, sets, nature, swept)
        v, swept, target = frozen
    return swept


def _sweep(
    game: Game, sets: Sets, nature: Callable[..., Any], v: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return ``L v``, and the value of the policy and the rows that attain it."""
    q, rows = game.worst(sets, game.worth(v), nature)
    return game.best(q), game.value(rows, game.greedy(q))
