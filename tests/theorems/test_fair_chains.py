"""False claims about delayed impact and retraining, each with its smallest instance."""

from pathlib import Path

import numpy as np
import pytest

from mdptheory.models import DelayedImpact, PerformativeGaussian
from mdptheory.solvers import demographic_parity_policy, equal_opportunity_policy, max_utility
from mdptheory.theory import load_case, replay
from mdptheory.theory.counterexample import link_check
from proofs_checks import fair_delayed_impact
from proofs_checks.registry import CHAINS

pytestmark = pytest.mark.theorem
BY_ID = {chain.id: chain for chain in CHAINS}
PINNED = sorted((Path(__file__).parent / "data" / "fair").glob("*.json"))


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.stem)
def test_pinned_counterexample_still_breaks_its_twin_and_not_the_theorem(path):
    saved = load_case(path)
    again = replay(saved, CHAINS)
    assert again.check is not None
    assert not again.check.holds
    assert again.check.measured == pytest.approx(saved.check.measured, rel=1e-9)
    true = link_check(BY_ID[saved.chain], saved.link, saved.case)
    assert true is None or true.holds


def test_every_pinned_file_is_written_up():
    text = (Path(__file__).parents[2] / "FINDINGS.md").read_text(encoding="utf-8")
    assert len(PINNED) == 5
    assert [path.name for path in PINNED if f"fair/{path.name}" not in text] == []


def test_equal_rates_may_harm_though_whoever_is_worth_accepting_gains():
    """Half of the second group never succeed; at equal rates they are accepted with the others."""
    model = DelayedImpact([[0.0, 1.0], [0.5, 0.5]], [0.0, 0.5], 1.0, -0.25, 1.0, -0.5)
    free, parity = max_utility(model), demographic_parity_policy(model)
    np.testing.assert_allclose(free.outcomes, [0.25, 0.125])
    np.testing.assert_allclose(parity.rates, [1.0, 1.0])
    np.testing.assert_allclose(parity.outcomes, [0.25, -0.125])


def test_equal_true_positive_rates_may_harm_as_well():
    model = DelayedImpact([[0.0, 1.0], [1.0, 0.0]], [0.5, 1.0], 1.0, -1.0, 1.0, -2.0)
    free, equal = max_utility(model), equal_opportunity_policy(model)
    np.testing.assert_allclose(free.outcomes, [1.0, 0.0])
    np.testing.assert_allclose(equal.outcomes, [1.0, -0.5])


def test_two_scores_accepting_everybody():
    case = fair_delayed_impact.Case(
        np.array([[0.6, 0.4], [0.0, 1.0]]),
        np.array([0.2, 0.8]),
        np.array([0.1, 0.9]),
        2.0,
        2.0,
        np.ones((2, 2)),
    )
    trace = fair_delayed_impact.run(case)
    assert trace.thresholds[-1].outcomes[0] == pytest.approx(-0.68)
    assert trace.parity.outcomes[0] == trace.equal.outcomes[0] == pytest.approx(-0.68)
    assert (trace.free.outcomes > 0).all()


def test_the_stable_point_is_not_the_best_one():
    model = PerformativeGaussian(m=0.0, eps=0.5, s=0.0, bias=1.0)
    assert (model.stable_point, model.optimal_point) == (0.0, 2.0)
    assert model.risk(0.0) - model.risk(2.0) == 0.5


def test_cases_outside_the_theorems_are_refused():
    plain = fair_delayed_impact.Case(
        np.eye(2), np.array([0.5, 1.0]), np.full(2, 0.5), 1.0, 1.0, np.zeros((2, 2))
    )
    kind = fair_delayed_impact.Case
    assert fair_delayed_impact.admissible(plain)
    for changes in (
        {"rho": np.array([0.0, 1.0])},  # a group without successes
        {"rho": np.array([1.0, 0.5])},
        {"shares": np.array([1.0, 0.0])},
        {"loss": 0.0},
        {"accept": np.full((2, 2), 2.0)},
    ):
        fields = {name: getattr(plain, name) for name in kind.__dataclass_fields__}
        assert not fair_delayed_impact.admissible(kind(**(fields | changes)))
