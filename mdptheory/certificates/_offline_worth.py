"""Regressions, worths of factors and widths of an offline claim, each in the plainest way."""

import math
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates._arithmetic import EPS
from mdptheory.models import KnownModel
from mdptheory.models.factor_ambiguity import FactorKind


class Estimate(NamedTuple):
    """A number a factor, and the most by which rounding may have moved it."""

    value: FloatArray
    slack: FloatArray


class Regression(NamedTuple):
    """One step's ridge regression of indicators of the next state on features.

    ``gram`` and ``inverse`` (d, d), of the Gram matrix with its ridge; ``weights`` (d, S), a
    signed measure a factor; ``spread`` (d,), the roots of the inverse's diagonal; the rounding
    errors of the last two.
    """

    gram: FloatArray
    inverse: FloatArray
    weights: FloatArray
    weights_slack: FloatArray
    spread: FloatArray
    spread_slack: FloatArray

    @classmethod
    def of(cls, known: KnownModel, counts: IntArray, step: int, ridge: float) -> Self:
        """Sum over the observed transitions of a step, then solve.

        Rounding: solving with a positive definite matrix G moves x by at most ``c |G^-1| r r' |x|``
        where r holds the roots of G's diagonal, since no factor of G has longer rows than r
        (and c is a small multiple of d eps); summing the data moves G and the moments by no more.
        """
        d, n_states = known.n_factors, known.n_states
        gram, moments = ridge * np.eye(d), np.zeros((d, n_states))
        for s, a, t in np.argwhere(counts > 0):
            phi, times = known.phi_at(step)[s, a], float(counts[s, a, t])
            gram += times * np.outer(phi, phi)
            moments[:, t] += times * phi
        try:
            inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
            # not inverse @ moments, which would magnify the inverse's errors
            weights = np.asarray(np.linalg.solve(gram, moments), dtype=np.float64)
        except np.linalg.LinAlgError:  # no finite number: the check refuses it
            inverse, weights = np.full((d, d), np.nan), np.full((d, n_states), np.nan)
        root = np.sqrt(np.diag(gram))
        error = 64.0 * EPS * (d + n_states) * np.abs(inverse) @ np.outer(root, root)
        diagonal = np.diag(inverse)
        spread = np.sqrt(diagonal)
        return cls(
            gram, inverse, weights, error @ np.abs(weights), spread,
            np.diag(error @ np.abs(inverse)) / (2.0 * spread),
        )  # fmt: skip

    def mean(self, factor: int, g: FloatArray) -> float:
        return math.fsum(self.weights[factor] * g)

    def mean_slack(self, factor: int, g: FloatArray) -> float:
        return float(2.0 * self.weights_slack[factor] @ np.abs(g)) + 1e-15


def worths(
    kind: FactorKind, levels: FloatArray, fit: Regression, v: FloatArray, cap: float, shift: bool
) -> Estimate:
    """Estimate what each factor is worth to the agent when ``v`` (S,) follows, clipped to [0, cap].

    ``shift`` chooses the second of the two moments for Kullback-Leibler penalties.
    """
    found = [_worth(kind, float(level), fit, i, v, cap, shift) for i, level in enumerate(levels)]
    value, slack = np.array([w for w, _ in found]), np.array([e for _, e in found])
    return Estimate(np.clip(value, 0.0, cap), np.minimum(slack, cap))


def _worth(
    kind: FactorKind, level: float, fit: Regression, i: int, v: FloatArray, cap: float, shift: bool
) -> tuple[float, float]:
    least = float(v.min())
    if kind is FactorKind.TV_BALL:
        heights = [0.0, cap, *v.tolist()]  # linear in between
        return (
            max(fit.mean(i, np.minimum(v, a)) - level * (a - min(a, least)) for a in heights),
            fit.mean_slack(i, v),
        )
    if level == math.inf:
        return fit.mean(i, v), fit.mean_slack(i, v)
    if kind is FactorKind.TV_PENALTY:
        return fit.mean(i, np.minimum(v, least + level)), fit.mean_slack(i, v)
    if kind is FactorKind.KL_PENALTY:
        return _kl_worth(level, fit, i, v, cap, shift)
    return _chi_square_worth(level, fit, i, v, cap)


