"""Slow second routes for softly regularised, factor-robust linear MDPs: NumPy and the definitions.

Arrays are 0-based: the value after step ``h`` is capped by ``H - 1 - h``. Nothing here calls the
library's operators, solvers or kernels.
"""

import itertools
import math
from typing import NamedTuple, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import FactorAmbiguity, FactorKind, KnownModel, LinearMDP, factor_levels

BALLS = (FactorKind.TV_BALL, FactorKind.KL_BALL)


def worst_row(
    kind: FactorKind, level: float, m: FloatArray, v: FloatArray, sink: int | None
) -> FloatArray:
    """Return nature's factor; of several least states she takes ``sink`` if it is one."""
    low = int(v.argmin()) if sink is None or v[sink] > v.min() else sink
    if kind == FactorKind.NOMINAL or (level == math.inf and kind not in BALLS):
        return m.copy()
    if kind == FactorKind.TV_BALL:
        order = np.argsort(-v, kind="stable")
        taken = np.diff(np.minimum(np.cumsum(m[order]), level), prepend=0.0)
        q = m.copy()
        q[order] -= np.where(v[order] > v[low], taken, 0.0)
        q[low] += m.sum() - q.sum()
        return q
    if kind == FactorKind.TV_PENALTY:
        q = np.where(v > v[low] + level, 0.0, m)
        q[low] += m.sum() - q.sum()
        return q
    if kind == FactorKind.KL_PENALTY:
        q = m * np.exp(-(v - v[m > 0].min()) / level)
        return np.asarray(q / q.sum())
    if kind == FactorKind.CHI_SQUARE_PENALTY:
        return _round_row(level, m, v)
    raise NotImplementedError(f"no slow route for {kind!r}")


def _round_row(weight: float, m: FloatArray, v: FloatArray) -> FloatArray:
    """Solve for the multiplier: m (1 + (eta - v) / (2 weight)), cut at 0, sums to 1."""
    seen = np.flatnonzero(m > 0)
    order = seen[np.argsort(v[seen], kind="stable")]
    for count in range(len(order), 0, -1):  # the states that keep some mass are the lowest
        kept = order[:count]
        eta = (2 * weight + m[kept] @ v[kept]) / m[kept].sum() - 2 * weight
        if 2 * weight + eta - v[kept[-1]] >= 0:
            break
    q = np.zeros_like(m)
    q[kept] = m[kept] * (1.0 + (eta - v[kept]) / (2 * weight))
    return q


def price(kind: FactorKind, level: float, m: FloatArray, q: FloatArray) -> float:
    """Return what nature pays for ``q``, by the divergence's definition; 0 within a ball."""
    if kind in (*BALLS, FactorKind.NOMINAL) or level == math.inf:
        return 0.0
    if kind == FactorKind.TV_PENALTY:
        return level * float(np.abs(q - m).sum()) / 2
    if kind == FactorKind.KL_PENALTY:
        on = q > 0
        return level * float(q[on] @ np.log(q[on] / m[on]))
    on = m > 0
    return level * float(((q[on] - m[on]) ** 2 / m[on]).sum())


class Nature(NamedTuple):
    """What the factors of one step are worth.

    Attributes
    ----------
    nu : array of shape (d,)
        Nature's rows' worth, her price included.
    worst : array of shape (d, S)
        Her rows.
    """

    nu: FloatArray
    worst: FloatArray


def nature(mdp: LinearMDP, ambiguity: FactorAmbiguity | None, step: int, v: FloatArray) -> Nature:
    """Reply to the values of the next step, factor by factor."""
    kind, levels = factor_levels(ambiguity, mdp.horizon, mdp.n_factors)
    rows, m = [], mdp.mu[step]
    for i, level in enumerate(levels[step]):
        rows.append(worst_row(kind, float(level), m[i], v, mdp.fail_state))
    prices = [price(kind, float(x), m[i], rows[i]) for i, x in enumerate(levels[step])]
    worst = np.array(rows)
    return Nature(worst @ v + prices, worst)


class Soft(NamedTuple):
    """Values by backward induction; fields as in the library's `LinearPlan`."""

    v: FloatArray
    q: FloatArray
    pi: FloatArray
    nu: FloatArray
    worst: FloatArray


def soft_plan(
    mdp: LinearMDP, ambiguity: FactorAmbiguity | None, tau: float, reference: FloatArray
) -> Soft:
    """Maximise reward less tau KL(pi || reference), the greedy policy at tau = 0."""
    return _backward(mdp, ambiguity, tau, reference, None)


