"""Offline learners at extreme levels, with broken data and with what is no argument at all."""

import dataclasses

import numpy as np
import pytest

from mdptheory.algorithms import (
    OfflineOptions,
    OnlineOptions,
    dr_lsvi_ucb,
    drpvi,
    drvi_l,
    explicit_beta,
    r2pvi,
    va_drpvi,
    va_r2pvi,
)
from mdptheory.certificates import check_offline
from mdptheory.environments import (
    AmericanPut,
    collect_real,
    collect_statistics,
    put_value,
    random_simplex_mdp,
    simulated_linear_mdp,
    simulated_target,
)
from mdptheory.errors import InvalidCertificateError, InvalidModelError
from mdptheory.models import (
    ChiSquarePenalty,
    KLBall,
    KLPenalty,
    KnownModel,
    LinearMDP,
    OfflineStatistics,
    TVBall,
    TVPenalty,
)
from mdptheory.solvers import linear_evaluate, linear_plan, robust_operator

EXTREME = [5e-324, 1e-310, 1e-160, 1e-12, 1.0, 1e12, 1e299, 1e308]
MDP = simulated_linear_mdp(0.3)
DATA = collect_statistics(MDP, None, 20, rng=0)
PUT = AmericanPut(horizon=3)
REAL = collect_real(PUT, 0, 5, rng=0)

pytestmark = pytest.mark.filterwarnings(
    "ignore::mdptheory.errors.CoverageWarning", "ignore::mdptheory.errors.UnderflowWarning"
)


@pytest.mark.parametrize("learner", ["tv", "kl", "kl-shift", "chi2", "kl-ball", "nelder-mead"])
@pytest.mark.parametrize("clip", [False, True])
def test_no_level_width_or_ridge_breaks_a_fit(learner, clip):
    rng = np.random.default_rng(3)
    for level in EXTREME:
        mdp = random_simplex_mdp(4, 2, 3, 4, fail=bool(rng.random() < 0.5), rng=rng)
        data = collect_statistics(mdp, None, int(rng.choice([1, 10, 1000])), rng=rng)
        several = np.where(rng.random((4, 3)) < 0.5, level, 0.3)
        options = OfflineOptions(
            beta=float(rng.choice([1e-300, 1.0, 1e6, 1e300])),
            ridge=float(rng.choice([1e-2, 1.0, 1e300])),
            penalty=str(rng.choice(["l1", "l2"])),
            clip_zero=clip,
            clip_w=clip,
            kl_shift=learner == "kl-shift",
            optimizer="nelder-mead" if learner == "nelder-mead" else "breakpoints",
        )
        for given in (level, several):
            if learner in ("kl-ball", "nelder-mead"):
                fit = drvi_l(data, mdp.known, KLBall(given), options=options)
            else:
                price = {"tv": TVPenalty, "chi2": ChiSquarePenalty}.get(learner, KLPenalty)
                fit = r2pvi(data, mdp.known, price(given), options=options)
            for name in ("v", "q", "w", "width", "spread"):
                assert np.isfinite(getattr(fit, name)).all(), (name, level, options)
            assert (fit.q <= np.arange(4, 0, -1)[:, None, None]).all()


def test_shifted_kl_moments_of_negative_values():
    """One factor, all in data: worths are those of the exact moment, with 0 for what is missing."""
    mdp = LinearMDP([[[1.0]], [[1.0]]], np.zeros((2, 1)), np.full((2, 1, 2), 0.5))
    counts = np.full((2, 2, 1, 2), 5)
    counts[:, 1] = 0
    data = OfflineStatistics(mdp.known, counts)
    for weight in (1e-310, 1e-3, 1.0, np.array([[0.5], [0.5]])):
        options = OfflineOptions(
            beta=3.0, ridge=1.0, penalty_last=True, clip_zero=False, clip_w=False, kl_shift=True
        )
        fit = r2pvi(data, mdp.known, KLPenalty(weight), options=options)
        below = -3.0 / np.sqrt(11.0)
        assert fit.v[1] == pytest.approx(below)
        price = float(np.max(weight))
        lack = (np.exp(below / price) if price > 1e-3 else 0.0) / 11.0 + 10.0 / 11.0
        assert fit.w[0, 0] == pytest.approx(below - price * np.log(lack), rel=1e-12)


def test_ridges_lost_in_floats_are_refused_by_name():
    mdp = LinearMDP(np.full((2, 1, 2), 0.5), np.ones((2, 2)), np.full((2, 2, 2), 0.5))
    data = collect_statistics(mdp, None, 10**9, rng=0)
    with pytest.raises(InvalidModelError, match=r"ridge is 1e-300, .* Gram matrix of step 1"):
        drpvi(data, mdp.known, TVBall(0.1), options=OfflineOptions(ridge=1e-300))
    fit = r2pvi(data, mdp.known, TVPenalty(1.0), options=OfflineOptions(beta="theory"))
    forged = dataclasses.replace(fit.certificate, ridge=1e-300)
    with pytest.raises(InvalidCertificateError, match="step 0 is singular"):
        check_offline(forged, data, mdp.known)


