"""The figures about R2PVI: published numbers, known exact ones, and what the captions say."""

import numpy as np
import pytest

from mdptheory.algorithms import OfflineOptions, r2pvi
from mdptheory.environments import AmericanPut, collect_statistics, simulated_linear_mdp
from mdptheory.models import TVPenalty
from mdptheory.operators.factors import factor_worth
from mdptheory.solvers import expected_total, linear_plan
from paper_figures.r2pvi import (
    _published,
    fig1_robustness,
    fig2_run_time,
    fig3_leaky,
    fig5_rates,
)
from paper_figures.r2pvi._fits import learner, published_setting
from paper_figures.r2pvi._put import published_paths, published_start
from paper_figures.r2pvi._simulated import published_episodes, target_values
from paper_figures.r2pvi._style import bootstrap

ENDS = [0, -1]


def quiet(label, done, total):
    pass


def computed(module, config):
    return module.compute(config, np.random.default_rng(0), quiet)


def same(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


# ---- figure 1 -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def robustness():
    return computed(fig1_robustness, fig1_robustness.Config())


def test_published_seeds_give_the_episodes_of_plain_choices():
    mdp = simulated_linear_mdp(0.2)
    old, counts = np.random.RandomState(3), np.zeros((3, 5, 16, 5), dtype=int)
    for _ in range(100):
        s = 0
        for h in range(3):
            a = old.choice(range(16), size=1)[0]
            nxt = old.choice(range(5), p=mdp.kernel(h)[s, a])
            counts[h, s, a, nxt] += 1
            s = nxt
    np.testing.assert_array_equal(published_episodes(mdp, 3).counts, counts)


def test_published_seeds_give_the_puts_first_prices_and_moves():
    starts = [published_start(seed) for seed in range(3)]
    np.testing.assert_allclose(starts, [100.4881, 99.1702, 99.3599], atol=5e-5)
    assert starts[1] == pytest.approx(99.17022004702574, abs=1e-12)
    old, prices = np.random.RandomState(1), []
    for _ in range(40):
        price = [starts[2]]
        for _ in range(20):
            price.append(price[-1] * (1.02, 0.98)[old.choice([0, 1], p=[0.5, 0.5])])
        prices.append(price)
    found = published_paths(AmericanPut(), 2).states[:40]
    np.testing.assert_allclose(found, prices, rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "calm", "perturbed"),
    [
        ("PEVI", 1.554, 0.744),
        ("R2PVI-TV", 1.400, 1.000),
        ("R2PVI-KL", 1.486, 0.856),
        ("R2PVI-χ², minimum", 1.325, 1.125),
        ("R2PVI-χ²", 1.520, 0.800),
    ],
)
def test_panel_a_to_the_digits_of_the_published_seeds(robustness, name, calm, perturbed):
    mean = robustness["a_mean"][fig1_robustness.PANEL_A.index(name)]
    np.testing.assert_allclose(mean[ENDS], [calm, perturbed], atol=5.1e-4)


def test_published_curves_with_known_parameters_are_ours_up_to_test_episodes(robustness):
    pevi, tv, kl, minimum, _ = robustness["a_mean"]
    assert np.abs(pevi - _published.FIG_1A["PEVI"]).max() < 0.022
    assert np.abs(tv - _published.FIG_1A["TV"]).max() < 0.022
    ours = robustness["b_mean"][:, ENDS]
    theirs = np.array([_published.FIG_1B[0.0], _published.FIG_1B[1.0]]).T
    assert np.abs(ours - theirs).max() < 0.03
    # and those whose parameters are unknown are not, as the caption says
    assert abs(kl[-1] - _published.FIG_1A["KL"][-1]) > 0.1
    assert abs(minimum[-1] - _published.FIG_1A["chi2"][-1]) > 0.03


