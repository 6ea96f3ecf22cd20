"""Slow second routes for pessimistic ridge fits: sums over single transitions, plain inverses.

Nothing here calls the library's kernels or learners. Steps count from 0: the value after step ``h``
is at most ``H - 1 - h``.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models import FactorAmbiguity, FactorKind, KnownModel, factor_levels
from proofs_checks._linear_oracles import PRICED


class Sums(NamedTuple):
    """Gram matrices (H, d, d) without ridge and moments (H, d, S)."""

    gram: FloatArray
    moments: FloatArray


def add_up(known: KnownModel, counts: IntArray) -> Sums:
    """Add up features over the transitions counted in (H, S, A, S), one at a time."""
    gram = np.zeros((known.horizon, known.n_factors, known.n_factors))
    moments = np.zeros((known.horizon, known.n_factors, known.n_states))
    for h, s, a, t in np.argwhere(counts > 0).tolist():
        phi, times = known.phi_at(h)[s, a], float(counts[h, s, a, t])
        gram[h] += times * np.outer(phi, phi)
        moments[h, :, t] += times * phi
    return Sums(gram, moments)


class Signed(NamedTuple):
    """One ridge estimate: coefficients (n,) of either sign, and what the dual needs.

    Attributes
    ----------
    kind, level
        Kind of ambiguity and the factor's level.
    coef, v : array of shape (S,)
        Row of ``Lambda^-1 M``; the next values.
    floor, cap : float
        Known least and greatest next value.
    shift : bool
        Whether the KL moment is estimated as 1 less that of its complement.
    """

    kind: FactorKind
    level: float
    coef: FloatArray
    v: FloatArray
    floor: float
    cap: float
    shift: bool


Dual = Callable[[Signed], float]


def dual(x: Signed) -> float:
    """Return the estimated worth of a factor, not clipped."""
    if x.kind == FactorKind.TV_BALL:
        levels = np.concatenate([[0.0, x.cap], x.v])
        z = np.minimum(x.v, levels[:, None]) @ x.coef
        return float((z - x.level * (levels - np.minimum(levels, x.floor))).max())
    if x.kind == FactorKind.NOMINAL or x.level == math.inf:
        return float(x.coef @ x.v)
    if x.kind == FactorKind.TV_PENALTY:
        return float(x.coef @ np.minimum(x.v, x.floor + x.level))
    if x.kind == FactorKind.KL_PENALTY:
        moment = float(x.coef @ np.exp(-x.v / x.level))
        if x.shift:
            moment = 1.0 + float(x.coef @ np.expm1(-x.v / x.level))
        return -x.level * math.log(max(moment, math.exp(-x.cap / x.level)))
    return max(truncations(x)[1])


def truncations(x: Signed) -> tuple[list[float], list[float]]:
    """Return candidate truncations of the chi-square dual and its values there.

    Between two neighbours the dual is a parabola: its vertex is found from three points.
    """
    ends = np.unique(np.clip(np.concatenate([[0.0, x.cap], x.v]), 0.0, x.cap))
    at = [float(a) for a in ends]
    for low, high in pairwise(ends):
        left, mid, right = (objective(x, a) for a in (low, (low + high) / 2, high))
        bend = left - 2 * mid + right
        if bend != 0:
            at.append(
                float(
                    np.clip((low + high) / 2 - (high - low) * (right - left) / bend / 4, low, high)
                )
            )
    return at, [objective(x, a) for a in at]


def objective(x: Signed, alpha: float) -> float:
    """Return the chi-square dual at one truncation: mean less variance / (4 level)."""
    cut = np.minimum(x.v, alpha)
    z, square = float(x.coef @ cut), float(x.coef @ cut**2)
    return z - (square - z * z) / (4 * x.level)


class Told(NamedTuple):
    """What a learner is told.

    Attributes
    ----------
    ambiguity : FactorAmbiguity or None
        What nature may do.
    beta : array of shape (H, d)
        Widths in units of standard errors.
    ridge : float
        Ridge of the regressions.
    sign : float
        -1 subtracts widths, +1 adds them.
    shift : bool
        As in `Signed`.
    dual : callable
        The dual, to be replaced by broken ones.
    """

    ambiguity: FactorAmbiguity | None
    beta: FloatArray
    ridge: float = 1.0
    sign: float = -1.0
    shift: bool = False
    dual: Dual = dual


class Fit(NamedTuple):
    """A fit: values (H + 1, S), (H, S, A), policy (H, S), worths (H, d), widths (H, S, A)."""

    v: FloatArray
    q: FloatArray
    policy: IntArray
    w: FloatArray
    width: FloatArray


def fit(known: KnownModel, sums: Sums, told: Told) -> Fit:
    """Fit from the last step to the first; the fail state is worth nothing."""
    horizon, d, fail = known.horizon, known.n_factors, known.fail_state
    kind, levels = factor_levels(told.ambiguity, horizon, d)
    v, q = np.zeros((horizon + 1, known.n_states)), np.zeros_like(known.reward)
    width, w = np.zeros_like(q), np.zeros((horizon, d))
    for h in reversed(range(horizon)):
        cap, inverse = horizon - 1.0 - h, np.linalg.inv(sums.gram[h] + told.ridge * np.eye(d))
        coef, floor = inverse @ sums.moments[h], float(v[h + 1].min()) if fail is None else 0.0
        if cap:
            rows = [
                Signed(kind, float(levels[h, i]), coef[i], v[h + 1], floor, cap, told.shift)
                for i in range(d)
            ]
            w[h] = np.clip([told.dual(row) for row in rows], 0.0, cap)
        phi = known.phi_at(h)
        width[h] = phi @ (told.beta[h] * np.sqrt(np.diag(inverse)))
        q[h] = np.clip(known.reward[h] + phi @ w[h] + told.sign * width[h], 0.0, cap + 1)
        if fail is not None:
            q[h, fail] = width[h, fail] = 0.0
        v[h] = q[h].max(axis=1)
    return Fit(v, q, q.argmax(axis=2), w, width)


class Claim(NamedTuple):
    """Episodes, ridge, failure probability and KL shift that widths are computed for."""

    episodes: int
    ridge: float = 1.0
    delta: float = 0.1
    shift: bool = False


def widths(
    known: KnownModel, ambiguity: FactorAmbiguity | None, gram: FloatArray, claim: Claim
) -> FloatArray:
    """Return the explicit ``beta`` (H, d) that holds for all errors at once; 0 at the end."""
    horizon, d, fail = known.horizon, known.n_factors, known.fail_state
    kind, levels = factor_levels(ambiguity, horizon, d)
    free = known.n_states - (fail is not None)
    log_net = free * math.log(math.ceil(math.sqrt(claim.episodes)))
    beta, bias = np.zeros((horizon, d)), math.sqrt(claim.ridge * d)
    for h in range(horizon - 1):
        eigen = np.linalg.eigvalsh(gram[h])
        classes = len(set(levels[h].tolist())) if kind in PRICED else 1
        classes *= 2 if kind == FactorKind.CHI_SQUARE_PENALTY else 1
        union = math.log(classes) + log_net + math.log((horizon - 1) / claim.delta)
        spread = math.sqrt(np.log1p(np.maximum(eigen, 0) / claim.ridge).sum() / 4 + union / 2)
        cap = horizon - 1.0 - h
        for i, level in enumerate(levels[h].tolist()):
            beta[h, i] = _width(kind, (cap, level), (spread, bias), claim.shift, fail is not None)
    return beta


def _width(
    kind: FactorKind,
    scale: tuple[float, float],
    noise: tuple[float, float],
    shift: bool,
    floored: bool,
) -> float:
    (cap, level), (spread, bias) = scale, noise
    whole = spread + 1 + bias
    if kind in (FactorKind.NOMINAL, FactorKind.TV_BALL) or level == math.inf:
        return cap * whole
    if kind == FactorKind.TV_PENALTY:
        return (min(level, cap) if floored else cap) * whole
    if kind == FactorKind.CHI_SQUARE_PENALTY:
        return cap * (1 + cap / level) * whole
    steep = math.exp(cap / level)
    if shift:
        return level * (steep - 1) * whole
    return level * steep * ((1 - 1 / steep) * (spread + 1) + bias)
