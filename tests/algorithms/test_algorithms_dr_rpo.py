"""DR-RPO (reconstruction): optimism, regret bounds, limits, widths, what is refused."""

import warnings

import numpy as np
import pytest
from online_cases import MODELS, PROVED, PUT, on_goal, quietly, sampler_of, stepwise

from mdptheory.algorithms import (
    OnlineOptions,
    dr_lsvi_ucb,
    dr_rpo,
    dr_rpo_learner,
    explicit_beta,
    kl_lsvi_ucb,
)
from mdptheory.environments import random_simplex_mdp, simulated_linear_mdp
from mdptheory.errors import FitWarning, InvalidModelError, UnderflowWarning
from mdptheory.models import (
    ChiSquarePenalty,
    KLBall,
    KLPenalty,
    LinearMDP,
    SampledLinearMDP,
    TVBall,
    TVPenalty,
)
from mdptheory.solvers.linear_planning import linear_evaluate, linear_plan

SIMULATED = MODELS["simulated"]
THEORY = OnlineOptions(beta="theory", ridge=1.0)


# ---- what the derivation claims ------------------------------------------------------------------


@pytest.mark.parametrize("kind", PROVED)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("refit", ["every", "doubling"])
def test_optimism_and_regret_under_the_explicit_width(kind, model, refit):
    mdp, ambiguity, K = MODELS[model], PROVED[kind], 150
    options = OnlineOptions(beta="theory", ridge=1.0, refit=refit)
    made = quietly(dr_rpo_learner, mdp, K, ambiguity, tau=0.2, options=options, track=mdp)
    best = linear_plan(mdp, ambiguity, tau=0.2)
    rng, state = np.random.default_rng(0), made.init()
    for k in range(K):
        state, info = made.step(rng, state, mdp)
        assert info.event, "improbable, and never seen"
        assert info.optimistic >= mdp.start @ best.v[0] - 1e-9
        assert -1e-9 <= info.regret <= info.certificate + 1e-9
        if k % 30 == 0:
            fit = state.fit
            assert (fit.q >= best.q - 1e-9).all()
            assert (fit.v >= best.v - 1e-9).all()
            mine = linear_evaluate(mdp, fit.pi, ambiguity, tau=0.2)
            assert info.optimistic - mdp.start @ mine.v[0] <= info.certificate + 1e-9


def test_no_bonus_breaks_event_and_optimism():
    broken = OnlineOptions(beta=0.0)
    mdp = simulated_linear_mdp(0.3)
    result = dr_rpo(mdp, 60, TVBall(0.2), tau=0.1, options=broken, track=mdp, rng=0)
    assert not result.event.any()
    best = linear_plan(mdp, TVBall(0.2), tau=0.1).v[0, 0]
    assert (result.optimistic < best - 1e-3).any()
    assert (result.regret > result.certificate).all()


@pytest.mark.parametrize("kind", PROVED)
@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("shift", [False, True])
def test_widths_are_those_of_explicit_beta(kind, fail, shift):
    """One-hot features, so that each factor's width can be read off a pair of state and action."""
    ambiguity, levels = PROVED[kind], np.array([[0.3, 0.5, 0.5, np.inf]] * 3)
    if isinstance(ambiguity, TVPenalty | KLPenalty | ChiSquarePenalty):
        ambiguity = type(ambiguity)(levels)
    phi = np.eye(4).reshape(4, 1, 4)
    theta = np.zeros((3, 4))
    mu = np.tile(np.eye(4)[[1, 2, 0, 3]], (3, 1, 1))
    mdp = LinearMDP(phi, theta, mu, [0.25] * 4, 3 if fail else None)
    options = OnlineOptions(beta="theory", ridge=0.7, delta=0.05, kl_shift=shift)
    made = quietly(dr_rpo_learner, mdp, 1000, ambiguity, tau=0.5, options=options)
    rng, state = np.random.default_rng(1), made.init()
    for _ in range(40):
        before = state
        state, _ = made.step(rng, state, mdp)
    beta = explicit_beta(
        ambiguity,
        np.asarray(before.gram) - 0.7 * np.eye(4),
        ridge=0.7,
        n_episodes=1000,
        delta=0.05,
        n_states=4,
        fail_state=mdp.fail_state,
        kl_shift=shift,
    )
    spread = np.sqrt(np.diagonal(before.gram_inverse, axis1=1, axis2=2))
    expected = beta * spread
    if fail:
        expected[:, 3] = 0.0
    np.testing.assert_allclose(state.fit.width[:, :, 0], expected, rtol=1e-9)


