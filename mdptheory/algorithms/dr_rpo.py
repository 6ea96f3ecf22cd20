"""DR-RPO (reconstruction): online, optimistic, robust, and soft towards a reference policy."""

import math
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
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.linear import FeatureProcess, LinearMDP

__all__ = ["dr_rpo", "dr_rpo_learner"]


@overload
def dr_rpo(
    env: Finite,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    *,
    tau: float,
    reference: npt.ArrayLike | None = ...,
    mirror: float = ...,
    options: OnlineOptions | None = ...,
    track: LinearMDP | None = ...,
    rng: RngLike = ...,
) -> OnlineResult: ...
@overload
def dr_rpo(
    env: FeatureProcess,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    *,
    tau: float,
    reference: npt.ArrayLike | None = ...,
    mirror: float = ...,
    options: OnlineOptions | None = ...,
    track: None = ...,
    rng: RngLike = ...,
) -> RealOnlineResult: ...
def dr_rpo(
    env: Environment,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    *,
    tau: float,
    reference: npt.ArrayLike | None = None,
    mirror: float = math.inf,
    options: OnlineOptions | None = None,
    track: LinearMDP | None = None,
    rng: RngLike = None,
) -> Result:
    """Learn a soft robust policy of a linear MDP by interaction: DR-RPO (reconstruction).

    Parameters
    ----------
    env : LinearMDP, SampledLinearMDP or FeatureProcess
        Where episodes take place, nominally. Of a finite model the learner sees ``env.known``.
    n_episodes : int
        Number of episodes K, at least 1.
    ambiguity : TVBall, KLBall, TVPenalty, KLPenalty, ChiSquarePenalty or None
        What nature may do to each factor; None is nominal.
    tau : float
        Temperature, positive, in units of reward.
    reference : array of shape (A,), (S, A) or (H, S, A), optional
        Policy that the learner is held to, positive; None is uniform. Only (A,) for real states.
    mirror : float
        Step size eta of a mirror step from the last policy; ``inf`` is the one-shot policy. No
        guarantee is known for finite ones; finite models only.
    options : OnlineOptions, optional
        Widths, ridge, bonus, refits, and what to record.
    track : LinearMDP, optional
        The model behind ``env``, to measure regret, certificate and event by; finite models only.
    rng : numpy.random.Generator, int or None
        Source of randomness; the same seed gives the same bits, for a sampler too if it inverts
        distribution functions as a `LinearMDP` does.

    Returns
    -------
    OnlineResult, or RealOnlineResult for a process on real states
        Last policy, policies at checkpoints, optimistic values, what was tracked, and the state.

    Raises
    ------
    InvalidModelError
        If ``tau`` is not positive (`dr_lsvi_ucb` is the greedy limit), the reference has no
        positive rows that sum to 1, a shape does not fit, a number is out of range, or
        ``beta="theory"`` is asked for where its proof does not hold.
    NotImplementedError
        For ``beta="theory"`` with a KL ball.
    TypeError
        If an argument is of the wrong type.

    Warns
    -----
    FitWarning
        If a TV ball meets a model without fail state: the least next value is then that of states
        which may never have been visited.
    UnderflowWarning
        If ``H / tau > 700``: policies are greedy in all but name.

    Notes
    -----
    Before each episode, from the last step to the first (0-based, with ``B = H - 1 - h``)::

        nu[h] = worth of v[h + 1] to each factor, estimated by ridge regression, in [0, B]
        q[h] = clip(phi @ (theta[h] + nu[h]) + width[h], 0, H - h)      0 in the fail state
        pi[h] is proportional to reference * exp(q[h] / tau)
        v[h] = tau log sum_a reference exp(q[h] / tau)

    with ``width[h] = beta sum_i phi_i sqrt((Lambda^-1)_ii)``. The policy maximises ``pi @ q - tau
    KL(pi || reference)``; with ``mirror = eta`` it maximises that less ``KL(pi || last pi) / eta``,
    and ``v`` is ``pi @ q - tau KL(pi || reference)``. A process on real states has known rewards
    in place of ``phi @ theta``; they should be scaled to [0, 1] for the clips to fit, and
    ``tau`` and ``beta`` with them.

    Derived here: wherever the event holds (each estimate errs by at most its width), ``q`` and
    ``v`` are upper bounds on the soft robust optimum and the regret of the episode is at most
    ``2 sum_h E[width_h]`` under nature's reply to the policy. With ``beta="theory"`` the event
    holds in all K episodes at once with probability ``1 - delta``; see `explicit_beta`.

    This is a reconstruction: only the paper's abstract was at hand. It names policy
    regularisation towards a reference, softmax policies, optimism by confidence bonuses and
    d-rectangular linear models; constants, bonus and update here are those of the group's earlier
    learners or derived.

    References
    ----------
    J. Gu, Y. He, Z. Liu, P. Xu, "Policy regularized distributionally robust Markov decision
    processes with linear function approximation", arXiv 2510.14246, 2025 (abstract).

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> from mdptheory.models import TVBall
    >>> mdp = simulated_linear_mdp(0.2)
    >>> radius = [[0, 0, 0, 0.5], [0] * 4, [0] * 4]
    >>> result = dr_rpo(mdp, 100, TVBall(radius), tau=0.05, track=mdp, rng=0)
    >>> bool(result.regret[-10:].mean() < 0.1 * result.regret[:5].mean())
    True
    """
    made = dr_rpo_learner(
        env,
        n_episodes,
        ambiguity,
        tau=tau,
        reference=reference,
        mirror=mirror,
        options=options,
        track=track,
    )
    return play(made, env, n_episodes, rng)


def dr_rpo_learner(
    env: Environment,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    *,
    tau: float,
    reference: npt.ArrayLike | None = None,
    mirror: float = math.inf,
    options: OnlineOptions | None = None,
    track: LinearMDP | None = None,
) -> Learner:
    """Return `dr_rpo` as an object with ``init``, ``step`` and ``run``.

    Parameters
    ----------
    env, n_episodes, ambiguity, tau, reference, mirror, options, track
        As in `dr_rpo`; ``n_episodes`` only enters ``beta="theory"``, as the total.

    Returns
    -------
    OnlineLearner, or RealOnlineLearner for a process on real states
        ``init() -> state``, ``step(rng, state, env) -> (state, info)`` and
        ``run(rng, env, n_episodes) -> result``, which is bit for bit the loop of steps; for finite
        models also ``run_many(rngs, env, n_episodes) -> results``, many seeds in one compiled loop.

    Examples
    --------
    >>> import numpy as np
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> mdp = simulated_linear_mdp(0.2)
    >>> made = dr_rpo_learner(mdp, 100, None, tau=0.05)
    >>> state, info = made.step(np.random.default_rng(0), made.init(), mdp)
    >>> state.episode, info.states.size
    (1, 4)
    """
    improvement = Improvement(checked_temperature(tau, mirror), reference, mirror)
    return learner(env, n_episodes, ambiguity, improvement, options, track)
