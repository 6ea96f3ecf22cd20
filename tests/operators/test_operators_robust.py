"""The robust operators against plain loops over rows, their replies and dual variables."""

import numpy as np
import pytest
from operator_models import full, mixed, ragged
from robust_sets import listed_bounds, one_row, sets, slow

import mdptheory
from mdptheory import (
    ContaminationSet,
    CVaRSet,
    Discounted,
    EVaRSet,
    IntervalSet,
    KLBall,
    L1Ball,
    LinfBall,
    TabularMDP,
)
from mdptheory.errors import InvalidModelError
from mdptheory.operators import bellman, crew, robust_bellman, robust_policy_bellman
from mdptheory.operators.backup import Backup
from mdptheory.operators.robust_backup import RobustBackup


def wide(n: int = 60, length: int = 40) -> TabularMDP:
    """Sparse rows too long for sorting by counting."""
    rng = np.random.default_rng(5)
    follow = [np.sort(rng.choice(n, length, replace=False)) for _ in range(2 * n)]
    return TabularMDP(
        choice_ptr=np.arange(0, 2 * n + 1, 2), action=np.tile([0, 1], n),
        row_ptr=np.arange(0, 2 * n * length + 1, length), next_state=np.concatenate(follow),
        prob=rng.dirichlet(np.ones(length), 2 * n).ravel(), reward=rng.normal(size=2 * n),
        objective=Discounted(0.9), n_states=n,
    )  # fmt: skip


def paying(seed: int = 3, n: int = 6) -> TabularMDP:
    """Rewards per transition, zero probabilities, a point mass."""
    rng = np.random.default_rng(seed)
    P = rng.integers(0, 3, (n, 2, n)).astype(float)
    P[0, 0] = np.eye(n)[2]
    P[..., 1] += P.sum(axis=-1) == 0
    return TabularMDP.from_dense(P / P.sum(-1, keepdims=True), rng.normal(size=(n, 2, n)), 0.9)


MODELS = {
    "ragged": ragged(),
    "gamma 0": ragged(1, gamma=0.0),
    "dense": full(16),
    "one state": TabularMDP.from_dense([[[1.0], [1.0]]], [[0.5, 1.0]], 0.9),
    "pays": paying().completed(0.5),
}
NAMES = list(sets(MODELS["ragged"]))


def worths(n: int) -> list[np.ndarray]:
    """Values in a random order, slightly changed, reversed, tied, constant, far away, tiny."""
    rng = np.random.default_rng(n)
    v = rng.normal(size=n)
    return [
        v, v + 0.01 * rng.normal(size=n), -v, np.round(v), np.ones(n), 1e4 + v, 1e-9 * v, 1e12 * v,
    ]  # fmt: skip


def close(have, want, v):
    scale = 1.0 + np.abs(v).max()
    np.testing.assert_allclose(have, want, rtol=0, atol=3e-13 * scale)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", MODELS)
def test_sweeps_agree_with_a_loop_over_rows(model, name):
    mdp = MODELS[model]
    ambiguity = sets(mdp)[name]
    backup = RobustBackup(mdp, ambiguity)
    for v in worths(mdp.n_states):  # one after the other: orders are kept between sweeps
        q, out = slow(mdp, ambiguity, v), np.empty_like(v)
        low, high, slack = backup.greedy(v, out)
        close(out, q.max(axis=1), v)
        table = mdp.table(backup.q)
        close(table[np.isfinite(q)], q[np.isfinite(q)], v)
        assert (low, high) == ((out - v).min(), (out - v).max())
        assert 0.0 <= slack <= 1e-9 * (1.0 + np.abs(v).max())
        assert (backup.policy() == table.argmax(axis=1)).all()
    assert backup.work == len(worths(1))


@pytest.mark.parametrize("name", NAMES)
def test_long_sparse_rows_agree_with_a_loop(name):
    mdp = wide()
    ambiguity = sets(mdp)[name]
    backup = RobustBackup(mdp, ambiguity)
    for v in worths(mdp.n_states)[:6]:
        out = np.empty_like(v)
        backup.greedy(v, out)
        close(out, slow(mdp, ambiguity, v).max(axis=1), v)


@pytest.mark.parametrize("name", [name for name in NAMES if "all" not in name])
def test_rewards_per_transition_need_no_complete_rows_on_the_support(name):
    mdp = paying()
    ambiguity = sets(mdp)[name]
    v = worths(mdp.n_states)[0]
    if name in ("L1 huge", "Wasserstein", "interval", "finite"):
        with pytest.raises(InvalidModelError, match=r"is not defined, but nature may move there"):
            RobustBackup(mdp, ambiguity)
        return
    close(robust_bellman(mdp, ambiguity, v).value, slow(mdp, ambiguity, v).max(axis=1), v)


