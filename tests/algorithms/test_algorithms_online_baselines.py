"""DR-LSVI-UCB, LSVI-UCB and KL-LSVI-UCB: bounds, reductions, the published form, refusals."""

import itertools

import numpy as np
import pytest
from online_cases import MODELS, PROVED, on_goal, quietly

from mdptheory.algorithms import (
    OnlineOptions,
    dr_lsvi_ucb,
    dr_lsvi_ucb_learner,
    dr_rpo,
    kl_lsvi_ucb,
    lsvi_ucb,
    lsvi_ucb_learner,
)
from mdptheory.environments import simulated_linear_mdp
from mdptheory.errors import InvalidModelError
from mdptheory.models import KLBall, TVBall
from mdptheory.solvers.linear_planning import linear_plan

SIMULATED = MODELS["simulated"]


@pytest.mark.parametrize("kind", PROVED)
@pytest.mark.parametrize("model", MODELS)
def test_greedy_learner_is_optimistic_under_the_explicit_width(kind, model):
    mdp, ambiguity = MODELS[model], PROVED[kind]
    options = OnlineOptions(beta="theory", ridge=1.0)
    result = quietly(dr_lsvi_ucb, mdp, 150, ambiguity, options=options, track=mdp, rng=0)
    best = mdp.start @ linear_plan(mdp, ambiguity).v[0]
    assert result.event.all(), "improbable, and never seen"
    assert (result.optimistic >= best - 1e-9).all()
    assert (result.regret >= -1e-9).all()
    assert (result.regret <= result.certificate + 1e-9).all()


def test_event_implies_optimism_for_learnt_rewards():
    """Any width will do for the implication; a wide one makes the event common."""
    mdp = SIMULATED
    made = lsvi_ucb_learner(mdp, 150, options=OnlineOptions(beta=6.0, ridge=1.0), track=mdp)
    best, rng, state, held = linear_plan(mdp), np.random.default_rng(0), made.init(), 0
    for _ in range(150):
        state, info = made.step(rng, state, mdp)
        if info.event:
            held += 1
            assert (state.fit.q >= best.q - 1e-9).all()
            assert info.optimistic >= best.v[0, 0] - 1e-9
            assert -1e-9 <= info.regret <= info.certificate + 1e-9
    assert held > 75


def test_too_narrow_widths_break_the_event():
    result = lsvi_ucb(SIMULATED, 50, options=OnlineOptions(beta=1e-3), track=SIMULATED, rng=0)
    assert not result.event.any()


def test_clips():
    """Before any data all values are at the clips: H for learnt rewards, H - h for known ones."""
    rng = np.random.default_rng(0)
    wide = OnlineOptions(beta=100.0, bonus_last=True)
    live = [0, 1, 2, 4]
    made = lsvi_ucb_learner(SIMULATED, 10, options=wide)
    fit = made.step(rng, made.init(), SIMULATED)[0].fit
    np.testing.assert_array_equal(fit.q[:, live], 3.0)
    np.testing.assert_array_equal(fit.q[:, 3], 0.0)
    made = dr_lsvi_ucb_learner(SIMULATED, 10, TVBall(0.1), options=wide)
    fit = made.step(rng, made.init(), SIMULATED)[0].fit
    np.testing.assert_array_equal(fit.q[:, live], np.full((3, 4, 16), [[[3.0]], [[2.0]], [[1.0]]]))


def test_published_form_is_narrower():
    l1 = dr_lsvi_ucb_learner(SIMULATED, 10, TVBall(0.1), options=OnlineOptions(bonus_last=True))
    published = OnlineOptions(bonus="l2", bonus_last=True, clip_zero=False)
    l2 = dr_lsvi_ucb_learner(SIMULATED, 10, TVBall(0.1), options=published)
    rng = np.random.default_rng(0)
    wide = l1.step(rng, l1.init(), SIMULATED)[0].fit.width
    narrow = l2.step(rng, l2.init(), SIMULATED)[0].fit.width
    assert (narrow <= wide + 1e-12).all()
    phi = SIMULATED.phi
    expected = np.sqrt((phi**2).sum(axis=2) / 0.1)
    expected[3] = 0.0
    np.testing.assert_allclose(narrow, np.tile(expected, (3, 1, 1)), rtol=1e-12)
    np.testing.assert_allclose(
        wide, np.where(np.arange(5) == 3, 0, 0.1**-0.5)[:, None] * np.ones((3, 5, 16))
    )


