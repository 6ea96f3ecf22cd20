"""Names, colours and dashes of the learners, and the intervals, that the OFS figures share."""

from typing import Any

import numpy as np

from mdptheory._typing import FloatArray
from paper_figures.r2pvi._style import REFERENCE, SHADES

__all__ = [
    "AXES",
    "BOUND",
    "COLOURS",
    "DASHED",
    "DOTTED",
    "FEASIBLE",
    "PRESETS",
    "REFERENCE",
    "SHADES",
]

DASHED: Any = (0, (4, 1.6))
DOTTED: Any = (0, (1.2, 1.4))
LONG: Any = (0, (7, 1.6))
DOT_DASH: Any = (0, (5, 1.2, 1, 1.2))

COLOURS = {
    "OFS": "#0072B2",
    "OFS-D": "#56B4E9",
    "UCB": "#444444",
    "primal-dual": "#D55E00",
    "pessimistic": "#CC79A7",
    "greedy": "#E69F00",
    "explore-commit": "#009E73",
}
"""One colour a learner, the same in every figure of this folder."""

DASHES: dict[str, Any] = {
    "OFS": "-",
    "OFS-D": LONG,
    "UCB": "-",
    "primal-dual": "-",
    "pessimistic": DASHED,
    "greedy": DOT_DASH,
    "explore-commit": DOTTED,
}
"""One dash a learner, for readers without colour."""

FEASIBLE = "#DCEFE3"
"""Where the constraints hold."""
BOUND = "#7A4EAB"
"""What is proved."""

PRESETS = {
    "synthetic": "synthetic",
    "german": "German credit",
    "compas": "COMPAS",
    "compas_decile": "COMPAS deciles",
}
"""Titles of the presets."""

AXES = {"compas_decile": "riskiest deciles turned away"}
"""What a preset's threshold is, if not one of a score."""


def width(name: str) -> float:
    """Return the width of a learner's line."""
    return 2.2 if name == "OFS" else 1.5


def spread(ax: Any, x: FloatArray, values: FloatArray, name: str, **line: Any) -> None:
    """Draw the mean of ``values`` (runs, n) over runs, and the range of their middle 90 %."""
    look = {"color": COLOURS[name], "linestyle": DASHES[name], "linewidth": width(name)} | line
    low, high = np.quantile(values, [0.05, 0.95], axis=0)
    ax.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0)
    ax.plot(x, values.mean(axis=0), **look)


def whiskers(values: FloatArray) -> FloatArray:
    """Return how far the least and the largest of ``values`` (runs, ...) are from the mean."""
    mean = values.mean(axis=0)
    ends = np.array([mean - values.min(axis=0), values.max(axis=0) - mean])
    return ends.clip(0.0)  # equal values may round below their mean


def handles(names: tuple[str, ...], **line: Any) -> list[Any]:
    """Return the learners' lines for a legend."""
    from matplotlib.lines import Line2D

    return [
        Line2D(
            [],
            [],
            label=name,
            **(
                {"color": COLOURS[name], "linestyle": DASHES[name], "linewidth": width(name)} | line
            ),
        )
        for name in names
    ]


def thousands(ax: Any, label: str = "round (thousands)") -> None:
    """Write rounds in thousands."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:g}"))
    ax.set_xlabel(label)
