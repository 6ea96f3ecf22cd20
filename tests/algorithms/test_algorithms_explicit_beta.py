import math

import numpy as np
import offline_oracle as oracle
import pytest
from scipy.stats import binomtest

from mdptheory.algorithms import OfflineOptions, drpvi, explicit_beta, r2pvi
from mdptheory.certificates import check_offline
from mdptheory.environments import collect_statistics, random_simplex_mdp, simulated_linear_mdp
from mdptheory.errors import InvalidModelError
from mdptheory.models import ChiSquarePenalty, KLBall, KLPenalty, TVBall, TVPenalty
from mdptheory.solvers import linear_evaluate, linear_plan, robust_operator

GRAM = np.stack([np.diag([60.0, 40.0, 1.0]), np.diag([50.0, 50.0, 0.0]), np.eye(3)])
ARGUMENTS = {"ridge": 2.0, "n_episodes": 101, "delta": 0.05, "n_states": 4}


def noise(h, classes=1, free=4, gram=GRAM):
    """R_h + 1 with everything spelled out."""
    count = math.ceil(math.sqrt(101)) ** free
    determinant = np.linalg.det(gram[h] + 2.0 * np.eye(3)) / 2.0**3
    logs = math.log(determinant) / 4 + math.log(classes * count * 2 / 0.05) / 2
    return math.sqrt(logs) + 1.0


BIAS = math.sqrt(2.0 * 3)


@pytest.mark.parametrize("h", [0, 1])
class TestFormulas:
    def check(self, h, ambiguity, expected, **changes):
        beta = explicit_beta(ambiguity, GRAM, **(ARGUMENTS | changes))
        assert beta.shape == (3, 3)
        np.testing.assert_allclose(beta[h], expected, rtol=1e-12)
        np.testing.assert_array_equal(beta[2], 0.0)

    def test_total_variation(self, h):
        bound = 2 - h
        self.check(h, TVPenalty(0.5), bound * (noise(h) + BIAS))
        self.check(h, TVPenalty(0.5), 0.5 * (noise(h, free=3) + BIAS), fail_state=1)
        self.check(h, TVPenalty(9.0), bound * (noise(h, free=3) + BIAS), fail_state=1)
        self.check(h, TVPenalty(0.5), 0.5 * (noise(h) + BIAS), vmin_known=True)
        wide = bound * (noise(h, free=3) + BIAS)
        self.check(h, TVPenalty(0.5), wide, fail_state=1, vmin_known=False)
        self.check(h, TVBall(0.3), wide, fail_state=1)
        self.check(h, None, wide, fail_state=1)

    @pytest.mark.parametrize("weight", [0.3, 2.0, 50.0])
    def test_kl(self, h, weight):
        bound = 2 - h
        grown = math.exp(bound / weight)
        plain = weight * grown * ((1 - 1 / grown) * noise(h) + BIAS)
        shifted = weight * (grown - 1) * (noise(h) + BIAS)
        self.check(h, KLPenalty(weight), plain)
        self.check(h, KLPenalty(weight), shifted, kl_shift=True)
        assert shifted <= plain

    def test_chi_square(self, h):
        bound = 2 - h
        expected = bound * (1 + bound / 0.7) * (noise(h, classes=2) + BIAS)
        self.check(h, ChiSquarePenalty(0.7), expected)

    def test_weights_a_factor(self, h):
        bound = 2 - h
        weights = np.array([[0.5, np.inf, 0.2]] * 3)
        rest = noise(h, classes=3, free=3) + BIAS
        expected = np.array([0.5, bound, 0.2]) * rest
        self.check(h, TVPenalty(weights), expected, fail_state=0)
        kl = explicit_beta(KLPenalty(weights), GRAM, kl_shift=True, **ARGUMENTS)
        assert kl[h, 1] == pytest.approx(bound * (noise(h, classes=3) + BIAS))
        chi = explicit_beta(ChiSquarePenalty(weights), GRAM, **ARGUMENTS)
        rest = noise(h, classes=6) + BIAS
        assert chi[h, 0] == pytest.approx(bound * (1 + bound / 0.5) * rest)
        assert chi[h, 1] == pytest.approx(bound * rest)


def test_one_step_estimates_nothing():
    beta = explicit_beta(TVPenalty(0.5), GRAM[:1], **ARGUMENTS)
    np.testing.assert_array_equal(beta, np.zeros((1, 3)))


def test_shifted_kl_tends_to_the_nominal_width_and_the_plain_one_grows():
    nominal = explicit_beta(None, GRAM, **ARGUMENTS)
    shifted = explicit_beta(KLPenalty(1e8), GRAM, kl_shift=True, **ARGUMENTS)
    np.testing.assert_allclose(shifted, nominal, rtol=1e-7)
    plain = [explicit_beta(KLPenalty(w), GRAM, **ARGUMENTS)[0, 0] for w in (1e3, 1e5)]
    assert plain[1] > 50 * plain[0]