def test_rare_switching_refits_seldom():
    for mdp in (SIMULATED, MODELS["fail"]):
        result = dr_rpo(
            mdp, 2000, TVBall(0.2), tau=0.1, options=OnlineOptions(refit="doubling"), rng=0
        )
        d = mdp.n_factors
        assert result.refits <= 1 + mdp.horizon * d * np.log2(1 + 2000 / (0.1 * d))
        assert result.refits < 100


# ---- limits and reductions -----------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_without_radius_it_is_kl_lsvi_ucb(model):
    mdp = MODELS[model]
    robust = quietly(dr_rpo, mdp, 80, TVBall(0.0), tau=0.1, rng=3)
    nominal = quietly(kl_lsvi_ucb, mdp, 80, tau=0.1, rng=3)
    np.testing.assert_array_equal(robust.pi, nominal.pi)
    np.testing.assert_array_equal(robust.optimistic, nominal.optimistic)


def test_infinite_weights_are_no_ambiguity():
    runs = [
        dr_rpo(SIMULATED, 50, ambiguity, tau=0.1, rng=3).optimistic
        for ambiguity in (None, TVPenalty(np.inf), KLPenalty(np.inf), ChiSquarePenalty(np.inf))
    ]
    for run in runs[1:]:
        np.testing.assert_allclose(run, runs[0], atol=1e-12)


def test_small_temperatures_approach_the_greedy_learner():
    """On the same statistics: values of the two fits differ by at most tau H log A."""
    mdp, ambiguity = MODELS["fail"], TVBall(0.2)
    greedy = dr_lsvi_ucb(mdp, 60, ambiguity, rng=1)
    K, gaps = 60, []
    for tau in (0.1, 0.03, 0.01):
        made = dr_rpo_learner(mdp, K, ambiguity, tau=tau)
        state = made.init()
        memory = greedy.state.memory
        state = type(state)(60, 0, memory, state.fit)
        soft, _ = made.step(np.random.default_rng(0), state, mdp)
        gaps.append(np.abs(soft.fit.v - _greedy_fit(mdp, ambiguity, greedy).v).max())
        assert gaps[-1] <= tau * mdp.horizon * np.log(mdp.n_actions) + 1e-9
    assert gaps[0] > gaps[1] > gaps[2]


def _greedy_fit(mdp, ambiguity, result):
    from mdptheory.algorithms import dr_lsvi_ucb_learner

    made = dr_lsvi_ucb_learner(mdp, 60, ambiguity)
    state, _ = made.step(np.random.default_rng(0), result.state, mdp)
    return state.fit


def test_large_temperatures_approach_the_reference():
    reference = np.linspace(1, 2, 16) / np.linspace(1, 2, 16).sum()
    result = dr_rpo(SIMULATED, 30, on_goal(0.5), tau=1e4, reference=reference, rng=0)
    np.testing.assert_allclose(result.pi, np.tile(reference, (3, 5, 1)), atol=1e-4)


def test_references_of_all_shapes():
    mdp, tau = MODELS["fail"], 0.2
    row = np.array([0.5, 0.3, 0.2])
    first = dr_rpo(mdp, 30, TVBall(0.1), tau=tau, reference=row, rng=0)
    for reference in (np.tile(row, (6, 1)), np.tile(row, (4, 6, 1))):
        other = dr_rpo(mdp, 30, TVBall(0.1), tau=tau, reference=reference, rng=0)
        np.testing.assert_array_equal(first.pi, other.pi)
    uniform = dr_rpo(mdp, 30, TVBall(0.1), tau=tau, rng=0)
    assert (uniform.pi != first.pi).any()


def test_no_argument_makes_another_compiled_version():
    """Broadcast references, levels and widths are laid out like full ones."""
    from mdptheory.kernels.linear_learn import run_seeds

    mdp = MODELS["fail"]
    dr_rpo(mdp, 2, TVBall(0.1), tau=0.2, rng=0)
    before = len(getattr(run_seeds, "signatures", ()))
    options = OnlineOptions(beta=np.ones(4))
    for reference in ([0.5, 0.3, 0.2], np.full((6, 3), 1 / 3)):
        dr_rpo(mdp, 2, TVBall(np.full(4, 0.1)), tau=0.2, reference=reference, options=options)
    theory = OnlineOptions(beta="theory")
    dr_rpo(mdp, 2, TVPenalty(np.full((4, 4), 0.1)), tau=0.2, options=theory, track=mdp)
    tiny = random_simplex_mdp(1, 1, 1, 2, rng=0)  # every layout is any layout
    dr_rpo(tiny, 2, TVPenalty(0.1), tau=0.2, track=tiny)
    assert len(getattr(run_seeds, "signatures", ())) == before


