"""Two examples on which IWOCS as published stalls.

Above, the models. A solid arrow is where an action leads in the first kernel, a dashed one where
nature may lead it instead; what it pays is written beside it. A double circle is absorbing, with
its value below; the discount is 0.9. Below, the bounds with which each variant ends, from lower to
upper, at the start state 0, and the true robust value as the dashed line. In example A the
published rule with greedy completion returns a policy that is worth 10 although 31 can be
guaranteed, and no further step helps. In example B each kernel that the rule with nominal
completion finds spoils one action of state 1 only, so that the upper bound never comes down.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory import TabularMDP
from mdptheory.models import FiniteSet
from mdptheory.solvers import robust_solve
from paper_figures._runner import Progress
from paper_figures.iwocs._variants import VARIANTS, run

STALL, GOOD, INK = "#D55E00", "#0072B2", "#333333"


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    gamma : float
        Discount factor.
    tol : float
        Gap at which a run is certified.
    """

    gamma: float = 0.9
    tol: float = 1e-6

    @classmethod
    def quick(cls) -> Self:
        """Do the same; it takes no time."""
        return cls()


def example_a(gamma: float) -> tuple[TabularMDP, FiniteSet]:
    """Three states: nature may keep the walker in state 0."""
    kernels = np.zeros((2, 3, 2, 3))
    kernels[:, 1, :, 1] = kernels[:, 2, :, 2] = 1.0
    kernels[0, 0, 0, 1] = kernels[0, 0, 1, 2] = 1.0
    kernels[1, 0, :, 0] = 1.0
    reward = np.array([[4.0, 1.0], [3.0, 3.0], [4.0, 4.0]])
    return TabularMDP.from_dense(kernels[0], reward, gamma), FiniteSet(kernels, coupled=False)


def example_b(gamma: float) -> tuple[TabularMDP, FiniteSet]:
    """Five states: 0, then 1 or Safe (2); from 1 to Good (3) or Bad (4) as nature likes."""
    kernels = np.zeros((2, 5, 2, 5))
    for state in (2, 3, 4):
        kernels[:, state, :, state] = 1.0
    kernels[:, 0, 0, 1] = kernels[:, 0, 1, 2] = 1.0
    kernels[0, 1, :, 3] = kernels[1, 1, :, 4] = 1.0
    reward = np.array([[0.0, 0.5], [0.0, 0.0], [0.5, 0.5], [1.0, 1.0], [0.0, 0.0]])
    return TabularMDP.from_dense(kernels[0], reward, gamma), FiniteSet(kernels, coupled=False)


EXAMPLES = {"A": example_a, "B": example_b}


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Run every variant on both examples."""
    data: dict[str, Any] = {"variants": np.array(list(VARIANTS))}
    for k, (name, make) in enumerate(EXAMPLES.items()):
        progress(f"example {name}", k, len(EXAMPLES))
        mdp, ambiguity = make(config.gamma)
        results = [run(mdp, ambiguity, variant, tol=config.tol) for variant in VARIANTS]
        data[f"true_{name}"] = float(robust_solve(mdp, ambiguity, tol=1e-10).v[0])
        data[f"lower_{name}"] = np.array([result.lower for result in results])
        data[f"upper_{name}"] = np.array([result.upper for result in results])
        data[f"status_{name}"] = np.array([result.status.name for result in results])
        data[f"iterations_{name}"] = np.array([len(result.history) for result in results])
    return data


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw the models above, the bounds below."""
    fig.set_size_inches(10.8, 6.2)
    axes = fig.subplots(2, 2, height_ratios=[1.15, 1])
    _draw_a(axes[0, 0])
    _draw_b(axes[0, 1])
    for ax, name in zip(axes[1], EXAMPLES, strict=True):
        _bars(ax, data, name)
    axes[1, 1].set_yticklabels([])
    _legend(fig)


