"""Certified gap against sweeps and against time.

Five planners on five problems, to a certified error of 1e-6. Lines are the bound that the planner
proves as it goes, dots the error that it really has, measured against policy iteration at the limit
of float64 (dots below that reference's own bound are left out). The bound never falls below the
error. The upper row counts work, in full sweeps over all transitions: evaluations read fewer rows
than a greedy sweep, and eliminated actions none, so a step may cost less than one sweep; the linear
program and the direct factorisations of policy iteration do other work, which only the lower row
shows. There, the line is the median over repeated runs and the band their 10 to 90 % quantiles;
set-up is included, compilation is not.
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
        Iterations, spread geometrically, at which the true error is measured.
    """

    problems: tuple[str, ...] = tuple(PROBLEMS)
    planners: tuple[str, ...] = tuple(PLANNERS)
    tol: float = 1e-6
    repeats: int = 25
    points: int = 24

    @classmethod
    def quick(cls) -> Self:
        """Fewer repetitions and points; all problems and planners."""
        return cls(repeats=5, points=10)


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
    """Bound, work and time per iteration, and the true error at some iterations."""
    solve = getattr(solvers, planner)
    last: Solution = solve(mdp, tol=config.tol)  # compiles
    seconds = []
    for _ in range(config.repeats):
        start = time.perf_counter()
        last = solve(mdp, tol=config.tol)
        elapsed = time.perf_counter() - start
        trace = last.convergence.trace
        # what the trace's clock did not see (set-up, the linear program) came before its steps
        seconds.append(trace.seconds + (elapsed - trace.seconds[-1]))
    n = last.convergence.iterations
    at, values = [n], [last.v]
    if planner in LIMITED:
        steps = np.unique(np.geomspace(1, n, config.points).round().astype(int))
        at = [int(k) for k in steps]
        values = [solve(mdp, tol=config.tol, max_iter=k).v for k in at]
    return {
        "work": trace.work,
        "gap": trace.gap,
        "seconds": np.array(seconds),
        "error_at": np.array(at),
        "error": np.array([np.abs(v - v_star).max() for v in values]),
    }


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
    gap = data[f"gap_{i}_{j}"]
    at, error = data[f"error_at_{i}_{j}"], data[f"error_{i}_{j}"]
    if against == "work":
        if planner == "linear_program":
            return
        x = data[f"work_{i}_{j}"]
    else:
        low, x, high = 1e3 * np.quantile(data[f"seconds_{i}_{j}"], [0.1, 0.5, 0.9], axis=0)
        ax.fill_betweenx(gap, low, high, color=colour, alpha=0.15, linewidth=0)
    main = planner != "solve"
    ax.plot(
        x,
        gap,
        color=colour,
        linewidth=1.6 if main else 1.0,
        linestyle="-" if main else (0, (2, 1.5)),
        marker="D" if len(gap) <= 2 else None,
        zorder=3 if main else 4,
    )
    seen = error >= float(data[f"floor_{i}"])
    ax.plot(x[at[seen] - 1], error[seen], "o", color=colour, markersize=3, alpha=0.85, zorder=3)


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
        Line2D([], [], color=grey, marker="o", markersize=3, linestyle="", label="measured error")
    )
    handles.append(
        Line2D([], [], color="#777777", linewidth=0.8, linestyle=(0, (4, 3)), label="tolerance")
    )
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.6)
