"""Bandit kernels: exact laws of draws, averages of channels, scales, references that stay."""

import gc
import itertools
import math
import os
import sys
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from mdptheory.algorithms import BanditOptions, ofs_epochs_learner, ofs_learner, primal_dual_ucb
from mdptheory.kernels import bandit_play, bandit_rules, bandit_world
from mdptheory.kernels.bandit_world import binomial, observe
from mdptheory.models import (
    DemographicParity,
    GaussianBandit,
    LendingLoop,
    LoopDynamics,
    ServiceRate,
    ThresholdLoop,
)
from mdptheory.operators.closed_loop import (
    channel_places,
    compiled_world,
    draw_rounds,
    loop_means,
    n_draws,
    n_places,
    scratch_desk,
    steady_state,
)

COMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "1"
ROUNDS = 4000 if COMPILED else 1000

# ---- binomial draws -----------------------------------------------------------------------------


def drawer(n, p):
    """The draw as a function of the uniform number alone."""
    log_factorial = np.append(0.0, np.log(np.arange(1, n + 1)).cumsum())
    reciprocal = np.r_[0.0, 1.0 / np.arange(1, n + 2)]
    log_p = math.log(p) if p > 0 else 0.0
    log_q = math.log1p(-p) if p < 1 else 0.0
    return lambda u: binomial(n, p, log_p, log_q, u, log_factorial, reciprocal)


def outwards(n, p):
    """Values in the order in which uniform numbers from 0 on lead to them."""
    mode = min(n, int((n + 1) * p))
    order = [mode]
    for i in range(1, n + 1):
        order += [k for k in (mode + i, mode - i) if 0 <= k <= n]
    return order


def boundary(draw, rank, i):
    """Where values of rank ``i`` and more begin, by bisection."""
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return high
        if rank[draw(middle)] >= i:
            high = middle
        else:
            low = middle


@pytest.mark.parametrize("n", [1, 2, 5, 12])
@pytest.mark.parametrize("p", [1e-300, 1e-9, 0.04, 0.5, 0.77, 1 - 1e-9, 1 - 2**-53])
def test_each_value_has_its_probability_exactly(n, p):
    draw, order = drawer(n, p), outwards(n, p)
    rank = {k: i for i, k in enumerate(order)}
    ends = [0.0, *(boundary(draw, rank, i) for i in range(1, n + 1)), 1.0]
    expected = stats.binom.pmf(order, n, p)
    np.testing.assert_allclose(np.diff(ends), expected, rtol=1e-9, atol=3e-16 * (n + 1))


@pytest.mark.parametrize(("n", "p"), [(1000, 0.3), (10**5, 0.5), (10**6, 1e-6), (10**6, 0.9999)])
def test_large_batches_have_the_central_probabilities(n, p):
    draw, order = drawer(n, p), outwards(n, p)
    rank = {k: i for i, k in enumerate(order)}
    ends = [0.0, *(boundary(draw, rank, i) for i in range(1, 8))]
    expected = stats.binom.pmf(order[:7], n, p)
    np.testing.assert_allclose(np.diff(ends), expected, rtol=1e-5)


@pytest.mark.parametrize("p", [0.0, 1e-300, 1e-12, 0.3, 0.5, 1 - 1e-12, 1 - 2**-53, 1.0])
def test_the_ends_of_the_unit_interval(p):
    for n in (0, 1, 2, 9, 3000):
        draw = drawer(n, p)
        assert draw(0.0) == outwards(n, p)[0]
        assert 0 <= draw(np.nextafter(1.0, 0.0)) <= n


# ---- what channels show -------------------------------------------------------------------------


def population(seed, **changes):
    rng = np.random.default_rng(seed)
    shares = -np.sort(-rng.choice([0.0, 0.1, 0.5, 0.9, 1.0], (2, 2, 3)), axis=-1)
    told = {"batch": int(rng.integers(1, 12)), "cost": float(rng.choice([0.0, 1.0, 2.5]))}
    start = rng.choice([0.05, 0.3, 0.6, 0.95], 3)
    return ThresholdLoop(shares, np.arange(3.0), start[0], start[1:], **(told | changes))


