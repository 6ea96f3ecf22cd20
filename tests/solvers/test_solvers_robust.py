"""What every robust planner promises, on every ambiguity set."""

import itertools

import numpy as np
import pytest

from mdptheory import TabularMDP
from mdptheory.certificates import check
from mdptheory.environments import garnet
from mdptheory.errors import InvalidCertificateError, InvalidModelError, NotConvergedError
from mdptheory.models import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    Discounted,
    EVaRSet,
    FactorSet,
    FiniteHorizon,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    SignedLpBall,
    Status,
    TotalReward,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.operators import worst_case
from mdptheory.solvers import (
    evaluate_robust,
    partial_policy_iteration,
    rcpi,
    robust_backward_induction,
    robust_modified_policy_iteration,
    robust_policy_iteration,
    robust_solve,
    robust_value_iteration,
    solve,
)

N, A = 5, 3
PLANNERS = [
    robust_value_iteration,
    robust_policy_iteration,
    robust_modified_policy_iteration,
    partial_policy_iteration,
    rcpi,
]
WEIGHTS = np.array([1.0, 0.5, 2.0, 1.5, 0.7])
COST = np.abs(np.subtract.outer(np.arange(N), np.arange(N))).astype(float)
RADII = np.linspace(0.0, 0.9, N * A).reshape(N, A)


def model(seed=0, gamma=0.9):
    """Dense enough for nature to matter, with zeros, ties and two rows alike."""
    rng = np.random.default_rng(seed)
    P = rng.integers(0, 4, size=(N, A, N)).astype(float)
    P[..., 0] += 1.0
    P[1, 1] = P[1, 0]
    P[2, 2] = np.eye(N)[3]
    P /= P.sum(axis=2, keepdims=True)
    return TabularMDP.from_dense(P, rng.integers(-3, 4, size=(N, A)).astype(float), gamma)


def kernels(seed=1, count=3):
    rng = np.random.default_rng(seed)
    P = rng.integers(0, 3, size=(count, N, A, N)).astype(float)
    P[..., 1] += 1.0
    return P / P.sum(axis=3, keepdims=True)


def interval(mdp, slack=0.15):
    P, _ = mdp.to_dense()
    return IntervalSet(np.maximum(P - slack, 0.0), np.minimum(P + slack, 1.0))


POLYHEDRAL = {
    "l1": L1Ball(0.3, "nominal"),
    "l1-all": L1Ball(0.3, "all"),
    "l1-per-pair": L1Ball(RADII, "nominal"),
    "weighted-l1": WeightedL1Ball(0.3, WEIGHTS, "all"),
    "weighted-l1-nominal": WeightedL1Ball(0.3, WEIGHTS, "nominal"),
    "linf": LinfBall(0.1, "nominal"),
    "linf-all": LinfBall(RADII[:, 0], "all"),
    "interval": interval(model()),
    "cvar": CVaRSet(0.6),
    "contamination": ContaminationSet(0.2, "all"),
    "finite": FiniteSet(kernels(), coupled=False),
    "wasserstein": WassersteinBall(0.4, COST),
    "s-l1": L1Ball(0.5, "nominal", "s"),
    "s-l1-all": L1Ball(np.linspace(0, 1, N), "all", "s"),
    "s-weighted-l1": WeightedL1Ball(0.5, WEIGHTS, "nominal", "s"),
}
SMOOTH = {
    "kl": KLBall(0.1),
    "kl-per-pair": KLBall(RADII),
    "evar": EVaRSet(0.7),
    "burg": BurgBall(0.1, "nominal"),
    "burg-all": BurgBall(0.1, "all"),
    "chi-square": ChiSquareBall(0.3),
    "l2": L2Ball(0.2, "all"),
    "l2-nominal": L2Ball(0.2, "nominal"),
    "s-kl": KLBall(0.2, "s"),
    "s-burg": BurgBall(0.2, "nominal", "s"),
    "s-chi-square": ChiSquareBall(0.4, "s"),
}
SETS = POLYHEDRAL | SMOOTH
SA = {name: ambiguity for name, ambiguity in SETS.items() if not name.startswith("s-")}


