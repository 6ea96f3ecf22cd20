"""The four closed loops against numbers that a second program computed."""

import math
from functools import cache

import numpy as np
import pytest
from threshold_oracle import feasible, means, steady

from mdptheory import environments
from mdptheory.environments import PRESETS, threshold_preset
from mdptheory.environments._public_tables import COMPAS, COMPAS_DECILE, GERMAN, GRID
from mdptheory.environments.threshold_presets import BETA
from mdptheory.errors import InvalidModelError
from mdptheory.models import DemographicParity, ServiceRate
from mdptheory.operators.closed_loop import steady_state
from mdptheory.solvers.best_arm import best_arm

COMPAS_START = (3175 / 5278, 0.476850, 0.609130)


@cache
def settled(name):
    """Steady rows of all arms by the oracle."""
    env, _ = threshold_preset(name)
    return tuple(steady(env, k) for k in range(env.n_arms))


def best(name, constrained):
    env, (parity, service) = threshold_preset(name)
    rows = settled(name)
    allowed = [
        k
        for k, row in enumerate(rows)
        if not constrained or feasible(row.gap, row.service, parity.tol, service.min_rate)
    ]
    k = max(allowed, key=lambda k: rows[k].reward)
    return env.thresholds[k], rows[k]


@pytest.mark.parametrize(
    ("name", "start", "cost", "tol", "rate"),
    [
        ("synthetic", (0.5, 0.45, 0.60), 1.0, 0.15, 0.40),
        ("german", (0.19, 110 / 190, 590 / 810), 2.0, 0.10, 0.30),
        ("compas", COMPAS_START, 1.0, 0.15, 0.50),
        ("compas_decile", COMPAS_START, 1.0, 0.15, 0.50),
    ],
)
def test_parameters(name, start, cost, tol, rate):
    env, constraints = threshold_preset(name)
    assert constraints == (DemographicParity(tol), ServiceRate(rate))
    np.testing.assert_allclose(env.start_state, start, atol=5e-7)
    assert env.cost == cost
    assert env.batch == 100
    dyn = env.dynamics
    assert (dyn.eta_q, dyn.eta_p, dyn.c1, dyn.c0, dyn.c_p) == (0.1, 0.1, 0.1, 0.2, 0.3)
    assert (dyn.q_low, dyn.q_high) == (0.05, 0.95)
    assert (dyn.p_low, dyn.p_high) == (max(0.05, env.p0 - 0.25), min(0.95, env.p0 + 0.25))
    assert not dyn.stochastic
    if name != "compas_decile":
        assert np.array_equal(env.thresholds, np.linspace(0, 1, 21))