def worlds():
    for seed in range(4):
        yield population(seed)
        yield population(seed, stratified=False)
        yield population(seed, batch=(2, 9))
        yield population(seed, batch=1, stratified=False)
    slopes = {"reward_slope": [0.5, -0.1], "residual_slope": [[0.2], [0.0]]}
    yield GaussianBandit([0.3, 0.8], [[0.1], [-0.2]], 0.7, 0.2, start=-0.4, **slopes)
    yield LendingLoop()
    yield LendingLoop(interest=0.3, group_probs=[0.1, 0.9])


@pytest.mark.parametrize("env", list(worlds()), ids=lambda env: type(env).__name__)
def test_averages_come_close_to_means(env):
    """Within 5 standard errors, for all channels of all arms; hits never exceed trials."""
    world, desk, places = compiled_world(env), scratch_desk(env), channel_places(env)
    rng, z = np.random.default_rng(3), env.start_state
    draws = np.empty((ROUNDS, n_draws(env)))
    for arm, means in enumerate(loop_means(env, z)):
        draw_rounds(env, rng, draws)
        total, weight = np.zeros(n_places(env)), np.zeros(n_places(env))
        bandit_world.means(world, z, arm, desk.mean)
        for row in draws:
            observe(world, z, arm, desk.mean, row, desk.x, desk.w)
            total += desk.x
            weight += desk.w
        np.testing.assert_array_equal(desk.mean[places], means)
        for i, channel in enumerate(env.channels):
            seen = weight[places[i]]
            if seen == 0:
                assert channel.trials
                continue
            error = total[places[i]] / seen - means[i]
            assert abs(error) <= 5 * channel.scale / math.sqrt(seen) + 1e-12
            assert channel.low - 1e-12 <= means[i] <= channel.high + 1e-12
            if channel.trials:
                assert 0 <= total[places[i]] <= seen <= ROUNDS * channel.trials
            else:
                assert seen == ROUNDS


def log_mgf(env, z, arm, name, t):
    """Logarithm of E exp(t X) of a value channel, exact: applicants are independent."""
    p, q = z[0], z[1:]
    worth = {"reward": (1.0, -env.cost), "service": (1.0, 1.0), "gap": (1.0, 1.0)}[name]
    sums = []
    for g in range(2):
        good, bad = q[g] * env.survival[g, 1, arm], (1 - q[g]) * env.survival[g, 0, arm]
        factor = 1.0 / env.sizes[g]
        if env.stratified:
            share = (p, 1 - p)[g] if name != "gap" else (1.0, -1.0)[g]
            factor *= share
        one = good * math.exp(t * factor * worth[0]) + bad * math.exp(t * factor * worth[1])
        sums.append(one + 1 - good - bad)
    if env.stratified:
        return sum(n * math.log(one) for n, one in zip(env.sizes, sums, strict=True))
    return env.sizes[0] * math.log(p * sums[0] + (1 - p) * sums[1])


@pytest.mark.parametrize("stratified", [True, False])
def test_scales_are_sub_gaussian(stratified):
    """``log E exp(t (X - E X)) <= t^2 scale^2 / 2``, for loops and states that nobody chose."""
    rng, closest = np.random.default_rng(1), 0.0
    for seed, arm, pair in itertools.product(range(12), range(3), (False, True)):
        changes = {"batch": (3, 8)} if pair and stratified else {}
        env = population(seed, stratified=stratified, **changes)
        z = rng.choice([0.0, 0.1, 0.5, 1.0], 3)
        means = dict(zip((c.name for c in env.channels), loop_means(env, z)[arm], strict=True))
        for channel in env.channels:
            if channel.trials:
                continue
            for a in (-3.0, -0.5, -0.01, 0.01, 0.5, 3.0):
                t = a / channel.scale
                excess = log_mgf(env, z, arm, channel.name, t) - t * means[channel.name]
                assert excess <= a**2 / 2 + 1e-9
                closest = max(closest, excess / (a**2 / 2))
    assert closest > 0.5  # scales are not merely huge


