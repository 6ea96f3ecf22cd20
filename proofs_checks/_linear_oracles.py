"""Slow second routes for factor-robust linear MDPs: NumPy and the definitions.

Nature's factors come from the multiplier of "probabilities sum to 1", by bisection, and from linear
programs. Nothing here calls the library's operators, solvers or kernels.
"""

from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models import FactorAmbiguity, FactorKind, LinearMDP, factor_levels

HALVINGS = 70
BALLS = (FactorKind.TV_BALL, FactorKind.KL_BALL)
PRICED = (FactorKind.TV_PENALTY, FactorKind.KL_PENALTY, FactorKind.CHI_SQUARE_PENALTY)


# ---- nature's factors ---------------------------------------------------------------------------


def divergence(kind: FactorKind, q: FloatArray, m: FloatArray) -> FloatArray:
    """Return TV, KL or chi-square of ``q`` from ``m`` along the last axis, by definition."""
    if kind in (FactorKind.TV_BALL, FactorKind.TV_PENALTY, FactorKind.NOMINAL):
        return np.asarray(np.abs(q - m).sum(axis=-1) / 2)
    outside = np.where((m == 0) & (q > 0), np.inf, 0.0).sum(axis=-1)
    safe = np.where(m > 0, m, 1.0)
    if kind == FactorKind.CHI_SQUARE_PENALTY:
        return np.asarray(np.where(m > 0, (q - m) ** 2 / safe, 0.0).sum(axis=-1) + outside)
    ratio = np.where((q > 0) & (m > 0), q / safe, 1.0)
    return np.asarray((q * np.log(ratio)).sum(axis=-1) + outside)


def prices(kind: FactorKind, level: FloatArray, q: FloatArray, m: FloatArray) -> FloatArray:
    """Return what nature pays for ``q``: nothing inside a ball or at an infinite weight."""
    finite = np.isfinite(level) if kind in PRICED else np.zeros_like(level, dtype=np.bool_)
    weight = np.where(finite, level, 0.0)
    return np.asarray(weight * np.where(finite, divergence(kind, q, m), 0.0))


def worst_rows(
    kind: FactorKind, level: FloatArray, m: FloatArray, v: FloatArray, sink: int | None = None
) -> FloatArray:
    """Return nature's rows (d, S) for factors ``m`` (d, S); ties of the least go to ``sink``."""
    low = int(v.argmin()) if sink is None or v[sink] > v.min() else sink
    free = np.zeros_like(level, dtype=np.bool_) if kind in BALLS else np.isinf(level)
    if kind == FactorKind.NOMINAL or free.all():
        return m.copy()
    if kind == FactorKind.TV_BALL:
        return _lowest_mass(level, m, v, low)
    weight = np.where(free, 1.0, level)
    if kind == FactorKind.TV_PENALTY:
        q = np.where(v > v[low] + weight[:, None], 0.0, m)
        q[:, low] += 1.0 - q.sum(axis=1)
    elif kind == FactorKind.KL_BALL:
        q = _entropy_ball(level, m, v)
    else:
        q = _by_multiplier(kind, weight, m, v)
    return np.where(free[:, None], m, q)


def _lowest_mass(radius: FloatArray, m: FloatArray, v: FloatArray, low: int) -> FloatArray:
    """Keep the lowest ``1 - radius`` of the mass and put the rest on the least state."""
    order = np.argsort(v, kind="stable")
    below = np.cumsum(m[:, order], axis=1) - m[:, order]
    q = np.empty_like(m)
    q[:, order] = np.clip(1.0 - radius[:, None] - below, 0.0, m[:, order])
    q[:, low] += 1.0 - q.sum(axis=1)
    return q


def _by_multiplier(
    kind: FactorKind, weight: FloatArray, m: FloatArray, v: FloatArray
) -> FloatArray:
    """Bisect for eta such that ``m f*'((eta - v) / weight)`` sums to 1, f* the conjugate."""
    seen = m > 0
    low, high = (pick(v, seen) for pick in (_least, _largest))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = _tilted(kind, weight, m, v, middle).sum(axis=1) > 1
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    q = _tilted(kind, weight, m, v, high)
    return np.asarray(q / q.sum(axis=1, keepdims=True))


def _tilted(
    kind: FactorKind, weight: FloatArray, m: FloatArray, v: FloatArray, eta: FloatArray
) -> FloatArray:
    y = (eta[:, None] - v) / weight[:, None]
    if kind == FactorKind.KL_PENALTY:
        return np.asarray(m * np.exp(np.where(m > 0, np.minimum(y, 700.0), 0.0)))
    return np.asarray(m * np.maximum(0.0, 1.0 + y / 2))


def _least(v: FloatArray, seen: np.ndarray) -> FloatArray:
    return np.asarray(np.where(seen, v, np.inf).min(axis=1))


def _largest(v: FloatArray, seen: np.ndarray) -> FloatArray:
    return np.asarray(np.where(seen, v, -np.inf).max(axis=1))