def slow_row_set(ambiguity, s, a):
    """The set of one row, for `worst_case`."""
    import dataclasses

    changes = {}
    for name in ("radius", "alpha", "fraction"):
        if hasattr(ambiguity, name):
            value = np.asarray(getattr(ambiguity, name))
            changes[name] = float(value[(s, a)[: value.ndim]] if value.ndim else value)
    if isinstance(ambiguity, IntervalSet):
        return IntervalSet(ambiguity.lower[s, a], ambiguity.upper[s, a])
    if isinstance(ambiguity, FiniteSet):
        return FiniteSet(ambiguity.rows[:, s, a])
    return dataclasses.replace(ambiguity, **changes)


def slow_value(mdp, ambiguity, sweeps=400):
    """Robust value iteration in plain Python, row by row."""
    P, r = mdp.to_dense()
    v = np.zeros(N)
    for _ in range(sweeps):
        q = [
            [
                r[s, a] + worst_case(P[s, a], mdp.gamma * v, slow_row_set(ambiguity, s, a)).value
                for a in range(A)
            ]
            for s in range(N)
        ]
        v = np.max(q, axis=1)
    return v


@pytest.mark.parametrize("name", SA)
def test_values_agree_with_a_loop_over_worst_case(name):
    mdp = model()
    solution = robust_solve(mdp, SETS[name], tol=1e-9)
    assert solution.convergence.status is Status.CONVERGED
    np.testing.assert_allclose(solution.v, slow_value(mdp, SETS[name], 250), atol=1e-8)


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: planner.__name__)
@pytest.mark.parametrize("name", SETS)
def test_planners_agree_and_certify_each_other(name, planner):
    mdp = model()
    solution = planner(mdp, SETS[name], tol=1e-7)
    assert solution.convergence.status is Status.CONVERGED
    reference = robust_solve(mdp, SETS[name], tol=1e-9)
    assert np.abs(solution.v - reference.v).max() <= 1.1e-7
    verified = check(solution.certificate, mdp, exact=name in POLYHEDRAL)
    assert verified.exact == (name in POLYHEDRAL)
    rounding = 1e-14 * (1 + np.abs(solution.v).max())
    assert verified.gap <= 2.0 * solution.convergence.error_bound + rounding
    assert (solution.certificate.lower <= reference.v + 1e-8).all()
    assert (solution.certificate.upper >= reference.v - 1e-8).all()


@pytest.mark.parametrize("name", SETS)
def test_nature_s_model_is_worth_the_robust_value(name):
    mdp = model()
    solution = robust_solve(mdp, SETS[name], tol=1e-9)
    best = solve(solution.worst_case, tol=1e-9)
    np.testing.assert_allclose(best.v, solution.v, atol=1e-7 * (1 + np.abs(solution.v).max()))


@pytest.mark.parametrize("name", SETS)
def test_the_robust_policy_earns_its_value_against_nature(name):
    mdp = model()
    solution = robust_solve(mdp, SETS[name], tol=1e-9)
    earned = evaluate_robust(mdp, SETS[name], solution.policy, tol=1e-9)
    np.testing.assert_allclose(earned.v, solution.v, atol=1e-7)
    check(earned.certificate, mdp, exact=name in POLYHEDRAL)
    assert earned.certificate.fixed


@pytest.mark.parametrize("name", SETS)
def test_policies_cannot_beat_the_robust_value(name):
    mdp = model()
    best = robust_solve(mdp, SETS[name], tol=1e-9).v
    for actions in itertools.islice(itertools.product(range(A), repeat=N), 0, None, 40):
        assert (evaluate_robust(mdp, SETS[name], actions, tol=1e-8).v <= best + 1e-7).all()


