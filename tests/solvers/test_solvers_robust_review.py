"""Robust planners on models made to break them, against a slow second opinion."""

import numpy as np
import pytest
from robust_truth import row_value, sweep

from mdptheory import TabularMDP
from mdptheory.certificates import check
from mdptheory.kernels.divergence import burg_row
from mdptheory.models import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FactorSet,
    FiniteHorizon,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    Status,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.operators.robust import robust_bellman
from mdptheory.solvers import (
    evaluate_robust,
    partial_policy_iteration,
    rcpi,
    robust_backward_induction,
    robust_modified_policy_iteration,
    robust_policy_iteration,
    robust_value_iteration,
)

PLANNERS = [
    robust_value_iteration,
    robust_policy_iteration,
    robust_modified_policy_iteration,
    partial_policy_iteration,
    rcpi,
]


def row(rng, n):
    """Draw a point mass, a row with ties and zeros, a spread one, or one with tiny entries."""
    kind = rng.integers(4)
    if kind == 0:
        return np.eye(n)[rng.integers(n)]
    if kind == 1:
        p = rng.integers(0, 3, n) + np.eye(n)[0]
    elif kind == 2:
        p = rng.dirichlet(np.ones(n))
    else:
        p = 10.0 ** rng.uniform(-10, 0, n)
    return p / p.sum()


def adversary(rng):
    """Draw a model with ties, duplicate and unreachable states and rewards of any size."""
    n, m = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    P = np.array([[row(rng, n) for _ in range(m)] for _ in range(n)])
    r = rng.integers(-2, 3, (n, m)) * rng.choice([1.0, 1e12, 1e-12, 0.0])
    if n > 2:
        P[1], r[1] = P[0], r[0]
        P[..., n - 1] = 0.0
        P += (P.sum(axis=-1, keepdims=True) == 0) * np.eye(n)[0]
        P /= P.sum(axis=-1, keepdims=True)
    return TabularMDP.from_dense(P, r, float(rng.choice([0.0, 0.3, 0.9, 0.99])))


def ambiguities(rng, mdp):
    """Draw one set of each kind, with a radius for all, for each state or for each pair."""
    n, m = mdp.n_states, mdp.n_actions

    def radius(most=np.inf):
        shape = [(), (n,), (n, m)][rng.integers(3)]
        x = np.minimum(rng.choice([0.0, 1e-6, 0.01, 0.3, 1.0, 3.0, np.inf], shape), most)
        return float(x) if x.ndim == 0 else x

    weights = rng.choice([0.5, 1.0, 2.0], n)
    cost = rng.integers(0, 3, (n, n)) * (1.0 - np.eye(n))
    yield from (KLBall(radius()), ChiSquareBall(radius()), WassersteinBall(radius(), cost))
    yield from (CVaRSet(np.maximum(radius(1.0), 0.01)), EVaRSet(np.maximum(radius(1.0), 0.01)))
    for support in ("nominal", "all"):
        yield from (L1Ball(radius(), support), WeightedL1Ball(radius(), weights, support))
        yield from (LinfBall(radius(), support), L2Ball(radius(), support))
        yield from (BurgBall(radius(), support), ContaminationSet(radius(1.0), support))


def inspect(mdp, ambiguity, solution, policy=None):
    """Require a certificate that holds and bounds that one slow sweep confirms."""
    claim = solution.certificate
    check(claim, mdp)
    assert solution.convergence.status is not Status.MAX_ITER
    far = max((claim.upper - solution.v).max(), (solution.v - claim.lower).max())
    size = np.abs(claim.upper).max() + np.abs(claim.lower).max() + np.abs(mdp.reward).max()
    start = np.abs(mdp.reward).max() / (1.0 - mdp.gamma)  # of this size: its last digits remain
    assert far <= solution.convergence.error_bound * (1 + 1e-6) + 1e-15 * (size + start)
    above, _ = sweep(mdp, ambiguity, claim.upper, policy=policy)
    below, _ = sweep(mdp, ambiguity, claim.lower, policy=claim.policy)
    assert (above <= claim.upper + 1e-12 * size).all()
    assert (below >= claim.lower - 1e-12 * size).all()


