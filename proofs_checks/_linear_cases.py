"""Seeded linear MDPs for the chains about pessimism: small ones, and the simulated test bed."""

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.environments import random_simplex_mdp, simulated_linear_mdp
from mdptheory.models import (
    ChiSquarePenalty,
    FactorAmbiguity,
    KLBall,
    KLPenalty,
    LinearMDP,
    TVBall,
    TVPenalty,
)
from mdptheory.theory import register
from proofs_checks._soft_cases import RADII, level_of

register(KLBall)

KINDS = (TVBall, TVPenalty, KLPenalty, ChiSquarePenalty)
LEVELS = (RADII, (0.5, 1.0, 1.5, 3.0), (1.0, 2.0, 5.0), (0.5, 1.0, 3.0))
"""KL weights are not small, since exp(cap / weight) is in the widths."""


def uniform(mdp: LinearMDP) -> LinearMDP:
    """Start in every state with the same probability."""
    start = np.full(mdp.n_states, 1.0 / mdp.n_states)
    return LinearMDP(mdp.phi, mdp.known.theta, mdp.mu, start, mdp.fail_state)


def one_hot(mdp: LinearMDP) -> LinearMDP:
    """Embed the model with one factor a state and action: its rows are the factors."""
    n_states, n_actions = mdp.n_states, mdp.n_actions
    phi = np.eye(n_states * n_actions).reshape(n_states, n_actions, -1)
    theta = mdp.reward.reshape(mdp.horizon, -1)
    mu = np.array([mdp.kernel(h).reshape(-1, n_states) for h in range(mdp.horizon)])
    return LinearMDP(phi, theta, mu, np.array(mdp.start), mdp.fail_state)


def mixed(rng: np.random.Generator, *, horizon: int = 0, fail: bool | None = None) -> LinearMDP:
    """Draw a small model that starts anywhere, with factors that reach most states."""
    fail = bool(rng.integers(2)) if fail is None else fail
    n_states, n_factors = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    steps = horizon or int(rng.integers(2, 4))
    mdp = random_simplex_mdp(n_states, 2, n_factors, steps, fail=fail, concentration=3.0, rng=rng)
    return uniform(mdp)


def single(rng: np.random.Generator) -> LinearMDP:
    """Draw two states with up to two actions, one factor each, that starts anywhere."""
    mdp = random_simplex_mdp(
        2, int(rng.integers(1, 3)), 2, int(rng.integers(2, 4)), concentration=3.0, rng=rng
    )
    return uniform(one_hot(mdp))


def simulated(rng: np.random.Generator) -> LinearMDP:
    """Draw the simulated linear MDP, with or without a leak from the goal."""
    xi, leaky = float(rng.choice([0.1, 0.2, 0.3])), float(rng.choice([0.0, 0.05]))
    return simulated_linear_mdp(xi, leaky=leaky)


def any_model(rng: np.random.Generator) -> LinearMDP:
    """Draw one of the above."""
    return (mixed, mixed, single, simulated)[rng.integers(4)](rng)


def random_ambiguity(rng: np.random.Generator, mdp: LinearMDP) -> FactorAmbiguity:
    """Draw a TV ball or a penalty; a third of the levels differ between factors."""
    pick = int(rng.integers(len(KINDS)))
    kind, grid = KINDS[pick], np.array(LEVELS[pick])
    if rng.random() < 2 / 3:
        return kind(float(rng.choice(grid)))
    levels = rng.choice(grid, (mdp.horizon, mdp.n_factors))
    nominal = rng.random(levels.shape) < 1 / 4
    return kind(np.where(nominal, 0.0 if kind is TVBall else np.inf, levels))


def is_small(mdp: LinearMDP, ambiguity: FactorAmbiguity | None = None) -> bool:
    """Tell whether a model is small, and the levels are moderate."""
    sizes = mdp.n_states <= 6 and mdp.n_actions <= 16 and mdp.n_factors <= 12 and mdp.horizon <= 6
    if ambiguity is None or not sizes:
        return sizes
    level = level_of(ambiguity)
    fits = level.shape in {(), (mdp.horizon,), (mdp.horizon, mdp.n_factors)}
    if isinstance(ambiguity, TVBall | KLBall):
        return fits
    return fits and bool((level >= 0.05).all())


def is_policy(mdp: LinearMDP, pi: FloatArray) -> bool:
    """Tell whether ``pi`` holds distributions over the model's actions."""
    if pi.shape != (mdp.horizon, mdp.n_states, mdp.n_actions):
        return False
    return bool((pi >= 0).all() and (np.abs(pi.sum(axis=2) - 1) <= 1e-9).all())


def random_policy(rng: np.random.Generator, mdp: LinearMDP) -> FloatArray:
    """Draw a policy (H, S, A) of small integer weights; half of them act greedily by chance."""
    weights = rng.integers(0, 3, (mdp.horizon, mdp.n_states, mdp.n_actions)).astype(np.float64)
    weights[..., 0] += weights.sum(axis=2) == 0
    if rng.integers(2):
        weights = np.eye(mdp.n_actions)[weights.argmax(axis=2)]
    return np.asarray(weights / weights.sum(axis=2, keepdims=True))
