"""Bandits and closed loops as data: what they refuse, what their channels promise."""

import itertools
import pickle

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models import (
    Channel,
    GaussianBandit,
    LoopDynamics,
    ThresholdLoop,
    residual_rows,
)
from mdptheory.models.bandit import BanditProblem
from mdptheory.operators.closed_loop import loop_means, violations

TABLE = np.array([[[1, 0.5, 0.1], [1, 0.9, 0.4]], [[1, 0.6, 0.2], [1, 1.0, 0.7]]])


def loop(**changes):
    given = {"survival": TABLE, "thresholds": [0.0, 0.5, 1.0], "p0": 0.4, "q0": [0.3, 0.6]}
    return ThresholdLoop(**(given | changes))


def with_entry(index, value):
    table = TABLE.copy()
    table[index] = value
    return table


def channels(*names):
    return tuple(Channel(name, 0.5, 0.0, 1.0) for name in names)


@pytest.mark.parametrize(
    ("arguments", "kind", "match"),
    [
        (
            (0, channels("reward")),
            InvalidModelError,
            "n_arms is 0; expected an integer of at least",
        ),
        ((2.0, channels("reward")), TypeError, "n_arms is 2.0 of type float"),
        ((2, ()), InvalidModelError, r"channels are \[\]; expected the first to be the value"),
        ((2, channels("gap", "reward")), InvalidModelError, r"channels are \['gap', 'reward'\]"),
        ((2, (Channel("reward", 0.5, 0, 1, 9),)), InvalidModelError, "value channel 'reward'"),
        ((2, channels("reward", "a", "a")), InvalidModelError, "expected distinct names"),
        ((2, ["reward"]), TypeError, r"channels\[0\] is 'reward' of type str; expected a Channel"),
    ],
)
def test_problems_refuse(arguments, kind, match):
    with pytest.raises(kind, match=match):
        BanditProblem(*arguments)


# --- normal arms --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "match"),
    [
        (
            {"reward": []},
            InvalidModelError,
            r"reward has shape \(0,\); expected \(K,\), K at least",
        ),
        ({"reward": [[0.1]]}, InvalidModelError, r"reward has shape \(1, 1\)"),
        ({"reward": [0.1, np.nan]}, InvalidModelError, r"reward\[1\] is nan"),
        ({"reward": ["a", "b"]}, TypeError, "reward has dtype"),
        (
            {"residuals": [0.1, 0.2]},
            InvalidModelError,
            r"residuals has shape \(2,\); expected \(2, a",
        ),
        (
            {"residuals": [[0.1]] * 3},
            InvalidModelError,
            r"residuals has shape \(3, 1\); .* \(2, any",
        ),
        ({"residuals": [[0.1], [np.inf]]}, InvalidModelError, r"residuals\[1, 0\] is inf"),
        ({"sigma_reward": 0.0}, InvalidModelError, "sigma_reward is 0.0"),
        ({"sigma_reward": [0.1]}, TypeError, r"sigma_reward is \[0.1\] of type list"),
        ({"sigma_residuals": [0.1]}, InvalidModelError, r"sigma_residuals has shape \(1,\)"),
        (
            {"residuals": [[0.1, 0.0]] * 2, "sigma_residuals": [0.1, -1.0]},
            InvalidModelError,
            r"sigma_residuals\[1\] is -1.0",
        ),
        ({"reward_slope": [1.0]}, InvalidModelError, r"reward_slope has shape \(1,\); expected"),
        ({"residual_slope": [[1.0]] * 2}, InvalidModelError, r"residual_slope has shape \(2, 1\)"),
        ({"target": [0.0, np.nan]}, InvalidModelError, r"target\[1\] is nan"),
        ({"inertia": 1.0}, InvalidModelError, r"inertia is 1.0; expected a number in \[0, 1\)"),
        ({"inertia": -0.1}, InvalidModelError, "inertia is -0.1"),
        ({"start": np.inf}, InvalidModelError, "start is inf"),
        (
            {"reward_slope": [0.0, 1e200], "start": -1e200},
            InvalidModelError,
            r"reward_slope\[1\] is 1e\+200; expected finite means, also at z = -1e\+200",
        ),
    ],
)
def test_normal_arms_refuse(changes, kind, match):
    with pytest.raises(kind, match=match):
        GaussianBandit(**({"reward": [0.1, 0.2]} | changes))


