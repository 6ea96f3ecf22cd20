"""The figures about OFS: what is claimed of them, on their own data."""

import numpy as np
import pytest

from mdptheory.environments import threshold_preset
from paper_figures.ofs import (
    fig1_presets,
    fig2_steady_states,
    fig3_thresholds,
    fig4_trap,
    fig5_pulls,
    fig6_infeasible,
    fig7_net_reward,
    fig9_static,
)
from paper_figures.ofs._runs import last_part
from paper_figures.ofs._style import COLOURS, PRESETS

PLACES = range(len(PRESETS))
NAMES = list(COLOURS)
OFS, UCB, PRIMAL_DUAL, PESSIMISTIC, GREEDY = (
    NAMES.index(name) for name in ("OFS", "UCB", "primal-dual", "pessimistic", "greedy")
)


def computed(module, config):
    return module.compute(config, np.random.default_rng(0), lambda label, done, total: None)


@pytest.fixture(scope="module")
def presets():
    return computed(fig1_presets, fig1_presets.Config.quick())


@pytest.fixture(scope="module")
def steady():
    return computed(fig2_steady_states, fig2_steady_states.Config(seeds=2))


@pytest.mark.parametrize("i", PLACES)
def test_ofs_violates_ten_times_less_than_both_baselines(presets, i):
    last = presets[f"violation_{i}"][:, :, -1]
    assert 10 * last[OFS].max() < min(last[UCB].min(), last[PRIMAL_DUAL].min())


@pytest.mark.parametrize("i", PLACES)
def test_ofs_ends_near_the_best_feasible_threshold_and_never_falls_back(presets, i):
    found = last_part(presets[f"reward_{i}"][OFS], presets["rounds"])
    assert abs(presets[f"best_{i}"] - found.mean()) < 0.003
    assert not presets[f"fallbacks_{i}"][OFS].any()


@pytest.mark.parametrize("i", PLACES)
def test_primal_dual_meets_its_constraints_by_sign_only(presets, i):
    horizon = presets["rounds"][-1]
    signed = presets[f"signed_{i}"][PRIMAL_DUAL, :, -1].max(axis=-1) / horizon
    clipped = presets[f"violation_{i}"][PRIMAL_DUAL, :, -1] / horizon
    assert np.abs(signed).max() < 0.003
    assert clipped.min() > 0.03


@pytest.mark.parametrize("i", PLACES)
def test_pessimism_costs_reward_and_greed_may(presets, i):
    regret = presets[f"regret_{i}"][:, :, -1]
    assert regret[PESSIMISTIC].min() > 20 * regret[OFS].max()
    assert presets[f"violation_{i}"][PESSIMISTIC, :, -1].max() < 5.0
    assert (np.diff(presets[f"violation_{i}"], axis=-1) >= 0).all()
    assert (np.diff(presets[f"regret_{i}"], axis=-1) >= 0).all()


def test_greedy_search_is_stuck_in_some_runs(presets):
    i = list(PRESETS).index("german")
    regret = presets[f"regret_{i}"][:, :, -1]
    assert regret[GREEDY].max() > 4 * regret[OFS].max()
    assert regret[GREEDY].min() < regret[OFS].min()


@pytest.mark.parametrize("i", PLACES)
def test_ofs_plays_the_best_feasible_threshold_most(steady, i):
    best, feasible = int(steady[f"best_{i}"]), steady[f"feasible_{i}"]
    share = steady[f"share_{i}"].mean(axis=0)
    assert share.argmax() == best
    assert share[best] > 0.6
    assert share[feasible].sum() > 0.85
    assert feasible[best]
    assert not feasible[int(steady[f"unconstrained_{i}"])]
    np.testing.assert_allclose(steady[f"share_{i}"].sum(axis=1), 1.0)


def test_one_preset_has_a_threshold_that_is_feasible_only_before_it_is_used(steady):
    static = [int(steady[f"static_{i}"]) for i in PLACES]
    best = [int(steady[f"best_{i}"]) for i in PLACES]
    assert [a == b for a, b in zip(static, best, strict=True)] == [False, True, True, True]


def plain_gaps(env, arm, n):
    """Return the gaps of n rounds of one arm: the dynamics again, in plain Python."""
    d, bad, good = env.dynamics, env.survival[:, 0, arm], env.survival[:, 1, arm]
    q, gaps = np.array(env.q0), []
    for _ in range(n):
        first, second = q * good + (1 - q) * bad
        gaps.append(abs(first - second))
        aim = np.clip(env.q0 + d.c1 * q * good - d.c0 * (1 - q) * bad, d.q_low, d.q_high)
        q = (1 - d.eta_q) * q + d.eta_q * aim
    return gaps


