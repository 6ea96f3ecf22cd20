"""The s-rectangular games: both sides prove each other, and convex programs agree."""

import numpy as np
import pytest
from operator_models import MODELS, ragged, staged
from scipy.optimize import linprog
from state_games import KINDS, Case, ball, cases

from mdptheory import TabularMDP
from mdptheory.errors import InvalidModelError
from mdptheory.models.ambiguity import BurgBall, KLBall, L1Ball, LinfBall, WeightedL1Ball
from mdptheory.operators.backup import Backup
from mdptheory.operators.bellman import policy_kernel
from mdptheory.operators.state_backup import StateBackup

P = [[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]
Z = [[3.0, 1.0, 2.0], [4.0, 1.0, 3.0]]


def size(case):
    return 1e-12 * (1.0 + np.abs(case.z).max())


def is_distribution(rows):
    assert rows.min() >= 0.0
    np.testing.assert_allclose(rows.sum(1), 1.0, atol=1e-13)


def saddle(case):
    """Nature's rows hold every action at the value, and the policy proves it."""
    value, pi, rows, reply = case.solve()
    tol = size(case)
    is_distribution(rows)
    assert pi.sum() == pytest.approx(1.0, abs=1e-13)
    assert pi.min() >= 0.0
    assert not rows[~case.usable].any()
    assert case.distance(rows) <= case.radius * (1 + 1e-12) + 1e-12
    assert (rows * case.z).sum(1).max() == pytest.approx(value, abs=tol)
    assert case.bound(pi, reply) == pytest.approx(value, abs=tol)
    assert case.play(pi)[0] == pytest.approx(value, abs=tol)
    np.testing.assert_allclose(reply.value[: case.m], (rows * case.z).sum(1), atol=tol)
    return value


def evaluation(case, pi):
    """Nature's rows attain the policy's value, and the dual variables prove it."""
    value, rows, reply = case.play(pi)
    is_distribution(rows)
    assert not rows[~case.usable].any()
    assert case.distance(rows) <= case.radius * (1 + 1e-12) + 1e-12
    assert pi @ (rows * case.z).sum(1) == pytest.approx(value, abs=size(case))
    assert case.bound(pi, reply) == pytest.approx(value, abs=size(case))
    np.testing.assert_array_equal(rows[pi == 0], case.p[pi == 0])
    return value


@pytest.mark.parametrize("kind", KINDS)
def test_weak_duality_closes_the_gap_of_every_state(kind):
    for case, pi in cases(kind, 200, seed=11):
        assert evaluation(case, pi) <= saddle(case) + size(case)


def programs(kind, count, seed):
    trusted = 0
    for case, pi in cases(kind, count, seed):
        if case.radius == 0.0:  # no interior: a solver's slack of 1e-12 moves values by its root
            continue
        value, tol, sure = case.program()
        assert case.solve()[0] == pytest.approx(value, abs=tol)
        value, tol, also = case.program(pi)
        assert case.play(pi)[0] == pytest.approx(value, abs=tol)
        trusted += sure and also
    assert trusted >= 0.7 * count


@pytest.mark.parametrize("kind", KINDS)
def test_convex_programs_agree(kind):
    programs(kind, 45, seed=5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_convex_programs_agree_on_many(kind):
    programs(kind, 400, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_weak_duality_closes_the_gap_of_thousands(kind):
    for case, pi in cases(kind, 4000, seed=12):
        assert evaluation(case, pi) <= saddle(case) + size(case)


def dual_program(case):
    """The linear program in the policy: max over d, x, lam, Y+, Y- of section 9's dual."""
    m, n, w = case.m, case.n, case.weights
    size = m * n
    # variables: d (m), x (m), lam, plus (m n), minus (m n); maximise
    cost = np.r_[np.zeros(m), np.ones(m), -case.radius, -case.p.ravel(), case.p.ravel()]
    rows, limits = [], []
    for a in range(m):
        for i in range(n):
            k, row = a * n + i, np.zeros(cost.size)
            row[a], row[m + a] = -case.z[a, i], 1.0
            row[2 * m + 1 + k], row[2 * m + 1 + size + k] = -1.0, 1.0
            rows.append(row)
            row = np.zeros(cost.size)
            row[2 * m + 1 + k] = row[2 * m + 1 + size + k] = 1.0
            row[2 * m] = -w[i]
            rows.append(row)
            limits += [0.0, 0.0]
    simplex = np.zeros((1, cost.size))
    simplex[0, :m] = 1.0
    bounds = [(0, None)] * m + [(None, None)] * m + [(0, None)] * (1 + 2 * size)
    answer = linprog(-cost, rows, limits, simplex, [1.0], bounds)
    assert answer.status == 0
    return -answer.fun


@pytest.mark.parametrize("kind", ["l1", "weighted l1"])
def test_the_linear_program_in_the_policy_agrees(kind):
    for case, _ in cases(kind, 60, seed=8):
        everywhere = Case(
            kind, case.p, case.z, case.radius, case.weights if kind != "l1" else None, "all"
        )
        assert everywhere.solve()[0] == pytest.approx(dual_program(everywhere), abs=1e-8)


# ---- numbers of the literature's and the specification's examples ---------------------------


@pytest.mark.parametrize(
    ("radius", "value", "pi", "even"),
    [
        (0.0, 2.6, (0, 1), 2.3),
        (0.2, 2.3, (0, 1), 2.15),
        (0.6, 1.9, (0.5, 0.5), 1.9),
        (1.0, 1.7, (0.5, 0.5), 1.7),
        (3.0, 1.0, (1, 0), 1.0),
    ],
)
def test_l1_examples(radius, value, pi, even):
    case = Case("l1", P, Z, radius)
    found, policy, rows, _ = case.solve()
    assert found == pytest.approx(value, abs=1e-14)
    np.testing.assert_allclose(policy, pi, atol=1e-14)
    assert case.play(np.array([0.5, 0.5]))[0] == pytest.approx(even, abs=1e-14)
    if radius == 0.6:
        np.testing.assert_allclose(rows, [[0.45, 0.55, 0], [0, 0.55, 0.45]], atol=1e-14)
    unit = Case("weighted l1", P, Z, radius, np.ones(3))
    assert unit.solve()[0] == pytest.approx(value, abs=1e-14)


def test_kl_examples():
    p = [[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]
    value, pi, *_ = Case("kl", p, Z, 0.2).solve()
    assert value == pytest.approx(1.9532709124, abs=1e-10)
    np.testing.assert_allclose(pi, [0.3874578594, 0.6125421406], atol=1e-10)
    value, pi, *_ = Case("kl", p, Z, 0.05).solve()
    assert value == pytest.approx(2.2413896227, abs=1e-10)
    np.testing.assert_array_equal(pi, [0.0, 1.0])


def test_one_action_is_the_rectangular_example():
    """With one action the budget is that row's radius: example E of the row operators."""
    expected = {
        ("l1", 0.4): 2.0, ("kl", 0.1): 2.0909535914, ("burg", 0.1): 2.0827033881,
        ("chi2", 0.1): 2.2478636628, ("chi2", 2.0): 1.1043560763, ("burg", 1.0): 1.2360082572,
    }  # fmt: skip
    for (kind, radius), value in expected.items():
        case = Case(kind, [[0.2, 0.3, 0.5]], [[4.0, 1.0, 3.0]], radius)
        assert case.solve()[0] == pytest.approx(value, abs=1e-9)
    case = Case("weighted l1", [[0.2, 0.3, 0.5]], [[4.0, 1.0, 3.0]], 1.0, [1.0, 2.0, 0.5])
    assert case.solve()[0] == pytest.approx(1.68, abs=1e-12)
    bounce = [[0.2, 0.3, 0.3, 0.2]], [[2.9, 0.9, 1.5, 0.0]], 0.6, [1.0, 1.0, 2.0, 2.0]
    assert Case("weighted l1", *bounce).solve()[0] == pytest.approx(0.72, abs=1e-12)
    leftover = Case("burg", [[0.5, 0.5, 0.0]], [[2.0, 4.0, 1.0]], 0.5)
    assert leftover.solve()[0] == pytest.approx(2.0505419190, abs=1e-10)


# ---- scales and degenerate states -----------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_values_scale(kind, scale):
    for case, pi in cases(kind, 25, seed=3):
        other = Case(kind, case.p, case.z * scale, case.radius, case.weights)
        case = Case(kind, case.p, case.z, case.radius, case.weights)
        tol = 1e-11 * (1 + np.abs(case.z).max())
        assert other.solve()[0] / scale == pytest.approx(case.solve()[0], abs=tol)
        assert other.play(pi)[0] / scale == pytest.approx(case.play(pi)[0], abs=tol)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [1e-14, 1e-9, 30.0, 1e300, np.inf])
def test_tiny_and_huge_budgets(kind, radius):
    for case, pi in cases(kind, 25, seed=4):
        limit = Case(kind, case.p, case.z, radius, case.weights)
        value, _, rows, _ = limit.solve()
        is_distribution(rows)
        if radius < 1.0:
            nominal = (case.p * case.z).sum(1)
            reach = 1e-12 + 30 * np.sqrt(radius)
            assert nominal.max() - reach <= value <= nominal.max() + 1e-12
        elif radius > 1e3:
            least = np.where(limit.usable, case.z, np.inf).min(1)
            assert value == pytest.approx(least.max(), abs=1e-12)
            assert limit.play(pi)[0] == pytest.approx(pi @ least, abs=1e-12)
        else:
            saddle(limit)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_very_different_spans(kind):
    p = np.array([[0.3, 0.3, 0.4], [0.25, 0.25, 0.5], [0.5, 0.25, 0.25]])
    z = np.array([[0.0, 1.0, 2.0], [0.5, 0.5 + 1e-13, 0.5], [0.0, 1e6, 2e6]])
    for radius in (0.1, 0.5, 1.0, 1.9):
        case = Case(kind, p, z, radius)
        value, pi, rows, reply = case.solve()
        assert case.distance(rows) <= radius * (1 + 1e-9)
        assert (rows * z).sum(1).max() == pytest.approx(value, abs=1e-9)
        assert case.bound(pi, reply) == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_ties_go_to_the_lowest_action(kind):
    p, z = [[0.5, 0.5]] * 3, [[0.0, 1.0]] * 3
    for radius in (0.0, 1e300):
        np.testing.assert_array_equal(Case(kind, p, z, radius).solve()[1], [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(Case(kind, p, np.ones((3, 2)), 0.3).solve()[1], [1.0, 0.0, 0.0])


# ---- whole models -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_radius_zero_is_the_nominal_operator(kind, name):
    mdp = MODELS[name]
    v, out, nominal = np.linspace(-1, 2, mdp.n_states), *np.empty((2, mdp.n_states))
    backup = Backup(mdp)
    backup.greedy(v, nominal)
    game = StateBackup(mdp, ball(kind, 0.0, np.ones(mdp.n_states), "nominal"))
    low, high, slack = game.greedy(v, out)
    np.testing.assert_allclose(out, nominal, rtol=1e-15, atol=1e-15)
    assert (low, high, slack) == ((out - v).min(), (out - v).max(), 0.0)
    np.testing.assert_array_equal(game.policy().argmax(1), backup.policy())
    np.testing.assert_allclose(game.q, backup.q, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("support", ["nominal", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_sweeps_of_a_model(kind, support):
    mdp, rng = ragged(4), np.random.default_rng(0)
    n = mdp.n_states
    with StateBackup(mdp, ball(kind, rng.uniform(0, 1, n), rng.uniform(1, 2, n), support)) as game:
        v, out = rng.normal(size=n), np.empty(n)
        game.greedy(v, out)
        assert game.work == 1.0
        reply = game.reply(v)
        top = np.maximum.reduceat(reply.value, mdp.choice_ptr[:-1])
        np.testing.assert_allclose(top, out, atol=1e-12)
        held = game.hold()
        after, count, low, high = held.sweeps(v.copy(), goal=-1.0, limit=1)
        assert count == 1
        np.testing.assert_allclose(after, out, atol=1e-12)
        np.testing.assert_allclose([low, high], [(out - v).min(), (out - v).max()], atol=1e-12)
        frozen = held.frozen(v)
        np.testing.assert_allclose(frozen.reward + 0.9 * (frozen.matrix() @ v), out, atol=1e-12)
        np.testing.assert_allclose(frozen.matrix().sum(axis=1), 1.0, atol=1e-13)
        fixed, _, low, high = held.sweeps(v.copy(), goal=1e-13, limit=2000)
        assert high - low <= 1e-13
        value = frozen_value(held, fixed + 0.9 / 0.1 * (low + high) / 2)
        held.sweeps(value.copy(), goal=-1.0, limit=1)


def frozen_value(held, v):
    """Nature's reply at a fixed point makes the same value as an ordinary model."""
    rows = held.frozen(v)
    solved = np.linalg.solve(np.eye(v.size) - 0.9 * rows.matrix().toarray(), rows.reward)
    np.testing.assert_allclose(solved, v, atol=1e-9)
    return solved


@pytest.mark.parametrize("kind", KINDS)
def test_rewards_per_transition(kind):
    rng = np.random.default_rng(2)
    P, R = rng.dirichlet(np.ones(5), (5, 3)), rng.normal(size=(5, 3, 5))
    mdp, v = TabularMDP.from_dense(P, R, 0.9), rng.normal(size=5)
    game, out = StateBackup(mdp, ball(kind, 0.3, np.ones(5), "all")), np.empty(5)
    game.greedy(v, out)
    rows = game.hold().frozen(v)
    for s in range(5):
        assert Case(kind, P[s], R[s] + 0.9 * v, 0.3).solve()[0] == pytest.approx(out[s], abs=1e-12)
    np.testing.assert_allclose(rows.reward + 0.9 * (rows.matrix() @ v), out, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_stages_have_their_own_rows(kind):
    mdp = staged()
    v, found = np.arange(4.0), []
    for stage in range(3):
        game, out = StateBackup(mdp, ball(kind, 0.2, np.ones(4), "all"), stage=stage), np.empty(4)
        game.greedy(v, out)
        again = np.empty(4)
        game.evaluate(game.policy(), v, again)
        np.testing.assert_allclose(again, out, atol=1e-12)
        found.append(out)
    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize("kind", KINDS)
def test_guesses_from_other_values_do_not_matter(kind):
    """Sweeps start from what the last one found, however far away its values were."""
    rng, n = np.random.default_rng(9), 30
    mdp = TabularMDP.from_dense(rng.dirichlet(np.ones(n), (n, 3)), rng.normal(size=(n, 3)), 0.9)
    weights = rng.uniform(0.5, 2.0, n)
    for radius in (0.05, 0.6, 1.5):
        one = StateBackup(mdp, ball(kind, radius, weights, "nominal"))
        held = one.hold(np.full((n, 3), 1 / 3))
        for scale in (1.0, 1.0, 0.3, 1e-3, 50.0, 40.0, 1.0):
            v, found, fresh = scale * rng.normal(size=n), np.empty(n), np.empty(n)
            one.greedy(v, found)
            other = StateBackup(mdp, ball(kind, radius, weights, "nominal"))
            other.greedy(v, fresh)
            np.testing.assert_allclose(found, fresh, atol=1e-12 * (1 + scale))
            np.testing.assert_allclose(one.policy(), other.policy(), atol=1e-6)
            other.evaluate(np.full((n, 3), 1 / 3), v, fresh)
            found, *_ = held.sweeps(v.copy(), goal=-1.0, limit=1)
            np.testing.assert_allclose(found, fresh, atol=1e-12 * (1 + scale))


def test_threads_do_not_change_values(monkeypatch):
    monkeypatch.setattr("mdptheory.operators.crew.PARALLEL_TRANSITIONS", 1)
    mdp, v = ragged(5, n=40), np.random.default_rng(1).normal(size=40)
    for kind in KINDS:
        found = []
        for threads in (1, 3):
            with StateBackup(mdp, ball(kind, 0.3, np.ones(40), "nominal"), threads=threads) as game:
                assert len(game.slices) == threads
                out = np.empty(40)
                game.greedy(v, out)
                found.append(out)
        np.testing.assert_array_equal(*found)


def test_deterministic_policies_are_taken_as_ids():
    mdp, v = ragged(4), np.linspace(0, 1, 7)
    game, out, other = StateBackup(mdp, KLBall(0.1, "s")), np.empty(7), np.empty(7)
    ids = mdp.action[mdp.choice_ptr[:-1]].astype(int)
    game.evaluate(ids, v, out)
    pi = np.zeros((7, mdp.n_actions))
    pi[np.arange(7), ids] = 1.0
    game.evaluate(pi, v, other)
    np.testing.assert_array_equal(out, other)
    kernel, _ = policy_kernel(mdp, ids)
    assert game.hold(ids).frozen(v).matrix().shape == kernel.shape


def test_bad_arguments_are_refused():
    mdp = ragged(4)
    with pytest.raises(InvalidModelError, match="expected rectangularity='s'"):
        StateBackup(mdp, L1Ball(0.1, "all"))
    with pytest.raises(InvalidModelError, match="ambiguity is a LinfBall"):
        StateBackup(mdp, LinfBall(0.1, "all"))
    with pytest.raises(InvalidModelError, match=r"weights has shape \(3,\); expected \(7"):
        StateBackup(mdp, WeightedL1Ball(0.1, np.ones(3), "all", "s"))
    with pytest.raises(InvalidModelError, match=r"radius has shape \(3,\)"):
        StateBackup(mdp, BurgBall(np.ones(3), "all", "s"))
    game = StateBackup(mdp, L1Ball(0.1, "all", "s"))
    pi = np.full((7, mdp.n_actions), 1.0 / mdp.n_actions)
    with pytest.raises(InvalidModelError, match=r"policy\[\d, \d\] is .*: action \d is not avail"):
        game.hold(pi)
    with pytest.raises(InvalidModelError, match=r"policy\[0\] sums to"):
        game.hold(np.zeros((7, mdp.n_actions)))
    with pytest.raises(InvalidModelError, match="policy has shape"):
        game.hold(np.ones((6, mdp.n_actions)))
