"""Models, samplers and runs shared by the tests of the online learners."""

import warnings

import numpy as np

from mdptheory.algorithms import (
    OnlineOptions,
    dr_lsvi_ucb,
    dr_lsvi_ucb_learner,
    dr_rpo,
    dr_rpo_learner,
    kl_lsvi_ucb,
    kl_lsvi_ucb_learner,
    lsvi_ucb,
    lsvi_ucb_learner,
)
from mdptheory.environments import AmericanPut, random_simplex_mdp, simulated_linear_mdp
from mdptheory.errors import FitWarning
from mdptheory.models import (
    ChiSquarePenalty,
    KLPenalty,
    LinearMDP,
    SampledLinearMDP,
    TVBall,
    TVPenalty,
)

PROVED = {  # kinds with an explicit width
    "tv ball": TVBall(0.2),
    "tv penalty": TVPenalty(0.6),
    "kl penalty": KLPenalty(2.0),
    "chi2 penalty": ChiSquarePenalty(1.0),
    "nominal": None,
}


def on_goal(level, kind=TVBall, other=0.0):
    """Return the published levels: on the goal's factor at the first step only."""
    levels = np.full((3, 4), other)
    levels[0, 3] = level
    return kind(levels)


def sampler_of(mdp):
    """Return the model as a sampler that inverts distribution functions; ``mu`` stays hidden."""
    kernels = [mdp.kernel(h) for h in range(mdp.horizon)]

    def sampler(step, state, action, u):
        row = kernels[step][state, action]
        last = np.flatnonzero(row)[-1]
        return min(int(np.searchsorted(np.cumsum(row), u, side="right")), int(last))

    return SampledLinearMDP(mdp.known, sampler)


def stepwise(rng=3):
    """Return a model with features of their own at each step, and a random first state."""
    rng = np.random.default_rng(rng)
    mdp = random_simplex_mdp(4, 2, 3, 3, rng=rng)
    phi = rng.dirichlet(np.ones(3), size=(3, 4, 2))
    return LinearMDP(phi, mdp.theta, mdp.mu, np.full(4, 0.25))


MODELS = {
    "simulated": simulated_linear_mdp(0.2),
    "fail": random_simplex_mdp(6, 3, 4, 4, fail=True, rng=1),
    "stepwise": stepwise(),
}
PUT = AmericanPut(horizon=4, n_features=6, start=(95.0, 105.0))

LEARNERS = {
    "dr_rpo": (
        lambda env, n, **k: dr_rpo(env, n, TVBall(0.2), tau=0.1, **k),
        lambda env, n, **k: dr_rpo_learner(env, n, TVBall(0.2), tau=0.1, **k),
    ),
    "mirror": (
        lambda env, n, **k: dr_rpo(env, n, TVPenalty(0.5), tau=0.1, mirror=0.7, **k),
        lambda env, n, **k: dr_rpo_learner(env, n, TVPenalty(0.5), tau=0.1, mirror=0.7, **k),
    ),
    "dr_lsvi_ucb": (
        lambda env, n, **k: dr_lsvi_ucb(env, n, TVBall(0.2), **k),
        lambda env, n, **k: dr_lsvi_ucb_learner(env, n, TVBall(0.2), **k),
    ),
    "lsvi_ucb": (lsvi_ucb, lsvi_ucb_learner),
    "kl_lsvi_ucb": (
        lambda env, n, **k: kl_lsvi_ucb(env, n, tau=0.1, **k),
        lambda env, n, **k: kl_lsvi_ucb_learner(env, n, tau=0.1, **k),
    ),
}


def quietly(call, *args, **kwargs):
    """Call without the warning about missing fail states."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return call(*args, **kwargs)


def same(first, second):
    """Require two results to agree bit for bit."""
    for name in ("pi", "policies", "optimistic", "regret", "certificate", "event"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    np.testing.assert_array_equal(first.data.states, second.data.states)
    np.testing.assert_array_equal(first.data.actions, second.data.actions)
    for mine, other in ((first.state.memory, second.state.memory),):
        for one, two in zip(mine, other, strict=True):
            np.testing.assert_array_equal(one, two)
    assert first.refits == second.refits


PRACTICE = OnlineOptions(bonus_last=True)
