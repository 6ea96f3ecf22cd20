"""The few plots that users want of their own results; needs the extra ``figures``."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from mdptheory._extras import require
from mdptheory.errors import InvalidModelError
from mdptheory.models import Solution

_MAX_LABELS = 40  # more names than this do not fit on an axis
_AXES = {"work": "work (full sweeps)", "seconds": "time (seconds)", "iterations": "iterations"}


def plot_convergence(
    solutions: Mapping[str, Solution] | Solution,
    *,
    against: Literal["work", "seconds", "iterations"] = "work",
    ax: Any = None,
) -> Any:
    """Draw the certified gap of one or several solutions as the work proceeded.

    Parameters
    ----------
    solutions : Solution, or mapping from label to Solution
        What solvers returned.
    against : {"work", "seconds", "iterations"}
        Horizontal axis: full sweeps over the model, wall-clock seconds, outer iterations.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if absent.

    Returns
    -------
    matplotlib Axes
        ``ax.figure`` is the figure.

    Raises
    ------
    InvalidModelError
        ``against`` is something else, or there is no solution.
    MissingExtraError
        Without matplotlib.

    Notes
    -----
    The line is a staircase: between two points of the trace, the last certified gap is what holds.

    Examples
    --------
    >>> from mdptheory import TabularMDP, solve
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> plot_convergence({"solve": solve(mdp)}).get_yscale()
    'log'
    """
    if against not in _AXES:
        raise InvalidModelError(f"against is {against!r}; expected one of {', '.join(_AXES)}")
    labelled = {"": solutions} if isinstance(solutions, Solution) else dict(solutions)
    if not labelled:
        raise InvalidModelError("solutions is empty; expected at least one Solution")
    axes = _new_axes() if ax is None else ax
    for label, solution in labelled.items():
        trace = solution.convergence.trace
        steps = np.arange(1, len(trace.gap) + 1)
        x = steps if against == "iterations" else getattr(trace, against)
        gap = np.where(trace.gap > 0, trace.gap, np.nan)  # a gap of 0 has no place on a log axis
        axes.step(x, gap, where="post", marker=".", label=label or None)
    axes.set_yscale("log")
    axes.set_xlabel(_AXES[against])
    axes.set_ylabel("certified error of the value\n(discounted reward)")
    if any(labelled):
        axes.legend(frameon=False)
    return axes


def plot_values(solution: Solution, *, shape: tuple[int, int] | None = None, ax: Any = None) -> Any:
    """Draw the optimal value of every state, with the policy's action.

    Parameters
    ----------
    solution : Solution
        What a solver returned; for a finite horizon, the first stage is drawn.
    shape : (rows, columns), optional
        Lay the states out as a grid, row by row; bars if absent.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if absent.

    Returns
    -------
    matplotlib Axes
        ``ax.figure`` is the figure.

    Raises
    ------
    InvalidModelError
        ``shape`` does not hold exactly the states.
    MissingExtraError
        Without matplotlib.

    Examples
    --------
    >>> from mdptheory import solve
    >>> from mdptheory.environments import riverswim
    >>> len(plot_values(solve(riverswim())).patches)
    6
    """
    v, policy = np.atleast_2d(solution.v)[0], np.atleast_2d(solution.policy)[0]
    actions = [_name(solution.action_names, int(a)) for a in policy]
    if shape is not None and shape[0] * shape[1] != len(v):
        raise InvalidModelError(
            f"shape is {shape}, which has {shape[0] * shape[1]} cells; expected {len(v)} states"
        )
    axes = _new_axes() if ax is None else ax
    if shape is None:
        _bars(axes, solution, v, actions)
    else:
        _grid(axes, v.reshape(shape), np.array(actions).reshape(shape))
    return axes


def _bars(axes: Any, solution: Solution, v: Any, actions: list[str]) -> None:
    bars = axes.bar(np.arange(len(v)), v, color="#0072B2")
    axes.set_ylabel("optimal value (discounted reward)")
    axes.set_xlabel("state")
    if len(v) <= _MAX_LABELS:
        axes.bar_label(bars, labels=actions, fontsize=7, padding=2, rotation=90)
        names = [_name(solution.state_names, s) for s in range(len(v))]
        turn = 90 if max(map(len, names)) > 3 else 0
        axes.set_xticks(np.arange(len(v)), names, rotation=turn)
        axes.margins(y=0.15)


def _grid(axes: Any, v: Any, actions: Any) -> None:
    image = axes.imshow(v, cmap="cividis")
    axes.figure.colorbar(image, ax=axes, label="optimal value (discounted reward)")
    axes.set_xticks([])
    axes.set_yticks([])
    if v.size <= 400:
        middle = (v.min() + v.max()) / 2
        for (row, column), action in np.ndenumerate(actions):
            ink = "black" if v[row, column] > middle else "white"
            axes.text(column, row, action, color=ink, ha="center", va="center", fontsize=7)


def _name(names: tuple[str, ...] | None, index: int) -> str:
    return str(index) if names is None else names[index]


def _new_axes() -> Any:
    """Return axes of a figure that no global state holds on to."""
    figure = require("matplotlib.figure", "figures").Figure(
        figsize=(6.0, 4.0), layout="constrained"
    )
    return figure.add_subplot()