def test_events_bounds_and_checks_at_levels_of_all_sizes():
    rng = np.random.default_rng(12)
    accepted = 0
    for case in range(60):
        fail = bool(case % 2)
        horizon, d = int(rng.integers(1, 4)), int(rng.integers(2, 6))
        mdp = random_simplex_mdp(4, 2, d, horizon, fail=fail, rng=rng)
        data = collect_statistics(mdp, None, int(rng.choice([1, 10, 10**6])), rng=rng)
        weight = 10.0 ** rng.uniform(-2 if case % 3 == 1 else -12, 12, (horizon, d))
        price = (TVPenalty, KLPenalty, ChiSquarePenalty)[case % 3](weight)
        fit = r2pvi(data, mdp.known, price, options=OfflineOptions(beta="theory"))
        error = robust_operator(mdp, price, fit.v) - np.stack(
            [mdp.known.phi_at(h) @ fit.w[h] for h in range(horizon)]
        )
        if fail:
            error[:, mdp.fail_state] = 0.0
        assert (np.abs(error) <= fit.width + 1e-9).all()
        worth, best = linear_evaluate(mdp, fit.policy, price).v, linear_plan(mdp, price).v
        assert (fit.v <= worth + 1e-8).all()
        assert (fit.certificate.upper >= best - 1e-8).all()
        try:
            proved = check_offline(fit.certificate, data, mdp.known)
        except InvalidCertificateError:
            continue  # widths too large for floats
        accepted += 1
        assert proved.lower - proved.tolerance <= mdp.start @ worth[0] + 1e-12
        assert proved.upper + proved.tolerance >= mdp.start @ best[0] - 1e-12
        for forged in _forgeries(fit.certificate, rng):
            with pytest.raises(InvalidCertificateError):
                check_offline(forged, data, mdp.known)
    assert accepted > 40


def _forgeries(claim, rng):
    """Yield claims that say more than the data do."""
    s = int(rng.integers(claim.lower.shape[1]))
    for name, by in (("lower", 1e-3), ("upper", -1e-3)):
        array = np.array(getattr(claim, name))
        array[0, s] += by
        yield dataclasses.replace(claim, **{name: array})
    if claim.beta.any():
        yield dataclasses.replace(claim, beta=claim.beta * 0.999)
        yield dataclasses.replace(claim, delta=claim.delta / 2)
        yield dataclasses.replace(claim, n_episodes=claim.n_episodes + 1)


@pytest.mark.parametrize("bad", [True, np.array(True), np.array([True])])
def test_truth_values_are_no_widths(bad):
    with pytest.raises(TypeError, match="beta"):
        OfflineOptions(beta=bad)


def test_options_name_what_they_refuse():
    with pytest.raises(TypeError, match=r"beta is None .* expected a number"):
        OfflineOptions(beta=None)
    with pytest.raises(InvalidModelError, match="beta is not a rectangular array"):
        OfflineOptions(beta=[[1.0], [2.0, 3.0]])
    with pytest.raises(InvalidModelError, match="penalty is array"):
        OfflineOptions(penalty=np.zeros((2, 2)))


def test_weighted_learners_need_a_pilot():
    for learner, nature in ((va_drpvi, TVBall(0.1)), (va_r2pvi, TVPenalty(1.0))):
        with pytest.raises(TypeError, match="pilot is None"):
            learner(DATA, None, MDP.known, nature)
        with pytest.raises(TypeError, match="known is of type int"):
            learner(DATA, DATA, 3, nature)


def test_explicit_widths_refuse_what_no_data_give():
    given = {"ridge": 1.0, "n_episodes": 9, "delta": 0.1, "n_states": 3}
    gram, nature = np.stack([np.eye(2)] * 2), TVPenalty(1.0)
    bad = gram.copy()
    bad[0, 0, 1] = 0.5
    with pytest.raises(InvalidModelError, match=r"gram\[0\] is not symmetric"):
        explicit_beta(nature, bad, **given)
    with pytest.raises(InvalidModelError, match=r"gram\[1, 1, 1\] is -1.0"):
        explicit_beta(nature, gram * [[[1.0]], [[-1.0]]] + 2 * np.diag([1.0, 0.0]), **given)
    for fail_state, error in ((3, InvalidModelError), (-1, InvalidModelError), ("x", TypeError)):
        with pytest.raises(error, match="fail_state is"):
            explicit_beta(nature, gram, fail_state=fail_state, **given)
    for name in ("kl_shift", "vmin_known"):
        with pytest.raises(TypeError, match=f"{name} is 1"):
            explicit_beta(nature, gram, **given, **{name: 1})


