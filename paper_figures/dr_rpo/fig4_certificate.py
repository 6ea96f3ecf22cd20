"""Regret and its certificate in random models: DR-RPO (reconstruction), our protocol.

Random simplex-feature MDPs with a fail state (6 states, 3 actions, 4 factors, 4 steps), temperature
0.2, four kinds of nature. Cumulative exact regret of the regularised problem, and the cumulative
certificate, twice the widths that the policy is expected to meet under nature's reply to it, which
bounds the regret whenever no width is exceeded. Explicit widths (δ = 0.1, ridge 1), for which this
has probability 0.9 for all episodes at once, and β = 1 (ridge 0.1), for which nothing is proved.
Dotted: the trivial bound of H an episode. Means over instances with their range.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory.algorithms import OnlineOptions
from mdptheory.environments import random_simplex_mdp
from mdptheory.models import ChiSquarePenalty, FactorAmbiguity, KLPenalty, TVBall, TVPenalty
from paper_figures._runner import Progress
from paper_figures.dr_rpo._online import Learner, runs
from paper_figures.dr_rpo._style import COLOURS, DASHED, DOTTED
from paper_figures.r2pvi._style import REFERENCE

SIZES = (6, 3, 4, 4)  # states, actions, factors, steps
TAU = 0.2
KINDS: tuple[tuple[str, FactorAmbiguity, str], ...] = (
    ("TV ball, ρ = 0.2", TVBall(0.2), COLOURS["DR-LSVI-UCB"]),
    ("TV penalty, λ = 1", TVPenalty(1.0), COLOURS["TV"]),
    ("KL penalty, λ = 2", KLPenalty(2.0), COLOURS["KL"]),
    ("χ² penalty, λ = 2", ChiSquarePenalty(2.0), COLOURS["χ²"]),
)
WIDTHS = {
    "explicit": OnlineOptions(beta="theory", ridge=1.0, kl_shift=True),
    "one": OnlineOptions(beta=1.0, ridge=0.1, kl_shift=True),
}


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    episodes : int
        Episodes K of a run.
    instances : int
        Random models.
    """

    episodes: int = 10_000
    instances: int = 5

    @classmethod
    def quick(cls) -> Self:
        """Take fewer episodes and models."""
        return cls(episodes=1_000, instances=3)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Run every kind of nature and both widths on the same models."""
    models = [random_simplex_mdp(*SIZES, fail=True, rng=rng) for _ in range(config.instances)]
    seeds = rng.integers(2**32, size=config.instances)
    at = np.unique(np.geomspace(1, config.episodes, 60).astype(int)) - 1
    data: dict[str, Any] = {"episode": at + 1, "horizon": SIZES[-1]}
    for i, (label, ambiguity, _) in enumerate(KINDS):
        progress(label, i, len(KINDS))
        for name, options in WIDTHS.items():
            results = [
                runs(
                    Learner("", ambiguity, TAU),
                    mdp,
                    config.episodes,
                    np.array([seed]),
                    options=options,
                )[0]
                for mdp, seed in zip(models, seeds, strict=True)
            ]
            data[f"regret_{name}_{i}"] = np.array([r.regret.cumsum()[at] for r in results])
            data[f"certificate_{name}_{i}"] = np.array(
                [r.certificate.cumsum()[at] for r in results]
            )
            data[f"missed_{name}_{i}"] = np.array([int((~r.event).sum()) for r in results])
    return data


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one panel a kind of nature."""
    fig.set_size_inches(9.6, 7.4)
    axes = fig.subplots(2, 2, sharex=True, sharey=True)
    x = data["episode"]
    for i, (ax, (label, _, colour)) in enumerate(zip(axes.flat, KINDS, strict=True)):
        ax.plot(x, x * data["horizon"], color=REFERENCE, linestyle=DOTTED, linewidth=1.3)
        for name, style in (("explicit", "-"), ("one", DASHED)):
            for key, width in (("certificate", 1.0), ("regret", 2.0)):
                values = data[f"{key}_{name}_{i}"]
                low, high = values.min(axis=0), values.max(axis=0)
                ax.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
                mean = values.mean(axis=0)
                ax.plot(x, mean, color=colour, linestyle=style, linewidth=width)
        missed = [int(data[f"missed_{name}_{i}"].sum()) for name in ("explicit", "one")]
        total = len(data[f"missed_one_{i}"]) * int(x[-1])
        share = (
            f"of {total:,} episodes, {missed[0]} exceed an explicit width, {missed[1]} one of β = 1"
        )
        ax.text(0.98, 0.03, share, transform=ax.transAxes, ha="right", fontsize=7)
        ax.set_title(label)
        ax.set_xscale("log")
        ax.set_yscale("log")
    for ax in axes[1]:
        ax.set_xlabel("episodes")
    for ax in axes[:, 0]:
        ax.set_ylabel("cumulative (reward)")
    _legend(fig)


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    dark = "#333333"
    handles = [
        Line2D([], [], color=dark, linewidth=1.0, label="certificate, explicit widths"),
        Line2D([], [], color=dark, linewidth=2.0, label="regret, explicit widths"),
        Line2D([], [], color=REFERENCE, linestyle=DOTTED, label="trivial bound"),
        Line2D([], [], color=dark, linewidth=1.0, linestyle=DASHED, label="certificate, β = 1"),
        Line2D([], [], color=dark, linewidth=2.0, linestyle=DASHED, label="regret, β = 1"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8)
    fig.suptitle("DR-RPO (reconstruction), our protocol: random models with a fail state")
