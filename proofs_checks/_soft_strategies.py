"""Hypothesis strategies for the cases of the chains about soft robust values."""

from collections.abc import Callable

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import (
    ChiSquarePenalty,
    FactorAmbiguity,
    KLPenalty,
    LinearMDP,
    TVBall,
    TVPenalty,
)
from mdptheory.theory import strategies as parts
from proofs_checks import (
    dr_rpo_domination,
    dr_rpo_one_hot_regret,
    dr_rpo_optimism,
    dr_rpo_sandwich,
    dr_rpo_soft_bellman,
)

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
RADII = (0.25, 0.5, 0.1)
WEIGHTS = (1.0, 0.5, 2.0)
TEMPERATURES = (1.0, 0.1, 0.25)
SEEDS = st.integers(0, 99)


@st.composite
def models(draw: DrawFn, *, fail: bool | None = None, max_horizon: int = 3) -> LinearMDP:
    """Generate a linear MDP with simplex features; shrinks towards no reward."""
    failing = draw(st.booleans()) if fail is None else fail
    n, d = draw(st.integers(2, 3)), draw(st.integers(2, 3))
    actions, horizon = draw(st.integers(1, 3)), draw(st.integers(1, max_horizon))
    phi = np.array(draw(parts.features(n, actions, d)))
    mu = np.array(draw(parts.kernels(horizon * d, n))).reshape(horizon, d, n)
    rewards = draw(st.lists(st.sampled_from(QUARTERS), min_size=horizon * d, max_size=horizon * d))
    theta = np.array(rewards).reshape(horizon, d)
    if failing:
        phi[-1], mu[:, -1], theta[:, -1] = np.eye(d)[-1], np.eye(n)[-1], 0.0
    return LinearMDP(phi, theta, mu, 0, n - 1 if failing else None)


def ambiguities() -> SearchStrategy[FactorAmbiguity]:
    """Generate a TV ball or a penalty, with one level."""
    weights = st.sampled_from(WEIGHTS)
    return st.one_of(
        st.sampled_from(RADII).map(TVBall),
        weights.map(TVPenalty),
        weights.map(KLPenalty),
        weights.map(ChiSquarePenalty),
    )


@st.composite
def references(draw: DrawFn, mdp: LinearMDP) -> FloatArray:
    """Generate a positive reference; shrinks towards the uniform one."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    row = parts.rows(mdp.n_actions, max_weight=9, full=True)
    count = mdp.horizon * mdp.n_states
    return np.array(draw(st.lists(row, min_size=count, max_size=count))).reshape(shape)


@st.composite
def mixtures(draw: DrawFn, mdp: LinearMDP) -> FloatArray:
    """Generate a policy; point masses are frequent."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    count = mdp.horizon * mdp.n_states
    return np.array(draw(parts.kernels(count, mdp.n_actions))).reshape(shape)


@st.composite
def noises(draw: DrawFn, mdp: LinearMDP) -> FloatArray:
    """Generate noise on the values of all actions; shrinks towards none."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    return np.array(draw(parts.values(int(np.prod(shape))))).reshape(shape)


@st.composite
def soft_bellman_cases(draw: DrawFn) -> dr_rpo_soft_bellman.Case:
    """Generate a model, nature's means, a temperature and a reference."""
    mdp, tau = draw(models()), draw(st.sampled_from(TEMPERATURES))
    return dr_rpo_soft_bellman.Case(
        mdp, draw(ambiguities()), tau, draw(references(mdp)), draw(SEEDS)
    )


@st.composite
def soft_sandwich_cases(draw: DrawFn) -> dr_rpo_sandwich.Case:
    """Generate the same, noise on Q*, and any policy."""
    mdp, tau = draw(models()), draw(st.sampled_from(TEMPERATURES))
    told = (draw(ambiguities()), tau, draw(references(mdp)))
    return dr_rpo_sandwich.Case(mdp, *told, draw(noises(mdp)), draw(mixtures(mdp)))


@st.composite
def soft_optimism_cases(draw: DrawFn) -> dr_rpo_optimism.Case:
    """Generate a model and a short run; shrinks towards one episode."""
    mdp, tau = draw(models()), draw(st.sampled_from((*TEMPERATURES, 0.0)))
    told = (draw(ambiguities()), tau, draw(references(mdp)))
    length, doubling = draw(st.sampled_from((1, 5, 20))), draw(st.booleans())
    return dr_rpo_optimism.Case(mdp, *told, length, doubling, draw(SEEDS))


@st.composite
def soft_domination_cases(draw: DrawFn) -> dr_rpo_domination.Case:
    """Generate a model with a fail state, TV kinds, and a policy learned or wild."""
    mdp, tau = draw(models(fail=True)), draw(st.sampled_from(TEMPERATURES))
    kinds: tuple[FactorAmbiguity, ...] = (TVBall(0.25), TVPenalty(1.0), TVBall(0.5), TVPenalty(0.5))
    told = (draw(st.sampled_from(kinds)), tau, draw(references(mdp)))
    length = draw(st.sampled_from((1, 5, 20)))
    return dr_rpo_domination.Case(mdp, *told, length, draw(noises(mdp)), draw(SEEDS))


@st.composite
def one_hot_cases(draw: DrawFn) -> dr_rpo_one_hot_regret.Case:
    """Generate a one-hot model with a fail state, and a run."""
    n, actions, horizon = draw(st.integers(2, 3)), draw(st.integers(1, 2)), draw(st.integers(2, 3))
    d = n * actions
    mu = np.array(draw(parts.kernels(horizon * d, n))).reshape(horizon, d, n)
    rewards = draw(st.lists(st.sampled_from(QUARTERS), min_size=horizon * d, max_size=horizon * d))
    theta = np.array(rewards).reshape(horizon, d)
    mu[:, -actions:], theta[:, -actions:] = np.eye(n)[-1], 0.0
    mdp = LinearMDP(np.eye(d).reshape(n, actions, d), theta, mu, 0, n - 1)
    radius, tau = draw(st.sampled_from(RADII)), draw(st.sampled_from(TEMPERATURES))
    length = draw(st.sampled_from((2, 20, 100)))
    return dr_rpo_one_hot_regret.Case(mdp, radius, tau, length, draw(SEEDS))


CASES: dict[str, Callable[[], SearchStrategy[object]]] = {
    "dr_rpo.soft_bellman": soft_bellman_cases,
    "dr_rpo.sandwich": soft_sandwich_cases,
    "dr_rpo.optimism": soft_optimism_cases,
    "dr_rpo.domination": soft_domination_cases,
    "dr_rpo.one_hot_regret": one_hot_cases,
}
