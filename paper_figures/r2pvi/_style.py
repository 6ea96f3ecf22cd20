"""Colours, names and intervals that the r2pvi figures share."""

from typing import Any

import numpy as np

from mdptheory._typing import FloatArray

COLOURS = {
    "PEVI": "#444444",
    "R2PVI-TV": "#0072B2",
    "R2PVI-KL": "#009E73",
    "R2PVI-χ²": "#CC79A7",
    "DRPVI": "#D55E00",
    "DRVI-L": "#E69F00",
}
"""One colour an algorithm, and a penalty's colour where no learner is involved."""

REFERENCE = "#707070"
SHADES = ("#9ECAE1", "#4292C6", "#08519C", "#041E42")
"""Four weights of R2PVI-TV, from the smallest to the largest."""

RESAMPLES = 2000


def bootstrap(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return the ends (2, m) of the 95 % bootstrap interval of the mean of ``values`` (n, m)."""
    n = len(values)
    counts = rng.multinomial(n, np.full(n, 1.0 / n), size=RESAMPLES)
    return np.asarray(np.quantile(counts @ values / n, [0.025, 0.975], axis=0))


def band(
    ax: Any, x: FloatArray, mean: FloatArray, ends: FloatArray, colour: str, **line: Any
) -> None:
    """Draw a line with its interval."""
    ax.fill_between(x, ends[0], ends[1], color=colour, alpha=0.13, linewidth=0)
    ax.plot(x, mean, color=colour, **line)


def reference(ax: Any, x: FloatArray, y: FloatArray, *, dashed: bool) -> None:
    """Draw an exact reference line."""
    ax.plot(x, y, color=REFERENCE, linewidth=1.0, linestyle=(0, (4, 2)) if dashed else "-")
