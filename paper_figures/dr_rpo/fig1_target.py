"""Robust and soft in perturbed targets: DR-RPO (reconstruction), our protocol.

Simulated linear MDP, 100 episodes in the nominal environment, ridge 0.1, β = 1, ℓ1 bonus at every
step, uniform reference policy; nature moves up to ρ of the goal factor's mass at the first step.
The paper's own environments and numbers are unknown to us; this is the protocol of its predecessor.
Top: exact reward, without the temperature's charge, of the last episode's policy in the target that
loses the goal with probability q; grey: playing the largest weight u+ (solid) or the least u-
(dashed) first, which cross where the best choice changes. Middle: the same at q = 1 against the
radius; thin: the exact soft robust policy of the same temperature, which for τ = 0 changes at the
dotted radius only. What is learnt from 100 episodes is more careful than that, at small radii too.
Bottom: exact regret of each episode's policy, in the learner's own problem (regularised where the
learner is), averaged over blocks of episodes; the scale is linear below 0.01. At ‖ξ‖ = 0.3 greedy
DR-LSVI-UCB is stuck in some runs, while softness explores. Means over seeds with 95 % bootstrap
intervals.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.environments import simulated_linear_mdp
from mdptheory.models import LinearMDP
from mdptheory.solvers import linear_plan
from paper_figures._runner import Progress
from paper_figures.dr_rpo._online import Learner, goal_ball, runs
from paper_figures.dr_rpo._target_chart import plot
from paper_figures.r2pvi._simulated import first_action_lines, target_values
from paper_figures.r2pvi._style import bootstrap

__all__ = ["LINES", "TAUS", "Config", "compute", "plot"]

SHIFTS = np.linspace(0.0, 1.0, 21)
TAUS = (0.0, 0.01, 0.05, 0.3)
LINES = (
    Learner("LSVI-UCB"),
    Learner("KL-LSVI-UCB", tau=0.05),
    Learner("DR-LSVI-UCB", goal_ball(0.3)),
    Learner("DR-LSVI-UCB", goal_ball(0.5)),
    Learner("DR-RPO", goal_ball(0.5), tau=0.3),
    Learner("DR-RPO", goal_ball(0.5), tau=0.05),
    Learner("DR-RPO", goal_ball(0.5), tau=0.01),
)


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    xi : tuple of float
        Sizes ``||xi||_1`` of the environment, one column each.
    radii : tuple of float
        Radii of the middle row.
    episodes : int
        Episodes K of a run.
    seeds : int
        Runs of each learner.
    """

    xi: tuple[float, ...] = (0.1, 0.2, 0.3)
    radii: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    episodes: int = 100
    seeds: int = 20

    @classmethod
    def quick(cls) -> Self:
        """Take fewer radii and seeds."""
        return cls(radii=(0.0, 0.3, 0.5, 0.7), seeds=10)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Learn, and evaluate what was learnt; all learners have the same seeds."""
    data: dict[str, Any] = {"xi": np.array(config.xi), "radii": np.array(config.radii)}
    data |= {"shifts": SHIFTS, "taus": np.array(TAUS), "blocks": blocks(config.episodes)}
    seeds = rng.integers(2**32, size=config.seeds)
    for i, xi in enumerate(config.xi):
        mdp = simulated_linear_mdp(xi)
        progress(f"|xi| = {xi}", i, len(config.xi))
        results = [runs(line, mdp, config.episodes, seeds) for line in LINES]
        reward = np.array([target_values(mdp, [r.pi for r in row], SHIFTS) for row in results])
        regret = np.array([[r.regret for r in row] for row in results])
        last, exact = _by_radius(mdp, config, seeds)
        data |= {f"lines_{i}": first_action_lines(mdp, SHIFTS), f"exact_{i}": exact}
        data |= {f"threshold_{i}": threshold(mdp), f"regret_{i}": regret}
        kept = {"reward": reward, "block": in_blocks(regret), "last": last}
        for key, values in kept.items():
            data[f"{key}_{i}"] = values
            over = values.swapaxes(1, 2) if key == "last" else values  # seeds before the axis
            data[f"{key}_ends_{i}"] = np.array([bootstrap(row, rng) for row in over])
    return data


def threshold(mdp: LinearMDP) -> float:
    """Return the radius beyond which the exact robust policy plays the least weight first."""
    second = mdp.mu[0, 0] @ linear_plan(mdp).v[1]  # worth of the way past the goal
    return float(1.0 - second / 2.0)


def blocks(n_episodes: int) -> IntArray:
    """Return the first episodes, from 0, of blocks that grow with the episode."""
    return np.unique(np.floor(1.18 ** np.arange(200)).astype(np.int64).clip(1, n_episodes)) - 1


def in_blocks(regret: FloatArray) -> FloatArray:
    """Return means over blocks of episodes (last axis)."""
    starts = blocks(regret.shape[-1])[:-1]
    width = np.diff(np.append(starts, regret.shape[-1]))
    return np.asarray(np.add.reduceat(regret, starts, axis=-1) / width)


def _by_radius(mdp: LinearMDP, config: Config, seeds: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return rewards at q = 1: learnt (temperatures, radii, seeds) and of the exact policy."""
    worst = np.array([1.0])
    last = np.empty((len(TAUS), len(config.radii), len(seeds)))
    exact = np.empty((len(TAUS), len(config.radii)))
    for j, tau in enumerate(TAUS):
        for k, radius in enumerate(config.radii):
            ball = goal_ball(radius)
            results = runs(Learner("", ball, tau), mdp, config.episodes, seeds)
            last[j, k] = target_values(mdp, [r.pi for r in results], worst)[:, 0]
            plan = linear_plan(mdp, ball, tau=tau)
            exact[j, k] = target_values(mdp, [plan.pi], worst)[0, 0]
    return last, exact
