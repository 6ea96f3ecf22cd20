"""What nature can take from one row p, worth z: a bound for each set with its radius."""

from collections.abc import Callable

import numpy as np

from mdptheory._typing import FloatArray

RowBound = Callable[[FloatArray, FloatArray, float], float]


def transport_costs(n: int) -> FloatArray:
    """Half of the distance of two states on a line."""
    return np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / 2


def prices(n: int) -> FloatArray:
    """Weights of the weighted L1 ball."""
    return np.asarray(0.5 + np.arange(n) / 4)


def by_l1(p: FloatArray, z: FloatArray, radius: float, factor: float = 0.5) -> float:
    """Half of the radius times the span."""
    return float(factor * radius * np.ptp(z))


def by_pinsker(p: FloatArray, z: FloatArray, radius: float, factor: float = 1.0) -> float:
    """Root of r/2 times the span, by Pinsker."""
    return float(factor * np.sqrt(radius / 2) * np.ptp(z))


def by_deviation(p: FloatArray, z: FloatArray, radius: float, power: float = 0.5) -> float:
    """Square root of r times the standard deviation, by Cauchy and Schwarz."""
    return float(radius**power * np.sqrt(p @ (z - p @ z) ** 2))


def by_norm(p: FloatArray, z: FloatArray, radius: float, *, mean: bool = False) -> float:
    """Radius times the Euclidean norm of z around its mean."""
    squares = (z - z.mean()) ** 2
    return float(radius * np.sqrt(squares.mean() if mean else squares.sum()))


def by_median(p: FloatArray, z: FloatArray, radius: float) -> float:
    """Radius times the sum of distances from the median."""
    return float(radius * np.abs(z - np.median(z)).sum())


def by_slope(p: FloatArray, z: FloatArray, radius: float) -> float:
    """Radius times the best fall of z per unit of transport cost."""
    return _steepest(z, transport_costs(z.size), radius)


def by_exchange(p: FloatArray, z: FloatArray, radius: float) -> float:
    """Radius times the best fall of z per unit of both weights, which every exchange pays."""
    w = prices(z.size)
    return _steepest(z, w[:, None] + w, radius)


def _steepest(z: FloatArray, cost: FloatArray, radius: float) -> float:
    fall = np.maximum(z[:, None] - z, 0.0)
    return float(radius * np.max(fall / np.where(cost > 0, cost, np.inf)))


def by_tail(p: FloatArray, z: FloatArray, radius: float) -> float:
    """Share times the span."""
    return float(radius * np.ptp(z))


def by_share(p: FloatArray, z: FloatArray, radius: float) -> float:
    """Share times the distance of the mean from the worst outcome."""
    return float(radius * (p @ z - z.min()))


BOUNDS: dict[str, RowBound] = {
    "l1": by_l1,
    "kl": by_pinsker,
    "burg": by_pinsker,
    "evar": by_pinsker,
    "chi2": by_deviation,
    "l2": by_norm,
    "linf": by_median,
    "wasserstein": by_slope,
    "weighted l1": by_exchange,
    "cvar": by_tail,
    "contamination": by_share,
}
