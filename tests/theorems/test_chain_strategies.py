"""Hypothesis hunts for a case that violates a chain, and finds those of the broken twins."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from hypothesis import find  # isort: skip
from mdptheory.theory import run_case
from proofs_checks.registry import CHAINS
from proofs_checks.strategies import CASES

pytestmark = pytest.mark.theorem
BY_ID = {chain.id: chain for chain in CHAINS}
SETTINGS = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("chain_id", CASES)
@SETTINGS
@given(data=st.data())
def test_no_case_violates_a_link(chain_id, data):
    chain = BY_ID[chain_id]
    case = data.draw(CASES[chain_id]())
    assert chain.admissible(case)
    outcome = run_case(chain, case)
    assert outcome.errors == ()
    broken = {
        name: [check for check in checks if not check.holds]
        for name, checks in outcome.links.items()
    }
    assert {name: checks for name, checks in broken.items() if checks} == {}


@pytest.mark.parametrize(
    ("chain_id", "twin", "link"),
    [
        ("planning.contraction", "gamma_squared", "contraction"),
        ("planning.stopping", "gauss_seidel", "lower"),
        ("planning.policy_loss", "worst_action", "greedy"),
        ("planning.policy_iteration", "wrong_gamma", "evaluated"),
        ("planning.modified_policy_iteration", "discounted_twice", "gains_a_step"),
        ("planning.simulation", "quarter", "centred"),
        ("planning.performance_difference", "no_horizon", "lemma"),
        ("planning.finite_horizon", "no_terminal", "ends"),
        ("planning.certificate", "skips_a_state", "lower"),
        ("robust_core.weak_duality", "without_bounce", "strong"),
        ("robust_core.weak_duality", "any_outcome", "inside"),
        ("robust_core.nesting", "sqrt_r", "pinsker"),
        ("robust_core.sensitivity", "no_horizon", "value"),
        ("robust_core.coverage", "nominal_support", "burg_row"),
        ("robust_core.static_dynamic", "coupled", "attained"),
        ("robust_core.saddle", "chosen_only", "nature_side"),
        ("robust_core.shared_budget", "rounded", "saddle"),
        ("robust_core.stopping", "gauss_seidel", "lower"),
        ("robust_core.policy_loss", "worst_action", "greedy"),
        ("robust_core.partial_policy_iteration", "constant_tolerance", "geometric"),
        ("robust_core.residual_contraction", "no_horizon", "rate"),
        ("dr_rpo.soft_bellman", "reversed", "attained"),
        ("dr_rpo.sandwich", "swapped", "upper"),
        ("dr_rpo.optimism", "no_root", "waits"),
        ("dr_rpo.domination", "always", "only_to_fail"),
        ("dr_rpo.one_hot_regret", "one", "potential"),
        ("r2pvi.duals", "untruncated", "monotone"),
        ("r2pvi.range_shrinkage", "nominal", "values"),
        ("r2pvi.ball_and_penalty", "half_loss", "above"),
        ("r2pvi.structured", "half_mean", "convexity"),
        ("r2pvi.suboptimality", "one_width", "decomposition"),
        ("r2pvi.drpvi_coverage", "one_width", "decomposition"),
        ("ofs.coverage", "once", "not_by_much"),
        ("ofs.stationary", "averages", "best_looks_feasible"),
        ("ofs.pulls", "no_log", "pulls"),
        ("ofs.infeasible", "once", "each_round"),
        ("ofs.certificates", "half", "tracked"),
        ("ofs.grid", "as_many_gaps", "nearest"),
        ("ofs.audits", "rounds", "union"),
        ("ofs.constants", "blind", "lipschitz"),
        ("ofs.constants", "no_c0", "contracts"),
        ("ofs.transient", "faster", "segment"),
        ("ofs.epochs", "half_bias", "biased"),
        ("ofs.epochs", "absolute", "excess"),
        ("ofs.uniform_bias", "strong", "averaged"),
        ("fair.delayed_impact", "worst_first", "concave"),
        ("fair.delayed_impact", "parity_spares", "no_harm"),
        ("fair.performative", "one_factor", "gap"),
    ],
)
def test_strategy_reaches_what_breaks_a_twin(chain_id, twin, link):
    chain = BY_ID[chain_id]
    broken = chain.broken(chain.twin(twin))

    def violates(case):
        return any(not check.holds for check in run_case(broken, case).links.get(link, ()))

    budget = settings(SETTINGS, max_examples=400, phases=[Phase.generate])
    try:
        find(CASES[chain_id](), violates, settings=budget)
    except NoSuchExample:
        pytest.fail(f"no case breaks {twin}")


def test_every_chain_of_the_registry_has_a_strategy():
    assert set(CASES) >= {chain.id for chain in CHAINS if chain.id.startswith("planning.")}