def test_no_kl_weight_is_as_flat_as_published_but_the_minimum_of_chi_square_is():
    mdp = simulated_linear_mdp(0.2)
    data, shifts = [published_episodes(mdp, k) for k in range(20)], np.array([0.0, 1.0])

    def ends(name, weight):
        learn = learner(name, weight)
        fits = [learn(episodes, mdp.known).policy for episodes in data]
        return target_values(mdp, fits, shifts).mean(axis=0)

    with published_setting():
        for weight in (0.002, 0.01, 0.05, 0.1, 0.5, 2.0, 5.0):
            assert ends("R2PVI-KL", weight)[1] < _published.FIG_1A["KL"][-1] - 0.1
        for weight in (0.3, 0.5, 1.0):
            np.testing.assert_allclose(ends("R2PVI-χ², minimum", weight), [1.347, 1.087], atol=5e-4)
        np.testing.assert_allclose(ends("R2PVI-χ²", 0.01), [1.355, 1.075], atol=5e-4)
    theirs = np.array(_published.FIG_1A["chi2"])[ENDS]
    np.testing.assert_allclose(theirs, [1.347, 1.087], atol=0.005)


def test_weights_and_radii_act_in_opposite_directions(robustness):
    ball, exact, penalty = robustness["c_mean"]
    assert (np.diff(ball) > 0).all()
    assert (np.diff(exact) > 0).all()
    assert (np.diff(penalty) <= 1e-12).all()
    for ours, name in ((ball, "DRPVI"), (penalty, "R2PVI-TV")):
        assert np.abs(ours - _published.FIG_1C[name]).max() < 0.08  # other data sets
    calm, perturbed = robustness["b_mean"][:, ENDS].T
    assert (np.diff(calm) > 0).all()
    assert (np.diff(perturbed) < 0).all()


def test_reference_lines_are_the_known_values(robustness):
    low, high = robustness["lines_a"]
    # u- first: 0.9 V2 + 0.2 (1 - q); u+ first: 0.5 V2 + (1 - q), with V2 = 1.24975
    q = robustness["shifts"]
    np.testing.assert_allclose(low, 0.9 * 1.24975 + 0.2 * (1 - q), atol=1e-12)
    np.testing.assert_allclose(high, 0.5 * 1.24975 + (1 - q), atol=1e-12)
    np.testing.assert_allclose(robustness["lines_b"][0], 1.43976, atol=1e-12)  # u- is 0 there
    for mean in robustness["a_mean"]:  # all plans lie between the two
        assert (mean <= np.maximum(low, high) + 1e-12).all()
        assert (mean >= np.minimum(low, high) - 1e-12).all()


PUT = {
    ("PEVI", 0): [6.21, 4.82, 1.82, 0.19, 0.0],
    ("R2PVI-TV", 0): [3.66, 3.13, 1.84, 0.53, 0.0],
    ("R2PVI-TV", 1): [4.77, 4.18, 1.92, 0.30, 0.0],
    ("R2PVI-TV", 2): [1.36, 1.22, 1.04, 0.80, 0.55],
    ("DRPVI", 0): [3.77, 3.10, 1.74, 0.50, 0.0],
    ("DRPVI", 1): [5.02, 4.16, 1.83, 0.33, 0.0],
    ("DRPVI", 2): [1.48, 1.35, 1.09, 0.78, 0.55],
    ("DRPVI, exact", 0): [3.78, 3.20, 1.81, 0.51, 0.0],
    ("DRPVI, exact", 1): [5.74, 4.69, 1.86, 0.21, 0.0],
    ("DRPVI, exact", 2): [2.14, 1.95, 1.39, 0.74, 0.28],
}


@pytest.mark.parametrize("row", PUT, ids=lambda row: f"{row[0]} {row[1]}")
def test_panel_d_to_two_digits(robustness, row):
    name, k = row
    # half a digit, and what rounding twice adds
    np.testing.assert_allclose(robustness[f"d_{name}"][k].mean(axis=0), PUT[row], atol=0.0061)