@pytest.mark.parametrize(
    ("name", "tau", "row"),
    [
        ("synthetic", 0.35, (0.2084, -0.1402, 0.7971)),
        ("german", 0.30, (0.2726, -0.0674, 0.9116)),
        ("compas", 0.35, (0.1269, -0.1454, 0.8307)),
        ("compas_decile", 2, (0.077289, -0.117499, 0.871907)),
    ],
)
def test_best_feasible_arm(name, tau, row):
    digits = 7 if name == "compas_decile" else 5
    found, values = best(name, constrained=True)
    assert found == pytest.approx(tau)
    np.testing.assert_allclose(values[:3], row, atol=0.51 * 10 ** (1 - digits))
    env, constraints = threshold_preset(name)
    best_by_solver = best_arm(env, constraints)
    assert best_by_solver.feasible
    assert env.thresholds[best_by_solver.arm] == found
    assert best_by_solver.reward == pytest.approx(values.reward, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "tau", "reward", "gap"),
    [
        ("synthetic", 0.55, 0.3062, -0.1982),
        ("german", 0.60, 0.3953, -0.1584),
        ("compas", 0.50, 0.2193, -0.2443),
        ("compas_decile", 6, 0.204543, -0.248864),
    ],
)
def test_best_arm_without_constraints(name, tau, reward, gap):
    digits = 7 if name == "compas_decile" else 5
    found, values = best(name, constrained=False)
    assert found == pytest.approx(tau)
    np.testing.assert_allclose(values[:2], (reward, gap), atol=0.51 * 10 ** (1 - digits))
    assert best_arm(threshold_preset(name)[0]).reward == pytest.approx(values.reward, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "arm", "row", "state"),
    [
        ("synthetic", 4, (0.0537, -0.0695, 0.9223), None),
        ("synthetic", 12, (0.2973, -0.1987, 0.4926), (0.440, 0.459, 0.629)),
        ("german", 10, (0.3774, -0.1474, 0.7798), (0.146, 0.583, 0.772)),
        ("german", 15, (0.3746, -0.2200, 0.5721), None),
        ("compas", 5, (0.0554, -0.0974, 0.9038), (0.572, 0.426, 0.591)),
        ("compas", 15, (0.0854, -0.1628, 0.1416), None),
        ("compas_decile", 0, (-0.058410, 0.0, 1.0), None),
        ("compas_decile", 3, (0.137900, -0.166401, 0.801214), None),
        ("compas_decile", 5, (0.204183, -0.242701, 0.637523), (0.528743, 0.468603, 0.615733)),
        ("compas_decile", 9, (0.111696, -0.174690, 0.194198), None),
    ],
)
def test_steady_rows(name, arm, row, state):
    fine = name == "compas_decile"
    found = settled(name)[arm]
    np.testing.assert_allclose(found[:3], row, atol=0.51e-6 if fine else 0.51e-4)
    if state is not None:
        np.testing.assert_allclose(found.state, state, atol=0.51e-6 if fine else 0.51e-3)


@pytest.mark.parametrize("name", PRESETS)
def test_the_operators_agree_with_plain_iteration_on_every_arm(name):
    env, constraints = threshold_preset(name)
    found = best_arm(env, constraints)
    for k, row in enumerate(settled(name)):
        np.testing.assert_allclose(found.means[k, :3], row[:3], atol=1e-12)
        np.testing.assert_allclose(found.states[k], row.state, atol=1e-12)
    np.testing.assert_allclose(steady_state(env, 3), settled(name)[3].state, atol=1e-12)


def test_synthetic_scores_are_beta():
    env = environments.synthetic_threshold_loop()
    grid = np.linspace(0, 1, 2001)
    mid = (grid[1:] + grid[:-1]) / 2
    for g in range(2):
        for y in range(2):
            a, b = BETA[g][y]
            scale = math.gamma(a + b) / math.gamma(a) / math.gamma(b)
            density = scale * mid ** (a - 1) * (1 - mid) ** (b - 1)
            tail = [density[mid > tau].sum() / 2000 for tau in env.thresholds]
            np.testing.assert_allclose(env.survival[g, y], tail, atol=1e-6)


@pytest.mark.parametrize(
    ("table", "totals"),
    [
        (GERMAN, ((80, 110), (220, 590))),
        (COMPAS, ((1661, 1514), (822, 1281))),
    ],
)
def test_tables_are_counts_that_fall(table, totals):
    counts = np.array(table)
    assert counts.shape == (2, 2, GRID)
    assert counts[..., 0].tolist() == [list(row) for row in totals]
    assert (np.diff(counts) <= 0).all()
    assert (counts[..., -1] == 0).all()


def test_decile_counts_are_of_the_same_people():
    assert np.array_equal(np.array(COMPAS_DECILE).sum(axis=-1), np.array(COMPAS)[..., 0])
    env = environments.compas_decile_threshold_loop()
    assert env.survival[0, 1, 5] == (280 + 241 + 173 + 179 + 165) / 1514  # decile at most 5
    assert env.survival[1, 0, 9] == 128 / 822
    assert not env.survival[..., 10].any()