def test_a_random_policy_is_evaluated_against_nature():
    mdp, rng = model(), np.random.default_rng(3)
    pi = rng.dirichlet(np.ones(A), size=N)
    for ambiguity in (L1Ball(0.3, "nominal"), L1Ball(0.3, "nominal", "s"), KLBall(0.1)):
        solution = evaluate_robust(mdp, ambiguity, pi, tol=1e-9)
        check(solution.certificate, mdp)
        P, r = solution.worst_case.to_dense()
        kernel = np.einsum("sa,sat->st", pi, P)
        value = np.linalg.solve(np.eye(N) - mdp.gamma * kernel, (pi * r).sum(axis=1))
        np.testing.assert_allclose(value, solution.v, atol=1e-7)


def test_factor_sets_agree_with_enumeration():
    rng = np.random.default_rng(5)
    weights = rng.dirichlet(np.ones(2), size=(3, 2))
    points = [rng.dirichlet(np.ones(3), size=3) for _ in range(2)]
    factors = np.array([pts[0] for pts in points])
    sets = [FiniteSet(pts) for pts in points]
    r = rng.normal(size=(3, 2))
    mdp = TabularMDP.from_dense(weights @ factors, r, 0.9)
    best = np.full(3, -np.inf)
    values = {}
    for actions in itertools.product(range(2), repeat=3):
        rows = np.arange(3), np.array(actions)
        replies = []
        for w in itertools.product(*points):
            P = weights[rows] @ np.array(w)
            replies.append(np.linalg.solve(np.eye(3) - 0.9 * P, r[rows]))
        values[actions] = np.min(replies, axis=0)
        best = np.maximum(best, values[actions])
    ambiguity = FactorSet(weights, factors, sets)
    for planner in [*PLANNERS, robust_solve]:
        solution = planner(mdp, ambiguity, tol=1e-9)
        np.testing.assert_allclose(solution.v, best, atol=1e-8)
        check(solution.certificate, mdp, exact=True)
    for actions, value in values.items():
        found = evaluate_robust(mdp, ambiguity, actions, tol=1e-9)
        np.testing.assert_allclose(found.v, value, atol=1e-8)
    smooth = FactorSet(weights, factors, KLBall(0.1))
    check(robust_solve(mdp, smooth).certificate, mdp)


def test_the_factor_value_is_between_the_hull_and_the_nominal():
    rng = np.random.default_rng(6)
    weights = rng.dirichlet(np.ones(2), size=(4, 2))
    factors = rng.dirichlet(np.ones(4), size=2)
    mdp = TabularMDP.from_dense(weights @ factors, rng.normal(size=(4, 2)), 0.9)
    value = robust_solve(mdp, FactorSet(weights, factors, L1Ball(0.3, "all"))).v
    hull = robust_solve(mdp, L1Ball(0.3, "all")).v  # mixtures of the factors' balls lie in it
    assert (hull <= value + 1e-6).all()
    assert (value <= solve(mdp).v + 1e-6).all()


# ---- relations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: planner.__name__)
def test_radius_zero_is_the_nominal_model_to_the_policy(planner):
    mdp = garnet(20, 3, 4, rng=0)
    nominal = solve(mdp, tol=1e-9)
    for ambiguity in (
        L1Ball(0.0, "all"),
        LinfBall(0.0, "nominal"),
        KLBall(0.0),
        ChiSquareBall(0.0),
        BurgBall(0.0, "nominal"),
        L2Ball(0.0, "nominal"),
        CVaRSet(1.0),
        EVaRSet(1.0),
        ContaminationSet(0.0, "all"),
        WassersteinBall(0.0, 1.0 - np.eye(20)),
    ):
        solution = planner(mdp, ambiguity, tol=1e-9)
        np.testing.assert_allclose(solution.v, nominal.v, atol=1e-8)
        assert (solution.policy == nominal.policy).all()
        check(solution.certificate, mdp)
    randomised = planner(mdp, L1Ball(0.0, "nominal", "s"), tol=1e-9)
    assert (randomised.policy.argmax(axis=1) == nominal.policy).all()


def test_the_largest_radius_leaves_the_worst_successor():
    mdp = model(gamma=0.5)
    v = robust_solve(mdp, L1Ball(2.0, "all"), tol=1e-10).v
    _, r = mdp.to_dense()
    np.testing.assert_allclose(v, r.max(axis=1) + 0.5 * v.min(), atol=1e-8)