# ---- where loops settle -------------------------------------------------------------------------


@pytest.mark.parametrize("eta_q", [0.0, 1e-5, 0.1, 1.0])
@pytest.mark.parametrize("eta_p", [0.0, 1e-5, 0.1, 1.0])
def test_slow_loops_settle_where_fast_ones_do(eta_q, eta_p):
    """The rates solve ``q = clip(q0 + c1 q S1 - c0 (1 - q) S0)``, linear but for the ends."""
    env = population(5, dynamics=LoopDynamics(eta_q=eta_q, eta_p=eta_p, c1=0.3, c0=0.4, c_p=0.7))
    d = env.dynamics
    for arm in range(3):
        bad, good = env.survival[:, 0, arm], env.survival[:, 1, arm]
        q = (env.q0 - d.c0 * bad) / (1 - d.c1 * good - d.c0 * bad)
        q = np.clip(q, d.q_low, d.q_high) if eta_q else env.q0
        rate = q * good + (1 - q) * bad
        p = np.clip(env.p0 + d.c_p * (rate[0] - rate[1]), d.p_low, d.p_high) if eta_p else env.p0
        np.testing.assert_allclose(steady_state(env, arm), [p, *q], atol=1e-13)


# ---- compiled without reference counts ----------------------------------------------------------


def played(*envs):
    """Play a few runs in every kind of world, threads included."""
    if not envs:
        envs = GaussianBandit([0.2, 0.4], [[0.1], [0.0]]), population(1), LendingLoop()
    gauss, pop, lend = envs
    quiet = BanditOptions(record_every=50)
    for env, constraints in (
        (gauss, gauss.constraints),
        (pop, (DemographicParity(0.9), ServiceRate(0.0))),
        (lend, (ServiceRate(0.1),)),
    ):
        told = {"options": quiet}
        ofs_learner(env, 200, constraints, **told).run(0, env)
        made = ofs_epochs_learner(env, 200, constraints, first=8, bias="none", **told)
        made.run_many(range(2), env, threads=2)
        primal_dual_ucb(env, 60, constraints, **told)
        learner, rng = ofs_learner(env, 200, constraints, **told), np.random.default_rng(0)
        state = learner.init()
        for _ in range(5):
            state, _ = learner.step(rng, state, env)
    return envs


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_at_most_two_signatures_a_kernel():
    played()
    modules = (bandit_play, bandit_rules, bandit_world)
    kernels = {f for m in modules for f in vars(m).values() if hasattr(f, "signatures")}
    assert len(kernels) > 15
    assert {f.__name__: len(f.signatures) for f in kernels if len(f.signatures) > 2} == {}


def array_bytes():
    """Memory of all arrays made since tracing began."""
    gc.collect()
    numpy_only = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    shot = tracemalloc.take_snapshot().filter_traces([numpy_only])
    return sum(trace.size for trace in shot.traces)


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
@pytest.mark.filterwarnings("ignore::UserWarning")  # a rate of nobody
def test_runs_neither_keep_nor_lose_arrays():
    envs = played()
    held = [value for env in envs for value in (getattr(env, name) for name in env.__slots__)]
    held = [value for value in held if isinstance(value, np.ndarray)]
    owners = [sys.getrefcount(array) for array in held]
    tracemalloc.start()
    try:
        before = array_bytes()
        for _ in range(5):
            played(*envs)
        after = array_bytes()
    finally:
        tracemalloc.stop()
    assert after - before < 800  # the arms of one run take as much
    assert [sys.getrefcount(array) for array in held] == owners
