"""The theorems behind IWOCS on random families, against enumeration and plain iteration."""

import itertools

import numpy as np
import pytest
from iwocs_models import (
    all_mixtures,
    all_policies,
    best_deterministic,
    example_b,
    model,
    random_family,
    robust_value,
    value,
)

from mdptheory import FiniteSet, policy_iteration
from mdptheory.algorithms import IWOCSOptions, IWOCSStatus, iwocs
from mdptheory.algorithms._against_nature import evaluate_robustly
from mdptheory.algorithms._nature import opponent

VARIANTS = [
    {"selection": "policy_worst", "completion": "greedy"},
    {"selection": "policy_worst", "completion": "keep"},
    {"selection": "policy_worst", "completion": "nominal"},
    {"selection": "nature_greedy"},
    {"selection": "hull"},
    {"selection": "random"},
    {"selection": "policy_worst", "planner": "vi", "planner_tol": 1e-3},
]
GAMMAS = (0.0, 0.5, 0.9, 0.99)
pytestmark = pytest.mark.filterwarnings("ignore::mdptheory.errors.StallWarning")


def instances(count, seed=0):
    rng = np.random.default_rng(seed)
    for i in range(count):
        n, m, k = rng.integers(2, 7), rng.integers(1, 4), rng.integers(1, 4)
        kernels, reward = random_family(rng, n, m, k, sharp=i % 3 == 0)
        yield kernels, reward, GAMMAS[i % 4]


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: "-".join(map(str, o.values())))
def test_bracket_in_every_iteration(options):
    for kernels, reward, gamma in instances(60):
        mdp, ambiguity = model(kernels, reward, gamma)
        run = IWOCSOptions(**options)
        result = iwocs(mdp, ambiguity, options=run, max_iter=12, rng=1, tol=1e-9)
        truth = robust_value(kernels, reward, gamma)
        room = 1e-9 * (1 + np.abs(truth).max())
        for step in result.history:
            assert step.lower - room <= truth[0] <= step.upper + room
        assert result.upper_valid_for == "all"
        worst = [value(result.worst_kernel.to_dense()[0], reward, gamma, result.best_policy)[0]]
        assert worst[0] == pytest.approx(result.lower, abs=10 * room)


def test_bracket_of_coupled_families_for_deterministic_policies():
    rng, beaten = np.random.default_rng(1), 0
    for i in range(80):
        n, m, k = rng.integers(2, 5), rng.integers(1, 4), rng.integers(2, 4)
        kernels, reward = random_family(rng, n, m, k, sharp=i % 3 == 0)
        gamma = GAMMAS[i % 4]
        start = rng.dirichlet(np.ones(n)) if i % 2 else np.eye(n)[0]
        mdp, ambiguity = model(kernels, reward, gamma, coupled=True, start=start)
        result = iwocs(mdp, ambiguity, max_iter=12, tol=1e-9)
        truth = best_deterministic(kernels, reward, gamma, start)
        for step in result.history:
            assert step.lower - 1e-8 <= truth <= step.upper + 1e-8
        beaten += truth > start @ result.q_min.max(axis=1) + 1e-6
    assert beaten > 0  # with a random first state the pointwise minimum would be no bound


def test_static_equals_dynamic_and_no_duality_gap():
    """Enumerates all policies and all kernels of 2 x 2 x 2 and 3 x 1 x 2 instances."""
    rng = np.random.default_rng(2)
    for n, m in [(2, 2)] * 12 + [(3, 1)] * 4:
        kernels, reward = random_family(rng, n, m, 2)
        mdp, ambiguity = model(kernels, reward, 0.9)
        result = iwocs(mdp, ambiguity, options=IWOCSOptions(selection="hull"), tol=1e-9)
        mixtures = list(all_mixtures(kernels))
        least = {
            tuple(policy): np.min([value(T, reward, 0.9, policy) for T in mixtures], axis=0)
            for policy in all_policies(n, m)
        }
        for policy, expected in least.items():
            found = evaluate_robustly(opponent(mdp, ambiguity), mdp.policy_rows(policy))
            np.testing.assert_allclose(found.v, expected, rtol=0, atol=1e-10)
        max_min = max(v[0] for v in least.values())
        assert result.lower == pytest.approx(max_min, abs=1e-9)
        assert result.upper == pytest.approx(max_min, abs=1e-8)
        min_max = min(
            max(value(T, reward, 0.9, policy)[0] for policy in all_policies(n, m)) for T in mixtures
        )
        assert min_max == pytest.approx(max_min, abs=1e-10)