def distance(ambiguity, p, q, weights=1.0):
    """How far q lies outside the set, by each set's own definition."""
    kind, positive = type(ambiguity).__name__, p > 0
    if getattr(ambiguity, "support", "all") == "nominal" and (q[~positive] > 0).any():
        return np.inf
    r = getattr(ambiguity, "radius", 0.0)
    with np.errstate(all="ignore"):
        log = np.where(q > 0, q * np.log(q / p), 0.0).sum()
        back = np.where(p > 0, p * np.log(p / q), 0.0).sum()
        chi = np.where(q != p, (q - p) ** 2 / p, 0.0).sum()
    match kind:
        case "L1Ball" | "WeightedL1Ball":
            return (getattr(ambiguity, "weights", 1.0) * np.abs(q - p)).sum() - r
        case "LinfBall":
            return np.abs(q - p).max() - r
        case "L2Ball":
            return np.linalg.norm(q - p) - r
        case "KLBall":
            return log - r
        case "EVaRSet":
            return log + np.log(ambiguity.alpha)
        case "BurgBall":
            return back - r
        case "ChiSquareBall":
            return (chi - r) / (1.0 + r)
        case "CVaRSet":
            return (q - p / ambiguity.alpha).max()
        case "ContaminationSet":
            return ((1.0 - ambiguity.fraction) * p - q).max()
        case "IntervalSet":
            return max((ambiguity.lower - q).max(), (q - ambiguity.upper).max())
        case "FiniteSet":
            return np.abs(ambiguity.rows - q).max(axis=1).min()
    raise AssertionError(kind)


