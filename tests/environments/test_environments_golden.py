"""Stored optimal values of the public instances, from two routes that use no solver of ours."""

import numpy as np
import pytest
from environment_oracles import linear_program, policy_iteration

from mdptheory import environments as env

# name, constructor, state, v[state], mean of v; to the digits given with the instances
GOLDEN = [
    ("riverswim", env.riverswim, 0, 1530.96399823, 4628.33279440),
    ("riverswim20", env.riverswim20, 0, 50.0, 133.34014971),
    ("machine_replacement", env.machine_replacement, 0, -5.33829670, -9.66788313),
    ("inventory", env.inventory, 0, 449.70313113, 479.20118205),
    ("healthcare", env.healthcare, 0, 99.97728239, 91.09168320),
    ("population", env.population, 10, 1886.697233, -2402.931943),
]
POLICIES = {
    "riverswim": [1] * 6,
    "riverswim20": [0] * 10 + [1] * 10,
    "machine_replacement": [0, 0, 0, 0, 1, 1, 1, 1, 1, 0],
    "inventory": [10] * 9 + [9, 8, 7, 6, 5, 4, 3] + [0] * 5,
}


@pytest.mark.parametrize(("name", "make", "state", "value", "mean"), GOLDEN)
def test_policy_iteration_meets_the_stored_values(name, make, state, value, mean):
    v, policy, _ = policy_iteration(make())
    assert v[state] == pytest.approx(value, rel=1e-7, abs=0)
    assert v.mean() == pytest.approx(mean, rel=1e-7, abs=0)
    if name in POLICIES:
        assert policy.tolist() == POLICIES[name]


@pytest.mark.parametrize(("name", "make", "state", "value", "mean"), GOLDEN)
def test_linear_program_meets_the_stored_values(name, make, state, value, mean):
    v = linear_program(make())
    assert v[state] == pytest.approx(value, rel=1e-7, abs=0)
    assert v.mean() == pytest.approx(mean, rel=1e-7, abs=0)


def test_machine_replacement_at_the_discount_of_li_kuhn_sutter():
    mdp = env.machine_replacement(gamma=0.8)
    v, _, _ = policy_iteration(mdp)
    assert v @ mdp.initial == pytest.approx(-5.976244828, rel=1e-9, abs=0)


def test_a_wrong_number_would_show():
    v, _, _ = policy_iteration(env.riverswim(gamma=0.9 + 1e-6))
    assert v[0] != pytest.approx(1530.96399823, rel=1e-7, abs=0)


@pytest.mark.parametrize("name", sorted(env.CATALOGUE))
def test_both_routes_agree_on_every_environment(name):
    mdp = env.CATALOGUE[name]()
    v, _, q = policy_iteration(mdp)
    np.testing.assert_allclose(linear_program(mdp), v, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(q.max(axis=1), v, rtol=1e-9, atol=1e-9)
