"""The common door of the online learners: finite models to one loop, real states to the other."""

from typing import TypeAlias

from mdptheory._typing import RngLike
from mdptheory.algorithms._online_process import (
    RealOnlineLearner,
    RealOnlineResult,
    make_real_learner,
)
from mdptheory.algorithms._online_records import OnlineOptions, OnlineResult
from mdptheory.algorithms._online_run import OnlineLearner
from mdptheory.algorithms._online_task import Improvement, make_learner
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.linear import FeatureProcess, LinearMDP, SampledLinearMDP

Finite: TypeAlias = LinearMDP | SampledLinearMDP
Environment: TypeAlias = LinearMDP | SampledLinearMDP | FeatureProcess
Learner: TypeAlias = OnlineLearner | RealOnlineLearner
Result: TypeAlias = OnlineResult | RealOnlineResult

_PROCESS = ("horizon", "n_actions", "n_factors", "features", "rewards", "first", "sample")


def learner(
    env: Environment,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    improvement: Improvement,
    options: OnlineOptions | None,
    track: LinearMDP | None,
    *,
    reward_known: bool = True,
) -> Learner:
    """Return the learner for the environment's kind of states."""
    if isinstance(env, LinearMDP | SampledLinearMDP):
        return make_learner(
            env, n_episodes, ambiguity, improvement, options, track, reward_known=reward_known
        )
    lacking = [name for name in _PROCESS if not hasattr(env, name)]
    if lacking:
        raise TypeError(
            f"env is of type {type(env).__name__}; expected LinearMDP, SampledLinearMDP or a"
            f" FeatureProcess (it has no {lacking[0]!r})"
        )
    return make_real_learner(
        env, n_episodes, ambiguity, improvement, options, track, reward_known=reward_known
    )


def play(made: Learner, env: Environment, n_episodes: int, rng: RngLike) -> Result:
    """Run the learner in the environment that it was made for."""
    if isinstance(made, OnlineLearner):
        assert isinstance(env, LinearMDP | SampledLinearMDP)
        return made.run(rng, env, n_episodes)
    assert not isinstance(env, LinearMDP | SampledLinearMDP)
    return made.run(rng, env, n_episodes)
