"""American put, stopped by what was learnt while playing: DR-RPO (reconstruction), our protocol.

Ten steps, prices move up 2 % with probability 1/2 in training, 20 hat functions as features, 100
episodes (β = 1, ridge 0.1, radius 1/2 on all factors); everything is in units of price, so that the
temperature is one too, and worths are clipped at the steps that are left, as in published programs.
Exact payoff on the price lattice from a price of 100, against the probability of an upward move in
the target; what stops a soft policy is its most likely action. Robust learners expect prices to go
against the holder, exercise early, and so earn more where prices rise and less where they fall. The
features do not sum to 1 everywhere: the model is misspecified, and no bound is claimed. Means over
seeds with 95 % bootstrap intervals; right: differences within seeds.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np

from mdptheory._typing import BoolArray, FloatArray
from mdptheory.algorithms import RealOnlineResult, dr_lsvi_ucb, dr_rpo, kl_lsvi_ucb, lsvi_ucb
from mdptheory.environments import AmericanPut, put_value
from mdptheory.models import TVBall
from paper_figures._runner import Progress
from paper_figures.dr_rpo._style import COLOURS, DASHED, TAU_SHADES
from paper_figures.r2pvi._style import REFERENCE, band, bootstrap

HORIZON, FEATURES, PRICE = 10, 20, 100.0
BALL = TVBall(0.5)
LOOKS: tuple[tuple[str, str, Any], ...] = (
    ("LSVI-UCB", COLOURS["LSVI-UCB"], "-"),
    ("KL-LSVI-UCB, τ = 0.05", COLOURS["KL-LSVI-UCB"], DASHED),
    ("DR-LSVI-UCB", COLOURS["DR-LSVI-UCB"], "-"),
    ("DR-RPO, τ = 0.3", TAU_SHADES[0.3], "-"),
    ("DR-RPO, τ = 0.05", TAU_SHADES[0.05], "-"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    up : tuple of float
        Probabilities of an upward move in the target.
    episodes : int
        Episodes K of a run.
    seeds : int
        Runs of each learner.
    """

    up: tuple[float, ...] = tuple(k / 40 for k in range(6, 35, 2))
    episodes: int = 100
    seeds: int = 10

    @classmethod
    def quick(cls) -> Self:
        """Take fewer probabilities and seeds."""
        return cls(up=tuple(k / 40 for k in range(6, 35, 7)), seeds=3)


def learn(which: int, put: AmericanPut, n_episodes: int, seed: int) -> RealOnlineResult:
    """Run a learner of `LOOKS`."""
    if which == 0:
        return lsvi_ucb(put, n_episodes, rng=seed)
    if which == 1:
        return kl_lsvi_ucb(put, n_episodes, tau=0.05, rng=seed)
    if which == 2:
        return dr_lsvi_ucb(put, n_episodes, BALL, rng=seed)
    return dr_rpo(put, n_episodes, BALL, tau={3: 0.3, 4: 0.05}[which], rng=seed)


def stops(fit: Any, step: int, prices: FloatArray) -> BoolArray:
    """Tell at which prices the most likely action is to exercise."""
    return np.asarray(fit.act(step, prices) == 1)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Learn, and value what was learnt on the lattice."""
    put = AmericanPut(HORIZON, FEATURES)
    fixed, seeds = replace(put, start=PRICE), rng.integers(2**32, size=config.seeds)
    best = [put_value(fixed, p) for p in config.up]
    data: dict[str, Any] = {"up": np.array(config.up), "best": np.array(best)}
    for i, (label, _, _) in enumerate(LOOKS):
        progress(label, i, len(LOOKS))
        paid = np.empty((config.seeds, len(config.up)))
        for k, seed in enumerate(seeds):
            fit = learn(i, put, config.episodes, int(seed)).fit
            for j, p in enumerate(config.up):
                paid[k, j] = put_value(fixed, p, partial(stops, fit))
        data[f"paid_{i}"], data[f"ends_{i}"] = paid, bootstrap(paid, rng)
        data[f"gain_ends_{i}"] = bootstrap(paid - data["paid_0"], rng)
    return data


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw payoffs, and the difference to the learner without nature."""
    fig.set_size_inches(9.6, 4.6)
    left, right = fig.subplots(1, 2)
    x = data["up"]
    left.plot(x, data["best"], color=REFERENCE, linewidth=1.0, label="optimal stopping at each p")
    for i, (label, colour, style) in enumerate(LOOKS):
        look = {"linestyle": style, "linewidth": 4.0 if label == "DR-LSVI-UCB" else 1.6}
        mean, ends = data[f"paid_{i}"].mean(axis=0), data[f"ends_{i}"]
        band(left, x, mean, ends, colour, label=label, **look)
        gain = (data[f"paid_{i}"] - data["paid_0"]).mean(axis=0)
        band(right, x, gain, data[f"gain_ends_{i}"], colour, **look)
    left.set_yscale("symlog", linthresh=1.0)
    ticks = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
    left.set_yticks(ticks, [f"{y:g}" for y in ticks])
    left.minorticks_off()
    left.set_ylim(bottom=0.0)
    left.set_title("payoff")
    left.set_ylabel("expected payoff (price; linear below 1)")
    right.set_title("payoff over that of LSVI-UCB")
    right.set_ylabel("difference (price)")
    for ax in (left, right):
        ax.axvline(0.5, color=REFERENCE, linewidth=0.8, linestyle=DASHED)
        ax.set_xlabel("probability of an up move p (trained at 0.5)")
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    fig.suptitle("DR-RPO (reconstruction), our protocol: American put")