def test_normal_arms_show_their_means_and_ranges():
    rng = np.random.default_rng(1)
    env = GaussianBandit(
        rng.normal(size=3),
        rng.normal(size=(3, 2)),
        sigma_residuals=[0.1, 0.3],
        reward_slope=rng.normal(size=3),
        residual_slope=rng.normal(size=(3, 2)),
        target=[0.0, 2.0, -1.0],
        inertia=0.5,
        start=3.0,
    )
    assert env.ends == (-1.0, 3.0)
    assert [c.scale for c in env.channels] == [0.25, 0.1, 0.3]
    assert [c.name for c in env.channels] == ["reward", "residual_0", "residual_1"]
    assert env.problem.n_arms == 3
    for z in (-1.0, 0.3, 3.0):
        means = np.column_stack(
            [env.reward + env.reward_slope * z, env.residuals + env.residual_slope * z]
        )
        np.testing.assert_allclose(loop_means(env, [z]), means, atol=1e-15)
    seen = np.array([loop_means(env, [z]) for z in np.linspace(-1, 3, 41)])
    for c, channel in enumerate(env.channels):
        assert channel.low == pytest.approx(seen[..., c].min(), abs=1e-12)
        assert channel.high == pytest.approx(seen[..., c].max(), abs=1e-12)
    rows = residual_rows(env.constraints, env.channels)
    assert violations(loop_means(env, [0.0]), rows) == pytest.approx(
        np.maximum(0.0, env.residuals.max(axis=1))
    )


def test_normal_arms_keep_copies():
    reward = np.array([0.1, 0.2])
    env = GaussianBandit(reward)
    reward[0] = 9.0
    assert env.reward[0] == 0.1
    with pytest.raises(ValueError, match="read-only"):
        env.reward[0] = 1.0
    assert env.constraints == ()
    assert len(env.channels) == 1
    again = pickle.loads(pickle.dumps(env))
    assert np.array_equal(again.reward, env.reward)


# --- threshold loops ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "match"),
    [
        (
            {"thresholds": [0.0, 0.5, 0.5]},
            InvalidModelError,
            r"thresholds\[2\] is 0.5, not above thr",
        ),
        ({"thresholds": [0.0, 0.5, np.inf]}, InvalidModelError, r"thresholds\[2\] is inf"),
        ({"thresholds": []}, InvalidModelError, r"thresholds has shape \(0,\)"),
        ({"thresholds": np.zeros((3, 3))}, InvalidModelError, r"thresholds has shape \(3, 3\)"),
        (
            {"thresholds": [0.0, 0.5]},
            InvalidModelError,
            r"survival has shape .*; expected \(2, 2, 2\)",
        ),
        (
            {"survival": with_entry((1, 0, 1), 1.2)},
            InvalidModelError,
            r"survival\[1, 0, 1\] is 1.2",
        ),
        (
            {"survival": with_entry((1, 0, 1), -0.1)},
            InvalidModelError,
            r"expected a probability \(1 ",
        ),
        (
            {"survival": with_entry((0, 1, 2), np.nan)},
            InvalidModelError,
            r"survival\[0, 1, 2\] is na",
        ),
        (
            {"survival": with_entry((0, 1, 2), 0.95)},
            InvalidModelError,
            r"survival\[0, 1, 2\] is 0.95 at threshold 1, and survival\[0, 1, 1\] is 0.9 at",
        ),
        ({"q0": [0.3]}, InvalidModelError, r"q0 has shape \(1,\); expected \(2\)"),
        (
            {"q0": [0.3, 0.97]},
            InvalidModelError,
            r"q0\[1\] is 0.97; .* \[0.05, 0.95\], from q_low to",
        ),
        ({"q0": [0.3, np.nan]}, InvalidModelError, r"q0\[1\] is nan"),
        ({"p0": 1.1}, InvalidModelError, r"p0 is 1.1; expected a number in \[0, 1\]"),
        ({"p0": np.nan}, InvalidModelError, "p0 is nan"),
        (
            {"dynamics": LoopDynamics(p_low=0.5)},
            InvalidModelError,
            r"p0 is 0.4; expected a number in \[0.5, 0.65\], from p_low to p_high of dynamics",
        ),
        ({"cost": -1.0}, InvalidModelError, "cost is -1.0"),
        ({"cost": np.inf}, InvalidModelError, "cost is inf"),
        (
            {"dynamics": {"eta_q": 0.1}},
            TypeError,
            "dynamics is .* of type dict; expected LoopDynam",
        ),
        ({"batch": 0}, InvalidModelError, "batch is 0; expected an integer of at least 1"),
        ({"batch": 2.5}, TypeError, "batch is 2.5 of type float; expected an integer"),
        ({"batch": None}, TypeError, "batch is None of type NoneType"),
        ({"batch": "ab"}, TypeError, "batch is 'ab' of type str"),
        ({"batch": (5, 0)}, InvalidModelError, r"batch\[1\] is 0"),
        (
            {"batch": (5, 5, 5)},
            InvalidModelError,
            r"batch is \(5, 5, 5\); expected a number or two",
        ),
        (
            {"batch": (5, 5), "stratified": False},
            InvalidModelError,
            "one number without stratified",
        ),
        ({"batch": 10**9}, InvalidModelError, "batch is 1000000000; expected at most 1000000"),
        ({"stratified": 1}, TypeError, "stratified is 1 of type int; expected a bool"),
        (
            {"groups": ("A", "A")},
            InvalidModelError,
            r"groups\[1\] is 'A', which is already groups\[0",
        ),
        ({"groups": ("A", "B", "C")}, InvalidModelError, "groups has 3 entries; expected 2"),
        ({"groups": "AB"}, TypeError, "groups is 'AB' of type str"),
        ({"groups": None}, TypeError, "groups is None; expected the names of two groups"),
    ],
)
def test_threshold_loops_refuse(changes, kind, match):
    with pytest.raises(kind, match=match):
        loop(**changes)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"eta_q": 1.1}, "eta_q is 1.1"),
        ({"eta_p": -0.1}, "eta_p is -0.1"),
        ({"c1": -0.1}, "c1 is -0.1"),
        ({"c0": np.inf}, "c0 is inf"),
        ({"c_p": np.nan}, "c_p is nan"),
        ({"q_low": 0.8, "q_high": 0.2}, "q_low is 0.8 and q_high is 0.2; expected a range"),
        ({"p_low": 0.8, "p_high": 0.2}, "p_low is 0.8 and p_high is 0.2; expected a range"),
        ({"p_high": 1.2}, "p_high is 1.2"),
    ],
)
def test_dynamics_refuse(changes, match):
    with pytest.raises(InvalidModelError, match=match):
        LoopDynamics(**changes)


