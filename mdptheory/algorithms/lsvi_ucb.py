"""LSVI-UCB: online and optimistic, the nominal baseline."""

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
from mdptheory.errors import InvalidModelError
from mdptheory.models.linear import FeatureProcess, LinearMDP

__all__ = ["lsvi_ucb", "lsvi_ucb_learner"]


@overload
def lsvi_ucb(
    env: Finite,
    n_episodes: int,
    *,
    options: OnlineOptions | None = ...,
    track: LinearMDP | None = ...,
    rng: RngLike = ...,
) -> OnlineResult: ...
@overload
def lsvi_ucb(
    env: FeatureProcess,
    n_episodes: int,
    *,
    options: OnlineOptions | None = ...,
    track: None = ...,
    rng: RngLike = ...,
) -> RealOnlineResult: ...
def lsvi_ucb(
    env: Environment,
    n_episodes: int,
    *,
    options: OnlineOptions | None = None,
    track: LinearMDP | None = None,
    rng: RngLike = None,
) -> Result:
    """Learn a policy of a linear MDP by interaction, rewards included.

    Parameters
    ----------
    env : LinearMDP, SampledLinearMDP or FeatureProcess
        Where episodes take place. Of a finite model the learner sees ``env.known``.
    n_episodes : int
        Number of episodes K, at least 1.
    options : OnlineOptions, optional
        Widths, ridge, refits, and what to record; the bonus is always elliptic and at every step.
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
    InvalidModelError
        If a number is out of range, or ``beta="theory"``: the published width leaves a constant
        open.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    ``w = Lambda^-1 sum phi (r + v(next))`` and ``q = min(phi @ w + beta sqrt(phi' Lambda^-1 phi),
    H)``, 0 in a fail state; ``v`` is the maximum of ``q`` over actions.

    References
    ----------
    C. Jin, Z. Yang, Z. Wang, M. I. Jordan, "Provably efficient reinforcement learning with linear
    function approximation", COLT 2020.

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> lsvi_ucb(simulated_linear_mdp(), 10, rng=0).pi.shape
    (3, 5, 16)
    """
    made = lsvi_ucb_learner(env, n_episodes, options=options, track=track)
    return play(made, env, n_episodes, rng)


def lsvi_ucb_learner(
    env: Environment,
    n_episodes: int,
    *,
    options: OnlineOptions | None = None,
    track: LinearMDP | None = None,
) -> Learner:
    """Return `lsvi_ucb` as an object with ``init``, ``step`` and ``run``.

    Parameters
    ----------
    env, n_episodes, options, track
        As in `lsvi_ucb`.

    Returns
    -------
    OnlineLearner, or RealOnlineLearner for a process on real states
        See `dr_rpo_learner`.

    Raises
    ------
    InvalidModelError
        If an argument breaks its rule, or ``beta="theory"``, which leaves a constant open here.
    """
    if isinstance(options, OnlineOptions) and isinstance(options.beta, str):
        raise InvalidModelError(
            "beta is 'theory'; the published width of LSVI-UCB leaves a constant open: expected a"
            " number"
        )
    return learner(env, n_episodes, None, GREEDY, options, track, reward_known=False)