def soft_value(
    mdp: LinearMDP,
    pi: FloatArray,
    ambiguity: FactorAmbiguity | None,
    tau: float,
    reference: FloatArray,
) -> Soft:
    """Evaluate a policy, charging tau KL(pi || reference)."""
    return _backward(mdp, ambiguity, tau, reference, pi)


def _backward(
    mdp: LinearMDP,
    ambiguity: FactorAmbiguity | None,
    tau: float,
    reference: FloatArray,
    pi: FloatArray | None,
) -> Soft:
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    v, q, chosen = np.zeros((shape[0] + 1, shape[1])), np.zeros(shape), np.zeros(shape)
    natures = []
    for h in reversed(range(mdp.horizon)):
        natures.append(nature(mdp, ambiguity, h, v[h + 1]))
        q[h] = mdp.reward[h] + mdp.known.phi_at(h) @ natures[-1].nu
        chosen[h] = softmax(q[h], tau, reference[h]) if pi is None else pi[h]
        v[h] = (chosen[h] * q[h]).sum(axis=1) - tau * divergence(chosen[h], reference[h])
    natures.reverse()
    nu, worst = (np.array([getattr(one, name) for one in natures]) for name in ("nu", "worst"))
    return Soft(v, q, chosen, nu, worst)


def softmax(q: FloatArray, tau: float, reference: FloatArray) -> FloatArray:
    """Return reference * exp(q / tau), normalised in each row; greedy (first) at tau = 0."""
    if tau == 0:
        return np.asarray(np.eye(q.shape[-1])[q.argmax(axis=-1)])
    score = np.log(reference) + q / tau
    weight = np.exp(score - score.max(axis=-1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))


