"""Seeded linear MDPs, factor ambiguities and references for the chains about soft robust values."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.environments import random_simplex_mdp
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

for _kind in (LinearMDP, TVBall, TVPenalty, KLPenalty, ChiSquarePenalty):
    register(_kind)

RADII = (0.1, 0.2, 0.3, 0.5)
WEIGHTS = (0.2, 0.5, 1.0, 3.0)
PENALTIES = (TVPenalty, KLPenalty, ChiSquarePenalty)


def random_model(
    rng: np.random.Generator, *, max_states: int = 3, max_actions: int = 3, max_horizon: int = 3
) -> LinearMDP:
    """Draw a model with simplex features; half of them have a fail state."""
    fail, low = bool(rng.integers(2)), 2
    n_states, n_factors = (int(rng.integers(low, max_states + 1)) for _ in range(2))
    n_actions, horizon = (
        int(rng.integers(1, max_actions + 1)),
        int(rng.integers(1, max_horizon + 1)),
    )
    mean = float(rng.choice([0.3, 1.0, 3.0]))
    return random_simplex_mdp(
        n_states, n_actions, n_factors, horizon, fail=fail, concentration=mean, rng=rng
    )


def stairs(horizon: int, slip: float = 0.0) -> LinearMDP:
    """Build one live state: action 0 pays 1 and stays, up to slips, action 1 fails for nothing."""
    phi = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    mu = np.broadcast_to([[1.0 - slip, slip], [0.0, 1.0]], (horizon, 2, 2))
    return LinearMDP(phi, np.tile([1.0, 0.0], (horizon, 1)), mu, 0, 1)


def random_ambiguity(
    rng: np.random.Generator, mdp: LinearMDP, *, ball: float = 0.4, common: float = 0.75
) -> FactorAmbiguity:
    """Draw a TV ball with probability ``ball``, else a penalty; levels mostly in ``common``."""
    shape = () if rng.random() < common else (mdp.horizon, mdp.n_factors)
    if rng.random() < ball:
        return TVBall(_level(rng, RADII, shape))
    weight = _level(rng, WEIGHTS, shape)
    return PENALTIES[rng.integers(len(PENALTIES))](weight)


def _level(
    rng: np.random.Generator, grid: tuple[float, ...], shape: tuple[int, ...]
) -> float | FloatArray:
    return np.asarray(rng.choice(np.array(grid), shape)) if shape else float(rng.choice(grid))


def random_reference(rng: np.random.Generator, mdp: LinearMDP) -> FloatArray:
    """Draw a positive reference policy (H, S, A): uniform, mild, or sharp."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    exponent = float(rng.choice([0.0, 1.0, 5.0]))
    weights = rng.integers(1, 5, shape).astype(np.float64) ** exponent
    return np.asarray(weights / weights.sum(axis=2, keepdims=True))


def random_mixtures(rng: np.random.Generator, mdp: LinearMDP) -> FloatArray:
    """Draw a policy (H, S, A) of small integer weights; zeros and point masses are frequent."""
    weights = rng.integers(0, 3, (mdp.horizon, mdp.n_states, mdp.n_actions)).astype(np.float64)
    weights[..., 0] += weights.sum(axis=2) == 0
    return np.asarray(weights / weights.sum(axis=2, keepdims=True))


def with_level(
    ambiguity: FactorAmbiguity, change: Callable[[FloatArray], FloatArray]
) -> FactorAmbiguity:
    """Return the same kind with another radius or weight."""
    if isinstance(ambiguity, TVBall | KLBall):
        return replace(ambiguity, radius=_plain(np.minimum(change(np.array(ambiguity.radius)), 1)))
    return replace(ambiguity, weight=_plain(change(np.array(ambiguity.weight))))


def _plain(level: FloatArray) -> float | FloatArray:
    return level if np.ndim(level) else float(level)


def level_of(ambiguity: FactorAmbiguity) -> FloatArray:
    """Return the radius or the weight."""
    if isinstance(ambiguity, TVBall | KLBall):
        return np.asarray(ambiguity.radius)
    return np.asarray(ambiguity.weight)


def bolder(ambiguity: FactorAmbiguity) -> FactorAmbiguity:
    """Let nature do more: a larger ball, or a smaller price."""
    factor = 1.5 if isinstance(ambiguity, TVBall) else 1 / 1.5
    return with_level(ambiguity, lambda level: level * factor)


def milder(ambiguity: FactorAmbiguity) -> FactorAmbiguity:
    """Let nature do less."""
    factor = 1 / 1.5 if isinstance(ambiguity, TVBall) else 1.5
    return with_level(ambiguity, lambda level: level * factor)


def is_soft(mdp: LinearMDP, ambiguity: FactorAmbiguity, tau: float, reference: FloatArray) -> bool:
    """Tell whether an instance is small, its temperature moderate, its reference positive."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    if reference.shape != shape or not 0.02 <= tau <= 10 or mdp.phi.ndim != 3:
        return False
    proper = bool((np.abs(reference.sum(axis=2) - 1) <= 1e-9).all() and (reference >= 1e-6).all())
    moderate = bool((level_of(ambiguity) >= 0.01).all())
    small = mdp.n_states <= 6 and mdp.n_actions <= 4 and mdp.n_factors <= 12 and mdp.horizon <= 6
    return proper and moderate and small
