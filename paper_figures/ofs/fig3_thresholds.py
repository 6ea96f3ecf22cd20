"""Which thresholds are chosen over time, and what that does to the population.

One run of each learner on one preset. Top: circles show the thresholds of a block of rounds, each
as large as its share of the block; shaded: the thresholds that would meet both constraints in the
population of that round; line: the best threshold that is feasible at its steady state. OFS tries
every threshold, drops those that earn less or violate, and settles inside the region; UCB settles
where reward is largest, outside it; the primal-dual learner alternates between both sides. Middle:
what the round's mean exceeds the limits by. Bottom: the state less that at the start: share of the
first group among applicants, and rate of favourable labels in each group. Preset and dynamics are
our choices.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.environments import threshold_preset
from mdptheory.models import ThresholdLoop, residual_rows
from mdptheory.operators import loop_means, violations
from mdptheory.solvers import best_arm
from paper_figures._runner import Progress
from paper_figures.ofs._runs import runs, seeds_of
from paper_figures.ofs._style import COLOURS, DASHED, DOTTED, FEASIBLE, PRESETS, thousands

NAMES = ("OFS", "UCB", "primal-dual")
LOOKS = (("#333333", "-"), ("#CC6677", "-"), ("#4477AA", DASHED))
TOL = 1e-9
SIZES = 16  # of circles, by diameter


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    preset : str
        Name of the preset.
    horizon : int
        Rounds T.
    blocks : int
        Blocks of rounds over which thresholds are counted.
    """

    preset: str = "german"
    horizon: int = 20_000
    blocks: int = 50

    @classmethod
    def quick(cls) -> Self:
        """Take the same: it is one run a learner."""
        return cls()


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Run each learner once, and solve for the feasible region along its way."""
    env, constraints = threshold_preset(config.preset)
    rows, seeds = residual_rows(constraints, env.channels), seeds_of(rng, 1)
    best = best_arm(env, constraints)
    data: dict[str, Any] = {
        "preset": config.preset,
        "threshold": env.thresholds,
        "best": best.arm,
        "start": env.start_state,
        "groups": np.array(env.groups),
        "edges": np.linspace(0, config.horizon, config.blocks + 1).astype(np.int64),
    }
    for i, name in enumerate(NAMES):
        progress(name, i, len(NAMES))
        every = max(1, config.horizon // (4 * config.blocks))
        run = runs(name, env, config.horizon, constraints, seeds, every=every)[0]
        data |= {
            "rounds": run.rounds,
            f"state_{i}": run.states,
            f"feasible_{i}": feasible_along(env, run.states, rows),
            f"share_{i}": shares(run.arms, env.n_arms, data["edges"]),
            f"violation_{i}": np.diff(run.violation, prepend=0.0) / np.diff(run.rounds, prepend=0),
        }
    return data


def feasible_along(env: ThresholdLoop, states: FloatArray, rows: Any) -> BoolArray:
    """Tell for each state (n, d) which arms would meet the constraints in it, shape (n, K)."""
    return np.array([violations(loop_means(env, state), rows) <= TOL for state in states])


def shares(arms: IntArray, n_arms: int, edges: IntArray) -> FloatArray:
    """Return the share of each arm in each block, shape (blocks, K)."""
    parts = [
        np.bincount(arms[low:high], minlength=n_arms) / (high - low)
        for low, high in pairwise(edges)
    ]
    return np.array(parts)


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one column a learner, three rows."""
    fig.set_size_inches(12.4, 7.6)
    axes = fig.subplots(
        3, len(NAMES), sharex=True, sharey="row", squeeze=False, height_ratios=[2.2, 0.8, 1.0]
    )
    for i, name in enumerate(NAMES):
        _thresholds(axes[0, i], data, i, name)
        axes[1, i].plot(data["rounds"], data[f"violation_{i}"], color=COLOURS[name], linewidth=1.2)
        _state(axes[2, i], data, i)
        axes[0, i].set_title(name)
        thousands(axes[2, i])
    axes[0, 0].set_ylabel("threshold of the score")
    axes[1, 0].set_ylabel("violation (rate)")
    axes[1, 0].set_ylim(bottom=0.0)
    axes[2, 0].set_ylabel("change of the state\n(share, rates)")
    _legend(fig, data)


def _thresholds(ax: Any, data: dict[str, Any], i: int, name: str) -> None:
    x, edges = data["threshold"], data["edges"]
    half = np.diff(x).min() / 2
    feasible = np.asarray(data[f"feasible_{i}"], dtype=bool)
    for k, at in enumerate(x):
        ax.fill_between(
            data["rounds"], at - half, at + half, where=feasible[:, k], color=FEASIBLE, linewidth=0
        )
    ax.axhline(x[int(data["best"])], color="#333333", linestyle=DOTTED, linewidth=1.3)
    middle = (edges[:-1] + edges[1:]) / 2
    size = np.ceil(SIZES * np.sqrt(data[f"share_{i}"])).astype(int)
    for level in range(1, SIZES + 1):
        block, arm = np.nonzero(size == level)
        ax.plot(
            middle[block],
            x[arm],
            "o",
            color=COLOURS[name],
            ms=10 * level / SIZES,
            alpha=0.75,
            mew=0,
        )


def _state(ax: Any, data: dict[str, Any], i: int) -> None:
    for state, (colour, style) in zip((data[f"state_{i}"] - data["start"]).T, LOOKS, strict=True):
        ax.plot(data["rounds"], state, color=colour, linestyle=style, linewidth=1.2)


def _legend(fig: Any, data: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    first, second = data["groups"]
    texts = (
        f"share p among applicants: {first}",
        f"favourable labels: {first}",
        f"favourable labels: {second}",
    )
    lines = [
        Patch(color=FEASIBLE, label="feasible in the population of that round"),
        Line2D([], [], color="#333333", linestyle=DOTTED, label="best feasible fixed threshold"),
        Line2D([], [], color="#777777", marker="o", linestyle="", label="threshold played"),
    ]
    lines += [
        Line2D([], [], color=colour, linestyle=style, label=text)
        for text, (colour, style) in zip(texts, LOOKS, strict=True)
    ]
    fig.legend(handles=lines, loc="outside lower center", ncols=3)
    title = PRESETS[str(data["preset"])]
    fig.suptitle(f"Thresholds over time, and the population that follows them: {title}")