def test_many_states_and_small_weights_do_not_overflow():
    beta = explicit_beta(KLPenalty(1e-4), GRAM, **(ARGUMENTS | {"n_states": 100_000}))
    assert (beta[:2] == np.inf).all()
    beta = explicit_beta(TVBall(0.1), GRAM, **(ARGUMENTS | {"n_states": 100_000}))
    assert np.isfinite(beta).all()


def test_infinite_widths_leave_a_finite_fit():
    mdp = simulated_linear_mdp(0.2, leaky=0.05)
    data = collect_statistics(mdp, None, 1000, rng=0)
    options = OfflineOptions(beta="theory", ridge=1.0)
    with pytest.warns(UserWarning, match=r"makes exp\(-2 / weight\)"):
        fit = r2pvi(data, mdp.known, KLPenalty(1e-3), options=options)
    assert (fit.beta[:2] == np.inf).all()
    np.testing.assert_array_equal(fit.v[0], 0.0)
    assert np.isfinite(fit.width).all()
    assert fit.certificate.upper[0, 0] == 3.0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ridge": 0.0}, "ridge is 0.0"),
        ({"delta": 0.0}, "delta is 0.0"),
        ({"n_episodes": 0}, "n_episodes is 0"),
        ({"n_states": 0}, "n_states is 0"),
    ],
)
def test_refused(changes, text):
    with pytest.raises(InvalidModelError, match=text):
        explicit_beta(TVBall(0.1), GRAM, **(ARGUMENTS | changes))


def test_refused_shapes_and_kinds():
    with pytest.raises(InvalidModelError, match=r"gram has shape \(3, 3\); expected \(horizon"):
        explicit_beta(TVBall(0.1), GRAM[0], **ARGUMENTS)
    with pytest.raises(InvalidModelError, match=r"gram\[0, 0, 0\] is nan"):
        explicit_beta(TVBall(0.1), GRAM * np.nan, **ARGUMENTS)
    with pytest.raises(NotImplementedError, match="ambiguity is a KLBall, for which no explicit"):
        explicit_beta(KLBall(0.1), GRAM, **ARGUMENTS)


# What the widths are for: event, pessimism, the bound on suboptimality, the twin certificate.

CASES = {
    "tv": (TVPenalty, 3.0, {}),
    "kl": (KLPenalty, 2.0, {}),
    "kl shifted": (KLPenalty, 2.0, {"kl_shift": True}),
    "chi2": (ChiSquarePenalty, 1.0, {}),
    "tv_ball": (TVBall, 0.2, {}),
    "tv mixed": (TVPenalty, np.array([[1.0, 0.5, np.inf, 3.0]] * 3), {}),
}


def fit_of(name, data, known):
    make, level, changes = CASES[name]
    learn = drpvi if make is TVBall else r2pvi
    return learn(data, known, make(level), options=OfflineOptions(beta="theory", **changes))


def check_event(mdp, kind, levels, v, w, width):
    """Return the largest ratio of error and width over pairs outside the fail state."""
    worst = 0.0
    for h in range(mdp.horizon - 1):
        nu = np.array(
            [
                oracle.sigma_value(kind, mdp.mu[h, i], v[h + 1], levels[h, i])
                for i in range(mdp.n_factors)
            ]
        )
        error = np.abs(mdp.known.phi_at(h) @ (nu - w[h]))
        alive = np.arange(mdp.n_states) != mdp.fail_state
        worst = max(worst, float((error[alive] / width[h][alive]).max()))
    return worst


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n_episodes", [100, 1000, 100_000])
def test_event_pessimism_and_twin(name, n_episodes):
    mdp = simulated_linear_mdp(0.3, leaky=0.05)
    check_certified(mdp, name, collect_statistics(mdp, None, n_episodes, rng=n_episodes))


@pytest.mark.parametrize("name", [name for name in CASES if name != "tv mixed"])
@pytest.mark.parametrize("fail", [True, False])
def test_event_pessimism_and_twin_on_random_models(name, fail):
    mdp = random_simplex_mdp(4, 2, 3, 3, fail=fail, rng=[7, fail])
    check_certified(mdp, name, collect_statistics(mdp, None, 20_000, rng=1))