def test_mirror_steps():
    mdp = MODELS["fail"]
    one_shot = dr_rpo(mdp, 40, TVBall(0.1), tau=0.2, rng=0)
    at_once = dr_rpo(mdp, 40, TVBall(0.1), tau=0.2, mirror=np.inf, rng=0)
    np.testing.assert_array_equal(one_shot.pi, at_once.pi)
    nearly = dr_rpo(mdp, 40, TVBall(0.1), tau=0.2, mirror=1e12, rng=0)
    np.testing.assert_allclose(nearly.pi, one_shot.pi, atol=1e-8)
    np.testing.assert_allclose(nearly.optimistic, one_shot.optimistic, atol=1e-8)
    short = dr_rpo(mdp, 40, TVBall(0.1), tau=0.2, mirror=0.1, rng=0)
    assert np.abs(short.pi - 1 / 3).max() < np.abs(one_shot.pi - 1 / 3).max()


def test_mirror_steps_settle_at_the_one_shot_policy():
    """Where the fit no longer changes, repeated mirror steps lead to the softmax policy."""
    mdp = random_simplex_mdp(4, 3, 3, 1, rng=0)  # one step: nothing to estimate
    one_shot = quietly(dr_rpo, mdp, 1, TVBall(0.1), tau=0.2, rng=0)
    mirrored = quietly(dr_rpo, mdp, 200, TVBall(0.1), tau=0.2, mirror=2.0, rng=0)
    np.testing.assert_allclose(mirrored.pi, one_shot.pi, atol=1e-12)


# ---- what the learner may see --------------------------------------------------------------------


def test_learns_without_the_factors():
    """The sampler hides ``mu``; a model object that reveals it is not needed."""
    hidden = sampler_of(SIMULATED)
    assert isinstance(hidden, SampledLinearMDP)
    assert not hasattr(hidden, "mu")
    result = dr_rpo(hidden, 40, on_goal(0.5), tau=0.05, rng=0)
    np.testing.assert_array_equal(
        result.pi, dr_rpo(SIMULATED, 40, on_goal(0.5), tau=0.05, rng=0).pi
    )


def test_tracking_changes_nothing():
    tracked = dr_rpo(SIMULATED, 40, on_goal(0.5), tau=0.05, track=SIMULATED, rng=0)
    alone = dr_rpo(SIMULATED, 40, on_goal(0.5), tau=0.05, rng=0)
    np.testing.assert_array_equal(tracked.pi, alone.pi)


def test_tracked_model_may_be_another_object():
    twin = simulated_linear_mdp(0.2)
    result = dr_rpo(SIMULATED, 5, on_goal(0.5), tau=0.05, track=twin, rng=0)
    assert np.isfinite(result.regret).all()


# ---- what is refused -----------------------------------------------------------------------------

REFUSED = [
    ({"tau": 0.0}, r"tau is 0.0; expected a positive temperature \(dr_lsvi_ucb is the greedy"),
    ({"tau": -1.0}, r"tau is -1.0; expected a positive temperature"),
    ({"tau": float("nan")}, r"tau is nan; expected a positive temperature"),
    ({"tau": float("inf")}, r"tau is inf; expected a number"),
    ({"mirror": 0.0}, r"mirror is 0.0; expected a number in \(0, inf\]"),
    ({"reference": [0.5, 0.5]}, r"reference has shape \(2,\); expected \(16,\), \(5, 16\) or \(3,"),
    ({"reference": np.eye(16)[0]}, r"reference\[1\] is 0; expected a positive probability"),
    ({"reference": np.full(16, 0.1)}, r"reference sums to 1.6; expected 1 within 1e-09"),
    ({"reference": np.full((5, 16), -1.0)}, r"reference\[0, 0\] is -1.0; expected a probability"),
    ({"n_episodes": 0}, r"n_episodes is 0; expected an integer of at least 1"),
    ({"ambiguity": TVBall([0.1, 0.2])}, r"ambiguity.radius has shape \(2,\); expected a number"),
    ({"options": OnlineOptions(beta=np.ones(2))}, r"beta has shape \(2,\); expected \(3\)"),
    ({"options": OnlineOptions(beta=np.ones((3, 2)))}, r"beta has shape \(3, 2\); expected \(3, 4"),
    ({"options": THEORY, "mirror": 1.0}, r"beta is 'theory' and mirror is finite"),
    ({"track": simulated_linear_mdp(0.3)}, r"track has other features, rewards, first state"),
]


@pytest.mark.parametrize(("change", "text"), REFUSED)
def test_refuses(change, text):
    arguments = {"n_episodes": 5, "ambiguity": TVBall(0.1), "tau": 0.1} | change
    K, ambiguity = arguments.pop("n_episodes"), arguments.pop("ambiguity")
    with pytest.raises(InvalidModelError, match=text):
        dr_rpo(SIMULATED, K, ambiguity, **arguments)