def test_panel_d_against_the_published_points(robustness):
    for name, curves in _published.FIG_1D.items():
        for k, theirs in enumerate(curves):
            ours = robustness[f"d_{name}"][k].mean(axis=0)
            assert np.abs(ours - theirs).max() < 0.45  # 100 paths, the same for all data sets
            if name != "PEVI":  # robust plans win if prices rise and lose if they fall
                pevi = robustness["d_PEVI"][0].mean(axis=0)
                assert ours[3] > pevi[3]
                assert ours[4] >= pevi[4]
                assert ours[0] < pevi[0]
    oracle = robustness["oracle"]
    np.testing.assert_allclose(oracle, [21.160, 8.833, 1.926, 0.830, 0.830], atol=6e-4)
    for name, levels in fig1_robustness.PANEL_D:
        for k in range(len(levels)):
            assert (robustness[f"d_{name}"][k] <= oracle + 1e-9).all()


def test_penalty_and_ball_coincide_on_the_put_only_as_published(robustness):
    for k in range(3):
        penalty, ball, exact = (
            robustness[f"d_{name}"][k].mean(axis=0)
            for name in ("R2PVI-TV", "DRPVI", "DRPVI, exact")
        )
        assert np.abs(penalty - ball).max() < 0.3
        assert (np.abs(penalty - exact).max() < 0.3) == (k == 0)


def test_intervals_hold_the_mean_and_shrink():
    rng = np.random.default_rng(1)
    values = rng.random((400, 3)) + np.arange(3)
    low, high = bootstrap(values, rng)
    assert (low < values.mean(axis=0)).all()
    assert (values.mean(axis=0) < high).all()
    expected = 2 * 1.96 * values.std(axis=0) / 20
    np.testing.assert_allclose(high - low, expected, rtol=0.1)
    np.testing.assert_array_equal(bootstrap(np.ones((5, 2)), rng), np.ones((2, 2)))


def test_figure_1_repeats_itself_and_names_are_checked():
    config = fig1_robustness.Config(replications=2, put_replications=1)
    same(computed(fig1_robustness, config), computed(fig1_robustness, config))
    with pytest.raises(ValueError, match="no learner is called 'LSVI'"):
        learner("LSVI", 0.1)


# ---- figure 2 -----------------------------------------------------------------------------------


def test_all_learners_are_timed_and_published_ratios_belong_to_their_sizes():
    config = fig2_run_time.Config(episodes=(20, 30), features=(6, 8), rounds=2)
    data = computed(fig2_run_time, config)
    assert data["settings"].tolist() == [[20, 6], [30, 6], [20, 8]]
    assert data["seconds"].shape == (3, 2, len(fig2_run_time.LEARNERS))
    assert (data["seconds"] > 0).all()
    assert fig2_run_time._published(1000, 30)["PEVI"] == 0.80
    assert fig2_run_time._published(5000, 30)["DRPVI"] == 6.77
    assert fig2_run_time._published(1000, 120)["DRVI-L"] == 16.19
    assert fig2_run_time._published(5000, 120) == {}


# ---- figure 3 -----------------------------------------------------------------------------------


def test_gains_and_values_with_a_leak_are_the_known_ones():
    leaky = simulated_linear_mdp(0.2, leaky=0.05)
    weights = np.array([0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 1e6])
    gain, value = fig3_leaky._exact([leaky], weights)
    tv, kl, chi2 = gain[0]
    np.testing.assert_allclose(tv[[3, 4, 5]], [-0.0098, -0.0196, 0.2516], atol=5e-5)
    np.testing.assert_allclose(kl[[0, 2, 3, 4]], [-0.0782, -0.1624, 0.0534, 0.1827], atol=5e-5)
    np.testing.assert_allclose(chi2[[0, 1, 3]], [-0.0671, 0.0724, 0.2124], atol=5e-5)
    known = [0.32581, 0.96320, 1.24221, 1.43444]
    np.testing.assert_allclose(value[0, 1, [0, 2, 3, 4]], known, atol=5e-6)
    np.testing.assert_allclose(gain[0, :, -1], 0.2516, atol=5e-5)
    np.testing.assert_allclose(value[0, :, -1], 1.53801, atol=1e-5)


