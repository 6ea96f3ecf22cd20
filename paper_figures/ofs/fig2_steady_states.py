"""Every threshold at its steady state, the feasible ones, and which of them OFS plays.

For every threshold of the four presets: mean reward, and gap and service rate, of the population
that the threshold leads to when it is kept (lines with dots) and of the initial population (thin,
dashed). Shaded: thresholds whose steady state meets both constraints, whose limits are dotted. The
star is the best of them, the hollow one the best that is feasible on the initial population (on the
synthetic preset a threshold that is feasible there and not where it leads), the diamond the
threshold that earns most without constraints. Bottom: share of all rounds that OFS plays each
threshold, with the range over seeds. Reward is per applicant: 1 for a good one accepted, minus the
cost for a bad one. The presets' dynamics are our choices.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import BoolArray, FloatArray
from mdptheory.environments import threshold_preset
from mdptheory.models import (
    DemographicParity,
    FairConstraint,
    ServiceRate,
    ThresholdLoop,
    residual_rows,
)
from mdptheory.operators import loop_means, violations
from mdptheory.solvers import best_arm
from paper_figures._runner import Progress
from paper_figures.ofs._runs import runs, seeds_of
from paper_figures.ofs._style import AXES, COLOURS, DASHED, DOTTED, FEASIBLE, PRESETS, whiskers

REWARD, GAP, SERVICE = 0, 1, 2
SHOWN = ((GAP, "#AA3377", "gap of acceptance rates"), (SERVICE, "#117733", "service rate"))
TOL = 1e-9


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    horizon : int
        Rounds T of OFS.
    seeds : int
        Runs of OFS.
    """

    horizon: int = 20_000
    seeds: int = 20

    @classmethod
    def quick(cls) -> Self:
        """Take fewer seeds."""
        return cls(seeds=3)


def limits(constraints: tuple[FairConstraint, ...]) -> tuple[float, float]:
    """Return the largest gap and the least service rate."""
    gap = [c.tol for c in constraints if isinstance(c, DemographicParity)]
    service = [c.min_rate for c in constraints if isinstance(c, ServiceRate)]
    return (gap or [np.nan])[0], (service or [np.nan])[0]


def static_arm(env: ThresholdLoop, constraints: tuple[FairConstraint, ...]) -> int:
    """Return the best arm among those that are feasible on the initial population."""
    means = loop_means(env, env.start_state)
    feasible = violations(means, residual_rows(constraints, env.channels)) <= TOL
    return int(np.where(feasible, means[:, REWARD], -np.inf).argmax())


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Solve for the steady states, and run OFS."""
    seeds = seeds_of(rng, config.seeds)
    data: dict[str, Any] = {"preset": np.array(list(PRESETS))}
    for i, preset in enumerate(PRESETS):
        progress(preset, i, len(PRESETS))
        env, constraints = threshold_preset(preset)
        best = best_arm(env, constraints)
        found = runs("OFS", env, config.horizon, constraints, seeds, every=config.horizon)
        data |= {
            f"threshold_{i}": env.thresholds,
            f"steady_{i}": best.means,
            f"initial_{i}": loop_means(env, env.start_state),
            f"feasible_{i}": best.violations <= TOL,
            f"best_{i}": best.arm,
            f"static_{i}": static_arm(env, constraints),
            f"unconstrained_{i}": int(best.means[:, REWARD].argmax()),
            f"limits_{i}": np.array(limits(constraints)),
            f"share_{i}": np.array([r.counts for r in found]) / config.horizon,
        }
    return data


def shade(ax: Any, x: FloatArray, feasible: BoolArray) -> None:
    """Shade the feasible thresholds."""
    half = np.diff(x).min() / 2
    for at in x[np.asarray(feasible, dtype=bool)]:
        ax.axvspan(at - half, at + half, color=FEASIBLE, linewidth=0, zorder=0)


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one column a preset, three rows."""
    n = len(data["preset"])
    fig.set_size_inches(12.4, 7.8)
    axes = fig.subplots(3, n, sharex="col", squeeze=False, height_ratios=[1.1, 1.1, 0.8])
    for i in range(n):
        for ax in axes[:, i]:
            shade(ax, data[f"threshold_{i}"], data[f"feasible_{i}"])
        _reward(axes[0, i], data, i)
        _rates(axes[1, i], data, i)
        _share(axes[2, i], data, i)
        axes[0, i].set_title(PRESETS[str(data["preset"][i])])
        axes[2, i].set_xlabel(AXES.get(str(data["preset"][i]), "threshold of the score"))
    axes[0, 0].set_ylabel("reward per applicant")
    axes[1, 0].set_ylabel("rate")
    axes[2, 0].set_ylabel("share of rounds")
    _legend(fig)


