"""Runs of the library against a slow loop over rounds on the same noise: every rule, every arm."""

import dataclasses
import warnings

import numpy as np
import pytest

from mdptheory import algorithms
from mdptheory.algorithms import BanditOptions
from mdptheory.models import GaussianBandit, LinearResidual
from proofs_checks._bandit_oracle import Setup, certificates, play, ranges, rows_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # no feasible arm, small radii
ROUNDS = 500
LIBRARY = {
    "ofs": algorithms.ofs,
    "ucb": algorithms.ucb,
    "pessimistic": algorithms.pessimistic_ucb,
    "primal-dual": algorithms.primal_dual_ucb,
    "greedy": algorithms.greedy_feasible,
    "explore-then-commit": algorithms.explore_then_commit,
    "fixed": algorithms.fixed_arm,
}
RADII = {
    "fixed_horizon": {},
    "anytime": {"anytime": True},
    "narrow": {"radius_scale": 0.25},
    "wide_anytime": {"radius_scale": 1.7, "anytime": True, "delta": 0.2},
}


def arms(seed, *, loop=False, m=None):
    """Draw two to six arms in tenths; some are feasible, some tie."""
    rng = np.random.default_rng(seed)
    k, m = int(rng.integers(2, 7)), int(rng.integers(0, 4)) if m is None else m
    reward, residuals = rng.integers(0, 11, k) / 10, rng.integers(-5, 6, (k, m)) / 10
    told = {"sigma_reward": 0.2, "sigma_residuals": rng.choice([0.1, 0.3], m)}
    if loop:
        told |= {
            "reward_slope": rng.uniform(-0.5, 0.5, k),
            "residual_slope": rng.uniform(-0.3, 0.3, (k, m)),
            "target": rng.uniform(-1, 1, k),
            "inertia": 0.8,
            "start": 0.5,
        }
    return GaussianBandit(reward, residuals, **told)


def both(bandit, name, seed, told, *, constraints=None, horizon=ROUNDS, **extra):
    """Run the library and the slow loop on the same numbers."""
    asked = bandit.constraints if constraints is None else constraints
    options = BanditOptions(**told)
    slow = {"delta": 0.05, **told, "constraints": asked}
    slow |= {k: v for k, v in extra.items() if k in ("step", "cap", "pulls", "arm")}
    run = LIBRARY[name](bandit, horizon, asked, options=options, rng=seed, **extra)
    noise = np.random.default_rng(seed).standard_normal((horizon, len(bandit.channels)))
    return run, play(bandit, name, horizon, noise, Setup(**slow))


def extras(name, seed):
    known = {
        "primal-dual": {"step": 0.1, "cap": 0.7} if seed % 2 else {},
        "explore-then-commit": {"pulls": 1 + 7 * seed},
        "fixed": {"arm": 1},
    }
    return known.get(name, {})


