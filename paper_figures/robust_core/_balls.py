"""The sets that the picture of geometry shows, each with its distance from the nominal row.

The distances are written out here and share no code with the operators: where the picture's worst
row lies on the rim of the picture's set, two independent computations agree.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr

from mdptheory._typing import FloatArray
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
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

Distance = Callable[[FloatArray, FloatArray], FloatArray]

WEIGHTS = (1.0, 2.0, 0.5)
LOWER, UPPER = (0.1, 0.1, 0.2), (0.6, 0.5, 0.7)
ROWS = ((0.45, 0.15, 0.4), (0.1, 0.25, 0.65), (0.25, 0.6, 0.15), (0.1, 0.45, 0.45), (0.3, 0.3, 0.4))
STEPS = np.abs(np.subtract.outer(np.arange(3), np.arange(3))).astype(float)


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """One panel.

    Attributes
    ----------
    title, formula : str
        What stands above and below the panel.
    ambiguity : RowAmbiguity
        The set as `mdptheory.worst_case` takes it.
    distance : callable
        ``distance(q, p)`` of candidate rows of shape (k, 3); at most ``radius`` inside the set.
    radius : float
        Size of the set in units of the distance.
    edge : bool
        Whether the nominal row is the one that misses an outcome.
    """

    title: str
    formula: str
    ambiguity: RowAmbiguity
    distance: Distance
    radius: float
    edge: bool = False


def _l1(q: FloatArray, p: FloatArray) -> FloatArray:
    return np.abs(q - p).sum(axis=-1)


def _weighted_l1(q: FloatArray, p: FloatArray) -> FloatArray:
    return (np.array(WEIGHTS) * np.abs(q - p)).sum(axis=-1)


def _linf(q: FloatArray, p: FloatArray) -> FloatArray:
    return np.abs(q - p).max(axis=-1)


def _l2(q: FloatArray, p: FloatArray) -> FloatArray:
    return np.sqrt(((q - p) ** 2).sum(axis=-1))


def _kl(q: FloatArray, p: FloatArray) -> FloatArray:
    return rel_entr(q, p).sum(axis=-1)


def _burg(q: FloatArray, p: FloatArray) -> FloatArray:
    return rel_entr(p, q).sum(axis=-1)


def _chi_square(q: FloatArray, p: FloatArray) -> FloatArray:
    return ((q - p) ** 2 / p).sum(axis=-1)


def _transport(q: FloatArray, p: FloatArray) -> FloatArray:
    """Cost of moving one step along the line 1, 2, 3: the distance of distribution functions."""
    return np.abs(np.cumsum(q - p, axis=-1)).sum(axis=-1)


def _largest_ratio(q: FloatArray, p: FloatArray) -> FloatArray:
    return (q / p).max(axis=-1)


def _contaminated(q: FloatArray, p: FloatArray) -> FloatArray:
    """Share of ``q`` that is not ``p``: 1 minus the largest c with q >= c p."""
    return 1.0 - (q / p).min(axis=-1)


def _outside_interval(q: FloatArray, p: FloatArray) -> FloatArray:
    return np.maximum(np.array(LOWER) - q, q - np.array(UPPER)).max(axis=-1)


def _on_support(distance: Distance) -> Distance:
    def only(q: FloatArray, p: FloatArray) -> FloatArray:
        leaves = np.any(q[..., p == 0.0] > 0.0, axis=-1)
        return np.where(leaves, np.inf, distance(q, p))

    return only


def _in_hull(q: FloatArray, p: FloatArray) -> FloatArray:
    """Largest amount by which ``q`` is beyond an edge of the hull of `ROWS`."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(np.array(ROWS)[:, :2])
    return (q[..., :2] @ hull.equations[:, :2].T + hull.equations[:, 2]).max(axis=-1)


def balls() -> tuple[Ball, ...]:
    """Return the panels, row by row of the picture."""
    return (
        Ball("L1", "Σ |qᵢ − pᵢ| ≤ 0.4", L1Ball(0.4, "all"), _l1, 0.4),
        Ball(
            "weighted L1, w = (1, 2, ½)",
            "Σ wᵢ |qᵢ − pᵢ| ≤ 0.4",
            WeightedL1Ball(0.4, np.array(WEIGHTS), "all"),
            _weighted_l1,
            0.4,
        ),
        Ball("L∞", "max |qᵢ − pᵢ| ≤ 0.18", LinfBall(0.18, "all"), _linf, 0.18),
        Ball("L2", "‖q − p‖₂ ≤ 0.25", L2Ball(0.25, "all"), _l2, 0.25),
        Ball("KL", "Σ qᵢ log(qᵢ / pᵢ) ≤ 0.15", KLBall(0.15), _kl, 0.15),
        Ball("Burg (likelihood)", "Σ pᵢ log(pᵢ / qᵢ) ≤ 0.15", BurgBall(0.15, "all"), _burg, 0.15),
        Ball("χ²", "Σ (qᵢ − pᵢ)² / pᵢ ≤ 0.3", ChiSquareBall(0.3), _chi_square, 0.3),
        Ball(
            "Wasserstein, cost |i − j|",
            "min transport cost ≤ 0.3",
            WassersteinBall(0.3, STEPS),
            _transport,
            0.3,
        ),
        Ball("CVaR, α = 0.6", "qᵢ ≤ pᵢ / 0.6", CVaRSet(0.6), _largest_ratio, 1.0 / 0.6),
        Ball(
            "contamination",
            "q = 0.7 p + 0.3 u, any u",
            ContaminationSet(0.3, "all"),
            _contaminated,
            0.3,
        ),
        Ball(
            "interval",
            "(.1, .1, .2) ≤ q ≤ (.6, .5, .7)",
            IntervalSet(np.array(LOWER), np.array(UPPER)),
            _outside_interval,
            0.0,
        ),
        Ball("finite", "q is one of 5 rows", FiniteSet(np.array(ROWS)), _in_hull, 1e-12),
        *_missing_outcome(),
    )


def _missing_outcome() -> tuple[Ball, ...]:
    """Return the last row of the picture: its nominal row gives the worst outcome no chance."""
    return (
        Ball(
            "L1, support = nominal",
            "Σ |qᵢ − pᵢ| ≤ 0.4, q₂ = 0",
            L1Ball(0.4, "nominal"),
            _on_support(_l1),
            0.4,
            edge=True,
        ),
        Ball("L1, support = all", "Σ |qᵢ − pᵢ| ≤ 0.4", L1Ball(0.4, "all"), _l1, 0.4, edge=True),
        Ball("KL", "KL(q ‖ p) ≤ 0.15, so q₂ = 0", KLBall(0.15), _kl, 0.15, edge=True),
        Ball(
            "Burg, support = all",
            "KL(p ‖ q) ≤ 0.15",
            BurgBall(0.15, "all"),
            _burg,
            0.15,
            edge=True,
        ),
    )