def dual_bound(ambiguity, p, x, lam, eta):
    """The value that the dual variables prove, written out from each set's Lagrangian."""
    kind, r = type(ambiguity).__name__, getattr(ambiguity, "radius", 0.0)
    nominal = kind in ("KLBall", "EVaRSet", "ChiSquareBall", "CVaRSet")
    keep = p > 0 if nominal or getattr(ambiguity, "support", "all") == "nominal" else p >= 0
    p, x, least = p[keep], x[keep], x[keep].min()
    if kind == "EVaRSet":
        kind, r = "KLBall", -np.log(ambiguity.alpha)
    if lam == np.inf:
        assert r == 0.0
        return p @ x
    r = min(r, 1e300)
    match kind:
        case "L1Ball":
            return p @ np.minimum(x, least + 2 * lam) - lam * r
        case "WeightedL1Ball":
            w = ambiguity.weights[keep]
            e = (x + lam * w).min()
            return e + p @ np.minimum(x - e, lam * w) - lam * r
        case "WassersteinBall":
            return p @ (x[None, :] + lam * ambiguity.cost).min(axis=1) - lam * r
        case "KLBall" if lam > 0:
            return least - lam * np.log(p @ np.exp(-(x - least) / lam)) - lam * r
        case "BurgBall" if lam > 0:
            at = p > 0
            assert (eta < x[at]).all()
            assert (eta <= x).all()
            return eta + lam * (p[at] @ (1 + np.log((x[at] - eta) / lam))) - lam * r
        case "ChiSquareBall" if lam > 0:
            square = p @ np.maximum(eta - x, 0.0) ** 2
            return eta - lam - square / (4 * lam) - lam * r
        case "L2Ball":
            y = np.minimum(x - eta, p / lam if lam > 0 else np.inf)
            return eta + p @ y - r * np.linalg.norm(y)
        case "KLBall" | "BurgBall" | "ChiSquareBall":
            return least
    if kind == "CVaRSet":
        lower, upper = 0 * p, np.minimum(p / ambiguity.alpha, 1.0)
    elif kind == "LinfBall":
        lower, upper = np.maximum(p - r, 0.0), np.minimum(p + r, 1.0)
    elif kind == "IntervalSet":
        lower, upper = ambiguity.lower[keep], ambiguity.upper[keep]
    else:
        return -np.inf
    return eta + lower @ np.maximum(x - eta, 0.0) - upper @ np.maximum(eta - x, 0.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", ["ragged", "dense", "one state", "pays"])
def test_replies_are_rows_of_the_set_that_their_duals_prove(model, name):
    mdp = MODELS[model]
    ambiguity, n = sets(mdp)[name], mdp.n_states
    backup = RobustBackup(mdp, ambiguity)
    for v in worths(n)[:6]:
        reply, q = backup.reply(v), slow(mdp, ambiguity, v)
        assert (np.add.reduceat(reply.prob, reply.row_ptr[:-1]) - 1.0 < 1e-12).all()
        for k, s in enumerate(mdp.row_state()):
            a, some = int(mdp.action[k]), slice(int(mdp.row_ptr[k]), int(mdp.row_ptr[k + 1]))
            p, pays, row = np.zeros(n), np.zeros(n), np.zeros(n)
            p[mdp.next_state[some]] = mdp.prob[some]
            if mdp.transition_reward is not None:
                pays[mdp.next_state[some]] = mdp.transition_reward[some]
            mine = slice(int(reply.row_ptr[k]), int(reply.row_ptr[k + 1]))
            assert (np.diff(reply.next_state[mine]) > 0).all()
            row[reply.next_state[mine]] = reply.prob[mine]
            assert row.min() >= 0.0
            assert row.sum() == pytest.approx(1.0, abs=1e-13)
            one, reward = one_row(ambiguity, mdp, s, a), 0.0 if pays.any() else mdp.reward[k]
            x = pays + mdp.gamma * v
            close(reply.value[k], reward + row @ x, v)
            close(reply.value[k], q[s, a], v)
            lam, eta = reply.multiplier[k], reply.level[k]
            if name not in ("finite",) and "contamination" not in name:
                bound = reward + dual_bound(one, p, x, lam, eta)
                scale = 1.0 + np.abs(v).max()
                assert q[s, a] - 1e-9 * scale <= bound <= q[s, a] + 1e-12 * scale, (s, a)
            if name != "Wasserstein":
                assert distance(one, p, row) <= 1e-11


def test_plans_carry_the_nominal_mass_to_the_reply_within_the_budget():
    for mdp in (MODELS["ragged"], MODELS["pays"]):
        ambiguity, n = sets(mdp)["Wasserstein"], mdp.n_states
        radius = ambiguity.radius[mdp.row_state(), mdp.action]
        reply = RobustBackup(mdp, ambiguity).reply(worths(n)[0])
        plan = reply.plan
        assert (plan.mass > 0.0).all()
        for k in range(mdp.n_rows):
            P, some = np.zeros((n, n)), slice(int(plan.row_ptr[k]), int(plan.row_ptr[k + 1]))
            np.add.at(P, (plan.source[some], plan.target[some]), plan.mass[some])
            p, q = np.zeros(n), np.zeros(n)
            own = slice(int(mdp.row_ptr[k]), int(mdp.row_ptr[k + 1]))
            p[mdp.next_state[own]] = mdp.prob[own]
            mine = slice(int(reply.row_ptr[k]), int(reply.row_ptr[k + 1]))
            q[reply.next_state[mine]] = reply.prob[mine]
            np.testing.assert_allclose(P.sum(axis=1), p, rtol=0, atol=1e-14)
            np.testing.assert_allclose(P.sum(axis=0), q, rtol=0, atol=1e-14)
            assert (P * ambiguity.cost).sum() <= radius[k] + 1e-13


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", ["ragged", "dense", "pays"])
def test_held_policies_agree_with_a_loop(model, name):
    mdp = MODELS[model]
    ambiguity, n = sets(mdp)[name], mdp.n_states
    backup = RobustBackup(mdp, ambiguity)
    v, out = worths(n)[0], np.empty(n)
    backup.greedy(v, out)
    held = backup.hold()
    once, count, low, high = held.sweeps(v.copy(), goal=0.0, limit=1)
    close(once, out, v)
    assert count == 1
    assert (low, high) == (pytest.approx((once - v).min()), pytest.approx((once - v).max()))
    again, _, _, _ = held.frozen(v).sweeps(v.copy(), goal=0.0, limit=1)
    close(again, out, v)
    q, pi = slow(mdp, ambiguity, v), mixed(mdp)
    expected = np.where(pi > 0, pi * np.where(pi > 0, q, 0.0), 0.0).sum(axis=1)
    close(robust_policy_bellman(mdp, ambiguity, pi, v), expected, v)
    frozen = backup.hold(pi).frozen(v)
    close(frozen.sweeps(v.copy(), goal=0.0, limit=1)[0], expected, v)
    ids = mdp.action[mdp.choice_ptr[:n]].astype(np.int64)
    close(robust_policy_bellman(mdp, ambiguity, ids, v), q[np.arange(n), ids], v)


def test_sweeps_of_a_policy_stop_at_their_goal():
    mdp = ragged()
    backup = RobustBackup(mdp, L1Ball(0.3, "all"))
    v, out = np.zeros(mdp.n_states), np.empty(mdp.n_states)
    backup.greedy(v, out)
    held = backup.hold()
    value, count, low, high = held.sweeps(v, goal=1e-6, limit=1000)
    assert 1 < count < 1000
    assert high - low <= 1e-6
    step, _, _, _ = held.sweeps(value.copy(), goal=0.0, limit=1)
    assert np.ptp(step - value) <= 1e-6
    assert backup.work == pytest.approx(1.0 + (count + 2) * held.share)


NOTHING = {
    "L1": L1Ball(0.0, "nominal"),
    "L1 all": L1Ball(0.0, "all"),
    "Linf": LinfBall(0.0, "nominal"),
    "CVaR": CVaRSet(1.0),
    "contamination": ContaminationSet(0.0, "all"),
    "KL": KLBall(0.0),
    "EVaR": EVaRSet(1.0),
}


@pytest.mark.parametrize("name", ["L1", "L1 all", "Linf", "CVaR", "contamination"])
@pytest.mark.parametrize("model", ["ragged", "dense"])
def test_without_room_for_nature_values_are_nominal_to_the_last_bit(model, name):
    mdp = MODELS[model]
    v = worths(mdp.n_states)[0]
    step = robust_bellman(mdp, NOTHING[name], v)
    assert (step.q == bellman(mdp, v)).all()
    assert (step.policy == step.q.argmax(axis=1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_threads_change_no_bit(name, monkeypatch):
    monkeypatch.setattr(crew, "PARALLEL_TRANSITIONS", 1)
    for mdp in (MODELS["dense"], MODELS["ragged"]):
        ambiguity, results = sets(mdp)[name], []
        for threads in (1, 3):
            with RobustBackup(mdp, ambiguity, threads=threads) as backup:
                assert len(backup.parts) == threads
                for v in worths(mdp.n_states)[:3]:
                    out = np.empty_like(v)
                    backup.greedy(v, out)
                results.append((out, backup.hold().sweeps(v.copy(), goal=0.0, limit=2)[0]))
        assert (results[0][0] == results[1][0]).all()
        assert (results[0][1] == results[1][1]).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", ["ragged", "dense", "pays"])
def test_cooperative_nature_maximises(model, name):
    mdp = MODELS[model]
    ambiguity = sets(mdp)[name]
    v = worths(mdp.n_states)[0]
    step = robust_bellman(mdp, ambiguity, v, nature="cooperative")
    q = slow(mdp, ambiguity, v, "cooperative")
    close(step.q[np.isfinite(q)], q[np.isfinite(q)], v)
    close(step.value, q.max(axis=1), v)
    assert (step.policy == step.q.argmax(axis=1)).all()


def test_stages_have_rows_of_their_own():
    from operator_models import staged

    mdp = staged()
    v = np.arange(4.0)
    P, r = mdp.to_dense()
    for stage in range(3):
        q = robust_bellman(mdp, L1Ball(2.0, "all"), v, stage=stage).q
        np.testing.assert_allclose(q, r[stage], rtol=0, atol=1e-13)
        mean = robust_bellman(mdp, KLBall(0.0), v, stage=stage).q
        np.testing.assert_allclose(mean, r[stage] + 0.8 * P[stage] @ v, rtol=0, atol=1e-13)


def test_listed_outcomes_of_probability_zero_may_receive_mass():
    mdp = TabularMDP.from_dense([[[1.0, 0.0]], [[0.0, 1.0]]], [[0.0], [0.0]], 1.0 - 1e-3)
    mdp = TabularMDP(
        choice_ptr=[0, 1, 2], action=[0, 0], row_ptr=[0, 2, 3], next_state=[0, 1, 1],
        prob=[1.0, 0.0, 1.0], reward=[0.0, 0.0], objective=mdp.objective, n_states=2,
    )  # fmt: skip
    listed = IntervalSet([0.4, 0.0, 1.0], [1.0, 0.6, 1.0], mdp.row_ptr)
    value = robust_bellman(mdp, listed, [1.0, 0.0]).value
    assert value == pytest.approx([0.4 * mdp.gamma, 0.0], abs=1e-15)


def test_listed_bounds_and_balls_of_the_same_width_agree():
    mdp = ragged()
    v = worths(7)[0]
    ball = robust_bellman(mdp, LinfBall(0.2, "nominal"), v)
    close(robust_bellman(mdp, listed_bounds(mdp, 0.2), v).value, ball.value, v)
    assert mdptheory.operators.robust_bellman is robust_bellman
    nominal = Backup(mdp)
    out = np.empty(7)
    nominal.greedy(v, out)
    assert (ball.value <= out + 1e-12).all()
