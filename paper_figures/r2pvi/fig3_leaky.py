"""A leak makes the robust policy react: exact planning, and what is learnt from few episodes.

Simulated linear MDP with ‖ξ‖ = 0.2; "leaky" sends the goal factor to the fail state with
probability 0.05 at every step. Left, exact: what the largest weight u+ gains over the least u- at
the first step, and the robust optimal value, against the weight λ of the penalty, the same for all
factors; solid with the leak, dashed without. Without it the gain is never negative (for TV it is
0.0004 λ up to λ = 1.25, a near-tie), so that no weight makes the exact policy react; with it, small
weights do. Middle: exact reward, in the leaky environment perturbed by q, of what is learnt from
100 episodes, means over data sets with 95 % bootstrap intervals; right: mean weight of the first
action against the number of episodes. Ridge 0.1 and β = 1 throughout. Top: the options for which
there is a proof, except that its widths are larger (ℓ1 widths, least value 0, clipped); bottom: the
options of the published programs. Solid lines have weights at which the exact policy plays u-,
dashed ones those at which it plays u+. From 100 episodes either is learnt in part only, and all are
careful, PEVI too; with more episodes all come to play what the exact policy plays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms import OfflineOptions, pevi, r2pvi
from mdptheory.environments import collect_statistics, simulated_linear_mdp
from mdptheory.models import (
    ChiSquarePenalty,
    FactorPenalty,
    KLPenalty,
    LinearMDP,
    OfflineStatistics,
    TVPenalty,
)
from mdptheory.solvers import linear_plan
from paper_figures._runner import Progress
from paper_figures.r2pvi._fits import published_setting
from paper_figures.r2pvi._leaky_chart import plot
from paper_figures.r2pvi._simulated import HIGH, LOW, first_action_lines, target_values
from paper_figures.r2pvi._style import bootstrap

__all__ = ["Config", "compute", "plot"]

XI, LEAK = 0.2, 0.05
PENALTIES = (TVPenalty, KLPenalty, ChiSquarePenalty)
LEARNERS: tuple[FactorPenalty | None, ...] = (
    TVPenalty(0.5),
    KLPenalty(0.2),
    ChiSquarePenalty(0.05),
    TVPenalty(1.5),
    KLPenalty(1.0),
    ChiSquarePenalty(0.5),
    None,
)
"""Three at which the exact policy plays u-, three at which it plays u+, and PEVI."""

MODES = {"proof": OfflineOptions(beta=1.0, ridge=0.1), "published": OfflineOptions.reproduction()}


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    points : int
        Weights on the axis of the exact panels.
    episodes : tuple of int
        Numbers of episodes K; the first is that of the panels against q.
    data_sets : int
        Data sets for each K.
    """

    points: int = 121
    episodes: tuple[int, ...] = (100, 316, 1000, 3162, 10_000, 100_000)
    data_sets: int = 60

    @classmethod
    def quick(cls) -> Self:
        """Take fewer points, sizes and data sets."""
        return cls(points=31, episodes=(100, 1000), data_sets=8)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Plan exactly, with and without leak, and learn in the leaky environment."""
    leaky = simulated_linear_mdp(XI, leaky=LEAK)
    shifts = np.linspace(0.0, 1.0, 11)
    data: dict[str, Any] = {
        "weights": np.geomspace(0.02, 5.0, config.points),
        "shifts": shifts,
        "episodes": np.array(config.episodes),
        "lines": first_action_lines(leaky, shifts),
        "u": leaky.phi[0, [LOW, HIGH], 3],
    }
    data["gain"], data["value"] = _exact((simulated_linear_mdp(XI), leaky), data["weights"])
    first = np.empty((len(MODES), len(LEARNERS), len(config.episodes), config.data_sets))
    for k, n_episodes in enumerate(config.episodes):
        progress("episodes", k, len(config.episodes))
        sets = [
            collect_statistics(leaky, None, n_episodes, rng=rng) for _ in range(config.data_sets)
        ]
        for i, options in enumerate(MODES.values()):
            policies = np.array([_policies(leaky, sets, one, options) for one in LEARNERS])
            first[i, :, k] = leaky.phi[0, policies[:, :, 0, 0], 3]
            if k == 0:
                values = np.array([target_values(leaky, row, shifts) for row in policies])
                data[f"reward_{i}"] = values.mean(axis=1)
                data[f"reward_ends_{i}"] = np.array([bootstrap(row, rng) for row in values])
    data["first"] = first.mean(axis=-1)
    flat = first.reshape(-1, config.data_sets)
    ends = np.array([bootstrap(row[:, None], rng)[:, 0] for row in flat])
    data["first_ends"] = ends.reshape(*first.shape[:-1], 2)
    return data


def _exact(models: Sequence[LinearMDP], weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return gain of u+ and optimal value (models, penalties, weights)."""
    plans = [[[linear_plan(m, kind(w)) for w in weights] for kind in PENALTIES] for m in models]
    gain = [[[p.q[0, 0, HIGH] - p.q[0, 0, LOW] for p in row] for row in rows] for rows in plans]
    value = [[[p.v[0, 0] for p in row] for row in rows] for rows in plans]
    return np.array(gain), np.array(value)


def _policies(
    mdp: LinearMDP,
    sets: list[OfflineStatistics],
    penalty: FactorPenalty | None,
    options: OfflineOptions,
) -> FloatArray:
    """Return what one learner plays after each data set, (data sets, H, S)."""
    with published_setting():
        if penalty is None:
            fits = [pevi(data, mdp.known, options=options) for data in sets]
        else:
            fits = [r2pvi(data, mdp.known, penalty, options=options) for data in sets]
    return np.array([fit.policy for fit in fits])