def attack(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        mdp = adversary(rng)
        pi = rng.random((mdp.n_states, mdp.n_actions)) ** 4 + 1e-9
        pi /= pi.sum(axis=1, keepdims=True)
        for ambiguity in ambiguities(rng, mdp):
            plan = PLANNERS[rng.integers(len(PLANNERS))]
            inspect(mdp, ambiguity, plan(mdp, ambiguity))
            inspect(mdp, ambiguity, evaluate_robust(mdp, ambiguity, pi), policy=pi)


def test_planners_withstand_adversaries():
    attack(range(6))


@pytest.mark.slow
def test_planners_withstand_many_adversaries():
    attack(range(1000, 1300))


def test_cooperative_nature_is_the_adversary_of_the_negated_model():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        mdp = adversary(rng)
        v = rng.integers(-2, 3, mdp.n_states) * max(np.abs(mdp.reward).max(), 1.0)
        P, r = mdp.to_dense()
        mirror = TabularMDP.from_dense(P, -r, mdp.gamma)
        size = np.abs(v).max() + np.abs(mdp.reward).max()
        for ambiguity in ambiguities(rng, mdp):
            got = robust_bellman(mdp, ambiguity, v, nature="cooperative").q
            _, want = sweep(mirror, ambiguity, -v)
            np.testing.assert_allclose(got, -want, rtol=0, atol=1e-12 * size)


def test_burg_rows_keep_the_digits_of_tiny_probabilities():
    p, z = np.array([1.0, 1e-276]), np.array([1.0, 0.0])
    value, bound, *_ = burg_row(p, z, 0.1, np.empty(2))
    assert value == pytest.approx(np.exp(-0.1), rel=1e-15)
    assert bound == pytest.approx(row_value(BurgBall(0.1, "nominal"), p, z), rel=1e-15)


def test_chi_square_without_limit_reaches_what_hardly_happens():
    mdp = TabularMDP.from_dense([[[1.0, 1e-305]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    found = rcpi(mdp, ChiSquareBall(np.inf))
    check(found.certificate, mdp)
    assert found.v == pytest.approx([1.0, 0.0], abs=1e-6)


def test_a_policy_is_divided_by_its_sum():
    mdp = TabularMDP.from_dense([[[1.0], [1.0]]], [[1.0, 1.0]], 0.99)
    found = evaluate_robust(mdp, L1Ball(0.1, "all"), [[0.5, 0.5 + 9e-10]], tol=1e-10)
    check(found.certificate, mdp)
    assert found.v == pytest.approx([100.0], abs=1e-10)


def test_a_starting_value_far_off_is_no_reason_to_stop():
    mdp = TabularMDP.from_dense([[[1.0], [1.0]]], [[0.0, -2000.0]], 0.9999)
    for plan in PLANNERS[1:]:
        found = plan(mdp, L1Ball(0.0, "nominal"))
        assert found.convergence.status is Status.CONVERGED


def test_levels_of_euclidean_factors_are_found_again():
    U, F = np.ones((2, 1, 1)), np.array([[0.0, 1.0]])
    mdp = TabularMDP.from_dense(U @ F, [[1.0], [0.0]], 0.9)
    ambiguity = FactorSet(U, F, L2Ball(0.5, "all"))
    check(robust_policy_iteration(mdp, ambiguity, tol=100.0).certificate, mdp)


def test_the_price_of_a_small_shared_budget_is_part_of_the_error():
    P, r = np.zeros((4, 1, 4)), np.zeros((4, 1, 4))
    P[:, 0, 0] = 1.0
    P[0, 0] = 0.884319545085098, 0.11560267433203757, 2.296952308912968e-13, 7.778058263452947e-05
    r[0, 0] = 2.0, -1.0, 1.0, -1.0
    mdp = TabularMDP.from_dense(P, r, objective=FiniteHorizon(1, gamma=1.0)).completed(0.0)
    check(robust_backward_induction(mdp, BurgBall(1e-6, "all", "s")).certificate, mdp)
