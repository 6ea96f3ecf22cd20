"""The figures about DR-RPO (reconstruction): what is claimed of them, on their own data."""

import numpy as np
import pytest

from paper_figures.dr_rpo import fig1_target, fig2_leaky, fig3_put, fig4_certificate


def quiet(label, done, total):
    pass


def computed(module, config):
    return module.compute(config, np.random.default_rng(0), quiet)


@pytest.fixture(scope="module")
def target():
    return computed(fig1_target, fig1_target.Config(radii=(0.0, 0.3, 0.5), seeds=20))


def line(data, i, name, tau=0.0, last=False):
    """Return mean rewards against q of the (last) learner of that name and temperature."""
    found = [k for k, one in enumerate(fig1_target.LINES) if (one.name, one.tau) == (name, tau)]
    return data[f"reward_{i}"][found[-1 if last else 0]].mean(axis=0)


@pytest.mark.parametrize("i", [1, 2])
def test_robustness_pays_where_the_goal_is_lost_and_costs_where_it_is_not(target, i):
    plain, soft = line(target, i, "LSVI-UCB"), line(target, i, "KL-LSVI-UCB", 0.05)
    for tau in (0.05, 0.01):
        robust = line(target, i, "DR-RPO", tau)
        assert robust[-1] > max(plain[-1], soft[-1])
        assert robust[0] < plain[0]


def test_the_radius_makes_policies_more_careful(target):
    for j, tau in enumerate(target["taus"]):
        if tau in (0.01, 0.05):
            for i in (1, 2):
                assert (np.diff(target[f"last_{i}"][j].mean(axis=-1)) > 0).all()


def test_the_exact_policy_changes_at_the_radius_shown(target):
    for i, known in enumerate((0.48064, 0.37575, 0.28084)):
        assert target[f"threshold_{i}"] == pytest.approx(known, abs=1e-5)
        below = target["radii"] < known
        exact = target[f"exact_{i}"][0]
        low, high = target[f"lines_{i}"][1, -1], target[f"lines_{i}"][0, -1]
        np.testing.assert_allclose(exact, np.where(below, low, high), atol=1e-9)


def test_regret_falls(target):
    regret = target["regret_1"][-2].mean(axis=0)  # tau = 0.05
    assert (target["regret_1"][-3:] > -1e-9).all()
    assert regret[-10:].mean() < 0.1 * regret[:5].mean()


def test_weights_matter_in_the_leaky_environment():
    data = computed(fig2_leaky, fig2_leaky.Config(learnt=2, exact=12, seeds=4))
    for i in range(3):
        exact = data[f"exact_u_{i}_0"]
        assert exact[-1] == pytest.approx(0.5, abs=0.01)
        assert exact.min() < 0.3
    low, high = data["lines"]
    assert low > high  # u- is better where the goal is lost


def test_robust_stopping_pays_where_prices_rise():
    data = computed(fig3_put, fig3_put.Config(up=(0.2, 0.75), seeds=5))
    for i in (2, 3, 4):
        down, up = (data[f"paid_{i}"] - data["paid_0"]).mean(axis=0)
        assert down < -1.0
        assert up > 0.1
    for i in range(5):
        assert (data[f"paid_{i}"] <= data["best"] + 1e-9).all()


def test_certificates_bound_the_regret():
    data = computed(fig4_certificate, fig4_certificate.Config(episodes=300, instances=2))
    for i in range(4):
        assert not data[f"missed_explicit_{i}"].any()
        regret, bound = data[f"regret_explicit_{i}"], data[f"certificate_explicit_{i}"]
        assert (regret <= bound).all()
        assert (np.diff(regret, axis=1) >= -1e-9).all()
