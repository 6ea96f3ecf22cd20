"""Plausible mistakes in worst-case operators, one set each; the true one serves the others."""

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from mdptheory import WorstCase, worst_case
from mdptheory._typing import FloatArray
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    RowAmbiguity,
    WeightedL1Ball,
)
from proofs_checks._cases import span
from proofs_checks._robust_oracles import admissible_outcomes, kl_dual

Nature: TypeAlias = Literal["adversarial", "cooperative"]
Supported: TypeAlias = L1Ball | LinfBall | L2Ball | BurgBall | ContaminationSet


def without_halving(
    p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity, *, nature: Nature = "adversarial"
) -> WorstCase:
    """Let an L1 ball of radius xi move the mass xi instead of xi/2."""
    if isinstance(ambiguity, L1Ball):
        ambiguity = replace(ambiguity, radius=2 * ambiguity.radius)
    return worst_case(p, z, ambiguity, nature=nature)


def any_outcome(
    p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity, *, nature: Nature = "adversarial"
) -> WorstCase:
    """Take the worst outcome over all, though the support is the nominal one."""
    if isinstance(ambiguity, Supported):
        ambiguity = replace(ambiguity, support="all")
    return worst_case(p, z, ambiguity, nature=nature)


def signed(
    p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity, *, nature: Nature = "adversarial"
) -> WorstCase:
    """Use the closed forms of chi2 and L2 balls without asking for q >= 0."""
    reply = worst_case(p, z, ambiguity, nature=nature)
    if not isinstance(ambiguity, ChiSquareBall | L2Ball):
        return reply
    sign = 1.0 if nature == "adversarial" else -1.0
    chi = isinstance(ambiguity, ChiSquareBall)
    keep = admissible_outcomes(p, ambiguity)
    centre = z - (p @ z if chi else z[keep].mean())
    slope = np.where(keep, centre * (p if chi else 1.0), 0.0)
    size = float(np.sqrt(slope @ centre))
    if size == 0.0:
        return reply
    radius = float(ambiguity.radius)
    row = p - sign * (np.sqrt(radius) if chi else radius) * slope / size
    value = float(row @ z)
    return WorstCase(value, row, value)


def flipped(
    p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity, *, nature: Nature = "adversarial"
) -> WorstCase:
    """Add lam r in the dual of the KL ball instead of subtracting it, at lam = span(z)."""
    reply = worst_case(p, z, ambiguity, nature=nature)
    if not isinstance(ambiguity, KLBall) or span(z) == 0.0:
        return reply
    sign = 1.0 if nature == "adversarial" else -1.0
    base = float((sign * z).min())
    lam = np.array([span(z)])
    bound = base + kl_dual(p, sign * z - base, float(ambiguity.radius), lam, sign=1.0)[0]
    return replace(reply, bound=sign * float(bound))


def without_bounce(
    p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity, *, nature: Nature = "adversarial"
) -> WorstCase:
    """Leave received mass where it is: move only what an outcome had, best exchange first."""
    reply = worst_case(p, z, ambiguity, nature=nature)
    if not isinstance(ambiguity, WeightedL1Ball):
        return reply
    x = z if nature == "adversarial" else -z
    w, left, row, own = ambiguity.weights, float(ambiguity.radius), p.copy(), p.copy()
    pairs = [(i, j) for i in range(p.size) for j in range(p.size) if x[i] > x[j]]
    for i, j in sorted(pairs, key=lambda pair: _exchange(x, w, *pair)):
        step = min(left / (w[i] + w[j]), own[i])
        row[i], row[j], own[i] = row[i] - step, row[j] + step, own[i] - step
        left -= step * (w[i] + w[j])
    return replace(reply, row=row, value=float(row @ z))


def _exchange(x: FloatArray, w: FloatArray, i: int, j: int) -> float:
    return float((x[j] - x[i]) / (w[i] + w[j]))


def friendly(
    p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity, *, nature: Nature = "adversarial"
) -> WorstCase:
    """Maximise instead of minimising."""
    return worst_case(p, z, ambiguity, nature="cooperative")
