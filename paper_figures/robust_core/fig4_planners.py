"""Robust planners: certified gap against sweeps and against time.

Five planners on three problems (rows) at three discounts (columns), with an L1 ball of radius 0.2
around every row. Left, against work in full robust sweeps, nature's reply in every row; evaluating
a policy counts its share of the rows, a linear solve what it reads. Solid lines are the certified
error of the value at every outer iteration (MacQueen's bounds), dotted lines the largest residual
|Lv - v|, measured in runs that were stopped there: where a stop asks for a small residual instead
of a small span, value iteration needs many more sweeps. Right, the certified error against
wall-clock time: the median over repeated runs at each iteration, without the final proof.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory import TabularMDP, solvers
from mdptheory.environments import garnet, inventory, riverswim20
from mdptheory.models import L1Ball, RobustSolution
from paper_figures._runner import Progress

GARNET_SEED = 7
PROBLEMS: dict[str, Callable[[float], TabularMDP]] = {
    "Garnet(200, 5, 5)": lambda gamma: garnet(200, 5, 5, gamma=gamma, rng=GARNET_SEED),
    "riverswim20": lambda gamma: riverswim20(gamma=gamma),
    "inventory21": lambda gamma: inventory(gamma=gamma),
}
PLANNERS = {
    "robust_value_iteration": ("robust value iteration", "#0072B2"),
    "robust_modified_policy_iteration": ("robust modified policy iteration", "#009E73"),
    "robust_policy_iteration": ("robust policy iteration", "#D55E00"),
    "partial_policy_iteration": ("partial policy iteration", "#CC79A7"),
    "rcpi": ("residual-contracting (RCPI)", "#222222"),
}


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    problems, planners : tuple of str
        Names in `PROBLEMS` and `PLANNERS`.
    gammas : tuple of float
        Discount factors.
    radius : float
        L1 radius of every row.
    tol : float
        Certified error to reach, discounted reward.
    repeats : int
        Timed runs of each.
    points : int
        Early stops at which the residual is measured.
    """

    problems: tuple[str, ...] = tuple(PROBLEMS)
    planners: tuple[str, ...] = tuple(PLANNERS)
    gammas: tuple[float, ...] = (0.9, 0.99, 0.999)
    radius: float = 0.2
    tol: float = 1e-6
    repeats: int = 15
    points: int = 12

    @classmethod
    def quick(cls) -> Self:
        """Repeat less."""
        return cls(repeats=3, points=5)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Run every planner on every problem at every discount; only the clock is random."""
    data: dict[str, Any] = {
        "problems": np.array(config.problems),
        "planners": np.array(config.planners),
        "gammas": np.array(config.gammas),
        "tol": config.tol,
    }
    total = len(config.problems) * len(config.gammas)
    for i, problem in enumerate(config.problems):
        for g, gamma in enumerate(config.gammas):
            progress(f"{problem}, γ = {gamma:g}", i * len(config.gammas) + g, total)
            mdp = PROBLEMS[problem](gamma)
            for j, planner in enumerate(config.planners):
                run = _measure(mdp, planner, config)
                data.update({f"{name}_{i}_{g}_{j}": array for name, array in run.items()})
    return data


def _measure(mdp: TabularMDP, planner: str, config: Config) -> dict[str, Any]:
    """Return gap, work and time at every iteration, and the residual at some of them."""
    ambiguity = L1Ball(config.radius, "nominal")

    def solve(**options: Any) -> RobustSolution:
        return getattr(solvers, planner)(mdp, ambiguity, tol=config.tol, **options)

    runs = [solve().convergence for _ in range(config.repeats + 1)][1:]  # the first one compiles
    trace = runs[0].trace
    last = runs[0].iterations
    stops = np.unique(np.geomspace(1, last, config.points).round().astype(int))
    early = [solve(max_iter=int(k)).convergence for k in stops]
    return {
        "work": trace.work,
        "gap": trace.gap,
        "seconds": np.array([run.trace.seconds for run in runs]),
        "residual": np.array([run.residual for run in early]),
        "residual_work": np.array([run.work for run in early]),
        "bound": runs[0].error_bound,
    }


def plot(data: dict[str, Any], fig: Any) -> None:
    """Work on the left, time on the right; problems down, discounts across."""
    n_problems, n_gammas = len(data["problems"]), len(data["gammas"])
    fig.set_size_inches(2.35 * 2 * n_gammas + 0.6, 2.35 * n_problems + 0.9)
    for part, against in zip(fig.subfigures(1, 2), ("work", "seconds"), strict=True):
        axes = part.subplots(n_problems, n_gammas, sharey="row", squeeze=False)
        for (i, g), ax in np.ndenumerate(axes):
            _panel(ax, data, int(i), int(g), against)
            if i == 0:
                ax.set_title(f"γ = {float(data['gammas'][g]):g}")
            if g == 0:
                ax.set_ylabel(f"{data['problems'][i]}\nerror (discounted reward)")
        label = "work (full robust sweeps)" if against == "work" else "time (milliseconds)"
        part.supxlabel(label, fontsize=9)
    _legend(fig, data)


def _panel(ax: Any, data: dict[str, Any], i: int, g: int, against: str) -> None:
    for j, planner in enumerate(str(name) for name in data["planners"]):
        colour, key = PLANNERS[planner][1], f"{i}_{g}_{j}"
        gap = data[f"gap_{key}"]
        if against == "work":
            x = data[f"work_{key}"]
            ax.plot(
                data[f"residual_work_{key}"], np.maximum(data[f"residual_{key}"], 1e-16), ":",
                marker=".", markersize=3.5, linewidth=1.0, color=colour, alpha=0.75,
            )  # fmt: skip
        else:
            x = 1e3 * np.median(data[f"seconds_{key}"], axis=0)
        marker = "o" if len(gap) <= 40 else None
        ax.plot(x, gap, color=colour, marker=marker, markersize=2.4, linewidth=1.3)
    ax.axhline(float(data["tol"]), color="#777777", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_minor_formatter("")  # on less than a decade its labels run into each other


def _legend(fig: Any, data: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    for planner in (str(name) for name in data["planners"]):
        label, colour = PLANNERS[planner]
        handles.append(Line2D([], [], color=colour, marker="o", markersize=2.4, label=label))
    grey = "#555555"
    handles += [
        Line2D([], [], color=grey, label="certified error"),
        Line2D([], [], color=grey, linestyle=":", marker=".", label="residual |Lv - v|"),
        Line2D([], [], color="#777777", linewidth=0.8, linestyle=(0, (4, 3)), label="tolerance"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.6)