def same(run, slow, rows):
    """Compare everything that a run says about its rounds."""
    np.testing.assert_array_equal(run.arms, slow.arms)
    assert run.fallback_rounds == slow.fallback.sum()
    assert run.switches == np.count_nonzero(np.diff(slow.arms))
    np.testing.assert_array_equal(run.counts, np.bincount(slow.arms, minlength=len(run.counts)))
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(run.means, slow.means, **close)
    np.testing.assert_allclose(run.states[:, 0], slow.states, **close)
    sums = {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(run.reward, np.cumsum(slow.means[:, 0]), **sums)
    np.testing.assert_allclose(run.violation, np.cumsum(slow.violation), **sums)
    np.testing.assert_allclose(run.observed_violation, np.cumsum(slow.observed), **sums)
    signed = np.cumsum(slow.means @ rows.matrix.T - rows.level, axis=0)
    np.testing.assert_allclose(run.signed, signed, **sums)
    if run.best.feasible:
        lost = np.cumsum(np.maximum(run.best.reward - slow.means[:, 0], 0.0))
        np.testing.assert_allclose(run.regret, lost, **sums)
    else:
        assert np.isnan(run.regret).all()


@pytest.mark.parametrize("radii", RADII)
@pytest.mark.parametrize("name", LIBRARY)
def test_every_rule_plays_the_arms_of_the_slow_loop(name, radii):
    for seed in range(3):
        bandit = arms(seed)
        run, slow = both(bandit, name, seed, RADII[radii], **extras(name, seed))
        same(run, slow, rows_of(bandit, Setup()))


@pytest.mark.parametrize("name", LIBRARY)
def test_rules_do_not_notice_that_means_move(name):
    for seed in range(3):
        bandit = arms(seed, loop=True)
        run, slow = both(bandit, name, seed, {}, **extras(name, seed))
        same(run, slow, rows_of(bandit, Setup()))
        assert run.certificate_regret is None
        assert run.certificate_violation is None


@pytest.mark.parametrize("name", ["ofs", "primal-dual", "pessimistic", "greedy"])
def test_constraints_on_sums_of_channels_and_on_rewards(name):
    for seed in range(4):
        bandit = arms(seed, m=3)
        asked = (
            LinearResidual({"residual_0": 0.5, "residual_2": -1.0}, 0.1),
            LinearResidual({"reward": -1.0, "residual_0": 0.3}, -0.4),
        )
        setup = Setup(constraints=asked)  # residual_1 is not read: it does not count
        run, slow = both(bandit, name, seed, {}, constraints=asked)
        same(run, slow, rows_of(bandit, setup))
        if name == "ofs":
            lost, broken = certificates(slow, bandit, setup)
            assert run.certificate_violation == pytest.approx(broken, rel=1e-10)
            if not run.fallback_rounds:
                assert run.certificate_regret == pytest.approx(lost, rel=1e-10)


@pytest.mark.parametrize("radii", ["fixed_horizon", "anytime", "narrow"])
def test_certificates_add_up_radii(radii):
    fallen = 0
    for seed in range(8):
        bandit = arms(seed, m=2)
        if seed % 2:  # no arm is feasible
            bandit = dataclasses.replace(bandit, residuals=np.abs(bandit.residuals) + 0.4)
        run, slow = both(bandit, "ofs", seed, RADII[radii])
        if radii == "narrow":
            assert (run.certificate_regret, run.certificate_violation) == (None, None)
            continue
        lost, broken = certificates(slow, bandit)
        assert run.certificate_violation == pytest.approx(broken, rel=1e-10)
        fallen += run.fallback_rounds > 0
        if run.fallback_rounds:
            assert run.certificate_regret is None
        else:
            assert run.certificate_regret == pytest.approx(lost, rel=1e-10)
    assert radii == "narrow" or 0 < fallen < 8


def test_ties_go_to_the_lowest_index():
    bandit = GaussianBandit([0.5, 0.5, 0.5], sigma_reward=1e-300)
    run, slow = both(bandit, "ofs", 0, {}, horizon=50)
    np.testing.assert_array_equal(run.arms, slow.arms)
    np.testing.assert_array_equal(run.arms[:9], [0, 1, 2, 0, 0, 0, 0, 0, 0])


def test_one_arm():
    bandit = GaussianBandit([0.3], [[0.2]])
    run, slow = both(bandit, "ofs", 0, {}, horizon=100)
    assert run.counts.tolist() == [100]
    same(run, slow, rows_of(bandit, Setup()))


# ---- epochs -------------------------------------------------------------------------------------


def theory(bandit, burn):
    """Kappa, D, Lipschitz constants of the channels, and B, from the bandit's numbers."""
    low, high = bandit.ends
    slopes = np.column_stack([bandit.reward_slope, bandit.residual_slope])
    drift = np.abs(slopes).max(axis=0) * (high - low) / (1 - bandit.inertia)
    return drift, drift * bandit.inertia**burn


def epochs_of(arms, first, burn):
    """Lengths of the epochs, from the arms alone."""
    counts, t, lengths = {}, 0, []
    while t < len(arms):
        n = counts.get(int(arms[t]), 0)
        length = min(burn + max(first, n), len(arms) - t)
        assert (arms[t : t + length] == arms[t]).all()
        counts[int(arms[t])] = n + max(0, length - burn)
        lengths.append(length)
        t += length
    return np.array(lengths)


@pytest.mark.parametrize(("first", "burn"), [(1, 0), (1, 1), (16, 0), (16, 5), (64, 64), (9, 3)])
@pytest.mark.parametrize("bias", ["theory", "none"])
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_epochs_play_the_arms_of_the_slow_loop(first, burn, bias, scale):
    for seed in range(3):
        bandit, horizon = arms(seed, loop=True), 1500
        b = theory(bandit, burn)[1] if bias == "theory" else np.zeros(0)
        options = BanditOptions(radius_scale=scale)
        run = algorithms.ofs_epochs(
            bandit,
            horizon,
            bandit.constraints,
            first=first,
            burn=burn,
            bias=bias,
            options=options,
            rng=seed,
        )
        noise = np.random.default_rng(seed).standard_normal((horizon, len(bandit.channels)))
        setup = Setup(radius_scale=scale, first=first, burn=burn, bias=b)
        same(run, play(bandit, "ofs", horizon, noise, setup), rows_of(bandit, setup))


@pytest.mark.parametrize(("first", "burn"), [(1, 0), (16, 5), (64, 0)])
def test_epochs_certify_radii_and_transients(first, burn):
    given = 0
    for seed in range(4):
        bandit, horizon = arms(seed, loop=True, m=1 + seed % 2), 2000
        drift, b = theory(bandit, burn)
        run = algorithms.ofs_epochs(
            bandit, horizon, bandit.constraints, first=first, burn=burn, rng=seed
        )
        noise = np.random.default_rng(seed).standard_normal((horizon, len(drift)))
        setup = Setup(first=first, burn=burn, bias=b)
        slow = play(bandit, "ofs", horizon, noise, setup)
        settled = (1 - bandit.inertia ** epochs_of(slow.arms, first, burn)).sum()
        lost, broken = certificates(slow, bandit, setup)
        lost, broken = lost + drift[0] * settled, broken + drift[1:].max() * settled
        assert run.certificate_violation == pytest.approx(broken, rel=1e-9)
        if run.fallback_rounds:
            assert run.certificate_regret is None
        else:
            given += 1
            assert run.certificate_regret == pytest.approx(lost, rel=1e-9)
    assert given


# ---- rounds played elsewhere --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ofs", "primal_dual_ucb", "ofs_epochs"])
def test_learning_round_by_round_is_a_run(name):
    bandit = arms(3, m=2)
    extra = {"first": 8, "burn": 2, "bias": "none"} if name == "ofs_epochs" else {}
    learner = getattr(algorithms, f"{name}_learner")(
        bandit.problem, 300, bandit.constraints, **extra
    )
    run = getattr(algorithms, name)(bandit, 300, bandit.constraints, rng=5, **extra)
    noise = np.random.default_rng(5).standard_normal((300, 3))
    means = np.column_stack([bandit.reward, bandit.residuals])
    scales = [channel.scale for channel in bandit.channels]
    state, played = learner.init(), []
    for t in range(300):
        arm = learner.select(state)
        played.append(arm)
        state = learner.update(state, means[arm] + scales * noise[t])
    assert played == run.arms.tolist()


def test_the_ranges_that_certificates_use():
    bandit = GaussianBandit([0.9, 0.2], [[0.3, -0.1], [-0.5, 0.1]])
    span, cap = ranges(bandit, rows_of(bandit, Setup()))
    assert span == pytest.approx(0.7)
    assert cap == pytest.approx(0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = algorithms.ofs(bandit, 2, [LinearResidual({"residual_0": 1.0}, 0.5)], rng=0)
    assert run.certificate_regret == pytest.approx(2 * 0.7)
    assert run.certificate_violation == 0.0
