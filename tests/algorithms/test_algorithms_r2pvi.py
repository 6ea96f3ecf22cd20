import numpy as np
import offline_oracle as oracle
import pytest
from finite_process import FiniteProcess

from mdptheory.algorithms import OfflineOptions, r2pvi
from mdptheory.environments import (
    collect,
    collect_statistics,
    random_simplex_mdp,
    simulated_linear_mdp,
)
from mdptheory.errors import CoverageWarning, FeatureWarning, InvalidModelError, UnderflowWarning
from mdptheory.models import (
    ChiSquarePenalty,
    KLPenalty,
    KnownModel,
    OfflineData,
    OfflineStatistics,
    RealData,
    TVBall,
    TVPenalty,
)

MIXED = np.array([[0.5, 0.3, np.inf, 1.0]] * 3)
KINDS = {
    "tv": (TVPenalty, 0.5),
    "tv mixed": (TVPenalty, MIXED),
    "tv nominal": (TVPenalty, np.inf),
    "kl": (KLPenalty, 0.7),
    "kl mixed": (KLPenalty, MIXED),
    "chi2": (ChiSquarePenalty, 0.4),
    "chi2 mixed": (ChiSquarePenalty, MIXED),
}
PUBLISHED = {"ridge": 0.1, "penalty": "l2", "vmin": "data", "clip_zero": False, "clip_w": False}


@pytest.fixture(scope="module")
def leaky():
    return simulated_linear_mdp(0.2, leaky=0.05)


@pytest.fixture(scope="module")
def episodes(leaky):
    return collect(leaky, None, 60, rng=0)


def widths(beta=1.0, last=False, horizon=3, d=4):
    array = np.full((horizon, d), beta)
    array[-1] *= last
    return array


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (OfflineOptions(), {}),
        (OfflineOptions(kl_shift=True, vmin="state", ridge=3.0), {"kl_shift": True, "ridge": 3.0}),
        (OfflineOptions.reproduction(), PUBLISHED),
        (OfflineOptions(penalty_last=True, vmin="data"), {"vmin": "data"}),
    ],
    ids=["default", "shift", "published", "last"],
)
def test_matches_the_slow_fit(leaky, episodes, name, options, changes):
    make, level = KINDS[name]
    beta = widths(last=options.penalty_last)
    setting = oracle.Setting(
        name.split()[0], np.broadcast_to(level, (3, 4)), beta, **({"vmin": "zero"} | changes)
    )
    v, q, policy, w, width = oracle.fit(leaky.known, episodes.states, episodes.actions, setting)
    fit = r2pvi(episodes, leaky.known, make(level), options=options)
    np.testing.assert_allclose(fit.w, w, atol=1e-10)
    np.testing.assert_allclose(fit.v, v, atol=1e-10)
    np.testing.assert_allclose(fit.q, q, atol=1e-10)
    np.testing.assert_allclose(fit.width, width, atol=1e-12)
    np.testing.assert_array_equal(fit.policy, policy)
    np.testing.assert_array_equal(fit.beta, beta)
    assert fit.certificate is None


@pytest.mark.parametrize("kind", ["tv", "kl", "chi2"])
@pytest.mark.parametrize("seed", range(3))
def test_matches_the_slow_fit_on_random_models(kind, seed):
    rng = np.random.default_rng([seed, 5])
    mdp = random_simplex_mdp(4, 3, 3, 4, fail=seed == 0, concentration=1.0, rng=rng)
    data = collect(mdp, None, 40, rng=rng)
    level = rng.uniform(0.2, 2.0, (4, 3))
    beta = rng.uniform(0.0, 0.3, (4, 3))
    beta[-1] = 0.0
    setting = oracle.Setting(kind, level, beta, ridge=0.5, vmin="state")
    v, _, _, w, _ = oracle.fit(mdp.known, data.states, data.actions, setting)
    options = OfflineOptions(beta=beta, ridge=0.5, vmin="state")
    fit = r2pvi(data, mdp.known, KINDS[kind][0](level), options=options)
    np.testing.assert_allclose(fit.w, w, atol=1e-10)
    np.testing.assert_allclose(fit.v, v, atol=1e-10)