def _bars(ax: Any, data: dict[str, Any], name: str) -> None:
    lower, upper, true = data[f"lower_{name}"], data[f"upper_{name}"], float(data[f"true_{name}"])
    span = float(upper.max() - lower.min())
    for y, (low, high) in enumerate(zip(lower, upper, strict=True)):
        steps = int(data[f"iterations_{name}"][y])
        stalled = data[f"status_{name}"][y] == "STALLED"
        colour = STALL if stalled else GOOD
        ax.barh(y, high - low, left=low, height=0.55, color=colour, alpha=0.35)
        ax.plot([low, high], [y, y], "|", color=colour, markersize=15, markeredgewidth=2.2)
        word = f"stalled after {steps}" if stalled else f"certified after {steps}"
        ax.text(upper.max() + 0.04 * span, y, word, va="center", fontsize=7.5, color=colour)
    ax.axvline(true, color=INK, linestyle=(0, (4, 3)), linewidth=1.1, zorder=1)
    ax.set_yticks(range(len(lower)), [str(variant) for variant in data["variants"]])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(lower) - 0.4, -0.6)
    ax.set_xlim(lower.min() - 0.05 * span, upper.max() + 0.34 * span)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("value at state 0 (discounted reward)")


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=STALL, alpha=0.5, label="bounds of a stalled run"),
        Patch(color=GOOD, alpha=0.5, label="bounds of a certified run (they meet)"),
        Line2D([], [], color=INK, linestyle=(0, (4, 3)), label="robust value"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)


def _draw_a(ax: Any) -> None:
    _canvas(ax, "example A")
    _arrow(ax, (0, 0), (3, 0.9), "action 0: reward 4", bend=0.0, above=True)
    _arrow(ax, (0, 0), (3, -0.9), "action 1: reward 1", bend=0.0, above=False)
    _loop(ax, (0, 0), "nature may let\nboth stay")
    _state(ax, (0, 0), "0")
    _state(ax, (3, 0.9), "1", absorbing="reward 3 forever: 30")
    _state(ax, (3, -0.9), "2", absorbing="reward 4 forever: 40")


def _draw_b(ax: Any) -> None:
    _canvas(ax, "example B")
    _arrow(ax, (-0.6, 0), (1.2, 0.8), "action 0: 0", bend=0.0, above=True)
    _arrow(ax, (-0.6, 0), (1.2, -0.9), "action 1: ½", bend=0.0, above=False)
    _arrow(ax, (1.2, 0.8), (3.4, 1.0), "both actions: 0", bend=0.0, above=True)
    _arrow(ax, (1.2, 0.8), (3.4, -0.4), "nature's choice", bend=0.0, above=False, dashed=True)
    _state(ax, (-0.6, 0), "0")
    _state(ax, (1.2, 0.8), "1")
    _state(ax, (1.2, -0.9), "2", absorbing="safe, ½ forever: 5")
    _state(ax, (3.4, 1.0), "3", absorbing="good, 1 forever: 10")
    _state(ax, (3.4, -0.4), "4", absorbing="bad, 0 forever: 0")


def _canvas(ax: Any, title: str) -> None:
    ax.set_title(title)
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set_xlim(-1.6, 4.6)
    ax.set_ylim(-1.65, 1.6)


def _state(ax: Any, at: tuple[float, float], name: str, absorbing: str = "") -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle(at, 0.27, facecolor="white", edgecolor=INK, linewidth=1.2, zorder=4))
    if absorbing:
        ax.add_patch(Circle(at, 0.21, facecolor="none", edgecolor=INK, linewidth=0.8, zorder=5))
        ax.text(
            at[0], at[1] - 0.36, absorbing, ha="center", va="top", fontsize=7.5, color="#666666"
        )
    ax.text(*at, name, ha="center", va="center", fontsize=9, zorder=6)


def _arrow(
    ax: Any,
    start: tuple[float, float],
    end: tuple[float, float],
    text: str,
    *,
    bend: float,
    above: bool,
    dashed: bool = False,
) -> None:
    style: Any = (0, (3, 2)) if dashed else "-"
    ax.annotate(
        "", end, start,
        arrowprops={
            "arrowstyle": "-|>", "color": INK, "lw": 1.1, "linestyle": style,
            "shrinkA": 17, "shrinkB": 17, "connectionstyle": f"arc3,rad={bend}",
        },
    )  # fmt: skip
    slope = np.degrees(np.arctan2(end[1] - start[1], end[0] - start[0]))
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    ax.annotate(
        text, middle, xytext=(0, 6 if above else -6), textcoords="offset points", ha="center",
        va="center", rotation=slope, rotation_mode="anchor", fontsize=7.5, color=INK,
    )  # fmt: skip


def _loop(ax: Any, at: tuple[float, float], text: str) -> None:
    x, y = at
    ax.annotate(
        "", (x - 0.25, y - 0.13), (x - 0.25, y + 0.13),
        arrowprops={
            "arrowstyle": "-|>", "color": INK, "lw": 1.1, "linestyle": (0, (3, 2)),
            "connectionstyle": "arc3,rad=2.6",
        },
    )  # fmt: skip
    ax.text(x - 0.75, y - 0.36, text, ha="center", va="top", fontsize=7.5, color=INK)
