"""Rounds of a population against plain Python: binomial draws, batches, and where p goes."""

import itertools
import math
from functools import cache

import numpy as np
import pytest

from mdptheory.kernels.bandit_world import advance, binomial, drift, observe
from mdptheory.models import LoopDynamics, ThresholdLoop
from mdptheory.operators.closed_loop import compiled_world

CHANNELS = 7


@cache
def tables(n):
    steps = np.arange(1, n + 1)
    return np.append(0.0, np.log(steps).cumsum()), np.r_[0.0, 1.0 / steps, 1.0 / (n + 1)]


def draw(n, p, u):
    """The compiled draw, with its tables."""
    log_p = math.log(p) if p > 0 else 0.0
    log_q = math.log1p(-p) if p < 1 else 0.0
    return binomial(n, p, log_p, log_q, u, *tables(n))


def mass(n, p, k):
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def slow_draw(n, p, u):
    """Try values outwards from the mode, up first; masses by the formula."""
    if n == 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    mode = min(n, int((n + 1) * p))
    order = [mode]
    for i in range(1, n + 1):
        order += [mode + i] * (mode + i <= n) + [mode - i] * (mode - i >= 0)
    total = 0.0
    for k in order:
        total += mass(n, p, k)
        if u < total:
            return k
    return mode


@pytest.mark.parametrize("n", [0, 1, 2, 7, 60])
@pytest.mark.parametrize("p", [0.0, 1e-12, 0.01, 0.3, 0.5, 0.5000001, 0.99, 1 - 1e-12, 1.0])
def test_each_value_owns_its_mass(n, p):
    """Uniform numbers on a grid: each value is one interval, so counts err by at most one."""
    size = 4000
    found = np.bincount([draw(n, p, (i + 0.5) / size) for i in range(size)], minlength=n + 1)
    expected = np.array([mass(n, p, k) for k in range(n + 1)])
    assert len(found) == n + 1
    assert np.abs(found - size * expected).max() <= 1 + 1e-6


@pytest.mark.parametrize(("n", "p"), [(10_000, 0.3), (1_000_000, 0.999)])
def test_large_batches_have_the_right_mean_and_spread(n, p):
    u = np.random.default_rng(6).random(2000)
    found = np.array([draw(n, p, number) for number in u])
    spread = math.sqrt(n * p * (1 - p))
    assert abs(found.mean() - n * p) < 5 * spread / math.sqrt(len(u))
    assert found.std() == pytest.approx(spread, rel=5 / math.sqrt(2 * len(u)))


def test_the_ends_of_the_unit_interval():
    for n, p in itertools.product((1, 5, 100), (1e-300, 1e-9, 0.2, 1 - 2**-53)):
        for u in (0.0, 5e-324, 1 - 2**-53):
            assert 0 <= draw(n, p, u) <= n


def population(seed, **changes):
    """A loop of random shares, some of them 0 and 1."""
    rng = np.random.default_rng(seed)
    shares = -np.sort(-rng.choice([0.0, 0.2, 0.5, 0.9, 1.0], (2, 2, 4)), axis=-1)
    given = {"batch": int(rng.integers(1, 9)), "cost": float(rng.choice([0.0, 1.0, 2.5]))}
    start = rng.choice([0.05, 0.3, 0.5, 0.95], 3)
    return ThresholdLoop(shares, np.arange(4.0), start[0], start[1:], **(given | changes))


def slow_round(env, z, arm, u):
    """What a round shows: values and hits, ones and trials; None where nothing can be said."""
    p = z[0]
    sizes = list(env.sizes)
    if not env.stratified:
        sizes[0] = slow_draw(env.batch, p, u[6])
        sizes[1] = env.batch - sizes[0]
    good, hits, bad_hits = [], [], []
    for g in range(2):
        n = sizes[g]
        good.append(slow_draw(n, z[1 + g], u[3 * g]))
        hits.append(slow_draw(good[g], env.survival[g, 1, arm], u[3 * g + 1]))
        bad_hits.append(slow_draw(n - good[g], env.survival[g, 0, arm], u[3 * g + 2]))
    taken = [hits[g] + bad_hits[g] for g in range(2)]
    profit = [hits[g] - env.cost * bad_hits[g] for g in range(2)]
    if env.stratified:
        share = (p / sizes[0], (1 - p) / sizes[1])
        first = [share[0] * profit[0] + share[1] * profit[1]]
        first += [taken[0] / sizes[0] - taken[1] / sizes[1]]
        first += [share[0] * taken[0] + share[1] * taken[1]]
    else:
        first = [sum(profit) / env.batch, None, sum(taken) / env.batch]
    return [*first, *taken, *hits], [1, 1, 1, *sizes, *good]