def test_dynamics_types():
    with pytest.raises(TypeError, match="stochastic is 'no' of type str; expected a bool"):
        LoopDynamics(stochastic="no")
    assert LoopDynamics.none().is_open
    assert not LoopDynamics(eta_q=0.0).is_open


@pytest.mark.parametrize(
    ("p0", "low", "high"),
    [
        (0.5, 0.25, 0.75),
        (0.1, 0.05, 0.35),
        (0.02, 0.02, 0.27),
        (0.99, 0.74, 0.99),
        (0.0, 0.0, 0.25),
    ],
)
def test_the_range_of_p_holds_its_start(p0, low, high):
    d = loop(p0=p0).dynamics
    assert (d.p_low, d.p_high) == pytest.approx((low, high))


def test_one_arm_and_one_applicant():
    env = loop(survival=TABLE[..., :1], thresholds=[0.3], batch=1)
    assert env.n_arms == 1
    assert env.sizes == (1, 1)
    assert env.with_group_thresholds().n_arms == 1


def test_pairs_of_thresholds():
    env = loop()
    pairs = env.with_group_thresholds()
    assert pairs.n_arms == 9
    for i, j in itertools.product(range(3), repeat=2):
        k = 3 * i + j
        assert pairs.thresholds[k].tolist() == [env.thresholds[i], env.thresholds[j]]
        assert np.array_equal(pairs.survival[0, :, k], TABLE[0, :, i])
        assert np.array_equal(pairs.survival[1, :, k], TABLE[1, :, j])
    assert pairs.open().thresholds.shape == (9, 2)
    assert env.with_group_thresholds(every=2).thresholds.tolist() == [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
    ]
    assert env.with_group_thresholds(every=99).n_arms == 1
    with pytest.raises(InvalidModelError, match="every is 0; expected an integer of at least 1"):
        env.with_group_thresholds(0)
    with pytest.raises(InvalidModelError, match=r"shape \(9, 2\): there is one a group already"):
        pairs.with_group_thresholds()


def test_pairs_that_contradict_each_other_are_refused():
    pairs = loop().with_group_thresholds()
    for share in (0.95, 0.85):  # group A has the same threshold in arms 3, 4 and 5, with 0.9
        table = np.array(pairs.survival)
        table[0, 1, 5] = share
        with pytest.raises(InvalidModelError, match="expected shares that do not rise"):
            ThresholdLoop(table, pairs.thresholds, 0.4, [0.3, 0.6])
    order = np.random.default_rng(0).permutation(9)
    mixed = ThresholdLoop(pairs.survival[..., order], pairs.thresholds[order], 0.4, [0.3, 0.6])
    assert mixed.n_arms == 9  # pairs come in any order


def test_loops_keep_copies_and_pickle():
    table = TABLE.copy()
    env = loop(survival=table)
    table[0, 0, 0] = 0.0
    assert env.survival[0, 0, 0] == 1.0
    again = pickle.loads(pickle.dumps(env))
    assert np.array_equal(again.survival, env.survival)
    assert again.dynamics == env.dynamics
