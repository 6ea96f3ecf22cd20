"""The slow routes for soft robust values, against duals, brute force and known numbers."""

import numpy as np
import pytest

from mdptheory.environments import simulated_linear_mdp
from mdptheory.models import ChiSquarePenalty, FactorKind, KLPenalty, TVBall, TVPenalty
from proofs_checks import _soft_oracles as slow
from proofs_checks._soft_cases import (
    level_of,
    milder,
    random_ambiguity,
    random_mixtures,
    random_model,
    random_reference,
)

pytestmark = pytest.mark.theorem
KINDS = {
    FactorKind.TV_BALL: (0.0, 0.1, 0.3, 0.7, 1.0),
    FactorKind.TV_PENALTY: (0.05, 0.3, 1.0, 5.0),
    FactorKind.KL_PENALTY: (0.05, 0.3, 1.0, 5.0),
    FactorKind.CHI_SQUARE_PENALTY: (0.05, 0.3, 1.0, 5.0),
}


def row(rng, n):
    weights = rng.integers(0, 4, n).astype(float)
    weights[rng.integers(n)] += 1
    return weights / weights.sum()


def by_dual(kind, level, m, v):
    if kind == FactorKind.TV_BALL:
        return max(m @ np.minimum(v, a) - level * (a - v.min()) for a in v)
    if kind == FactorKind.TV_PENALTY:
        return m @ np.minimum(v, v.min() + level)
    if kind == FactorKind.KL_PENALTY:
        return -level * np.log(m @ np.exp(-v / level))
    cuts = np.minimum(v, np.linspace(v.min(), v.max(), 20001)[:, None])
    mean = cuts @ m
    return (mean - (cuts**2 @ m - mean**2) / (4 * level)).max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(20))
