"""Certified gap against sweeps and against time.

Five planners on five problems. Each point of a line is a whole run that was stopped early (after a
number of iterations, or for `solve` at a coarser tolerance): the line is the bound which that run
proves on the error of its value, the dot below it the error which the value really has, measured
against policy iteration at the limit of float64 (dots below that reference's own bound are left
out). No dot may lie above its line. The upper row counts work, in full sweeps over all transitions:
evaluating a policy reads fewer rows than a greedy sweep, and eliminated actions are not read at
all. The linear program and the direct factorisations of policy iteration do other work, which only
the lower row shows; there the line is the median over repeated runs and the band their 10 to 90 %
quantiles, with set-up and the final proof included and compilation not.
"""

import time
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory import solvers
from mdptheory._typing import FloatArray
from mdptheory.models import Solution, TabularMDP
from paper_figures._runner import Progress
from paper_figures.planning._cases import PROBLEMS
from paper_figures.planning._style import PLANNERS

LIMITED = ("value_iteration", "modified_policy_iteration", "policy_iteration")  # take max_iter


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    problems : tuple of str
        Names in `paper_figures.planning._cases.PROBLEMS`.
    planners : tuple of str
        Names in `mdptheory.solvers`.
    tol : float
        Certified error to reach, discounted reward.
    repeats : int
        Timed runs per planner and problem.
    points : int
        Early stops per planner and problem, spread geometrically.
    """

    problems: tuple[str, ...] = tuple(PROBLEMS)
    planners: tuple[str, ...] = tuple(PLANNERS)
    tol: float = 1e-6
    repeats: int = 25
    points: int = 30

    @classmethod
    def quick(cls) -> Self:
        """Fewer repetitions and points; all problems and planners."""
        return cls(repeats=9, points=14)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Run every planner on every problem; nothing is random but the clock."""
    data: dict[str, Any] = {
        "problems": np.array(config.problems),
        "planners": np.array(config.planners),
        "tol": config.tol,
    }
    total = len(config.problems) * len(config.planners)
    for i, problem in enumerate(config.problems):
        mdp = PROBLEMS[problem]()
        reference = solvers.policy_iteration(mdp, tol=1e-12)  # as far as float64 certifies
        data[f"floor_{i}"] = reference.convergence.error_bound
        data[f"size_{i}"] = np.array([mdp.n_states, mdp.n_rows, mdp.n_transitions])
        data[f"gamma_{i}"] = mdp.gamma
        for j, planner in enumerate(config.planners):
            progress(f"{problem}, {planner}", i * len(config.planners) + j, total)
            run = _measure(mdp, planner, reference.v, config)
            data.update({f"{name}_{i}_{j}": array for name, array in run.items()})
    progress("certified gap", total, total)
    return data


def _measure(mdp: TabularMDP, planner: str, v_star: FloatArray, config: Config) -> dict[str, Any]:
    """Work, time, bound and true error of runs that are stopped at different places."""
    solve = getattr(solvers, planner)
    stops = _early_stops(mdp, planner, config)
    solutions: list[Solution] = [solve(mdp, **options) for options in stops]  # compiles too
    seconds = np.empty((len(stops), config.repeats))
    for repeat in range(config.repeats):  # in rounds, so that a disturbance hits no single point
        for k, options in enumerate(stops):
            start = time.perf_counter()
            solve(mdp, **options)
            seconds[k, repeat] = time.perf_counter() - start
    return {
        "work": np.array([s.convergence.work for s in solutions]),
        "bound": np.array([s.convergence.error_bound for s in solutions]),
        "error": np.array([np.abs(s.v - v_star).max() for s in solutions]),
        "seconds": seconds,
    }


