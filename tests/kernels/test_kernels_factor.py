"""Nature's factor against a convex solver, the dual formulas, and what every worth obeys."""

import numpy as np
import pytest
from factor_rows import CHI2, KINDS, KL, KL_BALL, LEVELS, PENALTIES, TV, TV_BALL, divergence, draw

from mdptheory.kernels.factor import worst_factor


def worth(kind, level, m, v, sink=-1):
    q = np.full(m.size, np.nan)
    return worst_factor(kind, float(level), m, v, sink, q), q


def alphas(v):
    return np.linspace(v.min(), v.max(), 4001)


def chi2_dual(m, v, weight, pick=max):
    cut = np.minimum(v, alphas(v)[:, None])
    mean = cut @ m
    return pick(mean - ((cut**2) @ m - mean**2) / (4 * weight))


def ball_dual(m, v, radius):
    return max(m @ np.minimum(v, a) - radius * (a - v.min()) for a in v)


@pytest.mark.parametrize("kind", KINDS)
def test_the_factor_is_allowed_and_attains_the_worth(kind):
    rng = np.random.default_rng(kind)
    for _ in range(100):
        m, v = draw(rng)
        for level in LEVELS[kind]:
            value, q = worth(kind, level, m, v)
            assert (q >= 0).all()
            assert q.sum() == pytest.approx(1, abs=1e-12)
            paid = 0.0
            if kind in (TV_BALL, KL_BALL):
                assert divergence(kind, q, m) <= level + 1e-9 * max(1, level)
            elif kind in PENALTIES and level < np.inf:
                paid = level * divergence(kind, q, m)
            assert q @ v + paid == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_monotone_shifts_concave_lipschitz_and_supergradient(kind):
    rng = np.random.default_rng(10 + kind)
    for _ in range(60):
        m, v = draw(rng)
        u, t = rng.permutation(v) + rng.normal(size=v.size), rng.random()
        for level in LEVELS[kind]:
            at_v, q = worth(kind, level, m, v)
            at_u, _ = worth(kind, level, m, u)
            assert worth(kind, level, m, np.maximum(u, v))[0] >= max(at_u, at_v) - 1e-9
            assert worth(kind, level, m, v + 2.5)[0] == pytest.approx(at_v + 2.5, abs=1e-9)
            assert worth(kind, level, m, t * u + (1 - t) * v)[0] >= (
                t * at_u + (1 - t) * at_v - 1e-9
            )
            assert abs(at_u - at_v) <= np.abs(u - v).max() + 1e-9
            assert at_u <= at_v + q @ (u - v) + 1e-8


def convex_worth(kind, level, m, v):
    import cvxpy as cp

    mu, on = cp.Variable(m.size, nonneg=True), np.flatnonzero(m)
    rules = [cp.sum(mu) == 1]
    if kind in (TV, TV_BALL):
        cost = cp.norm1(mu - m) / 2
    else:
        rules += [mu[i] == 0 for i in np.flatnonzero(m == 0)]
        near = cp.multiply(mu[on] - m[on], 1 / np.sqrt(m[on]))
        cost = cp.sum_squares(near) if kind == CHI2 else cp.sum(cp.rel_entr(mu[on], m[on]))
    if kind in (TV_BALL, KL_BALL):
        goal = cp.Minimize(v @ mu)
        rules.append(cost <= level)
    else:
        goal = cp.Minimize(v @ mu + level * cost)
    return cp.Problem(goal, rules).solve(solver=cp.CLARABEL)


@pytest.mark.parametrize("kind", [TV_BALL, KL_BALL, TV, KL, CHI2])
def test_against_a_convex_solver(kind):
    pytest.importorskip("cvxpy")
    rng = np.random.default_rng(30 + kind)
    for level in (0.1, 0.4, 1.0):
        for n in (4, 8):
            m, v = draw(rng, n)
            m[0], v[0] = 0.0, -0.5
            m[1] += 1 - m.sum()
            found = worth(kind, level, m, v)[0]
            assert found == pytest.approx(convex_worth(kind, level, m, v), abs=1e-6)


def test_duals_and_their_wrong_constants():
    rng = np.random.default_rng(4)
    wrong = dict.fromkeys(("tv half", "chi2 twice", "chi2 least", "no radius"), 0)
    for _ in range(100):
        m, v = draw(rng, 6)
        weight, radius = rng.choice([0.1, 0.5, 1.0]), rng.choice([0.1, 0.4])
        tv, chi2 = worth(TV, weight, m, v)[0], worth(CHI2, weight, m, v)[0]
        ball, support = worth(TV_BALL, radius, m, v)[0], v[m > 0]
        assert tv == pytest.approx(m @ np.minimum(v, v.min() + weight), abs=1e-12)
        assert ball == pytest.approx(ball_dual(m, v, radius), abs=1e-12)
        grid = chi2_dual(m[m > 0], support, weight)
        assert grid - 1e-12 <= chi2 <= grid + 1e-5
        wrong["tv half"] += tv > m @ np.minimum(v, v.min() + weight / 2) + 1e-3
        wrong["chi2 twice"] += chi2 > chi2_dual(m, v, weight / 2) + 1e-3
        wrong["chi2 least"] += chi2 > chi2_dual(m, v, weight, min) + 1e-3
        wrong["no radius"] += ball < max(m @ np.minimum(v, a) for a in v) - 1e-3
    assert min(wrong.values()) >= 20, wrong


@pytest.mark.parametrize(("ball", "penalty"), [(TV_BALL, TV), (KL_BALL, KL)])
def test_a_ball_is_the_best_price_less_its_cost(ball, penalty):
    rng = np.random.default_rng(5)
    for _ in range(40):
        m, v = draw(rng)
        m = (m + 0.05) / (m + 0.05).sum()
        found = worth(ball, 0.3, m, v)[0]
        weights = np.geomspace(1e-3, 1e3, 3001)
        if penalty == TV:
            weights = np.concatenate([(v - v.min())[v > v.min()], [1e-12]])
        best = max(worth(penalty, a, m, v)[0] - 0.3 * a for a in weights)
        best = max(best, v.min())  # no price at all
        assert best <= found + 1e-9
        assert best == pytest.approx(found, abs=1e-10 if penalty == TV else 1e-4)


@pytest.mark.parametrize(("kind", "level"), [(TV, 0.5), (TV_BALL, 0.4), (TV_BALL, 1.0)])
def test_ties_go_to_the_sink(kind, level):
    m, v = np.array([0.0, 0.4, 0.1, 0.5, 0.0]), np.array([0.0, 2.0, 0.0, 1.0, 0.0])
    for sink in (0, 2, 4):
        value, q = worth(kind, level, m, v, sink)
        others = [i for i in (0, 2, 4) if i != sink]
        assert (q[others] <= m[others]).all()
        assert q[sink] > m[sink]
        assert value == worth(kind, level, m, v)[0]
    assert worth(kind, level, m, v, 1)[1][1] <= m[1]  # no worst state, no sink
