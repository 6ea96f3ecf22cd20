"""The few plots that users want of their own results; needs the extra ``figures``."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mdptheory._extras import require
from mdptheory._threshold_plot import plot_thresholds as plot_thresholds
from mdptheory._typing import FloatArray
from mdptheory._validation import as_float_array, check_finite, check_shape, check_simplex
from mdptheory.errors import InvalidModelError
from mdptheory.models import AmbiguitySet, RobustSolution, Solution, TabularMDP
from mdptheory.solvers import evaluate_robust, robust_solve

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


def plot_robustness_curve(
    mdp: TabularMDP,
    ambiguity: Callable[[float], AmbiguitySet],
    radii: npt.ArrayLike,
    *,
    start: int | npt.ArrayLike | None = None,
    policies: Mapping[str, npt.ArrayLike] | None = None,
    tol: float = 1e-6,
    ax: Any = None,
) -> Any:
    """Draw what can be guaranteed against nature as her room grows, and what policies earn.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model.
    ambiguity : callable
        ``ambiguity(radius)`` is the ambiguity set of that size.
    radii : array of shape (k,)
        Sizes at which to solve.
    start : int or array of shape (n_states,), optional
        First state, or its distribution; ``mdp.initial`` if absent, or else the uniform one.
    policies : mapping from label to policy, optional
        Policies to evaluate at the same sizes, say the nominal one; as in `evaluate_robust`.
    tol : float
        Largest certified error of every value, discounted reward.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if absent.

    Returns
    -------
    matplotlib Axes
        ``ax.figure`` is the figure.

    Raises
    ------
    InvalidModelError
        If ``radii`` is not one list of finite numbers, ``start`` is no state or distribution, a set
        or a policy does not fit the model, or policies come with a finite horizon.
    TypeError
        If ``ambiguity`` is not a function, or what it returns is no ambiguity set.
    MissingExtraError
        Without matplotlib.

    Notes
    -----
    The bands run from the certified lower to the certified upper bound of each value; with a small
    ``tol`` they are thinner than the lines. No policy earns more than the best one: where its curve
    lies above the best one's, it does so by less than the bands.

    Examples
    --------
    >>> from mdptheory import solve
    >>> from mdptheory.environments import machine_replacement
    >>> from mdptheory.models import L1Ball
    >>> mdp = machine_replacement()
    >>> ax = plot_robustness_curve(
    ...     mdp,
    ...     lambda radius: L1Ball(radius, support="nominal"),
    ...     [0.0, 0.5, 1.0],
    ...     start=0,
    ...     policies={"nominal policy": solve(mdp).policy},
    ... )
    >>> [line.get_label() for line in ax.lines]
    ['best policy at each radius', 'nominal policy']
    """
    if not callable(ambiguity):
        raise TypeError(
            f"ambiguity is of type {type(ambiguity).__name__}; expected a function from a radius"
            " to an ambiguity set"
        )
    sizes = as_float_array("radii", radii)
    check_shape("radii", sizes, (None,))
    check_finite("radii", sizes)
    if sizes.size == 0:
        raise InvalidModelError("radii is empty; expected at least one number")
    sizes = np.sort(sizes)
    first = _first_state(mdp, start)
    axes = _new_axes() if ax is None else ax
    sets = [ambiguity(float(radius)) for radius in sizes]
    best = [robust_solve(mdp, one, tol=tol) for one in sets]
    _band(axes, sizes, best, first, "best policy at each radius")
    for label, policy in (policies or {}).items():
        earned = [evaluate_robust(mdp, one, policy, tol=tol) for one in sets]
        _band(axes, sizes, earned, first, label)
    axes.set_xlabel("radius of the ambiguity set")
    axes.set_ylabel("worst-case value at the start\n(discounted reward)")
    if policies:
        axes.legend(frameon=False)
    return axes


def _first_state(mdp: TabularMDP, start: int | npt.ArrayLike | None) -> FloatArray:
    """Return the distribution of the first state."""
    if start is None:
        return np.full(mdp.n_states, 1.0 / mdp.n_states) if mdp.initial is None else mdp.initial
    if isinstance(start, int | np.integer) and not isinstance(start, bool):
        if not 0 <= start < mdp.n_states:
            raise InvalidModelError(
                f"start is {start}; expected a state in [0, {mdp.n_states}) or a distribution"
            )
        return np.eye(1, mdp.n_states, int(start))[0]
    given = as_float_array("start", start)
    check_shape("start", given, (mdp.n_states,))
    check_simplex("start", given)
    return given


def _band(
    axes: Any, sizes: FloatArray, solutions: list[RobustSolution], first: FloatArray, label: str
) -> None:
    """Draw values, and the bounds that are certified; a finite horizon's at its first stage."""
    low, middle, high = (
        [float(np.atleast_2d(bound)[0] @ first) for bound in bounds]
        for bounds in zip(
            *((s.certificate.lower, s.v, s.certificate.upper) for s in solutions), strict=True
        )
    )
    (line,) = axes.plot(sizes, middle, marker=".", label=label)
    axes.fill_between(sizes, low, high, color=line.get_color(), alpha=0.2, linewidth=0)


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
