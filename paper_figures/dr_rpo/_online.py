"""Learners in the simulated linear MDP, by name and numbers, over many seeds."""

from dataclasses import dataclass, replace

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import (
    OnlineOptions,
    OnlineResult,
    dr_lsvi_ucb_learner,
    dr_rpo_learner,
    kl_lsvi_ucb_learner,
    lsvi_ucb_learner,
)
from mdptheory.algorithms._online_run import OnlineLearner
from mdptheory.models import FactorAmbiguity, LinearMDP, TVBall

PRACTICE = OnlineOptions(beta=1.0, ridge=0.1, bonus_last=True)
"""What programs of this line use, but for the bonus, which is the one with a proof."""


@dataclass(frozen=True, slots=True)
class Learner:
    """A learner's name and numbers; ``tau`` 0 is greedy."""

    name: str
    ambiguity: FactorAmbiguity | None = None
    tau: float = 0.0


def goal_ball(radius: float) -> TVBall:
    """Return the published radii: on the goal's factor at the first step only."""
    radii = np.zeros((3, 4))
    radii[0, 3] = radius
    return TVBall(radii)


def runs(
    learner: Learner,
    mdp: LinearMDP,
    n_episodes: int,
    seeds: IntArray,
    *,
    options: OnlineOptions = PRACTICE,
) -> tuple[OnlineResult, ...]:
    """Return one run a seed, with exact regrets."""
    tau, ambiguity = learner.tau, learner.ambiguity
    if learner.name == "LSVI-UCB":
        made = lsvi_ucb_learner(mdp, n_episodes, options=options, track=mdp)
    elif learner.name == "KL-LSVI-UCB":
        made = kl_lsvi_ucb_learner(mdp, n_episodes, tau=tau, options=options, track=mdp)
    elif tau == 0.0:
        made = dr_lsvi_ucb_learner(mdp, n_episodes, ambiguity, options=options, track=mdp)
    else:
        made = dr_rpo_learner(mdp, n_episodes, ambiguity, tau=tau, options=options, track=mdp)
    if not isinstance(made, OnlineLearner):
        raise TypeError(f"{learner.name} was made for real states")
    return made.run_many([int(seed) for seed in seeds], mdp, n_episodes)


def with_checkpoints(options: OnlineOptions, episodes: tuple[int, ...]) -> OnlineOptions:
    """Return options that keep the policies after these numbers of episodes."""
    return replace(options, checkpoints=tuple(k - 1 for k in episodes))


def first_weight(mdp: LinearMDP, pi: FloatArray) -> FloatArray:
    """Return the mean weight of the goal at the first step, for policies (..., H, S, A)."""
    return np.asarray(pi[..., 0, 0, :] @ mdp.phi[0, :, 3])
