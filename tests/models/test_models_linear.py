"""Linear MDPs, what nature may do to their factors, and data of them: rules, texts, embeddings."""

import re

import numpy as np
import pytest

from mdptheory import Discounted, FiniteHorizon, TabularMDP
from mdptheory.errors import InvalidModelError
from mdptheory.models import (
    ChiSquarePenalty,
    FactorKind,
    KLBall,
    KLPenalty,
    KnownModel,
    LinearMDP,
    LinearPlan,
    OfflineCertificate,
    OfflineData,
    OfflineStatistics,
    RealData,
    SampledLinearMDP,
    TVBall,
    TVPenalty,
    factor_levels,
    one_hot_actions,
)

PHI = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]])  # 2 states, actions, factors
THETA = np.array([[0.5, 0.0], [1.0, 0.0], [0.25, 0.0]])
MU = np.tile([[0.75, 0.25], [0.0, 1.0]], (3, 1, 1))
KNOWN = KnownModel(PHI, THETA, 0, 1)


def refuses(text, kind=InvalidModelError):
    return pytest.raises(kind, match=re.escape(text))


def changed(array, index, value):
    copy = np.array(array)
    copy[index] = value
    return copy


# ---- models -----------------------------------------------------------------------------------


def test_what_a_known_model_knows():
    assert (KNOWN.horizon, KNOWN.n_states, KNOWN.n_actions, KNOWN.n_factors) == (3, 2, 2, 2)
    assert KNOWN.features.shape == (1, 2, 2, 2)
    np.testing.assert_array_equal(KNOWN.reward[1], [[0.5, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(KNOWN.start, [1.0, 0.0])
    assert KNOWN.simplex
    stepwise = KnownModel(np.stack([PHI, PHI[:, ::-1], PHI]), THETA, [0.5, 0.5])
    assert stepwise.features.shape == (3, 2, 2, 2)
    assert stepwise.horizon == 3
    np.testing.assert_array_equal(stepwise.phi_at(1), PHI[:, ::-1])
    np.testing.assert_array_equal(stepwise.reward[1], KNOWN.reward[1][:, ::-1])


def test_what_a_linear_mdp_adds():
    mdp = LinearMDP(PHI, THETA, MU, 0, 1)
    np.testing.assert_allclose(mdp.kernel(0)[0], [[0.375, 0.625], [0.75, 0.25]], rtol=1e-15)
    assert isinstance(mdp.known, KnownModel)
    other = mdp.with_factors(np.tile([[0.0, 1.0], [0.0, 1.0]], (3, 1, 1)))
    np.testing.assert_array_equal(other.kernel(2)[..., 1], np.ones((2, 2)))
    assert other.fail_state == 1
    assert not LinearMDP(2 * PHI, THETA, MU, check=False).with_factors(MU).known.simplex


def test_arrays_are_copies_that_cannot_be_written_to():
    start = np.array([0.5, 0.5])
    phi, theta, mu = PHI.copy(), THETA.copy(), MU.copy()
    mdp = LinearMDP(phi, theta, mu, start)
    kept = [mdp.phi, mdp.theta, mdp.mu, mdp.reward, mdp.start, mdp.known.phi, mdp.initial]
    assert not any(array.flags.writeable for array in kept)
    for array in (phi, theta, mu, start):
        array[:] = 9.0
    assert mdp.phi.max() <= 1
    assert mdp.mu.max() <= 1
    np.testing.assert_array_equal(mdp.with_factors(MU).start, [0.5, 0.5])
    for data in (OfflineData([[0, 1]], [[0]]), RealData([[0.0, 1.0]], [[0]])):
        assert not data.states.flags.writeable
        assert not data.actions.flags.writeable


@pytest.mark.parametrize(
    ("given", "text", "kind"),
    [
        ({"phi": PHI[0]}, "phi has shape (2, 2); expected (S, A, d) or (H, S, A, d)", None),
        ({"phi": PHI[:0]}, "phi has shape (0, 2, 2); expected (S, A, d)", None),
        ({"phi": PHI[None]}, "theta has shape (3, 2); expected (1, 2)", None),
        ({"phi": changed(PHI, (0, 1), [1.5, -0.5])}, "phi[0, 1, 1] is -0.5; expected a", None),
        ({"phi": changed(PHI, (1, 0, 1), 0.9)}, "phi[1, 0] sums to 0.9; expected 1 within",
         None),
        ({"phi": changed(PHI, (1, 0, 1), np.nan)}, "phi[1, 0, 1] is nan; expected a finite", None),
        ({"phi": [[["a"]]]}, "phi has dtype <U1; expected real numbers", TypeError),
        ({"theta": THETA[:, :1]}, "theta has shape (3, 1); expected (any, 2)", None),
        ({"theta": THETA[:0]}, "theta has no step; expected shape (H, d) with H >= 1", None),
        ({"theta": changed(THETA, (1, 0), np.inf)}, "theta[1, 0] is inf; expected a finite", None),
        ({"theta": changed(THETA, (2, 0), 1.5)},
         "theta[2] gives state 0 and action 1 the reward 1.5; expected one in", None),
        ({"theta": changed(THETA, (0, 1), -1.0)},
         "theta[0] gives state 0 and action 0 the reward -0.25; expected one in [0, 1]", None),
        ({"initial": 2}, "initial is 2; expected an index in [0, 2) or a distribution", None),
        ({"initial": -1}, "initial is -1; expected an index in [0, 2)", None),
        ({"initial": [1.0]}, "initial has shape (1,); expected (2)", None),
        ({"initial": [0.5, 0.6]}, "initial sums to 1.1; expected 1", None),
        ({"initial": [1.5, -0.5]}, "initial[1] is -0.5; expected a probability", None),
        ({"initial": True}, "initial has shape (1,); expected (2)", None),
        ({"fail_state": 2}, "fail_state is 2; expected an index in [0, 2)", None),
        ({"fail_state": True}, "fail_state is True; expected an index or None", TypeError),
        ({"fail_state": 1.0}, "fail_state is 1.0; expected an index or None", TypeError),
        ({"fail_state": 0}, "fail_state 0 earns 0.25 at step 0 with action 0; expected", None),
    ],
)  # fmt: skip
def test_models_that_are_refused(given, text, kind):
    arguments = {"phi": PHI, "theta": THETA, "initial": 0, "fail_state": None} | given
    with refuses(text, kind or InvalidModelError):
        KnownModel(**arguments)
    with refuses(text, kind or InvalidModelError):
        LinearMDP(**arguments, mu=MU)


@pytest.mark.parametrize(
    ("mu", "text"),
    [
        (MU[:2], "mu has shape (2, 2, 2); expected (3, 2, 2)"),
        (changed(MU, (1, 0, 0), 0.5), "mu[1, 0] sums to 0.75; expected 1 within 1e-09 (1 of 6"),
        (changed(MU, (1, 1), [-0.5, 1.5]), "mu[1, 1, 0] is -0.5; expected a probability"),
        (changed(MU, (0, 1), [0.1, 0.9]),
         "fail_state 1 is left with probability 0.1 at step 0 with action 0; expected an"),
    ],
)  # fmt: skip
def test_factors_that_are_refused(mu, text):
    with refuses(text):
        LinearMDP(PHI, THETA, mu, 0, 1)


def test_the_last_step_of_a_fail_state_leads_where_it_likes():
    assert LinearMDP(PHI, THETA, changed(MU, (2, 1), [1.0, 0.0]), 0, 1).fail_state == 1


def test_unchecked_features_and_rewards():
    known = KnownModel(-2 * PHI, 3 * THETA, check=False)
    assert not known.simplex
    assert known.reward.min() == -6.0
    with refuses("phi[0, 0, 0] is inf; expected a finite number"):
        KnownModel(changed(PHI, (0, 0, 0), np.inf), THETA, check=False)


def test_a_sampled_model_needs_a_model_and_a_sampler():
    assert SampledLinearMDP(KNOWN, lambda h, s, a, u: 0).sampler(0, 0, 0, 0.5) == 0
    with refuses("known is of type LinearMDP; expected KnownModel", TypeError):
        SampledLinearMDP(LinearMDP(PHI, THETA, MU), max)
    with refuses("sampler is 3; expected a callable", TypeError):
        SampledLinearMDP(KNOWN, 3)


# ---- the tabular embedding --------------------------------------------------------------------


def test_states_with_fewer_actions_repeat_their_last():
    mdp = TabularMDP(
        choice_ptr=[0, 1, 3], action=[2, 0, 1], row_ptr=[0, 2, 3, 4], next_state=[0, 1, 0, 1],
        prob=[0.25, 0.75, 1.0, 1.0], reward=[0.5, 1.0, 0.25], objective=FiniteHorizon(2),
        n_states=2, initial=[0.25, 0.75],
    )  # fmt: skip
    linear = LinearMDP.from_tabular(mdp)
    assert linear.phi.shape == (2, 2, 4)
    np.testing.assert_array_equal(one_hot_actions(mdp), [[[2, 2], [0, 1]]])
    for h in range(2):
        np.testing.assert_array_equal(linear.reward[h], [[0.5, 0.5], [1.0, 0.25]])
        rows = [[[0.25, 0.75]] * 2, [[1.0, 0.0], [0.0, 1.0]]]
        np.testing.assert_array_equal(linear.kernel(h), rows)
    np.testing.assert_array_equal(linear.start, [0.25, 0.75])


def test_rows_that_depend_on_the_stage():
    rng = np.random.default_rng(0)
    P, reward = rng.dirichlet(np.ones(3), size=(4, 3, 2)), rng.random((4, 3, 2))
    mdp = TabularMDP.from_dense(P, reward, objective=FiniteHorizon(4))
    linear = LinearMDP.from_tabular(mdp)
    np.testing.assert_array_equal(linear.reward, reward)
    np.testing.assert_array_equal(np.stack([linear.kernel(h) for h in range(4)]), P)
    assert one_hot_actions(mdp).shape == (4, 3, 2)
    np.testing.assert_array_equal(linear.start, [1.0, 0.0, 0.0])  # no first state was given


def test_tabular_models_that_are_not_linear():
    P, reward = np.full((2, 1, 2), 0.5), np.ones((2, 1))
    with refuses("mdp has objective Discounted; expected FiniteHorizon"):
        LinearMDP.from_tabular(TabularMDP.from_dense(P, reward, objective=Discounted(0.9)))
    with refuses("mdp has discount 0.9; expected 1"):
        LinearMDP.from_tabular(TabularMDP.from_dense(P, reward, objective=FiniteHorizon(2, 0.9)))
    terminal = FiniteHorizon(2, terminal=[0.0, 1.0])
    with refuses("mdp has a terminal reward; expected none"):
        LinearMDP.from_tabular(TabularMDP.from_dense(P, reward, objective=terminal))
    paid = np.array([[[0.0, 1.0]], [[0.5, 0.5]]])
    with refuses("mdp has rewards that depend on the next state"):
        LinearMDP.from_tabular(TabularMDP.from_dense(P, paid, objective=FiniteHorizon(2)))
    with refuses("the reward 2; expected one in [0, 1]"):
        LinearMDP.from_tabular(TabularMDP.from_dense(P, 2 * reward, objective=FiniteHorizon(2)))
    with refuses("mdp is of type KnownModel; expected TabularMDP", TypeError):
        LinearMDP.from_tabular(KNOWN)


# ---- what nature may do -----------------------------------------------------------------------

KINDS = {
    None: FactorKind.NOMINAL, TVBall: FactorKind.TV_BALL, KLBall: FactorKind.KL_BALL,
    TVPenalty: FactorKind.TV_PENALTY, KLPenalty: FactorKind.KL_PENALTY,
    ChiSquarePenalty: FactorKind.CHI_SQUARE_PENALTY,
}  # fmt: skip


@pytest.mark.parametrize("kind", [k for k in KINDS if k])
def test_levels_a_factor_and_step(kind):
    for level, expected in (
        (0.5, np.full((3, 3), 0.5)),
        ([0.1, 0.2, 0.3], np.repeat([[0.1], [0.2], [0.3]], 3, axis=1)),  # one a step, also if H = d
        (np.arange(1, 10).reshape(3, 3) / 10, np.arange(1, 10).reshape(3, 3) / 10),
    ):
        code, levels = factor_levels(kind(level), 3, 3)
        assert code is KINDS[kind]
        np.testing.assert_array_equal(levels, expected)


def test_no_ambiguity_has_infinite_levels():
    code, levels = factor_levels(None, 2, 3)
    assert code is FactorKind.NOMINAL
    assert np.isinf(levels).all()
    assert levels.shape == (2, 3)


@pytest.mark.parametrize("kind", [TVPenalty, KLPenalty, ChiSquarePenalty])
def test_weights_are_positive(kind):
    for weight, text in (
        (0.0, "weight is 0.0; expected a number in (0, inf]"),
        (-1.0, "weight is -1.0; expected a number in (0, inf]"),
        (np.nan, "weight is nan; expected a number in (0, inf]"),
        ([1.0, 0.0], "weight[1] is 0.0; expected a number in (0, inf]"),
        (np.ones((1, 1, 1)), "weight has shape (1, 1, 1); expected a number, (horizon,) or ("),
    ):  # fmt: skip
        with refuses(text):
            kind(weight)
    with refuses("weight is '1' of type str; expected a number", TypeError):
        kind("1")
    assert kind(np.inf).weight == np.inf
    assert not kind([1.0, np.inf]).weight.flags.writeable


def test_radii_of_total_variation_are_in_the_unit_interval():
    for radius, text in (
        (1.5, "radius is 1.5; expected a number in [0, 1]"),
        (-0.1, "radius is -0.1; expected a number in [0, 1]"),
        ([[0.0, np.nan]], "radius[0, 1] is nan; expected a number in [0, 1]"),
        (np.ones((1, 1, 1)), "radius has shape (1, 1, 1); expected a number, (horizon,) or ("),
    ):  # fmt: skip
        with refuses(text):
            TVBall(radius)
    assert TVBall(1).radius == 1.0


def test_ambiguity_that_does_not_fit():
    for ambiguity, name in ((TVBall([0.1] * 2), "radius"), (KLPenalty([0.1] * 2), "weight")):
        with refuses(f"ambiguity.{name} has shape (2,); expected a number, (3,) or (3, 4)"):
            factor_levels(ambiguity, 3, 4)
    with refuses("ambiguity has rectangularity 's'; factors have one budget each"):
        factor_levels(KLBall(0.1, rectangularity="s"), 3, 4)
    with refuses("ambiguity is of type float; expected TVBall, KLBall, TVPenalty", TypeError):
        factor_levels(0.1, 3, 4)


# ---- data -------------------------------------------------------------------------------------


def episodes(rng, n=40):
    return OfflineData(rng.integers(2, size=(n, 4)), rng.integers(2, size=(n, 3)))


@pytest.mark.parametrize("stepwise", [False, True])
def test_statistics_are_sums_over_episodes(stepwise):
    rng = np.random.default_rng(0)
    phi = rng.dirichlet(np.ones(2), size=(3, 2, 2)) if stepwise else PHI
    known, data = KnownModel(phi, THETA), episodes(rng)
    stats = data.statistics(known)
    gram, moments, paid = np.zeros((3, 2, 2)), np.zeros((3, 2, 2)), np.zeros((3, 2))
    for k in range(40):
        for h in range(3):
            s, a, t = data.states[k, h], data.actions[k, h], data.states[k, h + 1]
            x = known.phi_at(h)[s, a]
            gram[h] += np.outer(x, x)
            moments[h, :, t] += x
            paid[h] += x * known.reward[h, s, a]
    np.testing.assert_allclose(stats.gram, gram, rtol=1e-13)
    np.testing.assert_allclose(stats.moments, moments, rtol=1e-13)
    np.testing.assert_allclose(stats.reward_moments, paid, rtol=1e-13)
    assert stats.n_episodes == data.n_episodes == 40
    np.testing.assert_array_equal(
        stats.seen_next[0], [0 in data.states[:, 1], 1 in data.states[:, 1]]
    )
    more = episodes(rng, 7)
    both = OfflineData(
        np.vstack([data.states, more.states]), np.vstack([data.actions, more.actions])
    )
    together = stats.plus(more.statistics(known))
    np.testing.assert_array_equal(together.counts, both.statistics(known).counts)
    assert not any(a.flags.writeable for a in (stats.counts, stats.gram, stats.moments))


def test_states_that_were_not_seen():
    stats = OfflineData([[0, 0, 1, 1]], [[0, 1, 0]]).statistics(KNOWN)
    np.testing.assert_array_equal(stats.seen_next, [[True, False], [False, True], [False, True]])


@pytest.mark.parametrize(
    ("states", "actions", "text"),
    [
        ([0, 1], [[0]], "states has shape (2,); expected (episodes, horizon + 1)"),
        (np.zeros((0, 2), int), np.zeros((0, 1), int), "states has shape (0, 2); expected (epis"),
        ([[0, 1]], [[0, 1]], "actions has shape (1, 2); expected (1, 1)"),
        ([[0]], np.zeros((1, 0), int), "actions is empty; expected at least one step"),
        ([[0, -1]], [[0]], "states[0, 1] is -1; expected an index of at least 0"),
        ([[0, 1], [0, 1]], [[0], [-2]], "actions[1, 0] is -2; expected an index of at least 0"),
    ],
)
def test_episodes_that_are_refused(states, actions, text):
    with refuses(text):
        OfflineData(states, actions)


def test_data_that_do_not_fit_the_model():
    with refuses("states has dtype float64; expected integers", TypeError):
        OfflineData([[0.0, 1.0]], [[0]])
    with refuses("actions has 1 steps an episode; the model has 3"):
        OfflineData([[0, 1]], [[0]]).statistics(KNOWN)
    with refuses("states[0, 3] is 2; expected an index in [0, 2)"):
        OfflineData([[0, 1, 0, 2]], [[0, 0, 0]]).statistics(KNOWN)
    with refuses("actions[0, 1] is 5; expected an index in [0, 2)"):
        OfflineData([[0, 1, 0, 0]], [[0, 5, 0]]).statistics(KNOWN)


def test_counts_that_are_refused():
    counts = np.ones((3, 2, 2, 2), dtype=int)
    with refuses("counts has shape (2, 2, 2, 2); expected (3, 2, 2, 2)"):
        OfflineStatistics(KNOWN, counts[:2])
    with refuses("counts[1, 0, 1, 0] is -1; expected >= 0"):
        OfflineStatistics(KNOWN, changed(counts, (1, 0, 1, 0), -1))
    with refuses("counts has [8, 9, 8] transitions a step; expected the same number"):
        OfflineStatistics(KNOWN, changed(counts, (1, 0, 1, 0), 2))
    with refuses("counts has [0, 0, 0] transitions a step; expected the same number, at least 1"):
        OfflineStatistics(KNOWN, 0 * counts)
    with refuses("counts has dtype float64; expected integers", TypeError):
        OfflineStatistics(KNOWN, 1.0 * counts)
    with refuses("known is of type LinearMDP; expected KnownModel", TypeError):
        OfflineStatistics(LinearMDP(PHI, THETA, MU), counts)
    short = OfflineStatistics(KnownModel(PHI, THETA[:1]), counts[:1])
    with refuses("counts of other has shape (1, 2, 2, 2); expected (3, 2, 2, 2)"):
        OfflineStatistics(KNOWN, counts).plus(short)


@pytest.mark.parametrize(
    ("states", "actions", "text"),
    [
        ([1.0, 2.0], [[0]], "states has shape (2,); expected (episodes, horizon + 1)"),
        ([[1.0]], np.zeros((1, 0), int), "horizon is 0; expected an integer of at least 1"),
        ([[1.0, 2.0]], [[0, 1]], "actions has shape (1, 2); expected (1, 1)"),
        ([[1.0, np.nan]], [[0]], "states[0, 1] is nan; expected a number"),
        ([[1.0, np.inf]], [[-1]], "actions[0, 0] is -1; expected an index of at least 0"),
    ],
)
def test_real_episodes_that_are_refused(states, actions, text):
    with refuses(text):
        RealData(states, actions)


def test_real_episodes_may_end():
    data = RealData([[1.0, np.inf, np.inf]], [[1, 0]])
    assert (data.n_episodes, data.horizon) == (1, 2)


# ---- answers ----------------------------------------------------------------------------------


def test_the_policy_of_a_plan_and_the_gap_of_a_certificate():
    pi = np.array([[[0.25, 0.75], [0.5, 0.5]]])
    plan = LinearPlan(np.zeros((2, 2)), pi, pi, np.zeros((1, 2)), np.zeros((1, 2, 2)), None)
    np.testing.assert_array_equal(plan.policy, [[1, 0]])
    assert plan.tau == 0.0
    lower, upper = np.array([[0.5, 0.0]]), np.array([[1.0, 0.25]])
    some = np.zeros((1, 2))
    certificate = OfflineCertificate(
        TVBall(0.1), lower, upper, plan.policy, some, some, some, 1.0, 0.1, False, 10,
        np.array([0.5, 0.5]),
    )  # fmt: skip
    assert certificate.gap == 0.375