def test_functions_of_real_states_refuse_other_steps_and_states():
    fit = r2pvi(REAL, PUT, TVPenalty(1.0), options=OfflineOptions.reproduction())
    with pytest.raises(TypeError, match=r"step is 1.5"):
        fit.q(1.5, np.array([90.0]))
    with pytest.raises(TypeError, match=r"step is True"):
        fit.act(True, np.array([90.0]))
    with pytest.raises(InvalidModelError, match=r"step is 3; expected an integer in \[0, 3\)"):
        fit.q(3, np.array([90.0]))
    for states in (90.0, np.array([[90.0]]), np.array([np.nan])):
        with pytest.raises(InvalidModelError, match="states has shape"):
            fit.q(0, states)


def test_models_and_environments_refuse_other_things():
    refused = [
        (TypeError, "check is 'no'", lambda: KnownModel(MDP.phi, MDP.theta, check="no")),
        (TypeError, "known is of type LinearMDP", lambda: OfflineStatistics(MDP, DATA.counts)),
        (TypeError, "other is of type int", lambda: DATA.plus(1)),
        (TypeError, "mdp is of type KnownModel", lambda: simulated_target(MDP.known, 0.5)),
        (TypeError, "fail is 1 ", lambda: random_simplex_mdp(3, 2, 2, 2, fail=1)),
        (TypeError, "put is of type int", lambda: put_value(3)),
        (TypeError, "policy is 3", lambda: put_value(AmericanPut(start=100.0), policy=3)),
        (TypeError, "process is of type LinearMDP", lambda: collect_real(MDP, 0, 5)),
        (InvalidModelError, "weight is not a rect", lambda: TVPenalty([[1.0], [1.0, 2.0]])),
    ]
    for error, text, call in refused:
        with pytest.raises(error, match=text):
            call()


def test_claims_of_other_types_are_refused():
    fit = r2pvi(DATA, MDP.known, TVPenalty(1.0), options=OfflineOptions(beta="theory"))
    broken = {
        "ridge": ["x", True, None, np.ones(2)],
        "delta": [None, True],
        "n_episodes": ["x", np.ones(2)],
        "lower": [[[1.0], [1.0, 2.0]], None, np.zeros(3)],
        "policy": [[[1], [1, 2]], fit.policy.astype(float)],
    }
    for name, values in broken.items():
        for value in values:
            with pytest.raises(InvalidCertificateError, match=name):
                check_offline(
                    dataclasses.replace(fit.certificate, **{name: value}), DATA, MDP.known
                )


def test_online_theory_needs_l1_widths():
    options = OnlineOptions(beta="theory", bonus="l2")
    with pytest.raises(InvalidModelError, match="bonus is 'l2'; its proof needs l1 widths"):
        dr_lsvi_ucb(MDP, 3, TVPenalty(1.0), options=options)


@pytest.mark.parametrize("bonus", ["l1", "l2"])
def test_online_widths_of_any_size_stay_finite(bonus):
    options = OnlineOptions(beta=1e300, bonus=bonus)
    found = dr_lsvi_ucb(MDP, 5, TVPenalty(1.0), options=options, track=MDP, rng=0)
    assert np.isfinite(found.certificate).all()


def test_online_ridges_lost_in_floats_are_refused_by_name():
    mdp = LinearMDP(np.full((2, 1, 2), 0.5), np.ones((2, 2)), np.full((2, 2, 2), 0.5))
    with pytest.raises(InvalidModelError, match=r"ridge is 1e-100, .* entries up to 25"):
        dr_lsvi_ucb(mdp, 100, TVPenalty(1.0), options=OnlineOptions(ridge=1e-100), rng=0)
    with pytest.raises(InvalidModelError, match=r"ridge is 1e-101; expected .* \[1e-100, inf\]"):
        OnlineOptions(ridge=1e-101)


def test_online_options_refuse_truth_values_for_widths():
    with pytest.raises(TypeError, match="beta is True"):
        OnlineOptions(beta=True)
    with pytest.raises(InvalidModelError, match="beta is not a rectangular array"):
        OnlineOptions(beta=[[1.0], [2.0, 3.0]])


def test_many_episodes_at_a_long_horizon_are_checked_to_the_digit():
    """The checker solves for its weights: products with an inverse lost five digits here."""
    rng = np.random.default_rng(0)
    mdp = random_simplex_mdp(5, 2, 9, 60, fail=True, rng=rng)
    data = collect_statistics(mdp, None, 10**7, rng=rng)
    fit = r2pvi(data, mdp.known, TVPenalty(5.0), options=OfflineOptions(beta="theory"))
    assert check_offline(fit.certificate, data, mdp.known).tolerance < 1e-4