def fast_round(env, z, arm, u):
    world = compiled_world(env)
    x, w = np.full(CHANNELS, np.nan), np.full(CHANNELS, np.nan)
    observe(world, z, arm, np.zeros(CHANNELS), u, x, w)
    return x, w


@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_rounds_against_plain_python(seed, stratified):
    env = population(seed, stratified=stratified)
    rng = np.random.default_rng(seed)
    for _ in range(40):
        z = rng.choice([0.0, 0.1, 0.6, 1.0], 3)
        arm, u = int(rng.integers(4)), rng.random(7)
        x, w = fast_round(env, z, arm, u)
        values, trials = slow_round(env, z, arm, u)
        assert w.tolist() == trials
        for found, value in zip(x, values, strict=True):
            if value is not None:
                assert found == pytest.approx(value, abs=1e-12)


def test_groups_of_two_sizes():
    env = population(3, batch=(2, 6))
    u = np.random.default_rng(0).random((50, 7))
    for row in u:
        x, w = fast_round(env, env.start_state, 1, row)
        values, trials = slow_round(env, env.start_state, 1, row)
        assert w.tolist() == trials
        assert x == pytest.approx(values, abs=1e-12)
        assert (w[3], w[4]) == (2, 6)


def test_every_uniform_number_is_used_once():
    """Each number alone changes only what it should: labels, good hits, bad hits, group sizes."""
    half = np.full((2, 2, 1), 0.5)
    env = ThresholdLoop(half, [0.5], 0.5, [0.5, 0.5], batch=60, stratified=False)
    base = np.full(7, 0.4)
    x0, w0 = fast_round(env, env.start_state, 0, base)
    touched = []
    for i in range(7):
        u = base.copy()
        u[i] = 0.999
        x, w = fast_round(env, env.start_state, 0, u)
        touched.append((set(np.flatnonzero(x[3:] != x0[3:])), set(np.flatnonzero(w[3:] != w0[3:]))))
    for g in range(2):
        labels, good, bad = touched[3 * g : 3 * g + 3]
        assert labels[1] == {2 + g}  # how many have the favourable label
        assert good == ({g, 2 + g}, set())
        assert bad == ({g}, set())
    assert {0, 1} <= touched[6][1]


def slow_step(env, z, arm, rates):
    d, s = env.dynamics, env.survival
    moved = [0.0, 0.0, 0.0]
    for g in range(2):
        q = z[1 + g]
        aim = env.q0[g] + d.c1 * q * s[g, 1, arm] - d.c0 * (1 - q) * s[g, 0, arm]
        moved[1 + g] = (1 - d.eta_q) * q + d.eta_q * min(max(aim, d.q_low), d.q_high)
    aim = env.p0 + d.c_p * (rates[0] - rates[1])
    moved[0] = (1 - d.eta_p) * z[0] + d.eta_p * min(max(aim, d.p_low), d.p_high)
    return moved


def mean_rates(env, z, arm):
    s = env.survival
    return [z[1 + g] * s[g, 1, arm] + (1 - z[1 + g]) * s[g, 0, arm] for g in range(2)]


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_where_the_state_goes(seed, stratified, stochastic):
    dynamics = LoopDynamics(eta_q=0.3, eta_p=0.7, c1=0.4, c0=0.5, c_p=2.0, stochastic=stochastic)
    env = population(seed, stratified=stratified, dynamics=dynamics, batch=2)
    world, rng = compiled_world(env), np.random.default_rng(seed)
    lonely = 0
    for _ in range(40):
        z, arm, u = rng.random(3), int(rng.integers(4)), rng.random(7)
        mean = np.zeros(CHANNELS)
        mean[3:5] = mean_rates(env, z, arm)
        x, w = fast_round(env, z, arm, u)
        rates = list(mean[3:5])
        if stochastic:  # a group that nobody came from keeps its mean
            rates = [x[3 + g] / w[3 + g] if w[3 + g] else mean[3 + g] for g in range(2)]
            lonely += not w[3] or not w[4]
        moved = z.copy()
        advance(world, moved, arm, mean, u, x, w)
        assert moved == pytest.approx(slow_step(env, z, arm, rates), abs=1e-15)
        still = np.empty(3)
        drift(world, z, arm, still)
        assert still == pytest.approx(slow_step(env, z, arm, mean[3:5]), abs=1e-15)
    assert (lonely > 0) == (stochastic and not stratified)