def divergence(pi: FloatArray, other: FloatArray) -> FloatArray:
    """Return KL(pi || other) along the last axis; 0 log 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(pi > 0, pi * (np.log(pi) - np.log(other)), 0.0)
    return np.asarray(terms.sum(axis=-1))


def occupation(mdp: LinearMDP, pi: FloatArray, factors: FloatArray, start: int) -> FloatArray:
    """Return the law of the state at each step, shape (H, S), from a first state."""
    law = np.zeros((mdp.horizon, mdp.n_states))
    law[0, start] = 1.0
    for h in range(mdp.horizon - 1):
        weight = (law[h][:, None, None] * pi[h][:, :, None] * mdp.known.phi_at(h)).sum(axis=(0, 1))
        law[h + 1] = weight @ factors[h]
    return law


def total(mdp: LinearMDP, pi: FloatArray, factors: FloatArray, cost: FloatArray) -> FloatArray:
    """Return the expected sum of ``cost[h, s]`` from each first state, shape (S,)."""
    laws = [occupation(mdp, pi, factors, s) for s in range(mdp.n_states)]
    return np.array([float((law * cost).sum()) for law in laws])


# ---- the learner's fit --------------------------------------------------------------------------


class Setting(NamedTuple):
    """What an online learner is told.

    Attributes
    ----------
    ambiguity : FactorAmbiguity or None
        What nature may do.
    tau : float
        Temperature; 0 is greedy.
    reference : array of shape (H, S, A)
        The reference policy.
    episodes : int
        Their number K, fixed in advance.
    ridge, delta : float
        Ridge weight and failure probability.
    width : float
        Factor of the widths: 1 as derived.
    """

    ambiguity: FactorAmbiguity | None
    tau: float
    reference: FloatArray
    episodes: int
    ridge: float = 1.0
    delta: float = 0.1
    width: float = 1.0


class Fit(NamedTuple):
    """An optimistic fit.

    Attributes
    ----------
    v : array of shape (H + 1, S)
        Optimistic values.
    q, pi, bonus : array of shape (H, S, A)
        Optimistic values of actions, the softmax policy, the widths Gamma.
    nu : array of shape (H, d)
        Estimated worth of the factors.
    beta : array of shape (H, d)
        Multipliers of the widths; 0 in the last step.
    """

    v: FloatArray
    q: FloatArray
    pi: FloatArray
    bonus: FloatArray
    nu: FloatArray
    beta: FloatArray

    @classmethod
    def of(cls, known: KnownModel, told: Setting, gram: FloatArray, moments: FloatArray) -> Self:
        """Fit by ridge regression on Gram matrices (H, d, d) and moments (H, d, S)."""
        horizon, d = known.horizon, known.n_factors
        kind, levels = factor_levels(told.ambiguity, horizon, d)
        v, q = np.zeros((horizon + 1, known.n_states)), np.zeros_like(known.reward)
        pi, bonus = np.zeros_like(q), np.zeros_like(q)
        nu, beta = np.zeros((horizon, d)), explicit_widths(known, told, gram)
        for h in reversed(range(horizon)):
            cap, inverse = horizon - 1.0 - h, np.linalg.inv(gram[h])
            for i in range(d if cap else 0):
                row = inverse[i] @ moments[h]
                worth = signed_worth(kind, float(levels[h, i]), row, v[h + 1], cap)
                nu[h, i] = min(max(worth, 0.0), cap)
            bonus[h] = known.phi_at(h) @ (beta[h] * np.sqrt(np.diag(inverse)))
            estimate = known.reward[h] + known.phi_at(h) @ nu[h]
            if known.fail_state is not None:
                bonus[h, known.fail_state] = estimate[known.fail_state] = 0.0
            q[h] = np.clip(estimate + bonus[h], 0.0, horizon - h)
            pi[h] = softmax(q[h], told.tau, told.reference[h])
            v[h] = (pi[h] * q[h]).sum(axis=1)
            v[h] -= told.tau * divergence(pi[h], told.reference[h])
        return cls(v, q, pi, bonus, nu, beta)


def signed_worth(
    kind: FactorKind, level: float, row: FloatArray, v: FloatArray, cap: float, price: float = 1.0
) -> float:
    """Estimate a factor's worth from a row that need not be a distribution.

    ``price`` multiplies the ball's "- rho alpha"; 1 is right.
    """
    if kind == FactorKind.NOMINAL or (level == math.inf and kind not in BALLS):
        return float(row @ v)
    if kind == FactorKind.TV_PENALTY:
        return float(row @ np.minimum(v, v.min() + level))
    if kind == FactorKind.KL_PENALTY:
        moment = math.exp(v.min() / level) * float(row @ np.exp(-v / level))
        floor = math.exp((v.min() - cap) / level)
        return float(v.min()) - level * math.log(max(moment, floor))
    knots = np.unique(np.concatenate([[0.0, cap], v[(v > 0) & (v < cap)]]))
    if kind == FactorKind.TV_BALL:
        return max(
            float(row @ np.minimum(v, a)) - price * level * (a - min(a, float(v.min())))
            for a in knots
        )
    if kind == FactorKind.CHI_SQUARE_PENALTY:
        return max(_piece(level, row, v, *ends) for ends in itertools.pairwise(knots))
    raise NotImplementedError(f"no slow route for {kind!r}")


def _piece(weight: float, row: FloatArray, v: FloatArray, a: float, b: float) -> float:
    """Maximise the chi-square dual between two neighbouring knots, where it is a parabola."""

    def dual(alpha: float) -> float:
        cut = np.minimum(v, alpha)
        mean, square = float(row @ cut), float(row @ cut**2)
        return mean + (mean**2 - square) / (4 * weight)

    left, middle, right = dual(a), dual((a + b) / 2), dual(b)
    bend = left - 2 * middle + right
    best = max(left, middle, right)
    if bend < 0:  # the vertex of the parabola through the three points
        at = (a + b) / 2 + (b - a) * (left - right) / (4 * bend)
        best = max(best, dual(min(max(at, a), b)))
    return best


def explicit_widths(known: KnownModel, told: Setting, gram: FloatArray) -> FloatArray:
    """Return the derived multipliers (H, d): they hold for all episodes with 1 - delta."""
    horizon, d = known.horizon, known.n_factors
    kind, levels = factor_levels(told.ambiguity, horizon, d)
    beta = np.zeros((horizon, d))
    free = known.n_states - (known.fail_state is not None)
    for h in range(horizon - 1):
        families = 2 if kind == FactorKind.CHI_SQUARE_PENALTY else 1
        if kind not in (*BALLS, FactorKind.NOMINAL):
            families *= len(np.unique(levels[h]))
        grown = np.linalg.slogdet(gram[h] / told.ridge)[1] / 4
        net = free * math.log(math.ceil(math.sqrt(told.episodes)))
        spread = math.sqrt(grown + (net + math.log(families * (horizon - 1) / told.delta)) / 2)
        bias = math.sqrt(told.ridge * d)
        for i in range(d):
            scale = (horizon - 1.0 - h, float(levels[h, i]))
            beta[h, i] = _multiplier(kind, scale, spread, bias, known.fail_state is not None)
    return beta * told.width


def _multiplier(
    kind: FactorKind, scale: tuple[float, float], spread: float, bias: float, floored: bool
) -> float:
    cap, level = scale
    whole = spread + 1 + bias
    if kind in (FactorKind.NOMINAL, FactorKind.TV_BALL) or level == math.inf:
        return cap * whole
    if kind == FactorKind.TV_PENALTY:
        return (min(level, cap) if floored else cap) * whole
    if kind == FactorKind.KL_PENALTY:
        steep = math.exp(cap / level)
        return level * ((steep - 1) * (spread + 1) + steep * bias)
    return cap * (1 + cap / level) * whole
