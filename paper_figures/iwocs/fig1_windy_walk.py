"""Windy walk: a robust plan from two ordinary ones.

Left: the published figure. Error at the start S of robust value iteration (25 winds in every inner
minimum), and the distance of IWOCS' upper bound from the robust value, 100 ordinary backups an
iteration; the second iteration is exact, which the axis shows at its foot. Middle: the same against
inner products, in ordinary sweeps: a robust sweep costs 25, an IWOCS iteration the sweeps of its
planner and 25 linear solves of n³/3 operations, which are n/(3m) sweeps each. Right: value of the
best plan in each wind. From wind strength 0.36 on the way through the middle corridor is better;
the plan that is best without wind, followed in every wind, is the thin line. The walk's map is
reconstructed from the paper's text (arXiv 2410.06212, section 4 and appendix E).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms import IWOCSOptions, iwocs
from mdptheory.environments import windy_walk, windy_walk_family
from mdptheory.operators import robust_bellman
from mdptheory.solvers import policy_iteration, robust_solve
from paper_figures._runner import Progress

FLOOR = 1e-12  # smaller errors are drawn here
RVI, IWOCS, MIDDLE, INK = "#0072B2", "#D55E00", "#009E73", "#555555"


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    sweeps : int
        Robust sweeps of value iteration.
    first : tuple of int
        Winds (0 to 24) from which IWOCS starts; the curves show the first of them.
    paper_backups : int
        Ordinary backups that the published figure counts for an IWOCS iteration.
    """

    sweeps: int = 60
    first: tuple[int, ...] = tuple(range(25))
    paper_backups: int = 100

    @classmethod
    def quick(cls) -> Self:
        """Start from fewer winds."""
        return cls(first=(0, 12, 24))


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Trace both algorithms, and solve each wind by itself."""
    family, nominal = windy_walk_family(), windy_walk()
    start = family.start
    hull = family.ambiguity(coupled=False)
    v_star = float(robust_solve(nominal, hull, tol=1e-10).v[start])
    v = np.zeros(nominal.n_states)
    errors = []
    for _ in range(config.sweeps):
        v = robust_bellman(nominal, hull, v).value
        errors.append(abs(float(v[start]) - v_star))
    plans = [policy_iteration(windy_walk(float(alpha)), tol=1e-9) for alpha in family.alphas]
    data: dict[str, Any] = {
        "v_star": v_star,
        "rvi_error": np.array(errors),
        "n_kernels": len(family.alphas),
        "solve_sweeps": nominal.n_states / (3 * nominal.n_actions),
        "paper_backups": config.paper_backups,
        "alphas": np.array(family.alphas),
        "value": np.array([plan.v[start] for plan in plans]),
        "straight": _values(plans[0].policy),
        "first_move": np.array([plan.policy[start] for plan in plans]),
        "first": np.array(config.first),
    }
    for k, first in enumerate(config.first):
        progress("windy walk", k, len(config.first))
        data.update(_trace(first))
    return data


def _values(policy: Any) -> FloatArray:
    """Return the value at S of one policy in every wind."""
    family = windy_walk_family()
    here = np.arange(len(policy))
    reward = family.reward[here, policy]
    gamma = windy_walk().gamma
    identity = np.eye(len(policy))
    values = [
        np.linalg.solve(identity - gamma * kernel[here, policy], reward)[family.start]
        for kernel in family.kernels
    ]
    return np.array(values)


def _trace(first: int) -> dict[str, Any]:
    """Run IWOCS as published, with value iteration as its planner, from one wind."""
    family = windy_walk_family()
    options = IWOCSOptions(T0=first, planner="vi")
    result = iwocs(
        windy_walk(), family.ambiguity(coupled=True), start=family.start, options=options
    )
    found = [k for k in result.kernels_found if isinstance(k, int | np.integer)]
    return {
        f"upper_{first}": np.array([step.upper for step in result.history]),
        f"lower_{first}": np.array([step.lower for step in result.history]),
        f"backups_{first}": np.array([step.backups for step in result.history]),
        f"solves_{first}": np.array([step.linear_solves for step in result.history]),
        f"worst_{first}": found[result.history[-1].kernel_id],
        f"certified_{first}": result.status.name == "CERTIFIED",
    }


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw error against backups, error against inner products, and the value in each wind."""
    fig.set_size_inches(11.6, 3.7)
    left, middle, right = fig.subplots(1, 3)
    first = int(data["first"][0])
    error = np.abs(data[f"upper_{first}"] - float(data["v_star"]))
    sweeps = np.arange(1, len(data["rvi_error"]) + 1)
    steps = np.arange(1, len(error) + 1)
    cost = data[f"backups_{first}"] + float(data["solve_sweeps"]) * data[f"solves_{first}"]
    panels = [
        (left, sweeps, float(data["paper_backups"]) * steps, "backups (robust or ordinary)"),
        (middle, sweeps * int(data["n_kernels"]), np.cumsum(cost), "inner products (sweeps of nm)"),
    ]
    for ax, x, at, label in panels:
        ax.plot(x, np.maximum(data["rvi_error"], FLOOR), color=RVI)
        ax.plot(at, np.maximum(error, FLOOR), "o--", color=IWOCS, linewidth=1.2, markersize=5.5)
        ax.set_yscale("log")
        ax.set_ylim(FLOOR / 3, 30)
        ax.set_xlabel(label)
        right_of = float(at[-1]) < 0.5 * float(x[-1])
        ax.annotate(
            "certified", (at[-1], max(error[-1], FLOOR)), textcoords="offset points",
            xytext=(8, 5) if right_of else (-8, 5), ha="left" if right_of else "right",
            fontsize=8, color=IWOCS,
        )  # fmt: skip
    left.set_ylabel("distance from the robust value at S\n(discounted reward)")
    left.set_title("as the paper counts")
    middle.set_title("by arithmetic")
    _legend(fig)
    _winds(right, data)


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=RVI, label="robust value iteration"),
        Line2D([], [], color=IWOCS, marker="o", linestyle="--", label="IWOCS, upper bound"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=2)


def _winds(ax: Any, data: dict[str, Any]) -> None:
    alphas, north = data["alphas"], data["first_move"] == data["first_move"][0]
    ax.plot(alphas, data["straight"], color=INK, linewidth=0.9)
    ax.plot(alphas[north], data["value"][north], "o", color=RVI, markersize=4)
    ax.plot(alphas[~north], data["value"][~north], "s", color=MIDDLE, markersize=4)
    ax.axhline(float(data["v_star"]), color=IWOCS, linewidth=1.0, linestyle=(0, (4, 3)))
    ax.text(0.0, float(data["v_star"]) - 0.15, "robust value", color=IWOCS, fontsize=8, va="top")
    ax.text(0.09, -4.65, "best: north corridor", color=RVI, fontsize=8)
    ax.text(0.5, -7.45, "best: middle\ncorridor", color=MIDDLE, fontsize=8, ha="right")
    ax.text(0.385, -9.6, "calm-day plan\nin each wind", color=INK, fontsize=8, ha="right")
    ax.set_xlabel("wind strength α")
    ax.set_ylabel("value at S (discounted reward)")
    ax.set_title("what the wind costs")
