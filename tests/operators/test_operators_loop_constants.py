"""Certified constants of closed loops: known values, sampled pairs of states, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from mdptheory.errors import NotContractiveError
from mdptheory.models import GaussianBandit, LendingLoop, LoopDynamics, ThresholdLoop
from mdptheory.operators import certify

from hypothesis import given, settings  # isort: skip
from hypothesis import strategies as st  # isort: skip

FIRST = ((280, 85), (241, 105), (173, 125), (179, 158), (165, 158))
FIRST = (*FIRST, (131, 187), (134, 209), (86, 215), (88, 229), (37, 190))
SECOND = ((477, 128), (221, 100), (156, 82), (145, 98), (109, 91))
SECOND = (*SECOND, (67, 93), (45, 68), (24, 72), (22, 55), (15, 35))
OPEN = LoopDynamics.none()


def deciles() -> ThresholdLoop:
    """Return the loop of public decile counts, (good, bad): arm k accepts the first 10 - k."""
    counts = np.array([FIRST, SECOND]).transpose(0, 2, 1)[:, ::-1]  # group, label, decile
    kept = np.array([[[c[: 10 - k].sum() for k in range(11)] for c in rows] for rows in counts])
    survival = kept / counts.sum(axis=2, keepdims=True)
    return ThresholdLoop(survival, np.arange(11.0), 3175 / 5278, [1514 / 3175, 1281 / 2103])


def step(env: ThresholdLoop, z, arm):
    """Move one state, written out from the definition."""
    d, p = env.dynamics, z[0]
    q, rates = np.empty(2), np.empty(2)
    for g in range(2):
        good, bad = z[1 + g] * env.survival[g, 1, arm], (1 - z[1 + g]) * env.survival[g, 0, arm]
        rates[g] = good + bad
        drawn = min(max(env.q0[g] + d.c1 * good - d.c0 * bad, d.q_low), d.q_high)
        q[g] = (1 - d.eta_q) * z[1 + g] + d.eta_q * drawn
    drawn = min(max(env.p0 + d.c_p * (rates[0] - rates[1]), d.p_low), d.p_high)
    return np.array([(1 - d.eta_p) * p + d.eta_p * drawn, *q])


def means(env: ThresholdLoop, z, arm):
    """Return the channels' means at one state, written out from the definition."""
    good = [z[1 + g] * env.survival[g, 1, arm] for g in range(2)]
    bad = [(1 - z[1 + g]) * env.survival[g, 0, arm] for g in range(2)]
    weights = (z[0], 1 - z[0])
    reward = sum(w * (a - env.cost * b) for w, a, b in zip(weights, good, bad, strict=True))
    rates = [a + b for a, b in zip(good, bad, strict=True)]
    known = {"reward": reward, "gap": rates[0] - rates[1]}
    known["service"] = weights[0] * rates[0] + weights[1] * rates[1]
    for g, name in enumerate(env.groups):
        known[f"rate_{name}"], known[f"tpr_{name}"] = rates[g], env.survival[g, 1, arm]
    return np.array([known[channel.name] for channel in env.channels])


@st.composite
def loops(draw):
    """Generate a contracting loop in small numbers; shrinks towards one arm that accepts none."""
    k = draw(st.integers(1, 3))
    tenths = st.integers(0, 10).map(lambda n: n / 10)
    cell = st.lists(tenths, min_size=k, max_size=k).map(lambda s: sorted(s, reverse=True))
    survival = [[draw(cell) for _ in range(2)] for _ in range(2)]
    speeds = st.sampled_from((0.0, 0.1, 0.5, 1.0))
    c1, c0 = draw(st.sampled_from(((0.0, 0.0), (0.1, 0.2), (0.9, 0.0), (0.0, 0.9), (0.4, 0.5))))
    dynamics = LoopDynamics(
        *(draw(speeds) for _ in range(2)), c1, c0, draw(st.sampled_from((0.0, 0.3, 0.49)))
    )
    rates = [min(0.05 + 0.9 * draw(tenths), 0.95) for _ in range(3)]
    stratified = draw(st.booleans())
    dynamics = replace(dynamics, stochastic=draw(st.booleans()))
    return ThresholdLoop(
        survival, np.arange(k), rates[0], rates[1:], draw(tenths) * 3, dynamics, 10, stratified
    )


def test_constants_of_the_decile_loop():
    found = certify(deciles())
    assert found.kappa == pytest.approx(0.93, abs=1e-12)
    assert found.diameter == pytest.approx(0.086061, abs=1e-6)
    assert found.lipschitz[:3] == pytest.approx([2.453198, 0.575359, 0.561053], abs=1e-6)
    assert found.lipschitz[5:].tolist() == [0.0, 0.0]
    assert not found.is_open


@settings(max_examples=150, deadline=None, derandomize=True)
@given(env=loops(), seed=st.integers(0, 2**16))
def test_constants_hold_at_pairs_of_states(env, seed):
    found, rng = certify(env), np.random.default_rng(seed)
    low, high = found.box.T
    assert (low <= env.start_state).all()
    assert (env.start_state <= high).all()
    assert found.diameter == pytest.approx((high - low).max())
    moves = np.array([env.dynamics.eta_p, env.dynamics.eta_q, env.dynamics.eta_q]) > 0
    assert (low == high)[~moves].all()
    for arm in range(env.n_arms):
        share = rng.random((4, 3))
        ends = rng.integers(0, 2, (4, 3))  # the worst pairs are often corners
        one, two = (low + (high - low) * x for x in (np.where(ends, 1.0, share), ends))
        for a, b in zip(one, two, strict=True):
            apart, next_a, next_b = np.abs(a - b).max(), step(env, a, arm), step(env, b, arm)
            if not found.is_open:
                assert np.abs(next_a - next_b).max() <= found.kappa * apart + 1e-12
            seen = np.abs(means(env, a, arm) - means(env, b, arm))
            assert (seen <= found.lipschitz * apart + 1e-12).all()
            assert (next_a >= low - 1e-12).all()
            assert (next_a <= high + 1e-12).all()


