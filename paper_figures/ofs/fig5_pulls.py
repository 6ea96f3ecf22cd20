"""How often each arm is played, against what is proved.

Bandits without feedback. Left: eight arms with two constraints, the best feasible of which (arm 1)
sits on both its limits; rounds that each is played by OFS and by UCB, and the bound OFS-T2, derived
here, which is logarithmic in the horizon: 1 + 8 L times the smallest squared ratio of noise to gap,
in reward or in a residual that is too large. It is void for the best arm, and for none but it. UCB
ignores constraints, plays the arm that violates most, and exceeds the bound a hundredfold. Right:
every arm of random bandits of that size, half of them with the best arm on a limit; arms played
only once or without a bound are left out, and points on the diagonal would attain the bound. Bars
are ranges over seeds.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms.fair_bounds import log_term, pull_bound
from mdptheory.models import GaussianBandit
from mdptheory.solvers import best_arm
from paper_figures._runner import Progress
from paper_figures.ofs._instances import edge_bandit, random_bandit
from paper_figures.ofs._runs import runs, seeds_of
from paper_figures.ofs._style import BOUND, COLOURS, REFERENCE, whiskers

DELTA = 0.05
NAMES = ("OFS", "UCB")


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    horizon : int
        Rounds T on the left; a quarter of them on the right.
    seeds : int
        Runs of each learner on the left.
    instances : int
        Random bandits on the right, one run each.
    """

    horizon: int = 200_000
    seeds: int = 20
    instances: int = 100

    @classmethod
    def quick(cls) -> Self:
        """Take fewer rounds, seeds and bandits."""
        return cls(horizon=40_000, seeds=3, instances=20)


def bounds(env: GaussianBandit, horizon: int) -> FloatArray:
    """Return OFS-T2 of every arm, shape (K,)."""
    best = best_arm(env, env.constraints)
    sigmas = np.asarray(env.sigma_residuals)
    log = log_term(env.n_arms, 1 + len(sigmas), horizon, DELTA)
    gaps = best.reward - env.reward
    return pull_bound(gaps, env.residuals, log, scale=env.sigma_reward, scales=sigmas)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Count pulls: (learners, seeds, K), and (instances, K) in random bandits."""
    env, seeds = edge_bandit(), seeds_of(rng, config.seeds)
    counts = []
    for name in NAMES:
        found = runs(name, env, config.horizon, env.constraints, seeds, every=config.horizon)
        counts.append([run.counts for run in found])
    horizon = config.horizon // 4
    most, pulled = [], []
    for i in range(config.instances):
        progress("random bandits", i, config.instances)
        one, seed = random_bandit(rng), seeds_of(rng, 1)
        pulled.append(runs("OFS", one, horizon, one.constraints, seed, every=horizon)[0].counts)
        most.append(bounds(one, horizon))
    return {
        "counts": np.array(counts),
        "bound": bounds(env, config.horizon),
        "horizon": config.horizon,
        "random_counts": np.array(pulled),
        "random_bound": np.array(most),
    }


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw the one instance, and the random ones."""
    fig.set_size_inches(9.8, 4.6)
    left, right = fig.subplots(1, 2, width_ratios=[1.25, 1.0])
    _instance(left, data)
    _random(right, data)
    _legend(fig)


def _instance(ax: Any, data: dict[str, Any]) -> None:
    for j, name in enumerate(NAMES):
        counts = data["counts"][j]
        mean, y = counts.mean(axis=0), np.arange(counts.shape[1]) + (j - 0.5) * 0.26
        ends = whiskers(counts)
        ax.errorbar(
            mean, y, xerr=ends, fmt="o" if j == 0 else "s", color=COLOURS[name], markersize=4.5
        )
    for k, most in enumerate(data["bound"]):
        if np.isfinite(most):
            ax.plot([most, most], [k - 0.38, k + 0.38], color=BOUND, linewidth=2.2)
        else:
            ax.text(40.0, k + 0.02, "no bound: the best feasible arm", va="center", fontsize=7.5)
    ax.set_xscale("log")
    ax.set_xlim(0.7, 1.6 * float(data["horizon"]))
    ax.set_ylim(len(data["bound"]) - 0.4, -0.6)
    ax.set_yticks(range(len(data["bound"])))
    ax.grid(axis="y", visible=False)
    ax.set_ylabel("arm")
    ax.set_xlabel("rounds in which it is played")
    ax.set_title(f"eight arms, two constraints, {int(data['horizon']):,} rounds")


def _random(ax: Any, data: dict[str, Any]) -> None:
    most, counts = data["random_bound"].ravel(), data["random_counts"].ravel()
    kept = np.isfinite(most) & (counts > 1)
    ax.plot(most[kept], counts[kept], "o", color=COLOURS["OFS"], markersize=3, alpha=0.55, mew=0)
    low, high = 5.0, float(most[kept].max()) * 1.5
    ax.plot([low, high], [low, high], color=BOUND, linewidth=2.2)
    tightest = float((counts[kept] / most[kept]).max())
    ax.text(
        0.97,
        0.04,
        f"largest ratio {tightest:.2f}",
        transform=ax.transAxes,
        ha="right",
        fontsize=8,
        color=REFERENCE,
    )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("bound OFS-T2 (rounds)")
    ax.set_ylabel("rounds in which OFS plays the arm")
    ax.set_title(f"{len(data['random_bound'])} random bandits")


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=COLOURS["OFS"], marker="o", linestyle="", label="OFS"),
        Line2D(
            [], [], color=COLOURS["UCB"], marker="s", linestyle="", label="UCB (no constraints)"
        ),
        Line2D([], [], color=BOUND, linewidth=2.2, label="OFS-T2 (derived here)"),
    ]
    fig.legend(handles=lines, loc="outside lower center", ncols=3)
    fig.suptitle("Plays of each arm against their bound, without feedback")
