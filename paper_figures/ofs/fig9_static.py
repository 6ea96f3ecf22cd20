"""A threshold that passes an audit of today's population and fails on the one that it makes.

Synthetic preset of our own. Left: gap of acceptance rates of each threshold on the initial
population (hollow) and at the threshold's steady state (filled), near the limit (dotted). The
threshold that earns most among those that pass the audit is within the limit by 0.0002, and drifts
over it once decisions have changed who applies and who repays. Middle: its gap over the rounds,
when it is kept. Right: cumulative violation of keeping it, and of OFS, which starts with no audit,
pays for trying all thresholds, and then stops violating: a mean over seeds with the range of the
middle 90 % of them. The other three presets have no such threshold at their limits.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory.environments import threshold_preset
from mdptheory.operators import loop_means, loop_step
from mdptheory.solvers import best_arm
from paper_figures._runner import Progress
from paper_figures.ofs._runs import runs, seeds_of
from paper_figures.ofs._style import DOTTED, REFERENCE, handles, spread, thousands
from paper_figures.ofs.fig2_steady_states import GAP, limits, static_arm

PRESET = "synthetic"
AUDITED = "#AA3377"
WAY = 80  # rounds shown of the drift
NEAR = slice(5, 14)


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    horizon : int
        Rounds T.
    seeds : int
        Runs of OFS.
    """

    horizon: int = 20_000
    seeds: int = 20

    @classmethod
    def quick(cls) -> Self:
        """Take fewer seeds."""
        return cls(seeds=3)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Solve for the gaps, and play both."""
    env, constraints = threshold_preset(PRESET)
    arm, every = static_arm(env, constraints), config.horizon // 200
    state, way = env.start_state, []
    for _ in range(WAY):
        way.append(abs(loop_means(env, state)[arm, GAP]))
        state = loop_step(env, state, arm)
    seeds = seeds_of(rng, config.seeds)
    progress("OFS", 0, 2)
    found = runs("OFS", env, config.horizon, constraints, seeds, every=every)
    progress("kept", 1, 2)
    kept = runs("fixed", env, config.horizon, constraints, [0], every=every, arm=arm)[0]
    return {
        "threshold": env.thresholds,
        "arm": arm,
        "limit": limits(constraints)[0],
        "initial": np.abs(loop_means(env, env.start_state)[:, GAP]),
        "steady": np.abs(best_arm(env, constraints).means[:, GAP]),
        "way": np.array(way),
        "rounds": kept.rounds,
        "kept": kept.violation,
        "violation": np.array([run.violation for run in found]),
    }


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw thresholds, the drift of one, and what it costs."""
    fig.set_size_inches(12.0, 4.3)
    left, middle, right = fig.subplots(1, 3, width_ratios=[1.25, 1.0, 1.0])
    _thresholds(left, data)
    arm, limit = int(data["arm"]), float(data["limit"])
    middle.plot(np.arange(len(data["way"])), data["way"], color=AUDITED)
    middle.set_xlabel("rounds since it was fixed")
    middle.set_title(f"threshold {data['threshold'][arm]:.2f}, kept")
    low, high = float(data["way"][0]), float(data["way"][-1])
    margin = 0.1 * (high - low)
    middle.set_ylim(low - margin, high + margin)
    for ax in (left, middle):
        ax.axhline(limit, color=REFERENCE, linestyle=DOTTED, linewidth=1.3)
        ax.set_ylabel("gap of acceptance rates")
    right.plot(data["rounds"], data["kept"], color=AUDITED, linewidth=2.0)
    spread(right, data["rounds"], data["violation"], "OFS")
    right.set_ylabel("cumulative violation (rate, over rounds)")
    right.set_title("violation since the start")
    right.set_ylim(bottom=0.0)
    thousands(right)
    _legend(fig)


def _thresholds(ax: Any, data: dict[str, Any]) -> None:
    x, arm = data["threshold"], int(data["arm"])
    for k in range(*NEAR.indices(len(x))):
        ends = data["initial"][k], data["steady"][k]
        colour = AUDITED if k == arm else "#888888"
        ax.plot([x[k], x[k]], ends, color=colour, linewidth=1.6, zorder=2)
        ax.plot(x[k], ends[0], "o", markeredgecolor=colour, mfc="white", markersize=6, zorder=3)
        ax.plot(x[k], ends[1], "o", color=colour, markersize=6, zorder=3)
    ax.set_xlabel("threshold of the score")
    ax.set_title("audit today, and once it has settled")


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    grey = "#888888"
    lines = [
        Line2D([], [], color=grey, marker="o", mfc="white", linestyle="", label="today"),
        Line2D([], [], color=grey, marker="o", linestyle="", label="at its steady state"),
        Line2D([], [], color=REFERENCE, linestyle=DOTTED, label="limit"),
        Line2D([], [], color=AUDITED, linewidth=2.0, label="best that passes today"),
        *handles(("OFS",)),
    ]
    fig.legend(handles=lines, loc="outside lower center", ncols=5)
    fig.suptitle("An audit of today's population is not enough: synthetic preset, of our own")