def certain(mdp, n=10_000):
    """Return counts that equal their expectations, every pair visited n times."""
    counts = np.stack([n * mdp.kernel(h) for h in range(mdp.horizon)])
    rounded = np.rint(counts).astype(np.int64)
    np.testing.assert_allclose(counts, rounded, atol=1e-6)
    return OfflineStatistics(mdp.known, rounded)


@pytest.mark.parametrize("name", KINDS)
def test_exact_moments_give_exact_worths(leaky, name):
    make, level = KINDS[name]
    options = OfflineOptions(beta=0.0, ridge=1e-8)
    fit = r2pvi(certain(leaky, 1_000_000), leaky.known, make(level), options=options)
    levels = np.broadcast_to(level, (3, 4))
    for h in range(2):
        for i in range(4):
            exact = oracle.sigma_value(name.split()[0], leaky.mu[h, i], fit.v[h + 1], levels[h, i])
            assert fit.w[h, i] == pytest.approx(exact, abs=1e-8)
    np.testing.assert_allclose(fit.v, oracle.plan(leaky, name.split()[0], levels), atol=1e-7)


def test_statistics_and_episodes_are_the_same(leaky, episodes):
    by_counts = r2pvi(episodes.statistics(leaky.known), leaky.known, TVPenalty(0.5))
    by_episodes = r2pvi(episodes, leaky.known, TVPenalty(0.5))
    np.testing.assert_array_equal(by_counts.q, by_episodes.q)


def test_statistics_of_an_equal_model_are_accepted_and_of_another_refused(leaky, episodes):
    statistics = episodes.statistics(leaky.known)
    r2pvi(statistics, simulated_linear_mdp(0.2, leaky=0.05).known, TVPenalty(0.5))
    with pytest.raises(InvalidModelError, match="statistics for other features than known"):
        r2pvi(statistics, simulated_linear_mdp(0.3).known, TVPenalty(0.5))


def test_order_of_episodes_does_not_matter(leaky, episodes):
    order = np.random.default_rng(0).permutation(episodes.n_episodes)
    shuffled = OfflineData(episodes.states[order], episodes.actions[order])
    for make in (TVPenalty, KLPenalty, ChiSquarePenalty):
        one = r2pvi(episodes, leaky.known, make(0.5))
        np.testing.assert_array_equal(one.q, r2pvi(shuffled, leaky.known, make(0.5)).q)


@pytest.mark.parametrize("name", [name for name in KINDS if "mixed" not in name])
@pytest.mark.parametrize("clip_w", [True, False])
def test_samples_give_what_counts_give(name, clip_w):
    mdp = random_simplex_mdp(4, 3, 4, 3, rng=3)
    data = collect(mdp, None, 80, rng=1)
    options = OfflineOptions(beta=0.2, vmin="data", clip_w=clip_w, penalty_last=True)
    ambiguity = KINDS[name][0](KINDS[name][1])
    finite = r2pvi(data, mdp.known, ambiguity, options=options)
    real = r2pvi(
        RealData(data.states.astype(float), data.actions),
        FiniteProcess(mdp.known),
        ambiguity,
        options=options,
    )
    np.testing.assert_allclose(real.w, finite.w, atol=1e-10)
    np.testing.assert_allclose(real.spread, finite.spread, atol=1e-12)
    for h in range(3):
        np.testing.assert_allclose(real.q(h, np.arange(4.0)), finite.q[h], atol=1e-10)
        np.testing.assert_array_equal(real.act(h, np.arange(4.0)), finite.policy[h])
    with pytest.raises(InvalidModelError, match=r"step is 3; expected an integer in \[0, 3\)"):
        real.q(3, np.arange(4.0))