def test_elliptic_width_of_learnt_rewards():
    made = lsvi_ucb_learner(SIMULATED, 50, options=OnlineOptions(beta=0.7))
    rng, state = np.random.default_rng(3), made.init()
    for _ in range(50):
        before = state
        state, _ = made.step(rng, state, SIMULATED)
    phi = SIMULATED.phi
    for h in range(3):
        squares = np.einsum("sai,ij,saj->sa", phi, before.gram_inverse[h], phi)
        expected = 0.7 * np.sqrt(squares)
        expected[3] = 0.0
        np.testing.assert_allclose(state.fit.width[h], expected, rtol=1e-9)


def test_bonus_per_step_and_factor():
    grid = np.arange(12.0).reshape(3, 4)
    by_step = dr_lsvi_ucb(SIMULATED, 5, None, options=OnlineOptions(beta=[1.0, 2.0, 3.0]), rng=0)
    same = np.repeat([[1.0], [2.0], [3.0]], 4, axis=1)
    again = dr_lsvi_ucb(SIMULATED, 5, None, options=OnlineOptions(beta=same), rng=0)
    np.testing.assert_array_equal(by_step.optimistic, again.optimistic)
    made = dr_lsvi_ucb_learner(SIMULATED, 5, None, options=OnlineOptions(beta=grid))
    fit = made.step(np.random.default_rng(0), made.init(), SIMULATED)[0].fit
    expected = SIMULATED.phi @ grid[1] / np.sqrt(0.1)
    expected[3] = 0.0
    np.testing.assert_allclose(fit.width[1], expected, rtol=1e-12)
    np.testing.assert_array_equal(fit.width[2], 0.0)  # nothing is estimated there


def test_kl_balls_are_learnt_too():
    """No explicit width, but any number will do; larger balls promise less for equal values."""
    options = OnlineOptions(beta=0.0)
    state = dr_lsvi_ucb(SIMULATED, 60, KLBall(0.1), options=options, rng=0).state
    fits = []
    for radius in (0.1, 0.3, 0.9):
        made = dr_lsvi_ucb_learner(SIMULATED, 60, KLBall(radius), options=options)
        fits.append(made.step(np.random.default_rng(0), state, SIMULATED)[0].fit)
    for easier, harder in itertools.pairwise(fits):
        np.testing.assert_array_equal(easier.v[2], harder.v[2])  # known rewards
        assert (harder.nu[1] <= easier.nu[1] + 1e-9).all()
        assert (harder.nu[1] < easier.nu[1] - 1e-4).any()


def test_all_learn():
    mdp = simulated_linear_mdp(0.2)
    ball, options = on_goal(0.5), OnlineOptions(bonus_last=True)
    for name, run in {
        "greedy": lambda k: dr_lsvi_ucb(mdp, 100, ball, options=options, track=mdp, rng=k),
        "nominal": lambda k: lsvi_ucb(mdp, 100, options=options, track=mdp, rng=k),
        "soft": lambda k: dr_rpo(mdp, 100, ball, tau=0.05, options=options, track=mdp, rng=k),
        "soft nominal": lambda k: kl_lsvi_ucb(
            mdp, 100, tau=0.05, options=options, track=mdp, rng=k
        ),
    }.items():
        regret = np.mean([run(k).regret for k in range(5)], axis=0)
        assert regret[-10:].mean() < 0.2 * regret[:5].mean(), name


def test_refusals():
    with pytest.raises(InvalidModelError, match="width of LSVI-UCB leaves a constant open"):
        lsvi_ucb(SIMULATED, 5, options=OnlineOptions(beta="theory"))
    with pytest.raises(InvalidModelError, match=r"tau is 0; expected a positive temperature"):
        kl_lsvi_ucb(SIMULATED, 5, tau=0)
    with pytest.raises(InvalidModelError, match=r"n_episodes is 0"):
        lsvi_ucb(SIMULATED, 0)
    with pytest.raises(TypeError, match="ambiguity is of type float; expected TVBall"):
        dr_lsvi_ucb(SIMULATED, 5, 0.5)