def _early_stops(mdp: TabularMDP, planner: str, config: Config) -> list[dict[str, Any]]:
    """Options of the runs, from the shortest to the one that reaches the tolerance."""
    last = {"tol": config.tol}
    if planner in LIMITED:
        n = getattr(solvers, planner)(mdp, **last).convergence.iterations
        steps = np.unique(np.geomspace(1, n, config.points).round().astype(int))
        return [{**last, "max_iter": int(k)} for k in steps[:-1]] + [last]
    if planner == "linear_program":
        return [last]
    reach = float(np.ptp(mdp.reward)) / (1.0 - mdp.gamma)
    return [{"tol": float(tol)} for tol in np.geomspace(reach, config.tol, config.points)]


def plot(data: dict[str, Any], fig: Any) -> None:
    """Small multiples: problems across, work above and time below."""
    problems = [str(name) for name in data["problems"]]
    fig.set_size_inches(2.35 * len(problems) + 0.6, 5.6)
    axes = fig.subplots(2, len(problems), sharey="col", squeeze=False)
    for i, problem in enumerate(problems):
        states, _, transitions = data[f"size_{i}"]
        note = f"{states} states, {transitions:,} transitions, γ = {float(data[f'gamma_{i}']):g}"
        axes[0, i].set_title(problem, pad=16)
        axes[0, i].text(0, 1.03, note, transform=axes[0, i].transAxes, fontsize=7, color="#666666")
        for j, planner in enumerate(str(name) for name in data["planners"]):
            _curve(axes[0, i], data, i, j, planner, against="work")
            _curve(axes[1, i], data, i, j, planner, against="seconds")
        for ax in axes[:, i]:
            _frame(ax, data, i)
        axes[0, i].set_xscale("symlog", linthresh=1)
        axes[0, i].set_xlim(left=-0.06)
        axes[1, i].set_xscale("log")
        axes[0, i].set_xlabel("work (full sweeps)")
        axes[1, i].set_xlabel("time (milliseconds)")
    for ax in axes[:, 0]:
        ax.set_ylabel("error of the value\n(discounted reward)")
    _legend(fig, axes[0, 0], data)


def _curve(ax: Any, data: dict[str, Any], i: int, j: int, planner: str, *, against: str) -> None:
    _, colour = PLANNERS[planner]
    bound, error = data[f"bound_{i}_{j}"], data[f"error_{i}_{j}"]
    if against == "work":
        if planner == "linear_program":
            return
        x = data[f"work_{i}_{j}"]
    else:
        low, x, high = 1e3 * np.quantile(data[f"seconds_{i}_{j}"], [0.1, 0.5, 0.9], axis=1)
        ax.fill_betweenx(bound, low, high, color=colour, alpha=0.12, linewidth=0)
    main = planner != "solve"
    style: Any = "-" if main else (0, (2, 1.5))
    marker = "D" if len(bound) == 1 else None
    ax.plot(
        x,
        bound,
        color=colour,
        linestyle=style,
        marker=marker,
        drawstyle="default" if main else "steps-post",  # solve takes a tolerance, not a limit
        zorder=3 if main else 4,
    )
    seen = error >= float(data[f"floor_{i}"])
    ax.plot(x[seen], error[seen], "o", color=colour, markersize=2.6, alpha=0.8, zorder=3)


def _frame(ax: Any, data: dict[str, Any], i: int) -> None:
    from matplotlib.ticker import LogLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(base=10, numticks=8))
    ax.axhline(float(data["tol"]), color="#777777", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)


def _legend(fig: Any, ax: Any, data: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    for planner in (str(name) for name in data["planners"]):
        label, colour = PLANNERS[planner]
        style: Any = (0, (2, 1.5)) if planner == "solve" else "-"
        handles.append(Line2D([], [], color=colour, linestyle=style, label=label))
    grey = "#555555"
    handles.append(Line2D([], [], color=grey, label="certified bound"))
    handles.append(
        Line2D([], [], color=grey, marker="o", markersize=2.6, linestyle="", label="measured error")
    )
    handles.append(
        Line2D([], [], color="#777777", linewidth=0.8, linestyle=(0, (4, 3)), label="tolerance")
    )
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.6)