@pytest.mark.parametrize("make", [TVPenalty, KLPenalty, ChiSquarePenalty])
def test_large_weights_are_nearly_nominal(leaky, episodes, make):
    options = OfflineOptions(kl_shift=True)
    nominal = r2pvi(episodes, leaky.known, make(np.inf), options=options)
    large = r2pvi(episodes, leaky.known, make(1e7), options=options)
    np.testing.assert_allclose(large.q, nominal.q, atol=1e-5)


@pytest.mark.filterwarnings("ignore::mdptheory.errors.UnderflowWarning")
@pytest.mark.parametrize("weight", [1e-12, 1e-5, 1e-3, 0.02, 0.3])
def test_one_weight_and_equal_weights_agree_however_small(leaky, episodes, weight):
    """The fail state is worth 0 and not seen: its exponentials must not drown the others."""
    alive = (episodes.states != 3).all(axis=1)
    data = OfflineData(episodes.states[alive], episodes.actions[alive])
    array = np.full((3, 4), weight)
    array[:, 2] = np.inf  # a factor without data here
    for options in (OfflineOptions(beta=0.1), OfflineOptions(beta=0.1, clip_zero=False)):
        one = r2pvi(data, leaky.known, KLPenalty(weight), options=options).w
        many = r2pvi(data, leaky.known, KLPenalty(array), options=options).w
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one[:, [0, 1, 3]], many[:, [0, 1, 3]], atol=1e-6)


def test_worths_do_not_fall_as_the_weight_rises(leaky):
    data = certain(leaky)
    for make in (TVPenalty, KLPenalty, ChiSquarePenalty):
        starts = [
            r2pvi(data, leaky.known, make(weight), options=OfflineOptions(beta=0.05)).v[0, 0]
            for weight in (0.1, 0.3, 1.0, 3.0, np.inf)
        ]
        assert (np.diff(starts) >= -1e-9).all()


def test_more_pessimism_means_lower_values(leaky, episodes):
    starts = [
        r2pvi(episodes, leaky.known, TVPenalty(1.0), options=OfflineOptions(beta=beta)).v
        for beta in (0.0, 0.2, 0.5, 1.0)
    ]
    assert (np.diff(starts, axis=0) <= 1e-12).all()


def test_reproduction_penalises_by_l2_never_more(leaky, episodes):
    one = r2pvi(episodes, leaky.known, TVPenalty(0.5), options=OfflineOptions(penalty="l1"))
    two = r2pvi(episodes, leaky.known, TVPenalty(0.5), options=OfflineOptions(penalty="l2"))
    assert (two.width <= one.width + 1e-12).all()
    assert (two.width[0] < one.width[0] - 0.01).any()
    options = OfflineOptions.reproduction(vmin="zero")
    assert (options.penalty, options.ridge, options.vmin) == ("l2", 0.1, "zero")
    assert options.penalty_last
    assert not options.clip_zero


def test_one_step_needs_no_data():
    mdp = random_simplex_mdp(3, 2, 2, 1, rng=0)
    data = collect(mdp, None, 1, rng=0)
    fit = r2pvi(data, mdp.known, TVPenalty(0.5), options=OfflineOptions(beta="theory"))
    np.testing.assert_allclose(fit.v[0], mdp.reward[0].max(axis=1))
    assert fit.certificate.gap == 0.0


