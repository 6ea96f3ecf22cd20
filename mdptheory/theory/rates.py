"""The log-log slope of a quantity, with an interval over independent replicates."""

import math

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.errors import InvalidModelError
from mdptheory.theory.chain import RateClaim
from mdptheory.theory.report import RateReport


def log_log_slopes(sizes: FloatArray, values: FloatArray) -> FloatArray:
    """Fit ``log value = slope * log size + constant`` by least squares, row by row.

    Parameters
    ----------
    sizes : array of shape (k,)
        Positive, not all equal.
    values : array of shape (n, k)
        Positive measurements, one row a replicate.

    Returns
    -------
    array of shape (n,)
        The slopes.

    Raises
    ------
    InvalidModelError
        If a measurement is not a positive, finite number.
    """
    bad = ~((values > 0) & np.isfinite(values))
    if bad.any():
        i, j = (int(x) for x in np.argwhere(bad)[0])
        raise InvalidModelError(
            f"measure gave {values[i, j]} at size {sizes[j]:g} in replicate {i}; expected a"
            f" positive, finite number ({int(bad.sum())} of {values.size} fail)"
        )
    x = np.log(sizes) - np.log(sizes).mean()
    return np.log(values) @ x / (x @ x)


def slope_p_value(slopes: FloatArray, claimed: float) -> float:
    """Return the one-sided p-value of "the mean slope is at most ``claimed``" (Student's t).

    Parameters
    ----------
    slopes : array of shape (n,)
        Slopes of independent replicates, taken as normal.
    claimed : float
        Claimed upper bound on the mean.

    Returns
    -------
    float
        0 or 1 when all slopes are equal up to rounding.
    """
    from scipy.stats import t

    excess = float(slopes.mean()) - claimed
    error = float(slopes.std(ddof=1)) / math.sqrt(len(slopes))
    if error <= 1e-12:
        return 0.0 if excess > 1e-9 else 1.0
    return float(t.sf(excess / error, len(slopes) - 1))


def rate_report(claim: RateClaim, rng: np.random.Generator, level: float) -> RateReport:
    """Measure a rate claim on its grid, ``replicates`` times, and test it.

    Parameters
    ----------
    claim : RateClaim
        The claim.
    rng : numpy.random.Generator
        Its children serve the cells, one each.
    level : float
        Level of the test.

    Returns
    -------
    RateReport
        Slope, interval and verdict.
    """
    from scipy.stats import t

    sizes = np.array(claim.grid, dtype=np.float64)
    cells = rng.spawn(claim.replicates * len(sizes))
    measured = [claim.measure(cell, claim.grid[k % len(sizes)]) for k, cell in enumerate(cells)]
    values = np.array(measured, dtype=np.float64).reshape(claim.replicates, len(sizes))
    slopes = log_log_slopes(sizes, values)
    mean = float(slopes.mean())
    half = float(t.ppf(0.975, claim.replicates - 1) * slopes.std(ddof=1))
    half /= math.sqrt(claim.replicates)
    return RateReport(
        name=claim.name,
        statement=claim.statement,
        exponent=float(claim.exponent),
        tolerance=float(claim.tolerance),
        slope=mean,
        low=mean - half,
        high=mean + half,
        p_value=slope_p_value(slopes, claim.exponent + claim.tolerance),
        level=level,
        replicates=claim.replicates,
        sizes=tuple(sizes.tolist()),
        medians=tuple(np.median(values, axis=0).tolist()),
    )