def _kl_worth(
    level: float, fit: Regression, i: int, v: FloatArray, cap: float, shift: bool
) -> tuple[float, float]:
    """Minus ``level`` times the logarithm of the estimated mean of ``exp(-v / level)``."""
    if shift:
        base = 0.0
        g = -np.expm1(-v / level)
        moment = 1.0 - fit.mean(i, g)
    else:
        base = float(v.min())  # factored out, so that nothing vanishes
        g = np.exp(-(v - base) / level)
        moment = fit.mean(i, g)
    floor = math.exp(-(cap - base) / level)
    kept = max(moment, floor)
    if kept == 0.0:
        return cap, cap
    return base - level * math.log(kept), level * (fit.mean_slack(i, g) + EPS) / kept


def _chi_square_worth(
    level: float, fit: Regression, i: int, v: FloatArray, cap: float
) -> tuple[float, float]:
    """Largest mean less variance / (4 level) of ``v`` cut off at a height in [0, cap].

    Between neighbouring heights the mean is ``a + b alpha`` and the second moment ``c + b
    alpha^2``: one quadratic in alpha, whose vertex is tried beside the heights themselves.
    """
    heights = np.unique(np.clip([0.0, cap, *v.tolist()], 0.0, cap))
    tried = heights.tolist()
    for low, high in pairwise(tried[:]):
        below = v <= low
        a, b = fit.mean(i, np.where(below, v, 0.0)), fit.mean(i, np.where(below, 0.0, 1.0))
        bend = (b * b - b) / (4.0 * level)
        if bend < 0.0:
            vertex = -(b + 2.0 * a * b / (4.0 * level)) / (2.0 * bend)
            tried += [vertex] if low < vertex < high else []
    best, largest = -math.inf, 0.0
    for alpha in tried:
        z, z2 = fit.mean(i, np.minimum(v, alpha)), fit.mean(i, np.minimum(v, alpha) ** 2)
        best, largest = max(best, z + (z * z - z2) / (4.0 * level)), max(largest, abs(z))
    error = fit.mean_slack(i, v)
    return best, error * (1.0 + (2.0 * largest + error + cap) / (4.0 * level))


def least_widths(
    kind: FactorKind,
    levels: FloatArray,
    fit: Regression,
    step: int,
    *,
    claim: tuple[float, float, int, bool],
    known: KnownModel,
) -> FloatArray:
    """Return the least width of each factor that the proof in `offline` allows at a step.

    ``claim`` is ridge, delta, number of episodes and shift.
    """
    ridge, delta, n_episodes, shift = claim
    cap, d = known.horizon - 1.0 - step, known.n_factors
    free = known.n_states - (known.fail_state is not None)
    log_net = free * math.log(math.isqrt(n_episodes - 1) + 1)
    families = {FactorKind.TV_BALL: 1, FactorKind.CHI_SQUARE_PENALTY: 2}.get(kind, 1)
    if kind is not FactorKind.TV_BALL:
        families *= len(set(levels.tolist()))
    _, log_ratio = np.linalg.slogdet(fit.gram / ridge)
    log_share = math.log(families * (known.horizon - 1) / delta)
    radius = math.sqrt(max(log_ratio, 0.0) / 4.0 + (log_net + log_share) / 2.0) + 1.0
    bias = math.sqrt(ridge * d)
    return np.array([_width(kind, float(x), cap, radius, bias, known, shift) for x in levels])


def _width(
    kind: FactorKind,
    level: float,
    cap: float,
    radius: float,
    bias: float,
    known: KnownModel,
    shift: bool,
) -> float:
    if kind is FactorKind.TV_BALL or level == math.inf:
        return cap * (radius + bias)
    if kind is FactorKind.TV_PENALTY:
        return (cap if known.fail_state is None else min(level, cap)) * (radius + bias)
    if kind is FactorKind.CHI_SQUARE_PENALTY:
        return cap * (1.0 + cap / level) * (radius + bias)
    ratio = cap / level
    if ratio > 700.0:
        return math.inf
    if shift:
        return level * math.expm1(ratio) * (radius + bias)
    return level * math.exp(ratio) * (-math.expm1(-ratio) * radius + bias)
