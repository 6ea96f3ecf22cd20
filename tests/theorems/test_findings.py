"""Claims that are not true, each with the smallest instance that the shrinker found."""

from pathlib import Path

import numpy as np
import pytest

from mdptheory import Discounted
from mdptheory.operators import greedy, policy_bellman
from mdptheory.theory import draw_case
from mdptheory.theory.counterexample import find_counterexample, link_check, load_case, replay
from proofs_checks import policy_loss, stopping
from proofs_checks._cases import build, top
from proofs_checks._oracles import optimal_value
from proofs_checks.contraction import boltzmann
from proofs_checks.registry import CHAINS

pytestmark = pytest.mark.theorem
BY_ID = {chain.id: chain for chain in CHAINS}
PINNED = sorted((Path(__file__).parent / "data").glob("*.json"))
FINDINGS = Path(__file__).parents[2] / "FINDINGS.md"


def cycle(gamma: float):
    """Two states that feed each other; the first is paid 1."""
    return build([[((0, 1), 1.0)], [((1, 0), 0.0)]], Discounted(gamma))


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9, 0.99])
def test_gauss_seidel_step_breaks_the_span_bound(gamma):
    """From v = 0 the sweep gives w = (1, gamma), d = w: the lower bound exceeds v*."""
    mdp, v = cycle(gamma), np.zeros(2)
    swept = stopping.gauss_seidel(mdp, v)
    np.testing.assert_allclose(swept, [1.0, gamma])
    claimed = swept + gamma / (1 - gamma) * (swept - v).min()
    truth = optimal_value(mdp)
    np.testing.assert_allclose(truth, np.array([1.0, gamma]) / (1 - gamma**2))
    assert (claimed > truth + 0.01 * gamma).all()


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9, 0.99])
def test_one_jacobi_sweep_after_gauss_seidel_mends_it(gamma):
    mdp = cycle(gamma)
    v = stopping.gauss_seidel(mdp, np.zeros(2))
    step = top(mdp, v) - v
    weight = gamma / (1 - gamma)
    truth = optimal_value(mdp)
    assert (top(mdp, v) + weight * step.min() <= truth + 1e-9).all()
    assert (top(mdp, v) + weight * step.max() >= truth - 1e-9).all()


def test_the_shrinker_needs_two_states_for_gauss_seidel():
    found = first_counterexample("planning.stopping", "gauss_seidel", "lower")
    assert found.case.mdp.n_states == 2  # one state: the sweep is Jacobi's
    assert found.case.mdp.n_rows == 2
    assert found.check.measured > 0


def first_counterexample(chain_id, twin, link):
    chain = BY_ID[chain_id]
    broken = chain.broken(chain.twin(twin))
    for index in range(300):
        check = link_check(broken, link, draw_case(broken, 0, index))
        if check is not None and not check.holds:
            return find_counterexample(chain, link, 0, index, twin=twin, max_runs=400)
    raise AssertionError(f"{twin} survived")


def test_modified_policy_iteration_contracts_per_round_and_not_per_sweep():
    """Walking on to where 1 is paid looks worse than 1/2 now: the first round's sweeps stay."""
    table = [[((0, 1), 0.0), ((1, 0), 0.5)], [((0, 1), 1.0)]]
    mdp, sweeps = build(table, Discounted(0.9)), 3
    v, truth = np.zeros(2), optimal_value(mdp)
    policy = greedy(mdp, v)
    assert policy[0] == 1
    after = v
    for _ in range(sweeps):
        after = policy_bellman(mdp, policy, after)
    error, start = np.abs(truth - after).max(), np.abs(truth - v).max()
    assert error > 0.9**sweeps * start + 0.3
    assert error <= 0.9 * start


def test_softmax_average_is_not_monotone():
    """Raising one action's value lowers the average: the weight moves to it before the value."""
    table = [[((1, 0), 0.0)], [((0, 1), 0.0), ((1, 0), 0.0)]]
    mdp = build(table, Discounted(0.5))
    low, high = np.array([0.0, 1.0]), np.array([0.5, 1.0])
    assert (low <= high).all()
    assert boltzmann(mdp, low)[1] > boltzmann(mdp, high)[1] + 1e-2
    assert (top(mdp, low) <= top(mdp, high)).all()


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
def test_the_policy_loss_bound_is_attained(gamma):
    rng = np.random.default_rng(0)
    while True:
        case = policy_loss.trap(rng)
        if case.mdp.gamma == gamma:
            break
    trace = policy_loss.run(case)
    assert 0.998 < policy_loss.span_loss(trace).tightness <= 1.0


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
    text = FINDINGS.read_text(encoding="utf-8")
    assert len(PINNED) == 16
    assert [path.name for path in PINNED if path.name not in text] == []