def check_certified(mdp, name, data):
    fit = fit_of(name, data, mdp.known)
    kind = name.split()[0]
    levels = np.broadcast_to(CASES[name][1], fit.beta.shape)
    made = fit.certificate
    ratio = check_event(mdp, kind, levels, fit.v, fit.w, fit.width)
    twin = check_event(mdp, kind, levels, made.upper, made.upper_w, fit.width)
    assert 0.0 < max(ratio, twin) < 1.0
    best = oracle.plan(mdp, kind, levels)
    achieved = oracle.plan(mdp, kind, levels, fit.policy)
    assert (made.lower <= achieved + 1e-9).all()
    assert (achieved <= best + 1e-9).all()
    assert (best <= made.upper + 1e-9).all()
    np.testing.assert_array_equal(made.lower, fit.v)
    np.testing.assert_array_equal(made.policy, fit.policy)
    assert made.gap == pytest.approx(made.upper[0, 0] - made.lower[0, 0])
    assert (made.n_episodes, made.delta, made.ridge) == (data.n_episodes, 0.1, 1.0)
    check_offline(made, data, mdp.known)  # recomputed with none of the learner's code
    operator = robust_operator(mdp, fit.ambiguity, fit.v)
    off = np.abs(operator - np.einsum("sai,hi->hsa", mdp.phi, fit.w))[:-1]
    alive = np.arange(mdp.n_states) != mdp.fail_state
    assert (off[:, alive] <= fit.width[:-1, alive]).all()
    np.testing.assert_allclose(linear_plan(mdp, fit.ambiguity).v, best, atol=1e-9)
    np.testing.assert_allclose(
        linear_evaluate(mdp, fit.policy, fit.ambiguity).v, achieved, atol=1e-9
    )


def right_side(mdp, kind, levels, fit):
    """Twice the widths met by the best policy under the factors that are worst for the fit."""
    policy = oracle.plan_policy(mdp, kind, levels)
    bound = np.zeros(mdp.n_states)
    for h in reversed(range(mdp.horizon)):
        worst = np.array(
            [
                oracle.sigma(kind, mdp.mu[h, i], fit.v[h + 1], levels[h, i])[1]
                for i in range(mdp.n_factors)
            ]
        )
        states = np.arange(mdp.n_states)
        phi = mdp.known.phi_at(h)[states, policy[h]]
        bound = 2 * fit.width[h][states, policy[h]] + phi @ worst @ bound
    return bound[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tv", (9.6, 3.7, 1.26, 0.425, 0.142)),
        ("kl", (19.6, 7.3, 2.5, 0.83, 0.28)),
        ("kl shifted", (15.5, 5.9, 2.06, 0.70, 0.23)),
        ("tv_ball", (9.1, 3.5, 1.21, 0.41, 0.136)),
    ],
)
def test_bound_on_suboptimality_shrinks_at_the_root_rate(name, expected):
    mdp = simulated_linear_mdp(0.3)
    kind = name.split()[0]
    levels = np.full((3, 4), CASES[name][1])
    best = oracle.plan(mdp, kind, levels)[0, 0]
    rights = []
    sizes = (10**2, 10**3, 10**4, 10**5, 10**6)
    for n_episodes, value in zip(sizes, expected, strict=True):
        fit = fit_of(name, collect_statistics(mdp, None, n_episodes, rng=0), mdp.known)
        rights.append(right_side(mdp, kind, levels, fit))
        lost = best - oracle.plan(mdp, kind, levels, fit.policy)[0, 0]
        assert lost <= best - fit.v[0, 0] + 1e-9 <= rights[-1] + 2e-9
        assert rights[-1] == pytest.approx(value, rel=0.12)
    slope = np.polyfit(np.log(sizes), np.log(rights), 1)[0]
    assert -0.6 <= slope <= -0.4


def test_twin_certificate_shrinks():
    mdp = simulated_linear_mdp(0.3)
    for n_episodes, expected in ((10**3, 2.79), (10**5, 0.401), (10**6, 0.134)):
        data = collect_statistics(mdp, None, n_episodes, rng=1)
        gap = fit_of("tv", data, mdp.known).certificate.gap
        assert gap == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("name", ["tv", "kl shifted", "chi2", "tv_ball"])
def test_event_holds_as_often_as_claimed(name):
    mdp = simulated_linear_mdp(0.3, leaky=0.05)
    levels = np.full((3, 4), CASES[name][1])
    ratios = []
    for seed in range(60):
        fit = fit_of(name, collect_statistics(mdp, None, 1000, rng=[1, seed]), mdp.known)
        ratios.append(check_event(mdp, name.split()[0], levels, fit.v, fit.w, fit.width))
    failures = int((np.array(ratios) > 1.0).sum())
    assert binomtest(failures, len(ratios), 0.1, "greater").pvalue > 1e-6
    assert max(ratios) > 0.01  # the widths are wide, yet no match for any error


@pytest.mark.parametrize("shrink", [1.0, 0.01])
def test_event_fails_with_widths_a_hundredth(shrink):
    mdp = simulated_linear_mdp(0.3)
    data = collect_statistics(mdp, None, 1000, rng=4)
    full = fit_of("tv", data, mdp.known)
    options = OfflineOptions(beta=shrink * full.beta)
    fit = r2pvi(data, mdp.known, TVPenalty(3.0), options=options)
    ratio = check_event(mdp, "tv", np.full((3, 4), 3.0), fit.v, fit.w, fit.width)
    assert (ratio > 1.0) == (shrink < 1.0)