OPTIONS = [
    ({"beta": -1.0}, r"beta is -1.0; expected a number in \[0, inf\)"),
    ({"beta": float("nan")}, r"beta is nan"),
    ({"beta": [1.0, -0.5]}, r"beta has the entry -0.5; expected none below 0"),
    ({"beta": "practice"}, r"beta is 'practice'; expected numbers or 'theory'"),
    ({"ridge": 0.0}, r"ridge is 0.0; expected a number in \(0, inf\)"),
    ({"bonus": "l3"}, r"bonus is 'l3'; expected 'l1' or 'l2'"),
    ({"refit": "never"}, r"refit is 'never'; expected 'every' or 'doubling'"),
    ({"delta": 1.0}, r"delta is 1.0; expected a number in \(0, 1\)"),
    ({"track_every": 0}, r"track_every is 0; expected an integer of at least 1"),
    ({"checkpoints": (-1,)}, r"checkpoints is -1; expected an integer of at least 0"),
]


@pytest.mark.parametrize(("change", "text"), OPTIONS)
def test_options_refuse(change, text):
    with pytest.raises(InvalidModelError, match=text):
        OnlineOptions(**change)


def test_refuses_wrong_types():
    with pytest.raises(TypeError, match="clip_zero is 1; expected True or False"):
        OnlineOptions(clip_zero=1)
    with pytest.raises(TypeError, match="options is of type dict; expected OnlineOptions"):
        dr_rpo(SIMULATED, 5, TVBall(0.1), tau=0.1, options={})
    with pytest.raises(TypeError, match="env is of type int; expected LinearMDP, SampledLinearMDP"):
        dr_rpo(3, 5, TVBall(0.1), tau=0.1)
    with pytest.raises(TypeError, match="track is of type KnownModel; expected LinearMDP"):
        dr_rpo(SIMULATED, 5, TVBall(0.1), tau=0.1, track=SIMULATED.known)
    with pytest.raises(TypeError, match="tau is 'warm' of type str"):
        dr_rpo(SIMULATED, 5, TVBall(0.1), tau="warm")


def test_refuses_samplers_that_leave_the_states():
    lost = SampledLinearMDP(SIMULATED.known, lambda step, state, action, u: 9)
    with pytest.raises(InvalidModelError, match=r"sampler\(0, 0, \d+, .*\) returned 9; expected a"):
        dr_rpo(lost, 5, TVBall(0.1), tau=0.1, rng=0)


def test_explicit_widths_only_where_proved():
    with pytest.raises(NotImplementedError, match="KLBall, for which no explicit width"):
        dr_rpo(SIMULATED, 5, KLBall(0.1), tau=0.1, options=THEORY)
    free = LinearMDP(
        [[[2.0, -1.0]], [[0.0, 1.0]]], np.zeros((2, 2)), np.full((2, 2, 2), 0.5), check=False
    )
    with pytest.raises(InvalidModelError, match="the model was built with check=False"):
        quietly(dr_rpo, free, 5, TVBall(0.1), tau=0.1, options=THEORY)


def test_real_states_refuse_what_needs_finitely_many():
    with pytest.raises(InvalidModelError, match="beta is 'theory' and the states are real"):
        dr_rpo(PUT, 5, TVBall(0.1), tau=0.1, options=THEORY)
    with pytest.raises(InvalidModelError, match="mirror is 1 and the states are real"):
        dr_rpo(PUT, 5, TVBall(0.1), tau=0.1, mirror=1.0)
    with pytest.raises(InvalidModelError, match="track is given and the states are real"):
        dr_rpo(PUT, 5, TVBall(0.1), tau=0.1, track=SIMULATED)
    with pytest.raises(InvalidModelError, match=r"reference has shape \(2, 2\)"):
        dr_rpo(PUT, 5, TVBall(0.1), tau=0.1, reference=np.full((2, 2), 0.5))


def test_warns_without_a_fail_state():
    with pytest.warns(FitWarning, match="TVBall and the model has no fail state"):
        dr_rpo(stepwise(), 2, TVBall(0.1), tau=0.1, rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dr_rpo(stepwise(), 2, TVPenalty(0.1), tau=0.1, rng=0)
        dr_rpo(SIMULATED, 2, TVBall(0.1), tau=0.1, rng=0)


def test_warns_of_temperatures_too_low_to_be_soft():
    with pytest.warns(UnderflowWarning, match=r"tau is 0.004 and the horizon 3: exp\(-H / tau\)"):
        result = dr_rpo(SIMULATED, 20, TVBall(0.1), tau=0.004, track=SIMULATED, rng=0)
    assert np.isfinite(result.regret).all()
    assert np.isfinite(result.pi).all()