@pytest.mark.parametrize("name", ["l1", "kl", "s-l1", "s-kl", "wasserstein"])
def test_edge_models(name):
    ambiguity = SETS[name]
    one = TabularMDP.from_dense([[[1.0], [1.0]]], [[1.0, 2.0]], 0.5)
    if name == "wasserstein":
        ambiguity = WassersteinBall(0.4, [[0.0]])
    assert robust_solve(one, ambiguity).v == pytest.approx([4.0], abs=1e-6)
    if name == "wasserstein":
        ambiguity = SETS[name]
    still = model(gamma=0.0)
    np.testing.assert_allclose(robust_solve(still, ambiguity).v, still.table(still.reward).max(1))
    large = model()
    scaled = TabularMDP.from_dense(large.to_dense()[0], 1e12 * large.to_dense()[1], 0.9)
    base = robust_solve(large, ambiguity, tol=1e-9).v
    big = robust_solve(scaled, ambiguity, tol=1e4)
    np.testing.assert_allclose(big.v / 1e12, base, atol=1e-7)
    check(big.certificate, scaled)
    tiny = TabularMDP.from_dense(large.to_dense()[0], 1e-12 * large.to_dense()[1], 0.9)
    np.testing.assert_allclose(robust_solve(tiny, ambiguity, tol=1e-20).v * 1e12, base, atol=1e-7)


def test_ragged_actions_and_rewards_per_transition():
    mdp = TabularMDP.from_sparse(
        *_pairs(), 0.9, states=[0, 0, 1, 2, 2, 2], actions=[0, 2, 1, 0, 1, 3]
    )
    for ambiguity in (L1Ball(0.4, "nominal"), KLBall(0.1), L1Ball(0.4, "nominal", "s")):
        solution = robust_solve(mdp, ambiguity, tol=1e-9)
        check(solution.certificate, mdp)
        assert np.isneginf(solution.q[1, 0])
        best = solve(solution.worst_case, tol=1e-9)
        np.testing.assert_allclose(best.v, solution.v, atol=1e-7)
    with pytest.raises(InvalidModelError, match=r"transition_reward\[0, 0, 0\] is not defined"):
        robust_solve(mdp, L1Ball(0.4, "all"))
    check(robust_solve(mdp.completed(-1.0), L1Ball(0.4, "all")).certificate, mdp.completed(-1.0))


def _pairs():
    from scipy import sparse

    P = np.array(
        [[0, 0.5, 0.5], [1, 0, 0], [0.2, 0.3, 0.5], [0.1, 0.9, 0], [0, 0, 1], [0.4, 0.3, 0.3]]
    )
    r = np.arange(18.0).reshape(6, 3) % 5 + 1
    return sparse.csr_matrix(P), sparse.csr_matrix(np.where(P > 0, r, 0.0))


# ---- convergence --------------------------------------------------------------------------------


def two_states():
    """State 1: stay for 1, or take 4 and let nature choose between staying and state 0."""
    nominal = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]])
    other = nominal.copy()
    other[1, 1] = [1.0, 0.0]
    mdp = TabularMDP.from_dense(nominal, [[3.0, 3.0], [1.0, 4.0]], 0.95)
    return mdp, FiniteSet(np.array([nominal, other]), coupled=False)


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: planner.__name__)
def test_the_cycle_of_naive_policy_iteration_is_not_ours(planner):
    mdp, ambiguity = two_states()
    solution = planner(mdp, ambiguity, v0=[60.0, 80.0], tol=1e-9)
    assert solution.convergence.status is Status.CONVERGED
    np.testing.assert_allclose(solution.v, [60.0, 61.0], atol=1e-8)


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: planner.__name__)
def test_an_iteration_limit_is_reported_with_a_bound_that_holds(planner):
    mdp = garnet(50, 4, 6, gamma=0.99, rng=1)
    reference = robust_solve(mdp, L1Ball(0.3, "nominal"), tol=1e-9).v
    stopped = planner(mdp, L1Ball(0.3, "nominal"), tol=1e-12, max_iter=2)
    assert stopped.convergence.status is Status.MAX_ITER
    assert np.abs(stopped.v - reference).max() <= stopped.convergence.error_bound + 1e-9
    check(stopped.certificate, mdp)
    with pytest.raises(NotConvergedError, match="iteration limit"):
        stopped.require_converged()


