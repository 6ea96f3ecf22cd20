"""Seeded rows for the chains about ambiguity sets: zeros, ties and point masses are frequent."""

import numpy as np

from mdptheory._typing import FloatArray

RADII = (0.0, 0.02, 0.1, 0.25, 0.5, 1.0, 1.5)


def random_weights(rng: np.random.Generator, n: int) -> FloatArray:
    """Draw a row of small integer weights, normalised; half of the rows have zeros."""
    weights = rng.integers(1, 5, n).astype(np.float64)
    if rng.integers(2):
        weights *= rng.integers(0, 2, n)
    if not weights.any():
        weights[rng.integers(n)] = 1.0
    return weights / weights.sum()


def random_worth(rng: np.random.Generator, n: int) -> FloatArray:
    """Draw what the outcomes are worth, in quarters of [-2, 2]: ties are common."""
    return rng.integers(-8, 9, n).astype(np.float64) / 4


def is_row(p: FloatArray, *others: FloatArray) -> bool:
    """Tell whether p is a short distribution and the others are moderate and as long."""
    proper = p.ndim == 1 and 1 <= p.size <= 8 and bool((p >= 0).all())
    proper = proper and abs(float(p.sum()) - 1.0) <= 1e-12 and bool((p[p > 0] >= 1e-6).all())
    return proper and all(x.shape == p.shape and bool((np.abs(x) <= 100).all()) for x in others)
