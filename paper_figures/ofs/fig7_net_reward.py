"""Does a constrained learner earn more than one without constraints? Not here, unless harm counts.

The abstract of the paper claims more reward than the unconstrained baseline. On these presets,
which are our choices, the raw claim does not hold: the threshold that earns most at its steady
state violates the constraints, UCB finds it, and so earns more raw reward than OFS on every preset,
as it must wherever both settle. What holds is the claim net of violations. Top: mean reward, raw
and minus 3 times the mean violation (3 is our price); lines: the best feasible threshold, and the
best without constraints, at their steady states. Bottom: the same against the price of a unit of
violation; dotted: the price from which on OFS is ahead of both. The primal-dual learner may beat
the best single feasible threshold in raw reward, since it mixes thresholds. Means over seeds with
their range, which is hardly wider than the lines.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.environments import threshold_preset
from mdptheory.solvers import best_arm
from paper_figures._runner import Progress
from paper_figures.ofs._runs import runs, seeds_of
from paper_figures.ofs._style import COLOURS, DASHED, DOTTED, PRESETS, REFERENCE, whiskers

NAMES = ("OFS", "UCB", "primal-dual")
PRICE = 3.0
PRICES = np.linspace(0.0, 4.0, 41)


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    horizon : int
        Rounds T.
    seeds : int
        Runs of each learner.
    """

    horizon: int = 20_000
    seeds: int = 20

    @classmethod
    def quick(cls) -> Self:
        """Take fewer seeds."""
        return cls(seeds=3)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Return mean reward and violation a round: (presets, learners, seeds)."""
    seeds = seeds_of(rng, config.seeds)
    shape = (len(PRESETS), len(NAMES), config.seeds)
    reward, violation = np.empty(shape), np.empty(shape)
    lines = np.empty((len(PRESETS), 2))
    for i, preset in enumerate(PRESETS):
        env, constraints = threshold_preset(preset)
        best = best_arm(env, constraints)
        lines[i] = best.reward, best.means[:, 0].max()
        for j, name in enumerate(NAMES):
            progress(f"{preset}, {name}", i * len(NAMES) + j, len(PRESETS) * len(NAMES))
            found = runs(name, env, config.horizon, constraints, seeds, every=config.horizon)
            reward[i, j] = [run.reward[-1] / config.horizon for run in found]
            violation[i, j] = [run.violation[-1] / config.horizon for run in found]
    return {
        "preset": np.array(list(PRESETS)),
        "reward": reward,
        "violation": violation,
        "lines": lines,
        "break_even": break_even(reward.mean(axis=-1), violation.mean(axis=-1)),
    }


def break_even(reward: FloatArray, violation: FloatArray) -> FloatArray:
    """Return, for each preset, the price from which on the first learner is ahead of all others.

    Rewards and violations have shape (presets, learners).
    """
    gain = reward[:, 1:] - reward[:, :1]
    harm = violation[:, 1:] - violation[:, :1]
    return np.asarray((gain / harm).max(axis=1).clip(0.0))


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one column a preset, bars above prices."""
    n = len(data["preset"])
    fig.set_size_inches(12.4, 6.6)
    axes = fig.subplots(2, n, sharey="row", squeeze=False)
    for i in range(n):
        _bars(axes[0, i], data, i)
        _prices(axes[1, i], data, i)
        axes[0, i].set_title(PRESETS[str(data["preset"][i])])
    axes[0, 0].set_ylabel("mean reward per applicant")
    axes[1, 0].set_ylabel("reward − price × violation")
    _legend(fig)


def _bars(ax: Any, data: dict[str, Any], i: int) -> None:
    for group, price in enumerate((0.0, PRICE)):
        for j, name in enumerate(NAMES):
            values = data["reward"][i, j] - price * data["violation"][i, j]
            at = 4 * group + j
            ax.bar(at, values.mean(), width=0.86, color=COLOURS[name])
            ends = whiskers(values[:, None])
            ax.errorbar(at, values.mean(), ends, fmt="none", ecolor="#999999", elinewidth=1.0)
            text = f"{values.mean():.3f}".replace("0.", ".").replace("-", "−")
            up = values.mean() >= 0
            ax.annotate(
                text,
                (at, 0.0),
                xytext=(0, -3 if up else 3),
                textcoords="offset points",
                ha="center",
                va="top" if up else "bottom",
                fontsize=7.5,
            )
    ax.axhline(data["lines"][i, 0], color=REFERENCE, linewidth=1.1)
    ax.axhline(data["lines"][i, 1], color=REFERENCE, linewidth=1.1, linestyle=DASHED)
    ax.axhline(0.0, color="#888888", linewidth=0.7)
    ax.set_xticks([1, 5], ["raw", f"minus {PRICE:g} × violation"])
    ax.tick_params(axis="x", length=0)
    ax.grid(axis="x", visible=False)


def _prices(ax: Any, data: dict[str, Any], i: int) -> None:
    for j, name in enumerate(NAMES):
        reward, violation = data["reward"][i, j], data["violation"][i, j]
        values = reward[:, None] - PRICES * violation[:, None]
        ax.fill_between(
            PRICES, values.min(axis=0), values.max(axis=0), color=COLOURS[name], alpha=0.2, lw=0
        )
        ax.plot(PRICES, values.mean(axis=0), color=COLOURS[name])
    ax.axvline(float(data["break_even"][i]), color=REFERENCE, linestyle=DOTTED, linewidth=1.3)
    ax.annotate(
        f"{float(data['break_even'][i]):.2f}",
        (float(data["break_even"][i]), 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=REFERENCE,
    )
    ax.set_xlabel("price of a unit of violation (reward)")
    ax.set_xlim(PRICES[0], PRICES[-1])


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines: list[Any] = [Patch(color=COLOURS[name], label=name) for name in NAMES]
    lines += [
        Line2D([], [], color=REFERENCE, linewidth=1.1, label="best feasible, steady"),
        Line2D(
            [], [], color=REFERENCE, linewidth=1.1, linestyle=DASHED, label="best of all, steady"
        ),
        Line2D([], [], color=REFERENCE, linestyle=DOTTED, label="OFS ahead to the right"),
    ]
    fig.legend(handles=lines, loc="outside lower center", ncols=6)
    fig.suptitle("Raw reward, and reward net of violations: presets of our own")
