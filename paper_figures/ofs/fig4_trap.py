"""The trap: a closed loop in which learning round by round never finds out.

Two arms, no constraints. A state z starts at 1, moves to 0 while the first arm is played and to 1
while the second is; the first arm's mean is 0.8 − 0.6 z, the second's 0.5. The first is better by
0.3 once the state has settled, and looks worse by 0.3 until then. OFS tries it a few times, always
too early: regret grows by 0.3 a round for ever. Doubling epochs (OFS-D) whose bounds allow for the
state (theory's bias, first epoch 1) find out; without that allowance a first epoch of 64 is enough
where the loop forgets 5 percent a round, and not where it forgets 1 percent. Grey: no learning at
all. Purple: the bound OFS-T8, derived here, for OFS-D with theory's bias, probability 0.95; it
exceeds what is possible at short horizons. Each horizon T is a run of its own; means over seeds
with the range of the middle 90 % of them.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms.fair_bounds import Epochs, closed_loop_bound, epoch_log_term
from mdptheory.operators import certify
from paper_figures._runner import Progress
from paper_figures.ofs._instances import trap
from paper_figures.ofs._runs import runs, seeds_of
from paper_figures.ofs._style import BOUND, COLOURS, DASHED, REFERENCE, spread

KAPPAS = (0.95, 0.99)
DELTA, SIGMA, WORST, GAP = 0.05, 0.1, 1.0, 0.3
LINES: tuple[tuple[str, str, dict[str, Any], Any], ...] = (
    ("OFS, round by round", "OFS", {}, "-"),
    ("OFS-D, no bias term, first epoch 64", "OFS-D", {"bias": "none", "first": 64}, DASHED),
    ("OFS-D, theory's bias, first epoch 1", "OFS-D", {"bias": "theory", "first": 1}, "-"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    horizons : tuple of int
        Numbers of rounds T.
    seeds : int
        Runs of each learner.
    """

    horizons: tuple[int, ...] = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
    seeds: int = 10

    @classmethod
    def quick(cls) -> Self:
        """Take fewer horizons and seeds."""
        return cls(horizons=(1_000, 10_000, 100_000), seeds=3)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Return regrets (learners, seeds, horizons) and bounds for both speeds of forgetting."""
    seeds = seeds_of(rng, config.seeds)
    data: dict[str, Any] = {"horizon": np.array(config.horizons)}
    for i, kappa in enumerate(KAPPAS):
        env = trap(kappa)
        regret = np.empty((len(LINES), config.seeds, len(config.horizons)))
        for j, (label, name, numbers, _) in enumerate(LINES):
            progress(f"{kappa}: {label}", i * len(LINES) + j, len(KAPPAS) * len(LINES))
            for h, horizon in enumerate(config.horizons):
                found = runs(name, env, horizon, (), seeds, every=horizon, **numbers)
                regret[j, :, h] = [0.8 * horizon - run.reward[-1] for run in found]
        data[f"regret_{i}"] = regret
        data[f"bound_{i}"] = np.array([bound(kappa, horizon) for horizon in config.horizons])
    return data


def bound(kappa: float, horizon: int) -> float:
    """Return OFS-T8 for a first epoch of 1."""
    constants = certify(trap(kappa))
    drift = float(constants.lipschitz[0]) * constants.diameter / (1.0 - constants.kappa)
    epochs = Epochs(horizon, first=1, kappa=constants.kappa)
    log = epoch_log_term(2, 1, epochs, DELTA)
    return closed_loop_bound(2, log, scale=SIGMA, worst=WORST, drift=drift, epochs=epochs)


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one panel a speed."""
    fig.set_size_inches(9.6, 4.8)
    axes = fig.subplots(1, len(KAPPAS), sharex=True, sharey=True)
    x: FloatArray = data["horizon"]
    for i, (ax, kappa) in enumerate(zip(axes, KAPPAS, strict=True)):
        ax.plot(x, GAP * x, color=REFERENCE, linewidth=6.0, alpha=0.3)
        ax.plot(x, data[f"bound_{i}"], color=BOUND, marker="_")
        for j, (_, name, _, style) in enumerate(LINES):
            values = np.maximum(data[f"regret_{i}"][j], 1.0)
            spread(ax, x, values, name, linestyle=style, marker="o", markersize=3.5)
        ax.set_xscale("log")
        ax.set_yscale("log")
        percent = f"{100 * (1 - kappa):.0f}"
        ax.set_title(f"the state forgets {percent} % a round (κ = {kappa:g})")
        ax.set_xlabel("horizon T (rounds)")
        for text, value in _ends(data, i):
            ax.annotate(
                text,
                (x[-1], value),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                annotation_clip=False,
            )
    axes[0].set_ylabel("regret (reward, summed over T rounds)")
    _legend(fig)


def _ends(data: dict[str, Any], i: int) -> list[tuple[str, float]]:
    """Return numbers at the last horizon, those that would cover others left out."""
    values = [float(row.mean()) for row in data[f"regret_{i}"][:, :, -1]]
    values.append(float(data[f"bound_{i}"][-1]))
    shown: list[tuple[str, float]] = []
    for value in sorted(values, reverse=True):
        if value > 0 and all(abs(math.log10(value / other)) > 0.15 for _, other in shown):
            shown.append((f"{value:,.0f}", value))
    return shown


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=COLOURS[name], linestyle=style, marker="o", markersize=3.5, label=text)
        for text, name, _, style in LINES
    ]
    lines += [
        Line2D([], [], color=BOUND, marker="_", label="OFS-T8 (derived here)"),
        Line2D([], [], color=REFERENCE, linewidth=6.0, alpha=0.3, label="the worse arm for ever"),
    ]
    fig.legend(handles=lines, loc="outside lower center", ncols=3)
    fig.suptitle("The trap: learning in a loop that takes time to answer")