class TestWarnings:
    @pytest.fixture
    def tabular(self):
        """One-hot features of two states and two actions."""
        return KnownModel(np.eye(4).reshape(2, 2, 4), np.full((3, 4), 0.5), 0)

    def test_factors_without_data(self, tabular):
        data = OfflineData([[0, 1, 1, 1]], [[0, 0, 1]])
        text = "3 pairs of step and factor have no data .* the first is factor 1 at step 0"
        with pytest.warns(CoverageWarning, match=text) as caught:
            r2pvi(data, tabular, TVPenalty(1.0), options=OfflineOptions.reproduction())
        assert len(caught) == 1
        assert caught[0].filename == __file__

    def test_last_step_estimates_nothing(self, tabular):
        data = OfflineData([[0, 1, 1, 1]], [[0, 0, 1]])
        with pytest.warns(CoverageWarning, match="^2 pairs"):
            r2pvi(data, tabular, TVPenalty(1.0))

    def test_factors_that_no_seen_state_uses_are_fine(self, leaky, episodes):
        assert (episodes.statistics(leaky.known).gram[0].diagonal() == 0.0).any()
        r2pvi(episodes, leaky.known, TVPenalty(1.0))  # would raise: warnings are errors here

    def test_features_that_are_no_weights(self):
        phi = np.array([[[0.5, 0.4], [1.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
        known = KnownModel(phi, np.zeros((3, 2)), check=False)
        data = OfflineData([[0, 1, 0, 1], [1, 1, 1, 0]], [[0, 1, 0], [1, 1, 1]])
        with pytest.warns(FeatureWarning, match="features of 2 actions .* the worst to 0.9"):
            r2pvi(data, known, TVPenalty(1.0))

    def test_tiny_kl_weights(self, leaky, episodes):
        text = r"weight 0.001 of factor 0 at step 0 makes exp\(-2 / weight\) .* \(8 pairs"
        with pytest.warns(UnderflowWarning, match=text):
            fit = r2pvi(episodes, leaky.known, KLPenalty(0.001))
        assert np.isfinite(fit.q).all()


class TestRefusals:
    def test_kinds(self, leaky, episodes):
        with pytest.raises(TypeError, match="ambiguity is of type TVBall; expected TVPenalty, KL"):
            r2pvi(episodes, leaky.known, TVBall(0.1))
        with pytest.raises(TypeError, match="known is of type LinearMDP; expected KnownModel"):
            r2pvi(episodes, leaky, TVPenalty(1.0))
        with pytest.raises(TypeError, match="data is of type list; expected OfflineData"):
            r2pvi([], leaky.known, TVPenalty(1.0))
        with pytest.raises(TypeError, match="options is of type dict; expected OfflineOptions"):
            r2pvi(episodes, leaky.known, TVPenalty(1.0), options={})

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"ridge": 0.0}, r"ridge is 0.0; expected a number in \(0"),
            ({"ridge": -1}, "ridge is -1.0"),
            ({"ridge": np.inf}, "ridge is inf"),
            ({"delta": 1.0}, r"delta is 1.0; expected a number in \(0, 1\)"),
            ({"beta": -0.1}, "beta is -0.1"),
            ({"beta": np.nan}, "beta is nan"),
            ({"beta": "best"}, "beta is 'best'; expected a number, an array or 'theory'"),
            ({"beta": [1.0, -2.0]}, r"beta\[1\] is -2.0; expected a width of at least 0"),
            ({"beta": np.ones((1, 1, 1))}, "beta has 3 axes; expected at most 2"),
            ({"penalty": "l3"}, "penalty is 'l3'; expected 'l1' or 'l2'"),
            ({"vmin": "min"}, "vmin is 'min'; expected 'auto' or 'zero' or 'state' or 'data'"),
            ({"optimizer": "bfgs"}, "optimizer is 'bfgs'"),
        ],
    )
    def test_options(self, changes, text):
        with pytest.raises(InvalidModelError, match=text):
            OfflineOptions(**changes)

    def test_option_types(self):
        with pytest.raises(TypeError, match="clip_w is 'no'; expected True or False"):
            OfflineOptions(clip_w="no")

    def test_weights_that_are_not_positive(self):
        for make in (TVPenalty, KLPenalty, ChiSquarePenalty):
            for weight in (0.0, -1.0, np.nan):
                with pytest.raises(InvalidModelError, match="weight is"):
                    make(weight)

    def test_no_episodes(self):
        with pytest.raises(InvalidModelError, match="at least one episode"):
            OfflineData(np.zeros((0, 4), int), np.zeros((0, 3), int))

    def test_shapes(self, leaky, episodes):
        with pytest.raises(InvalidModelError, match=r"ambiguity.weight has shape \(2,\)"):
            r2pvi(episodes, leaky.known, TVPenalty([1.0, 2.0]))
        options = OfflineOptions(beta=[1.0, 2.0])
        with pytest.raises(InvalidModelError, match=r"beta has shape \(2,\); expected a number"):
            r2pvi(episodes, leaky.known, TVPenalty(1.0), options=options)

    def test_searches(self, leaky, episodes):
        for options, text in (
            (OfflineOptions(optimizer="nelder-mead"), "expected TVBall, KLBall or ChiSquare"),
            (OfflineOptions(chi_square_minimum=True), "expected a ChiSquarePenalty then"),
        ):
            with pytest.raises(InvalidModelError, match=text):
                r2pvi(episodes, leaky.known, TVPenalty(1.0), options=options)

    def test_real_data(self, leaky, episodes):
        data = RealData(episodes.states.astype(float), episodes.actions)
        options = OfflineOptions(vmin="state")
        with pytest.raises(InvalidModelError, match="vmin is 'state' with real states"):
            r2pvi(data, FiniteProcess(leaky.known), TVPenalty(1.0), options=options)
        short = RealData(data.states[:, :3], data.actions[:, :2])
        with pytest.raises(InvalidModelError, match="the process has 3"):
            r2pvi(short, FiniteProcess(leaky.known), TVPenalty(1.0))
        bad = RealData(data.states, np.full_like(data.actions, 16))
        with pytest.raises(InvalidModelError, match=r"actions\[0, 0\] is 16; expected an index"):
            r2pvi(bad, FiniteProcess(leaky.known), TVPenalty(1.0))
        with pytest.raises(TypeError, match="expected a FeatureProcess with RealData"):
            r2pvi(data, None, TVPenalty(1.0))

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"penalty": "l2"}, "needs l1 widths"),
            ({"penalty_last": True}, "expected penalty_last=False"),
            ({"vmin": "data"}, "vmin is 'data'"),
            ({"clip_zero": False}, "needs clipped estimates"),
            ({"clip_w": False}, "needs clipped estimates"),
            ({"optimizer": "nelder-mead"}, "needs the maximum of the dual"),
            ({"chi_square_minimum": True}, "needs the maximum of the dual"),
        ],
    )
    def test_what_breaks_the_proof(self, leaky, episodes, changes, text):
        options = OfflineOptions(beta="theory", **changes)
        with pytest.raises(InvalidModelError, match="beta is 'theory', .*" + text):
            r2pvi(episodes, leaky.known, ChiSquarePenalty(1.0), options=options)

    def test_what_theory_does_not_cover(self, leaky, episodes):
        theory = OfflineOptions(beta="theory")
        data = RealData(episodes.states.astype(float), episodes.actions)
        with pytest.raises(InvalidModelError, match="needs finitely many states"):
            r2pvi(data, FiniteProcess(leaky.known), TVPenalty(1.0), options=theory)
        mdp = random_simplex_mdp(3, 2, 2, 2, rng=0)
        few = collect(mdp, None, 5, rng=0)
        options = OfflineOptions(beta="theory", vmin="zero")
        with pytest.raises(InvalidModelError, match="no fail state makes 0 the least value"):
            r2pvi(few, mdp.known, TVPenalty(1.0), options=options)
        loose = KnownModel(mdp.phi, mdp.theta, check=False)
        with pytest.raises(InvalidModelError, match="needs simplex features"):
            r2pvi(few, loose, TVPenalty(1.0), options=theory)


def test_collected_statistics_are_repeatable(leaky):
    one, two = (
        r2pvi(collect_statistics(leaky, None, 500, rng=3), leaky.known, KLPenalty(1.0))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.q, two.q)