def test_what_the_audit_misses():
    data = computed(fig9_static, fig9_static.Config(seeds=2))
    arm, limit = int(data["arm"]), float(data["limit"])
    assert data["threshold"][arm] == pytest.approx(0.4)
    gaps = plain_gaps(threshold_preset("synthetic")[0], arm, 1000)
    np.testing.assert_allclose(data["way"], gaps[: len(data["way"])], atol=1e-12)
    assert data["initial"][arm] == pytest.approx(gaps[0], abs=1e-12)
    assert data["steady"][arm] == pytest.approx(gaps[-1], abs=1e-12)
    assert data["way"][0] < limit < data["way"][1]
    assert data["way"][-1] == pytest.approx(data["steady"][arm], abs=1e-4)
    assert data["kept"][-1] > 3 * data["violation"][:, -1].max()


def test_thresholds_over_time():
    data = computed(fig3_thresholds, fig3_thresholds.Config())
    for i in range(3):
        np.testing.assert_allclose(data[f"share_{i}"].sum(axis=1), 1.0)
        assert data[f"feasible_{i}"].shape == (len(data["rounds"]), len(data["threshold"]))
    last = [data[f"share_{i}"][-10:].mean(axis=0) for i in range(3)]
    feasible = data["feasible_0"][-1]
    assert last[0][feasible].sum() > 0.99
    assert last[1][feasible].sum() < 0.02
    assert 0.2 < last[2][feasible].sum() < 0.8  # on both sides
    assert data["violation_0"][-40:].max() < 1e-9
    assert data["violation_2"][-40:].min() > 0.01


def test_the_trap_catches_round_by_round_learning_and_epochs_without_the_bias_term():
    data = computed(fig4_trap, fig4_trap.Config(horizons=(1_000, 1_000_000), seeds=2))
    for i, (known, theory) in enumerate(((13218, 210), (55554, 1554))):
        plain, none, full = data[f"regret_{i}"][:, :, -1]
        assert data[f"bound_{i}"][-1] == pytest.approx(known, abs=1)
        assert plain.min() > 299_000
        assert full.max() == pytest.approx(theory, abs=2)
        assert full.max() < data[f"bound_{i}"][-1]
        assert none.max() == pytest.approx((42, 300_009)[i], abs=2)


def test_pulls_stay_below_their_bound():
    data = computed(fig5_pulls, fig5_pulls.Config(horizon=40_000, seeds=3, instances=20))
    ofs, ucb = data["counts"]
    assert (ofs <= data["bound"]).all()
    assert ucb[:, 0].min() > 100 * data["bound"][0]
    assert (~np.isfinite(data["bound"])).tolist() == [k == 1 for k in range(8)]
    assert (data["random_counts"] <= data["random_bound"]).all()
    assert (~np.isfinite(data["random_bound"])).sum(axis=1).tolist() == [1] * 20


def test_an_infeasible_problem_costs_ofs_little():
    data = computed(fig6_infeasible, fig6_infeasible.Config.quick())
    excess = data["excess_0"]
    assert (excess[OFS] <= data["bound"]).all()
    assert (excess[OFS, :, -1] <= data["certificate"]).all()
    assert data["certificate"].max() < data["bound"][-1]
    assert excess[UCB, :, -1].min() > 5 * data["bound"][-1]
    assert (data["fallbacks"] > 0).all()
    loop = data["excess_1"][:, :, -1]
    assert data["least_1"] > 0.03
    assert loop[OFS].max() < min(loop[UCB].min(), loop[PRIMAL_DUAL].min())


def test_raw_reward_is_larger_without_constraints_and_net_reward_is_not():
    data = computed(fig7_net_reward, fig7_net_reward.Config(seeds=3))
    reward, violation = data["reward"], data["violation"]
    assert (reward[:, 1].min(axis=-1) > reward[:, 0].max(axis=-1)).all()  # UCB above OFS
    net = reward - fig7_net_reward.PRICE * violation
    assert (net[:, 0].min(axis=-1) > net[:, 1:].max(axis=(1, 2))).all()
    assert (data["lines"][:, 1] > data["lines"][:, 0]).all()
    known = ((0.2118, 0.3008, 0.2303), (0.2708, 0.3850, 0.3239), (0.1252, 0.2145, 0.1335))
    np.testing.assert_allclose(reward[:3].mean(axis=-1), known, atol=0.0025)


def test_the_price_from_which_constraints_pay():
    assert fig7_net_reward.break_even(
        np.array([[0.2, 0.3, 0.25]]), np.array([[0.0, 0.1, 0.02]])
    ) == pytest.approx([2.5])
    assert fig7_net_reward.break_even(np.array([[0.2, 0.1]]), np.array([[0.0, 0.1]])) == [0.0]


def test_means_of_the_last_part():
    rounds = np.arange(1, 11) * 10.0
    total = np.cumsum(np.where(rounds > 80, 3.0, 1.0) * 10.0)[None]
    assert last_part(total, rounds).tolist() == [3.0]