def _entropy_ball(radius: FloatArray, m: FloatArray, v: FloatArray) -> FloatArray:
    """Bisect for the weight at which the KL penalty's row is at distance ``radius``."""
    least = _least(v, m > 0)[:, None]
    bottom = np.where(v == least, m, 0.0)
    mass = bottom.sum(axis=1)
    spread = np.maximum(_largest(v, m > 0) - least[:, 0], 1e-300)
    small, large = np.log(1e-9 * spread), np.log(spread / np.maximum(radius, 1e-12))

    def row(log_weight: FloatArray) -> FloatArray:
        over = np.where(m > 0, v - least, 0.0)
        q = m * np.exp(-np.minimum(over / np.exp(log_weight)[:, None], 745.0))
        return np.asarray(q / q.sum(axis=1, keepdims=True))

    for _ in range(HALVINGS):
        middle = (small + large) / 2
        outside = divergence(FactorKind.KL_BALL, row(middle), m) > radius
        small, large = np.where(outside, middle, small), np.where(outside, large, middle)
    q = np.where((radius >= -np.log(mass))[:, None], bottom / mass[:, None], row(large))
    return np.where((radius <= 0)[:, None], m, q)


def worth(
    kind: FactorKind, level: FloatArray, m: FloatArray, v: FloatArray, sink: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return what nature makes of ``v`` for each factor, and her rows."""
    q = worst_rows(kind, level, m, v, sink)
    return q @ v + prices(kind, level, q, m), q


def program(kind: FactorKind, level: float, m: FloatArray, v: FloatArray) -> float:
    """Solve for nature's row under total variation as a linear program, by scipy's HiGHS."""
    from scipy.optimize import linprog

    n = m.size
    eye, one, none = np.eye(n), np.ones(n), np.zeros(n)
    ball = kind == FactorKind.TV_BALL
    cost = np.concatenate([v, none if ball else one * level / 2])
    above = np.vstack([np.hstack([eye, -eye]), np.hstack([-eye, -eye])])
    right = np.concatenate([m, -m])
    if ball:
        above = np.vstack([above, np.concatenate([none, one])])
        right = np.append(right, 2 * level)
    sums = np.concatenate([one, none])[None]
    answer = linprog(cost, A_ub=above, b_ub=right, A_eq=sums, b_eq=[1.0])
    if not answer.success:
        raise RuntimeError(f"the linear program ended with: {answer.message}")
    return float(answer.fun)


# ---- exact planning and evaluation --------------------------------------------------------------


class Plan(NamedTuple):
    """Values by backward induction; fields as in the library's `LinearPlan`."""

    v: FloatArray
    q: FloatArray
    pi: FloatArray
    nu: FloatArray
    worst: FloatArray


def plan(mdp: LinearMDP, ambiguity: FactorAmbiguity | None, pi: FloatArray | None = None) -> Plan:
    """Plan greedily against nature, or evaluate a policy (H, S, A) against her."""
    kind, levels = factor_levels(ambiguity, mdp.horizon, mdp.n_factors)
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    v, q, chosen = np.zeros((shape[0] + 1, shape[1])), np.zeros(shape), np.zeros(shape)
    nu, worst = np.zeros_like(levels), np.zeros_like(mdp.mu)
    for h in reversed(range(mdp.horizon)):
        nu[h], worst[h] = worth(kind, levels[h], mdp.mu[h], v[h + 1], mdp.fail_state)
        q[h] = mdp.known.phi_at(h) @ (mdp.known.theta[h] + nu[h])
        chosen[h] = np.eye(shape[2])[q[h].argmax(axis=1)] if pi is None else pi[h]
        v[h] = (chosen[h] * q[h]).sum(axis=1)
    return Plan(v, q, chosen, nu, worst)


def step_worth(mdp: LinearMDP, ambiguity: FactorAmbiguity | None, v: FloatArray) -> Plan:
    """Let nature reply at each step to given values (H + 1, S): ``q`` is ``T_h v[h + 1]``."""
    kind, levels = factor_levels(ambiguity, mdp.horizon, mdp.n_factors)
    nu, worst = np.zeros_like(levels), np.zeros_like(mdp.mu)
    for h in range(mdp.horizon):
        nu[h], worst[h] = worth(kind, levels[h], mdp.mu[h], v[h + 1], mdp.fail_state)
    q = np.array([mdp.known.phi_at(h) @ nu[h] for h in range(mdp.horizon)])
    return Plan(v, q, np.zeros_like(q), nu, worst)


def total(mdp: LinearMDP, pi: FloatArray, factors: FloatArray, cost: FloatArray) -> FloatArray:
    """Return the expected sum of ``cost`` (H, S, A) from each step and state, shape (H + 1, S)."""
    out = np.zeros((mdp.horizon + 1, mdp.n_states))
    for h in reversed(range(mdp.horizon)):
        ahead = cost[h] + mdp.known.phi_at(h) @ (factors[h] @ out[h + 1])
        out[h] = (pi[h] * ahead).sum(axis=1)
    return out


def as_mixture(policy: IntArray, n_actions: int) -> FloatArray:
    """Return a policy (H, S) as probabilities (H, S, A)."""
    return np.asarray(np.eye(n_actions)[policy])