def test_natures_row_is_admissible_and_attains_the_dual(kind, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    m, v = row(rng, n), rng.integers(0, 9, n) / 4
    for level in KINDS[kind]:
        q = slow.worst_row(kind, level, m, v, None)
        assert q.min() >= -1e-15
        assert q.sum() == pytest.approx(1.0, abs=1e-12)
        if kind == FactorKind.TV_BALL:
            assert np.abs(q - m).sum() / 2 <= level + 1e-12
        elif kind != FactorKind.TV_PENALTY:
            assert (q[m == 0] == 0).all()
        worth = q @ v + slow.price(kind, level, m, q)
        assert worth == pytest.approx(by_dual(kind, level, m, v), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_is_worse(kind):
    rng = np.random.default_rng(1)
    for _ in range(20):
        m, v = row(rng, 3), rng.integers(0, 9, 3) / 4
        level = float(rng.choice(KINDS[kind][1:]))
        best = slow.worst_row(kind, level, m, v, None)
        least = best @ v + slow.price(kind, level, m, best)
        others = rng.dirichlet(np.ones(3) / 2, 300)
        if kind == FactorKind.TV_BALL:
            others = m + (others - m) * np.minimum(
                1, level / np.maximum(np.abs(others - m).sum(axis=1, keepdims=True) / 2, 1e-9)
            )
        elif kind != FactorKind.TV_PENALTY:
            others = others * (m > 0)
            others /= others.sum(axis=1, keepdims=True)
        worths = [q @ v + slow.price(kind, level, m, q) for q in others]
        assert min(worths) >= least - 1e-9


def test_nature_takes_the_fail_state_among_several_least_ones():
    m, v = np.array([0.5, 0.5, 0.0, 0.0]), np.array([1.0, 2.0, 0.0, 0.0])
    for kind, level in ((FactorKind.TV_BALL, 0.25), (FactorKind.TV_PENALTY, 1.5)):
        moved = slow.worst_row(kind, level, m, v, 3) - m
        assert moved[3] > 0
        assert moved[2] == 0
        assert slow.worst_row(kind, level, m, v, None)[2] > 0


@pytest.mark.parametrize("kind", [*KINDS, FactorKind.NOMINAL])
@pytest.mark.parametrize("seed", range(20))
def test_estimated_worth_of_a_true_row_is_its_worth(kind, seed):
    rng = np.random.default_rng(seed)
    n, cap = int(rng.integers(1, 6)), 2.0
    m, v = row(rng, n), rng.integers(0, 9, n) / 4
    for level in KINDS.get(kind, (np.inf,)):
        q = slow.worst_row(kind, level, m, v, None)
        exact = q @ v + slow.price(kind, level, m, q)
        assert slow.signed_worth(kind, level, m, v, cap) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("kind", [FactorKind.TV_BALL, FactorKind.CHI_SQUARE_PENALTY])
@pytest.mark.parametrize("seed", range(20))
def test_estimated_worth_of_any_row_is_the_largest_on_a_grid(kind, seed):
    rng = np.random.default_rng(seed)
    row_, v, level = rng.normal(size=4) / 2, rng.integers(0, 9, 4) / 4, 0.3
    grid = np.linspace(0, 2, 4001)
    cuts = np.minimum(v, grid[:, None])
    mean, square = cuts @ row_, cuts**2 @ row_
    if kind == FactorKind.TV_BALL:
        duals = mean - level * (grid - np.minimum(grid, v.min()))
    else:
        duals = mean + (mean**2 - square) / (4 * level)
    found = slow.signed_worth(kind, level, row_, v, 2.0)
    assert duals.max() - 1e-12 <= found <= duals.max() + 1e-3


def test_soft_values_known_to_six_digits():
    """Values at the start and the mean weight of the best policy's actions there."""
    mdp = simulated_linear_mdp(0.2)
    uniform, u = np.full((3, 5, 16), 1 / 16), mdp.phi[0, :, 3]
    radius = np.zeros((3, 4))
    radius[0, 3] = 0.5
    for ambiguity, tau, value, weight in (
        (None, 0.01, 1.575772, 0.499856),
        (None, 0.05, 1.420477, 0.446927),
        (None, 0.3, 1.228278, 0.337319),
        (TVBall(radius), 0.01, 1.163300, 0.144832),
        (TVBall(radius), 0.05, 1.043266, 0.287761),
        (TVBall(radius), 0.3, 0.907310, 0.304427),
    ):
        plan = slow.soft_plan(mdp, ambiguity, tau, uniform)
        assert plan.v[0, 0] == pytest.approx(value, abs=1e-6)
        assert plan.pi[0, 0] @ u == pytest.approx(weight, abs=1e-6)
    leaky = simulated_linear_mdp(0.2, leaky=0.05)
    for ambiguity, value, weight in (
        (KLPenalty(0.2), 0.777174, 0.251448),
        (ChiSquarePenalty(0.1), 1.099604, 0.369754),
        (TVPenalty(1.0), 0.984540, 0.290208),
    ):
        plan = slow.soft_plan(leaky, ambiguity, 0.05, uniform)
        assert plan.v[0, 0] == pytest.approx(value, abs=1e-6)
        assert plan.pi[0, 0] @ u == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_laws_and_totals_are_sums_over_ways(seed):
    rng = np.random.default_rng(seed)
    mdp = random_model(rng, max_horizon=3)
    pi, cost = random_mixtures(rng, mdp), rng.random((mdp.horizon, mdp.n_states))
    law, w = np.eye(mdp.n_states), np.zeros(mdp.n_states)
    for h in reversed(range(mdp.horizon)):
        w = cost[h] + np.einsum("sa,sat,t->s", pi[h], mdp.kernel(h), w)
    np.testing.assert_allclose(slow.total(mdp, pi, mdp.mu, cost), w, atol=1e-12)
    for h in range(mdp.horizon):
        expected = law[0]
        np.testing.assert_allclose(slow.occupation(mdp, pi, mdp.mu, 0)[h], expected, atol=1e-12)
        law = law @ np.einsum("sa,sat->st", pi[h], mdp.kernel(h))


@pytest.mark.parametrize("seed", range(10))
def test_a_fit_to_the_truth_without_widths_is_the_plan(seed):
    """With Gram matrices 1 and the factors as moments the regression knows the model."""
    rng = np.random.default_rng(seed)
    mdp = random_model(rng)
    ambiguity, reference = random_ambiguity(rng, mdp), random_reference(rng, mdp)
    told = slow.Setting(ambiguity, 0.3, reference, 100, width=0.0)
    gram = np.tile(np.eye(mdp.n_factors), (mdp.horizon, 1, 1))
    fit = slow.Fit.of(mdp.known, told, gram, mdp.mu)
    plan = slow.soft_plan(mdp, ambiguity, 0.3, reference)
    np.testing.assert_allclose(fit.v, plan.v, atol=1e-10)
    np.testing.assert_allclose(fit.pi, plan.pi, atol=1e-10)


def test_widths_by_hand():
    mdp = simulated_linear_mdp()
    reference = np.full((3, 5, 16), 1 / 16)
    gram = np.tile(4 * np.eye(4), (3, 1, 1))
    spread = np.sqrt(0.25 * 4 * np.log(4) + 0.5 * (4 * np.log(10) + np.log(2 / 0.1)))
    whole = spread + 1 + np.sqrt(4)
    for ambiguity, first, second in (
        (None, 2 * whole, whole),
        (TVBall(0.2), 2 * whole, whole),
        (TVPenalty(0.5), 0.5 * whole, 0.5 * whole),
        (
            KLPenalty(2.0),
            2 * ((np.e - 1) * (spread + 1) + 2 * np.e),
            2 * ((np.exp(0.5) - 1) * (spread + 1) + 2 * np.exp(0.5)),
        ),
    ):
        told = slow.Setting(ambiguity, 0.1, reference, 100)
        beta = slow.explicit_widths(mdp.known, told, gram)
        np.testing.assert_allclose(beta[:, 0], [first, second, 0.0])


def test_milder_is_milder():
    rng = np.random.default_rng(0)
    for _ in range(20):
        mdp = random_model(rng)
        ambiguity = random_ambiguity(rng, mdp)
        changed = level_of(milder(ambiguity)) > level_of(ambiguity)
        assert changed.all() != isinstance(ambiguity, TVBall)
