"""DR-LSVI-UCB: online, optimistic and robust, with greedy policies."""

from typing import overload

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
from mdptheory.algorithms._online_task import GREEDY
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.linear import FeatureProcess, LinearMDP

__all__ = ["dr_lsvi_ucb", "dr_lsvi_ucb_learner"]


@overload
def dr_lsvi_ucb(
    env: Finite,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    *,
    options: OnlineOptions | None = ...,
    track: LinearMDP | None = ...,
    rng: RngLike = ...,
) -> OnlineResult: ...
@overload
def dr_lsvi_ucb(
    env: FeatureProcess,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    *,
    options: OnlineOptions | None = ...,
    track: None = ...,
    rng: RngLike = ...,
) -> RealOnlineResult: ...
def dr_lsvi_ucb(
    env: Environment,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    *,
    options: OnlineOptions | None = None,
    track: LinearMDP | None = None,
    rng: RngLike = None,
) -> Result:
    """Learn a robust policy of a linear MDP by interaction.

    Parameters
    ----------
    env : LinearMDP, SampledLinearMDP or FeatureProcess
        Where episodes take place, nominally. Of a finite model the learner sees ``env.known``.
    n_episodes : int
        Number of episodes K, at least 1.
    ambiguity : TVBall, KLBall, TVPenalty, KLPenalty, ChiSquarePenalty or None
        What nature may do to each factor; the published one is a `TVBall`.
    options : OnlineOptions, optional
        Widths, ridge, bonus, refits, and what to record. The published program has
        ``OnlineOptions(bonus="l2", bonus_last=True, clip_zero=False)``.
    track : LinearMDP, optional
        The model behind ``env``, to measure regret, certificate and event by; finite models only.
    rng : numpy.random.Generator, int or None
        Source of randomness.

    Returns
    -------
    OnlineResult, or RealOnlineResult for a process on real states
        Last policy, policies at checkpoints, optimistic values, what was tracked, and the state.

    Raises
    ------
    InvalidModelError, NotImplementedError, TypeError
        As `dr_rpo`.

    Warns
    -----
    FitWarning
        If a TV ball meets a model without fail state.

    Notes
    -----
    As `dr_rpo`, but ``v`` is the maximum of ``q`` over actions, taken by the first of the best.

    References
    ----------
    Z. Liu, P. Xu, "Distributionally robust off-dynamics reinforcement learning: provable
    efficiency with linear function approximation", AISTATS 2024.

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> from mdptheory.models import TVBall
    >>> mdp = simulated_linear_mdp(0.2)
    >>> result = dr_lsvi_ucb(mdp, 200, TVBall(0.1), track=mdp, rng=0)
    >>> bool(result.regret[-1] < result.regret[0])
    True
    """
    made = dr_lsvi_ucb_learner(env, n_episodes, ambiguity, options=options, track=track)
    return play(made, env, n_episodes, rng)


def dr_lsvi_ucb_learner(
    env: Environment,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    *,
    options: OnlineOptions | None = None,
    track: LinearMDP | None = None,
) -> Learner:
    """Return `dr_lsvi_ucb` as an object with ``init``, ``step`` and ``run``.

    Parameters
    ----------
    env, n_episodes, ambiguity, options, track
        As in `dr_lsvi_ucb`.

    Returns
    -------
    OnlineLearner, or RealOnlineLearner for a process on real states
        See `dr_rpo_learner`.
    """
    return learner(env, n_episodes, ambiguity, GREEDY, options, track)
