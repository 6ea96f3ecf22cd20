"""Impact of policies: against plain sums, along the outcome curve, and by regime."""

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models.delayed_impact import DelayedImpact, ImpactRegime
from mdptheory.operators.delayed_impact import outcome_curve, policy_impact, threshold_policy

TWO_SCORES = DelayedImpact([[0.6, 0.4]], [0.2, 0.8], u_minus=-2.0, c_plus=1.0, c_minus=-2.0)


def random_model(rng) -> DelayedImpact:
    """Draw a small model in which scores may lack people, tie, or never succeed."""
    n_groups, n = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    return DelayedImpact(
        rng.multinomial(8, np.full(n, 1 / n), size=n_groups) / 8,
        np.sort(rng.integers(0, 9, (n_groups, n)), axis=1) / 8,
        u_minus=-float(rng.integers(1, 17)) / 4,
        c_plus=1.0,
        c_minus=-float(rng.integers(1, 17)) / 4,
        group_probs=rng.dirichlet(np.ones(n_groups)),
    )


@pytest.mark.parametrize("seed", range(20))
def test_impact_is_a_sum_over_scores(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    tau = rng.integers(0, 5, model.pi.shape) / 4
    found = policy_impact(model, tau)
    utility = 0.0
    for g in range(model.n_groups):
        rate = change = hits = able = 0.0
        for x in range(model.n_scores):
            mass, p = model.pi[g, x], model.rho[g, x]
            rate += mass * tau[g, x]
            hits += mass * tau[g, x] * p
            able += mass * p
            change += mass * tau[g, x] * (model.c_plus * p + model.c_minus * (1 - p))
            gain = model.u_plus * p + model.u_minus * (1 - p)
            utility += model.group_probs[g] * mass * tau[g, x] * gain
        assert found.rates[g] == pytest.approx(rate, abs=1e-14)
        assert found.outcomes[g] == pytest.approx(change, abs=1e-14)
        assert found.tpr[g] == pytest.approx(hits / able if able else np.nan, nan_ok=True)
    assert found.utility == pytest.approx(utility, abs=1e-14)


@pytest.mark.parametrize("seed", range(20))
def test_outcome_curve_is_what_threshold_policies_do(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    for g in range(model.n_groups):
        kinks = outcome_curve(model, g)
        assert (kinks.rates[0], kinks.outcomes[0]) == (0.0, 0.0)
        rates = np.concatenate([np.minimum(kinks.rates, 1.0), rng.random(10)])
        curve = outcome_curve(model, g, rates)
        for rate, outcome in zip(rates, curve.outcomes, strict=True):
            found = policy_impact(model, threshold_policy(model, rate))
            assert found.rates[g] == pytest.approx(rate, abs=1e-13)
            assert found.outcomes[g] == pytest.approx(outcome, abs=1e-13)


def test_a_threshold_takes_whole_scores_but_one():
    model = DelayedImpact([[0.1] * 10, [0.0, 0.5, 0.0, 0.5] + [0.0] * 6], np.linspace(0, 1, 10))
    for rate in (0.3, 0.35, 0.7):
        tau = threshold_policy(model, rate)
        assert ((tau > 0) & (tau < 1)).sum(axis=1).max() <= 1
        assert (np.diff(tau[0]) >= 0).all()
    assert threshold_policy(model, 0.3)[0].tolist() == [0] * 7 + [1] * 3
    assert threshold_policy(model, [0.0, 1.0]).sum(axis=1).tolist() == [0.0, 9.0]
    assert policy_impact(model, threshold_policy(model, 1.0)).rates.tolist() == pytest.approx(
        [1, 1]
    )


def test_accepting_everybody_lowers_the_scores_of_two():
    found = policy_impact(TWO_SCORES, [1.0, 1.0])
    assert found.outcomes[0] == pytest.approx(0.6 * -1.4 + 0.4 * 0.4)
    assert found.outcomes[0] == pytest.approx(-0.68)


@pytest.mark.parametrize(
    ("rate", "regime"),
    [
        (0.0, ImpactRegime.STAGNATION | ImpactRegime.RELATIVE_HARM),
        (0.2, ImpactRegime.IMPROVEMENT | ImpactRegime.RELATIVE_HARM),
        (0.4, ImpactRegime.IMPROVEMENT),
        (0.45, ImpactRegime.IMPROVEMENT | ImpactRegime.RELATIVE_HARM),
        (0.4 + 0.16 / 1.4, ImpactRegime.STAGNATION | ImpactRegime.RELATIVE_HARM),
        (0.6, ImpactRegime.DECLINE | ImpactRegime.RELATIVE_HARM),
    ],
)
def test_regimes_along_the_curve(rate, regime):
    assert policy_impact(TWO_SCORES, threshold_policy(TWO_SCORES, rate)).regimes == (regime,)


def test_a_group_may_fare_better_than_under_the_largest_utility():
    model = DelayedImpact([[0.5, 0.5]], [0.7, 0.9], u_minus=-4.0, c_plus=1.0, c_minus=-1.0)
    assert policy_impact(model, [0, 1]).regimes == (ImpactRegime.IMPROVEMENT,)
    assert policy_impact(model, [1, 1]).regimes == (ImpactRegime.IMPROVEMENT,)
    assert policy_impact(model, [1, 0]).regimes == (
        ImpactRegime.IMPROVEMENT | ImpactRegime.RELATIVE_HARM,
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: policy_impact(m, [0.5, 1.5]), r"accept\[0, 1\] is 1.5; expected a probability"),
        (lambda m: policy_impact(m, [np.nan, 0.5]), r"accept\[0, 0\] is nan"),
        (lambda m: policy_impact(m, 0.5), r"accept has shape \(1,\); expected \(1, 2\)"),
        (lambda m: policy_impact(m, [0.5] * 3), r"accept has shape \(3,\); expected \(1, 2\)"),
        (lambda m: threshold_policy(m, [0.5, 0.5]), r"rates has shape \(2,\); expected \(1\)"),
        (lambda m: threshold_policy(m, -0.1), r"rates\[0\] is -0.1"),
        (lambda m: outcome_curve(m, 1), r"group is 1; expected an index in \[0, 1\)"),
        (lambda m: outcome_curve(m, 0, [0.5, 2.0]), r"rates\[1\] is 2.0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InvalidModelError, match=message):
        call(TWO_SCORES)