def _reward(ax: Any, data: dict[str, Any], i: int) -> None:
    x, steady = data[f"threshold_{i}"], data[f"steady_{i}"][:, REWARD]
    ax.plot(x, steady, color="#333333", marker=".")
    ax.plot(x, data[f"initial_{i}"][:, REWARD], color="#333333", linestyle=DASHED, linewidth=0.9)
    best, free = int(data[f"best_{i}"]), int(data[f"unconstrained_{i}"])
    static = int(data[f"static_{i}"])
    at = data[f"initial_{i}"][static, REWARD]
    ax.plot(x[static], at, "*", markeredgecolor=COLOURS["OFS"], mfc="white", ms=11, zorder=4)
    ax.plot(x[best], steady[best], "*", color=COLOURS["OFS"], markersize=13, zorder=5)
    ax.plot(x[free], steady[free], "D", color=COLOURS["UCB"], markersize=6.5, zorder=5)


def _rates(ax: Any, data: dict[str, Any], i: int) -> None:
    x = data[f"threshold_{i}"]
    for (channel, colour, _), limit in zip(SHOWN, data[f"limits_{i}"], strict=True):
        ax.plot(x, np.abs(data[f"steady_{i}"][:, channel]), color=colour, marker=".")
        initial = np.abs(data[f"initial_{i}"][:, channel])
        ax.plot(x, initial, color=colour, linestyle=DASHED, linewidth=0.9)
        ax.axhline(float(limit), color=colour, linestyle=DOTTED, linewidth=1.3)
    ax.set_ylim(0.0, 1.02)


def _share(ax: Any, data: dict[str, Any], i: int) -> None:
    x, share = data[f"threshold_{i}"], data[f"share_{i}"]
    mean = share.mean(axis=0)
    ax.bar(x, mean, width=0.8 * np.diff(x).min(), color=COLOURS["OFS"])
    ax.errorbar(x, mean, whiskers(share), fmt="none", ecolor="#333333", elinewidth=0.9)
    ax.set_ylim(0.0, 1.0)


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    dark = "#333333"
    lines = [
        Line2D([], [], color=dark, marker=".", label="steady reward"),
        *(Line2D([], [], color=c, marker=".", label=f"steady {text}") for _, c, text in SHOWN),
        Line2D([], [], color=dark, linestyle=DASHED, linewidth=0.9, label="initial population"),
        Line2D([], [], color=dark, linestyle=DOTTED, linewidth=1.3, label="limit of the same hue"),
        Patch(color=FEASIBLE, label="feasible at the steady state"),
        Line2D(
            [],
            [],
            color=COLOURS["OFS"],
            marker="*",
            linestyle="",
            markersize=11,
            label="best feasible",
        ),
        Line2D(
            [], [], color=COLOURS["UCB"], marker="D", linestyle="", label="best without constraints"
        ),
        Line2D(
            [],
            [],
            color=COLOURS["OFS"],
            marker="*",
            linestyle="",
            markersize=10,
            mfc="white",
            label="best feasible, initially",
        ),
        Patch(color=COLOURS["OFS"], label="rounds of OFS"),
    ]
    fig.legend(handles=lines, loc="outside lower center", ncols=5)
    fig.suptitle("Thresholds at their steady states: presets of our own")
