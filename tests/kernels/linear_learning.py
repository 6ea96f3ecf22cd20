"""Models, learners and the plain NumPy route for tests of the compiled learner."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks is not installed

from benchmarks import numpy_linear as plain
from mdptheory.algorithms._online_records import OnlineOptions
from mdptheory.algorithms._online_run import _blank, _desk, _empty_log, _world
from mdptheory.algorithms._online_task import Improvement, make_learner
from mdptheory.environments import random_simplex_mdp, simulated_linear_mdp
from mdptheory.kernels.linear_records import Log
from mdptheory.models import (
    ChiSquarePenalty,
    KLPenalty,
    LinearMDP,
    TVBall,
    TVPenalty,
    factor_levels,
)

KINDS = {
    "tv ball": (TVBall(0.3), plain.tv_ball),
    "tv ball of 0": (TVBall(0.0), plain.tv_ball),
    "tv penalty": (TVPenalty(0.4), plain.tv_penalty),
    "kl penalty": (KLPenalty(0.7), plain.kl_penalty),
    "chi2 penalty": (ChiSquarePenalty(0.5), plain.chi_square_penalty),
    "nominal": (None, plain.nominal),
}


def stepwise(mdp, rng):
    """Return a model whose features differ from step to step."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions, mdp.n_factors)
    phi = rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
    return LinearMDP(phi, rng.random(mdp.theta.shape), mdp.mu, mdp.start)


def models():
    """Name a few models with and without fail state, shared and stepwise features, one action."""
    rng = np.random.default_rng(7)
    plain_one = random_simplex_mdp(4, 3, 3, 3, rng=rng)
    spread = np.full(4, 0.25)
    return {
        "simulated": simulated_linear_mdp(0.2),
        "leaky": simulated_linear_mdp(0.3, leaky=0.05),
        "fail": random_simplex_mdp(6, 3, 4, 4, fail=True, rng=rng),
        "no fail": LinearMDP(plain_one.phi, plain_one.theta, plain_one.mu, spread),
        "stepwise": stepwise(plain_one, rng),
        "one action": random_simplex_mdp(3, 1, 2, 2, rng=rng),
        "one step": random_simplex_mdp(3, 2, 2, 1, rng=rng),
    }


MODELS = models()


def made(mdp, ambiguity=None, tau=0.0, reference=None, mirror=np.inf, track=None, **choices):
    """Return a learner; keywords beyond these are options and ``reward_known``."""
    reward_known = choices.pop("reward_known", True)
    return make_learner(
        mdp,
        choices.pop("n_episodes", 100),
        ambiguity,
        Improvement(tau, reference, mirror),
        OnlineOptions(**choices),
        track,
        reward_known=reward_known,
    )


def blank(learner, n=0):
    """Return writable memory, fit, desk and log of a learner."""
    memory, fit = _blank(learner.task, learner.options.ridge)
    log = Log._make(array[0] for array in _empty_log(1, n, learner.task))
    return memory, fit, _desk(learner.task), log


def levels_of(ambiguity, mdp):
    return factor_levels(ambiguity, mdp.horizon, mdp.n_factors)[1]


__all__ = ["KINDS", "MODELS", "_world", "blank", "levels_of", "made", "plain"]
