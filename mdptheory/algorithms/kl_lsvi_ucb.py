"""KL-regularised LSVI-UCB: `dr_rpo` against a nature that can do nothing."""

from typing import overload

import numpy.typing as npt

from mdptheory._typing import RngLike
from mdptheory.algorithms._online_entry import (
    Environment,
    Finite,
    Learner,
    Result,
    learner,
    play,
)
from mdptheory.algorithms._online_process import RealOnlineResult
from mdptheory.algorithms._online_records import OnlineOptions, OnlineResult
from mdptheory.algorithms._online_task import Improvement, checked_temperature
from mdptheory.models.factor_ambiguity import TVBall
from mdptheory.models.linear import FeatureProcess, LinearMDP

__all__ = ["kl_lsvi_ucb", "kl_lsvi_ucb_learner"]


@overload
def kl_lsvi_ucb(
    env: Finite,
    n_episodes: int,
    *,
    tau: float,
    reference: npt.ArrayLike | None = ...,
    options: OnlineOptions | None = ...,
    track: LinearMDP | None = ...,
    rng: RngLike = ...,
) -> OnlineResult: ...
@overload
def kl_lsvi_ucb(
    env: FeatureProcess,
    n_episodes: int,
    *,
    tau: float,
    reference: npt.ArrayLike | None = ...,
    options: OnlineOptions | None = ...,
    track: None = ...,
    rng: RngLike = ...,
) -> RealOnlineResult: ...
def kl_lsvi_ucb(
    env: Environment,
    n_episodes: int,
    *,
    tau: float,
    reference: npt.ArrayLike | None = None,
    options: OnlineOptions | None = None,
    track: LinearMDP | None = None,
    rng: RngLike = None,
) -> Result:
    """Learn a soft policy of a linear MDP by interaction, without robustness.

    Parameters
    ----------
    env : LinearMDP, SampledLinearMDP or FeatureProcess
        Where episodes take place. Of a finite model the learner sees ``env.known``.
    n_episodes : int
        Number of episodes K, at least 1.
    tau : float
        Temperature, positive, in units of reward.
    reference : array of shape (A,), (S, A) or (H, S, A), optional
        Policy that the learner is held to, positive; None is uniform.
    options : OnlineOptions, optional
        Widths, ridge, bonus, refits, and what to record.
    track : LinearMDP, optional
        The model behind ``env``, to measure regret, certificate and event by.
    rng : numpy.random.Generator, int or None
        Source of randomness.

    Returns
    -------
    OnlineResult, or RealOnlineResult for a process on real states
        Last policy, policies at checkpoints, optimistic values, what was tracked, and the state.

    Raises
    ------
    InvalidModelError, TypeError
        As `dr_rpo`.

    Notes
    -----
    `dr_rpo` with ``TVBall(0)``, hence the ablation of its robustness. For estimated factors, whose
    weights may be negative, that still maximises over truncations of the values;
    ``dr_rpo(env, n_episodes, None, tau=tau)`` is the plain regression.

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> kl_lsvi_ucb(simulated_linear_mdp(), 10, tau=0.05, rng=0).pi.shape
    (3, 5, 16)
    """
    made = kl_lsvi_ucb_learner(
        env, n_episodes, tau=tau, reference=reference, options=options, track=track
    )
    return play(made, env, n_episodes, rng)


def kl_lsvi_ucb_learner(
    env: Environment,
    n_episodes: int,
    *,
    tau: float,
    reference: npt.ArrayLike | None = None,
    options: OnlineOptions | None = None,
    track: LinearMDP | None = None,
) -> Learner:
    """Return `kl_lsvi_ucb` as an object with ``init``, ``step`` and ``run``.

    Parameters
    ----------
    env, n_episodes, tau, reference, options, track
        As in `kl_lsvi_ucb`.

    Returns
    -------
    OnlineLearner, or RealOnlineLearner for a process on real states
        See `dr_rpo_learner`.
    """
    improvement = Improvement(checked_temperature(tau), reference)
    return learner(env, n_episodes, TVBall(0.0), improvement, options, track)
