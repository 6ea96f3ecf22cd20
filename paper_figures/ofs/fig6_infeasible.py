"""When no threshold meets the constraints: what each learner violates beyond the least possible.

Left: eight arms with two residuals of at least 0.1 each and no feedback; right: a preset with a
limit on the gap and a least reward that no threshold meets together. Cumulative violation minus
that of the least violating arm (at its steady state on the right). OFS falls back to the arm with
the smallest optimistic violation whenever none looks feasible, and approaches the least violating
arm; UCB and pessimistic search pay for ever, and so does the primal-dual learner on the right,
while on the left its largest price is penalty enough. Purple: the bound OFS-T3 with probability
0.95, and the certificate that each run computes from its own counts, both derived here for bandits
without feedback, so there is none on the right. Curves are means over seeds with the range of the
middle 90 % of them; what is below 1 is drawn at 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from warnings import catch_warnings, simplefilter

import numpy as np

from mdptheory.algorithms.fair_bounds import infeasible_bound, log_term
from mdptheory.environments import threshold_preset
from mdptheory.errors import InfeasibleWarning
from mdptheory.models import DemographicParity, FairConstraint, LinearResidual
from mdptheory.solvers import best_arm
from paper_figures._runner import Progress
from paper_figures.ofs._instances import infeasible_bandit
from paper_figures.ofs._runs import Env, runs, seeds_of
from paper_figures.ofs._style import BOUND, PRESETS, handles, spread, thousands, whiskers

NAMES = ("OFS", "OFS-D", "UCB", "primal-dual", "pessimistic", "greedy", "explore-commit")
PRESET = "german"
GAP, LEAST_REWARD = 0.1, 0.35
LIMITS = (DemographicParity(GAP), LinearResidual({"reward": -1.0}, -LEAST_REWARD))
DELTA = 0.05


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    horizon : int
        Rounds T without feedback; a tenth of them with feedback.
    seeds : int
        Runs of each learner.
    points : int
        Rounds at which sums are kept.
    """

    horizon: int = 200_000
    seeds: int = 10
    points: int = 400

    @classmethod
    def quick(cls) -> Self:
        """Take fewer rounds and seeds."""
        return cls(horizon=50_000, seeds=3, points=200)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Run every learner on both problems."""
    seeds = seeds_of(rng, config.seeds)
    bandit, (loop, _) = infeasible_bandit(), threshold_preset(PRESET)
    problems: tuple[tuple[Env, int, Sequence[FairConstraint]], ...] = (
        (bandit, config.horizon, bandit.constraints),
        (loop, config.horizon // 10, LIMITS),
    )
    data: dict[str, Any] = {}
    with catch_warnings():
        simplefilter("ignore", InfeasibleWarning)  # this is what the figure is about
        for i, (env, horizon, constraints) in enumerate(problems):
            least = best_arm(env, constraints).violation
            every = horizon // config.points
            for j, name in enumerate(NAMES):
                progress(name, i * len(NAMES) + j, len(problems) * len(NAMES))
                found = runs(name, env, horizon, constraints, seeds, every=every)
                data[f"rounds_{i}"] = found[0].rounds
                excess = [run.violation - least * run.rounds for run in found]
                data.setdefault(f"excess_{i}", []).append(excess)
                if name == "OFS" and i == 0:
                    claims = [run.certificate_violation for run in found]
                    data["certificate"] = np.array(claims, dtype=float) - least * horizon
                    data["fallbacks"] = np.array([run.fallback_rounds for run in found])
            data[f"excess_{i}"] = np.array(data[f"excess_{i}"])
            data[f"least_{i}"] = least
    return data | {"bound": bound(data["rounds_0"], config.horizon)}


def bound(rounds: Any, horizon: int) -> Any:
    """Return OFS-T3 after each number of rounds."""
    env = infeasible_bandit()
    sigmas = np.asarray(env.sigma_residuals)
    log = log_term(env.n_arms, 1 + len(sigmas), horizon, DELTA)
    worst, scale = float(env.residuals.max()), float(sigmas.max())
    return np.array(
        [infeasible_bound(env.n_arms, int(t), log, scale=scale, worst=worst) for t in rounds]
    )


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw both problems."""
    fig.set_size_inches(9.8, 5.0)
    axes = fig.subplots(1, 2)
    for i, ax in enumerate(axes):
        for j, name in reversed(list(enumerate(NAMES))):
            values = np.maximum(data[f"excess_{i}"][j], 1.0)
            spread(ax, data[f"rounds_{i}"], values, name)
        ax.set_yscale("log")
        thousands(ax)
    axes[0].plot(data["rounds_0"], data["bound"], color=BOUND, linewidth=2.2)
    end, claims = data["rounds_0"][-1], data["certificate"]
    ends = whiskers(claims[:, None])
    axes[0].errorbar([end], [claims.mean()], ends, fmt="D", color=BOUND, clip_on=False)
    axes[0].set_title(f"no feedback; least violation {float(data['least_0']):.2f} a round")
    axes[1].set_title(
        f"{PRESETS[PRESET]}, gap ≤ {GAP:g}, reward ≥ {LEAST_REWARD:g}; least"
        f" {float(data['least_1']):.3f}"
    )
    axes[0].set_ylabel("excess violation (rate, summed over rounds)")
    _legend(fig)


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    lines = handles(NAMES)
    lines += [
        Line2D([], [], color=BOUND, linewidth=2.2, label="OFS-T3 (derived here)"),
        Line2D([], [], color=BOUND, marker="D", linestyle="", label="certificate of OFS at T"),
    ]
    fig.legend(handles=lines, loc="outside lower center", ncols=5)
    fig.suptitle("No arm is feasible: violation beyond the least possible")