def test_a_batch_cannot_leave_the_box_of_stochastic_dynamics():
    env = replace(deciles(), dynamics=LoopDynamics(stochastic=True, c_p=0.45))
    found = certify(env)
    assert found.box[0] == pytest.approx([env.p0 - 0.25, env.p0 + 0.25])  # the range cuts 0.45
    assert found.kappa == certify(replace(env, dynamics=LoopDynamics(c_p=0.45))).kappa
    wide = LoopDynamics(c_p=0.1, stochastic=True)
    assert certify(replace(env, dynamics=wide)).box[0] == pytest.approx(
        [env.p0 - 0.1, env.p0 + 0.1]
    )


def test_unbalanced_batches_and_random_ones_change_nothing_but_the_channels():
    env = deciles()
    found = certify(env)
    assert certify(replace(env, batch=(10, 1000))).lipschitz.tolist() == found.lipschitz.tolist()
    mixed = certify(replace(env, stratified=False))
    assert mixed.lipschitz.tolist() == np.delete(found.lipschitz, 1).tolist()
    assert (mixed.kappa, mixed.diameter) == (found.kappa, found.diameter)


def test_pairs_of_thresholds_have_the_constants_of_all_pairs():
    env = deciles()
    found, pairs = certify(env), certify(env.with_group_thresholds())
    assert pairs.kappa == pytest.approx(found.kappa)
    assert pairs.box[1:] == pytest.approx(found.box[1:])  # a group's rate knows its own threshold
    assert (pairs.lipschitz >= found.lipschitz - 1e-12).all()
    assert pairs.diameter > found.diameter


@pytest.mark.parametrize(("eta_q", "eta_p", "kappa"), [(0.0, 0.2, 0.8), (0.2, 0.0, None)])
def test_a_rate_that_stays_is_left_out(eta_q, eta_p, kappa):
    env = replace(deciles(), dynamics=LoopDynamics(eta_q, eta_p))
    found = certify(env)
    still = slice(1, 3) if eta_q == 0 else slice(0, 1)
    assert found.box[still, 0].tolist() == found.box[still, 1].tolist()
    assert found.kappa == pytest.approx(kappa or 1 - 0.2 * (1 - 0.3))
    assert (found.lipschitz <= certify(deciles()).lipschitz + 1e-12).all()


def test_open_loops_are_reported():
    for env in (deciles().open(), replace(deciles(), dynamics=LoopDynamics(c1=0, c0=0, c_p=0))):
        found = certify(env)
        assert found.is_open
        assert (found.kappa, found.diameter) == (0.0, 0.0)
        assert not found.lipschitz.any()
        assert found.box[:, 0].tolist() == env.start_state.tolist()


def test_bandits():
    slopes = {"reward_slope": [-0.6, 0.5], "residual_slope": [[0.1, 0.0], [-0.2, 0.0]]}
    parts = {"reward": [0.8, 0.5], "residuals": np.zeros((2, 2)), "inertia": 0.9}
    env = GaussianBandit(**parts, **slopes, target=[-1.0, 2.0], start=0.5)
    found = certify(env)
    assert (found.kappa, found.diameter, found.is_open) == (0.9, 3.0, False)
    assert found.box.tolist() == [[-1.0, 2.0]]
    assert found.lipschitz.tolist() == [0.6, 0.2, 0.0]
    for still in (
        GaussianBandit(**parts),
        GaussianBandit(**parts, **slopes, target=[1.0, 1.0], start=1.0),
    ):
        assert certify(still).is_open
        assert certify(still).kappa == 0.0
    unseen = certify(GaussianBandit(**parts, target=[0.0, 1.0]))
    assert unseen.is_open
    assert (unseen.kappa, unseen.diameter) == (0.9, 1.0)


@pytest.mark.parametrize(
    ("dynamics", "message"),
    [
        (LoopDynamics(c1=0.5, c0=0.5), "c1 \\+ c0 is 1; expected less than 1"),
        (LoopDynamics(c1=0.0, c0=1.5), "c1 \\+ c0 is 1.5"),
        (LoopDynamics(c_p=5.0), "kappa is 1.1876.*c_p is 5"),
    ],
)
def test_loops_that_need_not_forget_are_refused(dynamics, message):
    with pytest.raises(NotContractiveError, match=message):
        certify(replace(deciles(), dynamics=dynamics))


def test_strong_feedback_on_what_does_not_move_is_no_obstacle():
    assert certify(replace(deciles(), dynamics=LoopDynamics(eta_q=0.0, c1=2.0, c_p=9.0))).kappa < 1


def test_lending_is_no_contraction():
    """Half of the mass waits in a cluster that is rejected, wherever it started."""
    env = LendingLoop(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0.5, 0.5]))
    with pytest.raises(NotContractiveError, match="env is a LendingLoop, where kappa is 1"):
        certify(env)


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="env is of type float"):
        certify(0.5)