@pytest.mark.parametrize("name", PRESETS)
def test_open_loop_differs_from_where_it_settles(name):
    """A limit that an arm keeps at the start can be broken where it settles: groups drift apart."""
    env, (_, service) = threshold_preset(name)
    worst = 0.0
    for k, row in enumerate(settled(name)):
        _, gap, served = means(env, k, env.start_state.tolist())
        before, drift = abs(gap), abs(row.gap) - abs(gap)
        worst = max(worst, drift)
        if drift > 1e-3 and min(served, row.service) >= service.min_rate:
            limits = (DemographicParity((before + abs(row.gap)) / 2), service)
            at_start = best_arm(env.open(), limits).violations[k]
            assert at_start == 0.0
            assert best_arm(env, limits).violations[k] == pytest.approx(drift / 2, abs=1e-9)
    assert worst > 0.006


@pytest.mark.parametrize("name", PRESETS)
def test_feedback_moves_rates_and_not_true_positive_rates(name):
    env, _ = threshold_preset(name)
    names = [channel.name for channel in env.channels]
    start, end = best_arm(env.open()).means, best_arm(env).means
    for c, channel in enumerate(names):
        if channel.startswith("tpr_"):
            assert np.array_equal(start[:, c], end[:, c])
        else:
            assert np.abs(start[:, c] - end[:, c]).max() > 1e-3


def test_decile_gaps_drift_up():
    env, _ = threshold_preset("compas_decile")
    start = [abs(means(env, k, env.start_state.tolist())[1]) for k in range(3, 7)]
    end = [abs(settled("compas_decile")[k].gap) for k in range(3, 7)]
    np.testing.assert_allclose(start, [0.160103, 0.214401, 0.238477, 0.245107], atol=0.51e-6)
    np.testing.assert_allclose(end, [0.166401, 0.219281, 0.242701, 0.248864], atol=0.51e-6)


def test_the_best_static_threshold_of_the_synthetic_preset_is_not_feasible_in_the_loop():
    env, constraints = threshold_preset("synthetic")
    static, loop = best_arm(env.open(), constraints), best_arm(env, constraints)
    assert (env.thresholds[static.arm], env.thresholds[loop.arm]) == pytest.approx((0.40, 0.35))
    assert loop.violations[static.arm] == pytest.approx(0.160394 - 0.15, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "pair", "reward"),
    [
        ("synthetic", (0.50, 0.55), 0.297427),
        ("german", (0.60, 0.70), 0.379880),
        ("compas", (0.50, 0.55), 0.207195),
        ("compas_decile", (5, 6), 0.197001),
    ],
)
def test_pairs_of_thresholds_earn_no_less(name, pair, reward):
    env, constraints = threshold_preset(name)
    pairs = env.with_group_thresholds()
    assert pairs.n_arms == env.n_arms**2
    shared, own = best_arm(env, constraints), best_arm(pairs, constraints)
    same = [k * env.n_arms + k for k in range(env.n_arms)]
    np.testing.assert_allclose(own.means[same], shared.means, atol=1e-12)
    assert own.reward >= shared.reward
    assert own.reward == pytest.approx(reward, abs=1e-6)
    np.testing.assert_allclose(pairs.thresholds[own.arm], pair)
    row = steady(pairs, own.arm)
    assert row.reward == pytest.approx(own.reward, abs=1e-12)
    assert feasible(row.gap, row.service, constraints[0].tol, constraints[1].min_rate)


def test_presets_by_name():
    assert PRESETS == ("synthetic", "german", "compas", "compas_decile")
    for name in PRESETS:
        made = getattr(environments, f"{name}_threshold_loop")()
        assert np.array_equal(made.survival, threshold_preset(name)[0].survival)
    with pytest.raises(InvalidModelError, match=r"name is 'adult'; expected one of synthetic, ger"):
        threshold_preset("adult")
    with pytest.raises(InvalidModelError, match=r"name is \[\]; expected one of"):
        threshold_preset([])
