"""Hypothesis strategies for the cases of the chains about R2PVI."""

import math
from collections.abc import Callable

import numpy as np

from mdptheory.models import FactorAmbiguity, LinearMDP, TVBall
from mdptheory.theory import strategies as parts
from proofs_checks import (
    r2pvi_ball_and_penalty,
    r2pvi_drpvi_coverage,
    r2pvi_duals,
    r2pvi_range_shrinkage,
    r2pvi_structured,
)
from proofs_checks._linear_cases import KINDS, LEVELS, uniform
from proofs_checks._pessimism import Case
from proofs_checks._soft_strategies import QUARTERS, SEEDS, mixtures, models

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

EPISODES = (100_000, 1, 100)


@st.composite
def duals_cases(draw: DrawFn) -> r2pvi_duals.Case:
    """Generate a factor, two vectors of values and levels; shrinks towards a uniform factor."""
    n = draw(st.integers(1, 5))
    v, u = (draw(parts.values(n, low=-2.0, high=2.0)) for _ in range(2))
    weight = draw(st.sampled_from((1.0, 0.25, 0.05, 4.0, math.inf)))
    radius, shift = draw(st.sampled_from(QUARTERS)), draw(st.sampled_from((0.0, 1.0, -1.0)))
    return r2pvi_duals.Case(draw(parts.rows(n)), v, u, weight, radius, shift)


@st.composite
def range_cases(draw: DrawFn) -> r2pvi_range_shrinkage.Case:
    """Generate a model, a policy and levels."""
    mdp = draw(models(max_horizon=4))
    radius = draw(st.sampled_from((1.0, 0.5, 0.25, 0.1)))
    shape = (mdp.horizon, mdp.n_factors)
    size = int(np.prod(shape))
    weights = st.lists(st.sampled_from((1.0, 0.5, 0.25, 4.0)), min_size=size, max_size=size)
    weight = np.array(draw(weights)).reshape(shape)
    return r2pvi_range_shrinkage.Case(mdp, draw(mixtures(mdp)), radius, weight)


@st.composite
def ball_cases(draw: DrawFn) -> r2pvi_ball_and_penalty.Case:
    """Generate a model, a policy, a divergence and levels in order."""
    mdp = draw(models(max_horizon=4))
    radii = sorted(draw(st.sampled_from((0.0, 0.1, 0.5, 1.0))) for _ in range(2))
    weights = sorted(draw(st.sampled_from((1.0, 0.1, 0.5, 3.0))) for _ in range(2))
    entropy = draw(st.booleans())
    return r2pvi_ball_and_penalty.Case(mdp, draw(mixtures(mdp)), entropy, *radii, *weights)


@st.composite
def structured_cases(draw: DrawFn) -> r2pvi_structured.Case:
    """Generate a model, a policy and one kind of ambiguity."""
    mdp = draw(models())
    kind = draw(st.sampled_from(r2pvi_structured.KINDS))
    return r2pvi_structured.Case(mdp, draw(mixtures(mdp)), kind(draw(st.sampled_from((1.0, 0.25)))))


@st.composite
def suboptimality_cases(draw: DrawFn) -> Case:
    """Generate a model, what nature may do, and a number of episodes; shrinks towards a ball."""
    mdp, pick = draw(models()), draw(st.integers(0, len(KINDS) - 1))
    ambiguity: FactorAmbiguity = KINDS[pick](draw(st.sampled_from(LEVELS[pick])))
    ridge = draw(st.sampled_from((1.0, 0.1, 10.0)))
    shift = KINDS[pick].__name__ == "KLPenalty" and draw(st.booleans())
    return Case(mdp, ambiguity, draw(st.sampled_from(EPISODES)), ridge, shift, draw(SEEDS))


@st.composite
def coverage_cases(draw: DrawFn) -> Case:
    """Generate two states that lead to each other, and as many episodes as it takes."""
    horizon = draw(st.integers(2, 3))
    mu = np.array(draw(parts.kernels(horizon * 2, 2, full=True))).reshape(horizon, 2, 2)
    rewards = draw(st.lists(st.sampled_from(QUARTERS), min_size=2 * horizon, max_size=2 * horizon))
    theta = np.array(rewards).reshape(horizon, 2)
    mdp = uniform(LinearMDP(np.eye(2)[:, None], theta, mu))
    kappa = r2pvi_drpvi_coverage.coverage(mdp)
    episodes = math.ceil(1.1 * r2pvi_drpvi_coverage.threshold(mdp, kappa))
    radius = draw(st.sampled_from((0.25, 0.5)))
    return Case(mdp, TVBall(radius), episodes, 1.0, False, draw(SEEDS))


CASES: dict[str, Callable[[], SearchStrategy[object]]] = {
    "r2pvi.duals": duals_cases,
    "r2pvi.range_shrinkage": range_cases,
    "r2pvi.ball_and_penalty": ball_cases,
    "r2pvi.structured": structured_cases,
    "r2pvi.suboptimality": suboptimality_cases,
    "r2pvi.drpvi_coverage": coverage_cases,
}
