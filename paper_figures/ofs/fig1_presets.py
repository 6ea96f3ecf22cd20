"""Learners on the four presets: what they earn, what they violate, what they lose.

Score thresholds for two groups whose population follows the decisions; gap of acceptance rates and
service rate are constrained, and only the threshold that was played is seen. Presets, dynamics and
horizon are our choices, not those of the paper. Top: cumulative mean reward; grey: the best
feasible fixed threshold at its steady state (its reward times the rounds). Middle: cumulative
violation, each round's largest positive mean residual; thin and dotted: the same of the primal-dual
learner with signs (the largest sum of one residual), which stays near 0 while it alternates between
violating and wasteful thresholds. Bottom: regret, how much rounds earn less than the best feasible
threshold, rounds that earn more not counted: UCB, which ignores constraints, has the least but for
lucky runs of greedy search, which has no bonus on rewards and is stuck below the best threshold in
others; pessimistic search always is. Scales are linear below 10. Lines are means over seeds with
the range of the middle 90 % of them.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory.environments import threshold_preset
from mdptheory.solvers import best_arm
from paper_figures._runner import Progress
from paper_figures.ofs._runs import columns, runs, seeds_of
from paper_figures.ofs._style import (
    COLOURS,
    DOTTED,
    PRESETS,
    REFERENCE,
    handles,
    spread,
    thousands,
)

NAMES = tuple(COLOURS)
LINEAR_BELOW = 10.0
TICKS = (0, 10, 100, 1000)


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    horizon : int
        Rounds T.
    seeds : int
        Runs of each learner.
    points : int
        Rounds at which sums are kept.
    """

    horizon: int = 20_000
    seeds: int = 20
    points: int = 100

    @classmethod
    def quick(cls) -> Self:
        """Take fewer seeds."""
        return cls(seeds=3)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Run every learner on every preset with the same seeds."""
    seeds, every = seeds_of(rng, config.seeds), config.horizon // config.points
    data: dict[str, Any] = {"preset": np.array(list(PRESETS)), "learner": np.array(NAMES)}
    for i, preset in enumerate(PRESETS):
        env, constraints = threshold_preset(preset)
        data[f"best_{i}"] = best_arm(env, constraints).reward
        kept: dict[str, list[Any]] = {}
        for j, name in enumerate(NAMES):
            progress(f"{preset}, {name}", i * len(NAMES) + j, len(PRESETS) * len(NAMES))
            found = runs(name, env, config.horizon, constraints, seeds, every=every)
            data["rounds"] = found[0].rounds
            for key, values in columns(found).items():
                kept.setdefault(key, []).append(values)
        data |= {f"{key}_{i}": np.array(values) for key, values in kept.items()}
    return data


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one column a preset, three rows."""
    n = len(data["preset"])
    fig.set_size_inches(12.4, 8.6)
    axes = fig.subplots(3, n, sharex=True, squeeze=False)
    for row in axes[1:]:
        for ax in row[1:]:
            ax.sharey(row[0])
            ax.tick_params(labelleft=False)
    for i in range(n):
        _column(axes[:, i], data, i)
        axes[0, i].set_title(PRESETS[str(data["preset"][i])])
        thousands(axes[2, i])
        axes[0, i].yaxis.set_major_formatter("{x:,.0f}")
    axes[0, 0].set_ylabel("cumulative reward\n(per applicant, over rounds)")
    axes[1, 0].set_ylabel("cumulative violation\n(rate, over rounds)")
    axes[2, 0].set_ylabel("regret\n(reward, over rounds)")
    _legend(fig)


def _column(axes: Any, data: dict[str, Any], i: int) -> None:
    x = data["rounds"]
    axes[0].plot(x, x * float(data[f"best_{i}"]), color=REFERENCE, linewidth=4.0, alpha=0.35)
    for j, name in reversed(list(enumerate(NAMES))):
        for ax, key in zip(axes, ("reward", "violation", "regret"), strict=True):
            spread(ax, x, data[f"{key}_{i}"][j], name)
    signed = data[f"signed_{i}"][NAMES.index("primal-dual")].max(axis=-1)
    spread(axes[1], x, signed, "primal-dual", linestyle=DOTTED, linewidth=1.3)
    for ax, top in zip(axes[1:], (3_000.0, 8_000.0), strict=True):
        ax.set_yscale("symlog", linthresh=LINEAR_BELOW, linscale=0.6)
        ax.set_yticks(TICKS, [f"{y:,}" for y in TICKS])
        ax.minorticks_off()
        ax.set_ylim(-2.0, top)


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    lines = handles(NAMES)
    lines.append(
        Line2D(
            [],
            [],
            color=COLOURS["primal-dual"],
            linestyle=DOTTED,
            linewidth=1.3,
            label="primal-dual, signed violation",
        )
    )
    lines.append(
        Line2D([], [], color=REFERENCE, linewidth=4.0, alpha=0.35, label="best feasible threshold")
    )
    fig.legend(handles=lines, loc="outside lower center", ncols=5)
    fig.suptitle("OFS and others in a closed loop: presets of our own")