@pytest.mark.parametrize("name", SETS)
def test_a_tolerance_below_rounding_ends_as_such(name):
    solution = robust_solve(model(), SETS[name], tol=1e-300)
    assert solution.convergence.status is Status.ROUNDING
    assert solution.convergence.error_bound < 1e-8
    check(solution.certificate, model())


def test_residuals_contract_step_by_step():
    mdp = garnet(30, 5, 10, gamma=0.95, rng=2)
    psi = [
        rcpi(mdp, L1Ball(0.2, "nominal"), tol=1e-10, max_iter=k).convergence.residual
        for k in range(1, 8)
    ]
    floor = 1e-12
    for before, after in itertools.pairwise(psi):
        assert after <= 0.95 * before + floor


def test_same_result_for_any_number_of_threads(monkeypatch):
    from mdptheory.operators import crew

    mdp = garnet(60, 4, 6, rng=3)
    one = robust_solve(mdp, L1Ball(0.3, "nominal"), tol=1e-8)
    monkeypatch.setattr(crew, "PARALLEL_TRANSITIONS", 1)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    two = robust_solve(mdp, L1Ball(0.3, "nominal"), tol=1e-8)
    assert (one.v == two.v).all()


# ---- finite horizon -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SA)
def test_backward_induction_against_a_loop(name):
    mdp = model().with_objective(FiniteHorizon(4, terminal=np.arange(5.0)))
    solution = robust_backward_induction(mdp, SETS[name])
    P, r = mdp.to_dense()
    v = np.arange(5.0)
    for h in range(3, -1, -1):
        rows = [
            [worst_case(P[s, a], v, slow_row_set(SETS[name], s, a)).value for a in range(A)]
            for s in range(N)
        ]
        v = (r + np.array(rows)).max(axis=1)
        np.testing.assert_allclose(solution.v[h], v, atol=1e-9)
    check(solution.certificate, mdp, exact=name in POLYHEDRAL)


@pytest.mark.parametrize("name", [name for name in SETS if name.startswith("s-")])
def test_backward_induction_with_shared_budgets(name):
    mdp = model().with_objective(FiniteHorizon(3))
    solution = robust_backward_induction(mdp, SETS[name])
    assert solution.policy.shape == (3, N, A)
    check(solution.certificate, mdp, exact=name in POLYHEDRAL)
    sa = robust_backward_induction(model().with_objective(FiniteHorizon(3)), POLYHEDRAL["l1"])
    assert solution.v.shape == sa.v.shape


