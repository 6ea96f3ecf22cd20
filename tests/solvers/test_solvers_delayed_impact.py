"""Best policies under parity constraints, against linear programs over all policies."""

import numpy as np
import pytest
from scipy.optimize import linprog

from mdptheory.environments import lending_loop
from mdptheory.errors import InvalidModelError
from mdptheory.models.delayed_impact import DelayedImpact, ImpactRegime
from mdptheory.solvers.delayed_impact import (
    demographic_parity_policy,
    equal_opportunity_policy,
    max_utility,
)

HARM = DelayedImpact(
    [[0.6, 0.4], [0.0, 1.0]],
    [0.2, 0.8],
    u_minus=-2.0,
    c_plus=1.0,
    c_minus=-2.0,
    group_probs=[0.1, 0.9],
)


def random_model(rng) -> DelayedImpact:
    """Draw a small model; every group has somebody who would succeed."""
    n_groups, n = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    pi = rng.multinomial(8, np.full(n, 1 / n), size=n_groups) / 8
    rho = np.sort(rng.integers(0, 9, (n_groups, n)), axis=1) / 8
    if not (pi * rho).sum(axis=1).all():
        return random_model(rng)
    low = -float(rng.integers(1, 17)) / 4
    return DelayedImpact(pi, rho, u_minus=low, group_probs=rng.dirichlet(np.ones(n_groups)))


def best_by_program(model, weight):
    """Return the largest utility of policies whose sums of ``weight`` are equal."""
    G, C = model.pi.shape
    gain = (model.group_probs[:, None] * model.pi * model.utility).ravel()
    rows = np.zeros((G - 1, G, C))
    for g in range(G - 1):
        rows[g, 0], rows[g, g + 1] = weight[0], -weight[g + 1]
    equal = {"A_eq": rows.reshape(G - 1, -1), "b_eq": np.zeros(G - 1)} if G > 1 else {}
    return -linprog(-gain, bounds=(0, 1), **equal).fun


@pytest.mark.parametrize("seed", range(40))
def test_demographic_parity_against_a_linear_program(seed):
    model = random_model(np.random.default_rng(seed))
    found = demographic_parity_policy(model)
    np.testing.assert_allclose(found.rates, found.rates[0], atol=1e-13)
    assert found.utility == pytest.approx(best_by_program(model, model.pi), abs=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_equal_opportunity_against_a_linear_program(seed):
    model = random_model(np.random.default_rng(seed))
    found = equal_opportunity_policy(model)
    able = model.pi * model.rho
    np.testing.assert_allclose(found.tpr, found.tpr[0], atol=1e-13)
    weight = able / able.sum(axis=1, keepdims=True)
    assert found.utility == pytest.approx(best_by_program(model, weight), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_largest_utility_of_all(seed):
    model = random_model(np.random.default_rng(seed))
    best = max_utility(model).utility
    gain = model.group_probs[:, None] * model.pi * model.utility
    assert best == pytest.approx(np.maximum(gain, 0.0).sum(), abs=1e-14)
    assert demographic_parity_policy(model).utility <= best + 1e-12
    assert equal_opportunity_policy(model).utility <= best + 1e-12


@pytest.mark.parametrize("solver", [demographic_parity_policy, equal_opportunity_policy])
def test_equal_rates_can_harm_the_group_they_are_meant_for(solver):
    """One score in ten counts: nine in ten are of a group in which everybody is worth accepting."""
    found = solver(HARM)
    np.testing.assert_allclose(found.accept[0], [1.0, 1.0])
    assert found.outcomes[0] == pytest.approx(-0.68)
    assert ImpactRegime.DECLINE in found.regimes[0]
    assert max_utility(HARM).regimes == (ImpactRegime.IMPROVEMENT, ImpactRegime.IMPROVEMENT)


def test_one_group_needs_no_parity():
    model = DelayedImpact([[0.25, 0.25, 0.5]], [0.1, 0.6, 0.95])
    np.testing.assert_array_equal(demographic_parity_policy(model).accept, [[0, 0, 1]])
    np.testing.assert_array_equal(equal_opportunity_policy(model).accept, [[0, 0, 1]])


def test_equal_groups_get_the_policy_of_largest_utility():
    model = DelayedImpact([[0.25, 0.25, 0.5]] * 2, [0.1, 0.6, 0.95])
    for solver in (demographic_parity_policy, equal_opportunity_policy):
        np.testing.assert_array_equal(solver(model).accept, max_utility(model).accept)


def test_whoever_never_succeeds_is_not_accepted_for_equal_opportunity():
    model = DelayedImpact([[0.5, 0.5], [0.0, 1.0]], [0.0, 1.0], group_probs=[0.01, 0.99])
    found = equal_opportunity_policy(model)
    np.testing.assert_array_equal(found.accept, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(found.tpr, [1.0, 1.0])


def test_no_true_positive_rate_without_successes():
    model = DelayedImpact([[1.0, 0.0], [0.5, 0.5]], [0.0, 1.0])
    with pytest.raises(InvalidModelError, match=r"rho\[0\] is 0 wherever pi\[0\] is not"):
        equal_opportunity_policy(model)
    assert np.isnan(demographic_parity_policy(model).tpr[0])


def test_credit_clusters():
    """On the clusters of the lending loop parity accepts more of the group that starts lower."""
    loop = lending_loop()
    model = DelayedImpact(
        loop.cluster_probs, loop.success, u_minus=-1.0, c_plus=0.01, c_minus=-0.01
    )
    free, parity = max_utility(model), demographic_parity_policy(model)
    np.testing.assert_allclose(free.rates, [0.8, 0.6])
    np.testing.assert_allclose(parity.rates, parity.rates[0])
    assert 0.6 <= parity.rates[0] <= 0.8
    assert parity.utility < free.utility