def test_only_with_a_leak_does_the_exact_policy_react():
    weights = np.geomspace(0.02, 5.0, 40)
    gain, value = fig3_leaky._exact(
        [simulated_linear_mdp(0.2), simulated_linear_mdp(0.2, leaky=0.05)], weights
    )
    assert (gain[0] > 0).all()
    near = weights < 1.24975
    np.testing.assert_allclose(gain[0, 0, near], 0.0004 * weights[near], atol=1e-12)
    assert (gain[1, :, 0] < 0).all()
    assert (gain[1, :, -1] > 0).all()
    assert (np.diff(value, axis=-1) >= -1e-12).all()
    assert (value[1] < value[0]).all()


def test_learners_come_to_play_what_the_exact_policy_plays():
    config = fig3_leaky.Config(points=3, episodes=(100, 100_000), data_sets=6)
    data = computed(fig3_leaky, config)
    expected = np.array([0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(data["first"][:, :, 1], np.tile(expected, (2, 1)), atol=1e-12)
    leaky = simulated_linear_mdp(0.2, leaky=0.05)
    for penalty, u in zip(fig3_leaky.LEARNERS, expected, strict=True):
        action = linear_plan(leaky, penalty).policy[0, 0]
        assert leaky.phi[0, action, 3] == pytest.approx(u)
    careful = data["first"][:, 3:, 0]
    assert (careful < 0.5).all()  # with 100 episodes all are careful, PEVI too
    same(data, computed(fig3_leaky, config))


# ---- figure 5 -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rates():
    return computed(fig5_rates, fig5_rates.Config(episodes=(100, 10_000, 1_000_000), data_sets=5))


def test_nothing_is_lost_beyond_what_is_certified(rates):
    for bound in ("right", "right_elsewhere", "gap", "trivial"):
        ends = rates[bound][:, None, None] if bound == "trivial" else rates[bound]
        assert (rates["lost"] <= ends + 1e-9).all()
    assert (rates["lost"] >= -1e-12).all()


@pytest.mark.parametrize(
    ("case", "known"),
    [
        (0, [9.6, 1.26, 0.142]),
        (1, [19.6, 2.5, 0.28]),
        (2, [15.5, 2.06, 0.23]),
        (3, [26.9, 3.6, 0.40]),
        (4, [9.1, 1.21, 0.136]),
        (5, [5.6, 0.51, 0.057]),
    ],
)
def test_bounds_are_the_known_ones_and_fall_as_a_root(rates, case, known):
    found = np.median(rates["right"][case], axis=1)
    np.testing.assert_allclose(found, known, rtol=0.3)  # at K = 100 data sets differ that much
    np.testing.assert_allclose(found[1:], known[1:], rtol=0.03)
    slope = np.polyfit(np.log(rates["episodes"]), np.log(found), 1)[0]
    assert -0.6 < slope < -0.4


def test_ties_sent_to_states_without_data_keep_the_bound_large(rates):
    elsewhere = np.median(rates["right_elsewhere"], axis=2)
    np.testing.assert_allclose(elsewhere[:4], np.median(rates["right"][:4], axis=2))
    assert elsewhere[4, -1] == pytest.approx(1.4, abs=0.05)
    assert (np.abs(elsewhere[5, 1:] - 6.2) < 0.2).all()
    assert np.median(rates["gap"][0, 2]) == pytest.approx(0.134, abs=0.002)


def test_the_right_side_is_a_total_under_natures_factors():
    mdp = simulated_linear_mdp(0.3)
    plan = linear_plan(mdp, TVPenalty(1.0))
    data = collect_statistics(mdp, None, 3000, rng=4)
    fit = r2pvi(data, mdp.known, TVPenalty(1.0), options=OfflineOptions(beta="theory"))
    for sink in (None, mdp.fail_state):
        factors = np.stack(
            [
                factor_worth(fit.v[h + 1], mdp.mu[h], TVPenalty(1.0), sink=sink).worst
                for h in range(3)
            ]
        )
        total = expected_total(mdp, plan.pi, 2.0 * fit.width, factors)[0]
        assert fig5_rates.right_side(mdp, fit, plan, sink) == pytest.approx(total, abs=1e-12)


def test_figure_5_repeats_itself():
    config = fig5_rates.Config(episodes=(1000,), data_sets=2)
    same(computed(fig5_rates, config), computed(fig5_rates, config))