def test_dynamic_nature_beats_both_constant_ones():
    """Start; A (-1, then 10 for ever) or B (0, back to the start), four steps."""
    to_a = np.array([[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=float)[:, None]
    to_b = to_a.copy()
    to_b[0, 0] = [0, 0, 1, 0]
    reward = np.array([[0.0], [-1.0], [0.0], [10.0]])
    mdp = TabularMDP.from_dense(to_a, reward, objective=FiniteHorizon(4))
    dynamic = robust_backward_induction(mdp, FiniteSet(np.array([to_a, to_b]), coupled=False))
    assert dynamic.v[0, 0] == pytest.approx(-1.0)
    assert solve(mdp).v[0, 0] == pytest.approx(19.0)
    check(dynamic.certificate, mdp, exact=True)


def test_stages_of_their_own():
    rng = np.random.default_rng(8)
    P = rng.dirichlet(np.ones(3), size=(2, 3, 2))
    mdp = TabularMDP.from_dense(P, rng.normal(size=(2, 3, 2)), objective=FiniteHorizon(2))
    for ambiguity in (
        L1Ball(0.3, "all"),
        KLBall(0.1),
        L1Ball(0.3, "nominal", "s"),
        WassersteinBall(0.2, COST[:3, :3]),
    ):
        solution = robust_solve(mdp, ambiguity)
        check(solution.certificate, mdp)
        assert (solution.v[0] <= solve(mdp).v[0] + 1e-9).all()


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("planner", [*PLANNERS, robust_solve], ids=lambda planner: planner.__name__)
def test_planners_refuse_what_they_cannot_solve(planner):
    mdp = model()
    with pytest.raises(InvalidModelError, match=r"tol is 0.0; expected a number in \(0, inf"):
        planner(mdp, L1Ball(0.1, "all"), tol=0.0)
    with pytest.raises(InvalidModelError, match="couples its kernels across states"):
        planner(mdp, FiniteSet(kernels(), coupled=True))
    with pytest.raises(InvalidModelError, match="SignedLpBall, whose rows may be negative"):
        planner(mdp, SignedLpBall(0.1, 2.0))
    with pytest.raises(TypeError, match="ambiguity is of type float; expected an ambiguity set"):
        planner(mdp, 0.1)
    with pytest.raises(
        InvalidModelError, match=r"radius has shape \(4,\); expected a number, \(5,\)"
    ):
        planner(mdp, L1Ball(np.ones(4), "all"))
    with pytest.raises(InvalidModelError, match=r"radius has shape \(4,\)"):
        planner(mdp, L1Ball(np.ones(4), "all", "s"))
    with pytest.raises(InvalidModelError, match="weights has shape"):
        planner(mdp, WeightedL1Ball(0.1, np.ones(4), "all"))
    with pytest.raises(InvalidModelError, match="cost has shape"):
        planner(mdp, WassersteinBall(0.1, 1 - np.eye(4)))
    with pytest.raises(InvalidModelError, match="rows has shape"):
        planner(mdp, FiniteSet(np.ones((1, 5)) / 5))
    ends = TabularMDP.from_dense([[[1.0]]], [[0.0]], objective=TotalReward())
    with pytest.raises(InvalidModelError, match=r"mdp has objective TotalReward; .* absorption"):
        planner(ends, L1Ball(0.1, "all"))


def test_evaluation_refuses_policies_that_are_none():
    mdp = model()
    ball = L1Ball(0.1, "all")
    with pytest.raises(InvalidModelError, match=r"policy\[0\] is 7"):
        evaluate_robust(mdp, ball, [7, 0, 0, 0, 0])
    pi = np.full((N, A), 1 / A)
    pi[1] *= 0.5
    with pytest.raises(InvalidModelError, match=r"policy\[1\] sums to 0.5"):
        evaluate_robust(mdp, ball, pi)
    with pytest.raises(InvalidModelError, match="policy has shape"):
        evaluate_robust(mdp, ball, np.ones((N, A + 1)))


def test_forged_answers_are_refused():
    import dataclasses

    mdp = model()
    certificate = robust_solve(mdp, L1Ball(0.3, "nominal")).certificate
    for change in (
        {"upper": certificate.upper - 1e-3},
        {"lower": certificate.lower + 1e-3},
        {"ambiguity": L1Ball(0.2, "nominal")},
    ):
        with pytest.raises(InvalidCertificateError):
            check(dataclasses.replace(certificate, **change), mdp)


def test_models_are_left_as_they_were():
    mdp = model()
    before = [mdp.prob.copy(), mdp.reward.copy()]
    v0 = np.arange(5.0)
    robust_value_iteration(mdp, L1Ball(0.3, "nominal"), v0=v0)
    assert (mdp.prob == before[0]).all()
    assert (mdp.reward == before[1]).all()
    assert (v0 == np.arange(5.0)).all()


def test_objectives_other_than_discounted_name_the_solver_that_fits():
    staged = model().with_objective(FiniteHorizon(3))
    with pytest.raises(InvalidModelError, match="robust_backward_induction and robust_solve"):
        rcpi(staged, L1Ball(0.1, "all"))
    with pytest.raises(InvalidModelError, match="robust_backward_induction expects FiniteHorizon"):
        robust_backward_induction(model().with_objective(Discounted(0.5)), L1Ball(0.1, "all"))