@pytest.mark.parametrize("selection", ["policy_worst", "random"])
def test_least_values_fall_and_stay_above_the_hull(selection):
    """P1: Q_i >= Q*_hull >= Q*_U; P2: Q_{i+1} <= Q_i."""
    for kernels, reward, discount in instances(40, seed=3):
        gamma = min(discount, 0.9)  # the plain iteration is slow beyond
        mdp, ambiguity = model(kernels, reward, gamma)
        options, before = IWOCSOptions(selection=selection), np.inf
        for limit in (1, 2, 3, 4):
            result = iwocs(mdp, ambiguity, options=options, max_iter=limit, tol=1e-12, rng=5)
            assert (result.q_min <= before + 1e-9).all()
            before = result.q_min
            used = result.kernels_found[: len(result.history)]
            pairs = np.ix_(range(mdp.n_states), range(mdp.n_actions))
            hull = np.array([kernels[choice, pairs[0], pairs[1]] for choice in used])
            for family in (hull, kernels):
                v = robust_value(family, reward, gamma)
                q = (reward + gamma * (family @ v)).min(axis=0)
                assert (result.q_min >= q - 1e-9 * (1 + np.abs(q))).all()


def kernel_errors(kernels, reward, gamma, found):
    """Sup distance of each found kernel's optimal value from the robust one."""
    truth = robust_value(kernels, reward, gamma)
    states, actions = np.indices(reward.shape)
    for choice in found:
        mdp, _ = model(kernels[choice, states, actions][None], reward, gamma)
        yield policy_iteration(mdp, tol=1e-11).v - truth


def test_nature_greedy_contracts_by_gamma():
    for kernels, reward, gamma in instances(60, seed=4):
        mdp, ambiguity = model(kernels, reward, gamma)
        options = IWOCSOptions(selection="nature_greedy")
        start = np.full(len(reward), 1.0 / len(reward))
        result = iwocs(mdp, ambiguity, start=start, options=options, tol=1e-12, max_iter=30)
        errors = list(kernel_errors(kernels, reward, gamma, result.kernels_found))
        room = 1e-9 * (1 + np.abs(errors[0]).max())  # of the plain iteration
        for one, two in itertools.pairwise(errors):
            assert (two <= one + room).all()
            assert two.min() >= -room
            if np.abs(one).max() > 10 * room:
                assert np.abs(two).max() <= gamma * np.abs(one).max() + room
        assert np.abs(errors[-1]).max() <= 1e-7
        assert result.gap <= 1e-7


def test_changing_only_the_used_pairs_does_not_contract():
    """Example B, the twin: its error stays 9, while the full update leaves 0."""
    mdp, ambiguity = example_b()
    kernels, reward = ambiguity.rows, mdp.table(mdp.reward)
    full = iwocs(mdp, ambiguity, options=IWOCSOptions(selection="nature_greedy"))
    errors = list(kernel_errors(kernels, reward, 0.9, full.kernels_found))
    assert [np.abs(e).max() for e in errors[:2]] == pytest.approx([9.0, 0.0], abs=1e-9)
    partial = np.array(full.kernels_found[1])
    partial[1, 1] = 0  # s1 uses action 0
    (error,) = kernel_errors(kernels, reward, 0.9, [partial])
    assert np.abs(error).max() == pytest.approx(9.0, abs=1e-9)


def test_the_hull_ends_within_its_count():
    for kernels, reward, gamma in instances(60, seed=6):
        count, n, m, _ = kernels.shape
        mdp, ambiguity = model(kernels, reward, gamma)
        options = IWOCSOptions(selection="hull")
        tol = 1e-8 * (1 + np.abs(reward).max()) / (1 - gamma)
        result = iwocs(mdp, ambiguity, options=options, tol=tol, max_iter=1 + n * m * (count - 1))
        assert result.status is IWOCSStatus.CERTIFIED
        uppers = [step.upper for step in result.history]
        assert (np.diff(uppers) <= 1e-9).all()
        truth = robust_value(kernels, reward, gamma)[0]
        assert result.lower - tol <= truth <= result.upper + tol


def test_a_stall_means_that_more_iterations_change_nothing():
    stalls, rng = 0, np.random.default_rng(7)
    for _ in range(40):
        kernels, reward = random_family(rng, 3, 3, 3)
        mdp, ambiguity = model(kernels, reward, 0.9)
        options = IWOCSOptions(completion="nominal")
        result = iwocs(mdp, ambiguity, options=options)
        if result.status is not IWOCSStatus.STALLED:
            continue
        stalls += 1
        states, actions = np.indices(reward.shape)
        q = np.full(reward.shape, np.inf)
        for choice in result.kernels_found:
            one, _ = model(kernels[choice, states, actions][None], reward, 0.9)
            q = np.minimum(q, policy_iteration(one, tol=1e-11).q)
        np.testing.assert_allclose(q, result.q_min, rtol=0, atol=1e-9)
    assert stalls > 0


def test_a_shared_list_of_rows_is_a_family_by_pair():
    rng = np.random.default_rng(8)
    rows, reward = rng.dirichlet(np.ones(4), size=3), rng.standard_normal((4, 2))
    kernels = np.array(np.broadcast_to(rows[:, None, None, :], (3, 4, 2, 4)))
    mdp, _ = model(kernels, reward, 0.9)
    shared = iwocs(mdp, FiniteSet(rows), tol=1e-9)
    assert shared.lower == pytest.approx(robust_value(kernels, reward, 0.9)[0], abs=1e-8)
