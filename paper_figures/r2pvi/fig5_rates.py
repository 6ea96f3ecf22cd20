"""What certificates promise and what policies lose, against the number of episodes.

Simulated linear MDP with ‖ξ‖ = 0.3, uniform actions, ridge 1, widths with explicit constants for
δ = 0.1, all derived here. Solid: twice the widths summed along nature's reply to the pessimistic
fit, which needs the true factors; with ties sent to the fail state, or (thin) to whichever state
comes first: the inequality holds either way, but mass sent to states without data keeps it large.
Dashed: the gap between an optimistic and the pessimistic fit, which the learner knows. Markers: the
policy's true robust suboptimality, exact; values below the axis sit at its foot (the policy is then
optimal). Lines are medians over data sets, bands their whole range. The dotted line is what no
policy can lose more than, the robust optimal value. All bounds fall as one over the square root of
the number of episodes.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms import OfflineFit, OfflineOptions, drpvi, r2pvi
from mdptheory.environments import collect_statistics, simulated_linear_mdp
from mdptheory.models import (
    ChiSquarePenalty,
    FactorAmbiguity,
    KLPenalty,
    LinearMDP,
    LinearPlan,
    OfflineStatistics,
    TVBall,
    TVPenalty,
)
from mdptheory.operators.factors import factor_worth
from mdptheory.solvers import linear_evaluate, linear_plan
from paper_figures._runner import Progress
from paper_figures.r2pvi._style import COLOURS

FOOT = 1e-4  # smaller suboptimality is drawn here
CASES: tuple[tuple[str, str, FactorAmbiguity, bool], ...] = (
    ("TV penalty, λ = 3", "R2PVI-TV", TVPenalty(3.0), False),
    ("KL penalty, λ = 2", "R2PVI-KL", KLPenalty(2.0), False),
    ("KL penalty, λ = 2, shifted moment", "R2PVI-KL", KLPenalty(2.0), True),
    ("χ² penalty, λ = 1", "R2PVI-χ²", ChiSquarePenalty(1.0), False),
    ("TV ball, ρ = 0.2", "DRPVI", TVBall(0.2), False),
    ("TV penalty, λ = 1", "R2PVI-TV", TVPenalty(1.0), False),
)
"""Panel, algorithm, what nature may do, whether the KL moment is shifted."""


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    episodes : tuple of int
        Numbers of episodes K.
    data_sets : int
        Data sets for each K.
    """

    episodes: tuple[int, ...] = tuple(round(10 ** (k / 2)) for k in range(4, 13))
    data_sets: int = 20

    @classmethod
    def quick(cls) -> Self:
        """Take fewer sizes and data sets."""
        return cls(episodes=(100, 10_000, 1_000_000), data_sets=3)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Fit every case to the same data sets, and measure."""
    mdp = simulated_linear_mdp(0.3)
    plans = [linear_plan(mdp, ambiguity) for _, _, ambiguity, _ in CASES]
    shape = (len(CASES), len(config.episodes), config.data_sets)
    found = np.empty((4, *shape))
    for k, n_episodes in enumerate(config.episodes):
        progress("episodes", k, len(config.episodes))
        for r in range(config.data_sets):
            data = collect_statistics(mdp, None, n_episodes, rng=rng)
            for c in range(len(CASES)):
                found[:, c, k, r] = _measured(mdp, data, plans[c], shift=CASES[c][3])
    names = ("right", "right_elsewhere", "gap", "lost")
    return dict(zip(names, found, strict=True)) | {
        "episodes": np.array(config.episodes),
        "trivial": np.array([mdp.start @ plan.v[0] for plan in plans]),
        "titles": np.array([title for title, *_ in CASES]),
        "algorithms": np.array([name for _, name, *_ in CASES]),
    }


def _measured(
    mdp: LinearMDP, data: OfflineStatistics, plan: LinearPlan, *, shift: bool
) -> tuple[float, float, float, float]:
    """Return the bound with ties at the fail state and elsewhere, the gap, and what is lost."""
    options = OfflineOptions(beta="theory", kl_shift=shift)
    ambiguity = plan.ambiguity
    if isinstance(ambiguity, TVBall):
        fit = drpvi(data, mdp.known, ambiguity, options=options)
    elif isinstance(ambiguity, TVPenalty | KLPenalty | ChiSquarePenalty):
        fit = r2pvi(data, mdp.known, ambiguity, options=options)
    else:
        raise TypeError(f"no learner here for {ambiguity!r}")
    value = linear_evaluate(mdp, fit.policy, ambiguity).v[0]
    assert fit.certificate is not None
    return (
        right_side(mdp, fit, plan, mdp.fail_state),
        right_side(mdp, fit, plan, None),
        fit.certificate.gap,
        float(mdp.start @ (plan.v[0] - value)),
    )


def right_side(mdp: LinearMDP, fit: OfflineFit, plan: LinearPlan, sink: int | None) -> float:
    """Return twice the widths summed along the optimal policy and nature's reply to the fit."""
    behind: FloatArray = np.zeros(mdp.n_states)
    for h in reversed(range(mdp.horizon)):
        reply = factor_worth(fit.v[h + 1], mdp.mu[h], plan.ambiguity, sink=sink).worst
        q = 2.0 * fit.width[h] + mdp.known.phi_at(h) @ (reply @ behind)
        behind = (plan.pi[h] * q).sum(axis=1)
    return float(mdp.start @ behind)


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one panel a case."""
    fig.set_size_inches(11.2, 6.6)
    axes = fig.subplots(2, 3, sharex=True, sharey=True)
    x = data["episodes"]
    for c, ax in enumerate(axes.flat):
        colour = COLOURS[str(data["algorithms"][c])]
        _line(ax, x, data["right"][c], colour, "-")
        ax.plot(x, np.median(data["right_elsewhere"][c], axis=1), color=colour, linewidth=0.8)
        _line(ax, x, data["gap"][c], "#222222", (0, (4, 2)))
        lost = np.maximum(data["lost"][c], FOOT)
        ax.vlines(x, lost.min(axis=1), lost.max(axis=1), color=colour, alpha=0.35, linewidth=3)
        ax.plot(x, np.median(lost, axis=1), "o", color=colour, markersize=4.5, clip_on=False)
        ax.axhline(data["trivial"][c], color="#777777", linestyle=":", linewidth=1.3)
        ax.set_title(str(data["titles"][c]))
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(FOOT, 60)
    for ax in axes[1]:
        ax.set_xlabel("episodes K")
    for ax in axes[:, 0]:
        ax.set_ylabel("suboptimality at the start (reward)")
    _legend(fig)


def _line(ax: Any, x: FloatArray, values: FloatArray, colour: str, style: Any) -> None:
    ax.fill_between(
        x, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.13, linewidth=0
    )
    ax.plot(x, np.median(values, axis=1), color=colour, linestyle=style)


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    colour = COLOURS["PEVI"]
    handles = [
        Line2D([], [], color=colour, label="bound, ties to the fail state"),
        Line2D([], [], color=colour, linewidth=0.8, label="bound, ties elsewhere"),
        Line2D([], [], color="#222222", linestyle=(0, (4, 2)), label="gap of the two fits"),
        Line2D([], [], color=colour, marker="o", linestyle="none", label="true suboptimality"),
        Line2D([], [], color="#777777", linestyle=":", label="robust optimal value (trivial)"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=5)
