"""The compiled online learner against plain NumPy, direct inverses, exact factors, exact plans."""

import warnings

import numpy as np
import pytest
from linear_learning import KINDS, MODELS, _world, blank, levels_of, made, plain

from mdptheory.algorithms._online_run import _slots, _snaps
from mdptheory.errors import FitWarning
from mdptheory.kernels.linear_learn import ascending, fit_policy, run_episodes
from mdptheory.kernels.linear_policy import act_greedily, act_softly
from mdptheory.kernels.linear_records import Snap
from mdptheory.kernels.linear_track import track_fit, track_seeds
from mdptheory.models import LinearMDP, TVBall

EPISODES = 40


@pytest.fixture(autouse=True)
def _quiet():
    """Models without fail state warn; that is tested where learners are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        yield


def uniforms(mdp, seed=0, n=EPISODES):
    return np.random.default_rng(seed).random((n, 1 + 2 * mdp.horizon))


def play(learner, mdp, draws, doubling=False):
    memory, fit, desk, log = blank(learner, len(draws))
    world = _world(mdp)
    slot = _slots(0, len(draws), learner.truth.every)
    snaps = _snaps(learner.task, 1, int(slot.max()) + 1)
    snap = Snap._make(array[0] for array in snaps)
    run_episodes(learner.task, world, doubling, slot, memory, desk, fit, snap, draws, log)
    if learner.truth.every:
        measured = (log.regret[None], log.certificate[None], log.event[None])
        track_seeds(learner.task, learner.truth, slot, snaps, *measured)
    return memory, fit, log


def agree(history, fit, log, mdp):
    np.testing.assert_array_equal(log.states, history.states)
    np.testing.assert_array_equal(log.actions, history.actions)
    np.testing.assert_allclose(fit.q, history.q[-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(fit.pi, history.pi[-1], rtol=0, atol=1e-7)
    np.testing.assert_allclose(log.optimistic, history.v @ mdp.start, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_agrees_with_plain_numpy(model, kind, tau):
    mdp, (ambiguity, worth) = MODELS[model], KINDS[kind]
    bonus, last = ("l1", False) if tau else ("l2", True)
    draws = uniforms(mdp, len(model))
    learner = made(mdp, ambiguity, tau, bonus=bonus, bonus_last=last, beta=0.7)
    level = levels_of(ambiguity, mdp)
    history = plain.dr_rpo(
        mdp, draws, worth, level, tau=tau, beta=0.7, bonus=bonus, bonus_last=last
    )
    _, fit, log = play(learner, mdp, draws)
    agree(history, fit, log, mdp)


def test_agrees_with_plain_numpy_for_a_sharp_reference():
    mdp, (ambiguity, worth) = MODELS["fail"], KINDS["tv ball"]
    reference = np.array([0.9, 0.0999, 0.0001])
    draws, level = uniforms(mdp, 3), levels_of(ambiguity, mdp)
    history = plain.dr_rpo(mdp, draws, worth, level, tau=0.2, reference=reference)
    _, fit, log = play(made(mdp, ambiguity, 0.2, reference), mdp, draws)
    agree(history, fit, log, mdp)
    np.testing.assert_allclose(fit.pi[:, mdp.fail_state], np.tile(reference, (4, 1)), atol=1e-15)


@pytest.mark.parametrize("model", MODELS)
def test_rewards_learnt_agree_with_plain_numpy(model):
    mdp = MODELS[model]
    draws = uniforms(mdp, 1)
    _, fit, log = play(made(mdp, reward_known=False), mdp, draws)
    agree(plain.lsvi_ucb(mdp, draws), fit, log, mdp)


def test_statistics_and_inverse_after_500_episodes():
    mdp = MODELS["simulated"]
    memory, _, log = play(made(mdp, TVBall(0.1), 0.05), mdp, uniforms(mdp, 5, 500))
    for h in range(mdp.horizon):
        phi = mdp.known.phi_at(h)[log.states[:, h], log.actions[:, h]]
        gram = 0.1 * np.eye(mdp.n_factors) + phi.T @ phi
        np.testing.assert_allclose(memory.gram[h], gram, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(memory.inverse[h], np.linalg.inv(gram), rtol=1e-9, atol=1e-11)
        np.testing.assert_array_equal(memory.inverse[h], memory.inverse[h].T)
        expected = np.linalg.slogdet(gram / 0.1)[1]
        np.testing.assert_allclose(memory.log_det[h], expected, rtol=1e-10)
        moments = phi.T @ np.eye(mdp.n_states)[log.states[:, h + 1]]
        np.testing.assert_allclose(memory.moments[h], moments, rtol=1e-12, atol=1e-12)
        paid = phi.T @ mdp.reward[h, log.states[:, h], log.actions[:, h]]
        np.testing.assert_allclose(memory.reward_moments[h], paid, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("doubling", [False, True])
def test_doubling_fits_seldom_and_both_signs_bracket(sign, doubling):
    mdp = MODELS["fail"]
    learner = made(mdp, TVBall(0.2), 0.1)
    learner = type(learner)(
        learner.known,
        learner.ambiguity,
        learner.options,
        learner.task._replace(sign=sign),
        learner.truth,
    )
    memory, _, log = play(learner, mdp, uniforms(mdp, 2, 200), doubling)
    bound = mdp.horizon * mdp.n_factors * np.log2(1 + 200 / (0.1 * mdp.n_factors))
    assert log.refitted[0]
    assert (log.refitted.sum() <= bound + 1) if doubling else log.refitted.all()
    if doubling:  # widths now: at most sqrt(2) below those of the last fit
        current = np.sqrt(np.diagonal(memory.inverse, axis1=1, axis2=2))
        at_fit = [np.sqrt(np.diagonal(inverse)) for inverse in _inverses_at(mdp, log, log.refitted)]
        assert (np.array(at_fit) <= np.sqrt(2.0) * current * (1 + 1e-9)).all()
    middle = made(mdp, TVBall(0.2), 0.1, beta=0.0)
    _, plain_fit, desk, _ = blank(middle)
    fit_policy(middle.task, memory, desk, plain_fit)
    if not doubling:
        memory_fit = blank(learner)[1]
        fit_policy(learner.task, memory, desk, memory_fit)
        assert (sign * (memory_fit.q - plain_fit.q) >= -1e-12).all()


def _inverses_at(mdp, log, refitted):
    """Return the inverse Gram matrices of the last fit, from the episodes before it."""
    last = int(np.flatnonzero(refitted)[-1])
    for h in range(mdp.horizon):
        phi = mdp.known.phi_at(h)[log.states[:last, h], log.actions[:last, h]]
        yield np.linalg.inv(0.1 * np.eye(mdp.n_factors) + phi.T @ phi)


@pytest.mark.parametrize("kind", KINDS)
def test_exact_factors_give_exact_worths(kind):
    """With the moments of exact factors and no bonus the fit is the exact soft robust plan."""
    from mdptheory.solvers.linear_planning import linear_plan

    for model in ("leaky", "fail", "no fail"):
        mdp, ambiguity = MODELS[model], KINDS[kind][0]
        learner = made(mdp, ambiguity, 0.3, beta=0.0)
        memory, fit, desk, _ = blank(learner)
        memory.inverse[:] = np.eye(mdp.n_factors)
        memory.moments[:] = mdp.mu
        fit_policy(learner.task, memory, desk, fit)
        plan = linear_plan(mdp, ambiguity, tau=0.3)
        np.testing.assert_allclose(fit.nu, plan.nu, rtol=0, atol=1e-12)
        np.testing.assert_allclose(fit.v, plan.v, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["leaky", "fail", "no fail", "stepwise"])
@pytest.mark.parametrize("tau", [0.0, 0.2])
def test_tracking_agrees_with_exact_evaluation(model, kind, tau):
    from mdptheory.solvers.linear_planning import linear_evaluate, linear_plan

    mdp, ambiguity = MODELS[model], KINDS[kind][0]
    learner = made(mdp, ambiguity, tau, track=mdp, beta=0.3)
    _, fit, log = play(learner, mdp, uniforms(mdp, 4, 6))
    value = linear_evaluate(mdp, fit.pi, ambiguity, tau=tau)
    regret = mdp.start @ (linear_plan(mdp, ambiguity, tau=tau).v[0] - value.v[0])
    np.testing.assert_allclose(log.regret[-1], regret, rtol=0, atol=1e-11)
    onward = np.zeros(mdp.n_states)
    for h in reversed(range(mdp.horizon)):
        kernel = np.einsum("sad,dt->sat", mdp.known.phi_at(h), value.worst[h])
        onward = (fit.pi[h] * (fit.width[h] + kernel @ onward)).sum(axis=1)
    np.testing.assert_allclose(log.certificate[-1], 2 * mdp.start @ onward, rtol=0, atol=1e-11)
    snap = Snap(fit.v, fit.pi, fit.nu, fit.width)
    regret_now, certificate, event = track_fit(learner.task, learner.truth, snap)
    assert (regret_now, certificate, event) == (
        log.regret[-1],
        log.certificate[-1],
        log.event[-1],
    )


@pytest.mark.parametrize("beta", [0.0, 5.0])
def test_event_is_what_it_says(beta):
    """The exact worth of the fit's values, by the ball's dual, against its estimate."""
    mdp = MODELS["fail"]
    learner = made(mdp, TVBall(0.2), 0.1, track=mdp, beta=beta)
    _, fit, log = play(learner, mdp, uniforms(mdp, 9, 10))
    held = True
    for h in range(mdp.horizon):
        v = fit.v[h + 1]
        alpha = np.append(v, v.min())  # the ball's dual, for true probabilities
        gain = mdp.mu[h] @ np.minimum(v[:, None], alpha) - 0.2 * (alpha - v.min())
        worth = gain.max(axis=1)
        error = np.abs(mdp.known.phi_at(h) @ (worth - fit.nu[h]))
        error[mdp.fail_state] = 0.0
        held &= bool((error <= fit.width[h] + 1e-9).all())
    assert held == log.event[-1] == (beta > 0)


def test_tracks_every_third_only():
    mdp = MODELS["simulated"]
    learner = made(mdp, TVBall(0.2), 0.1, track=mdp, track_every=3)
    _, _, log = play(learner, mdp, uniforms(mdp, 0, 8))
    np.testing.assert_array_equal(np.isfinite(log.regret), np.arange(8) % 3 == 0)


def test_mirror_step_is_optimal():
    rng = np.random.default_rng(0)
    q, tau, keep = rng.random((4, 5)), 0.3, 0.7
    reference, last = rng.dirichlet(np.ones(5), 4), rng.dirichlet(np.ones(5), 4)
    pi, v, log_pi = np.empty((4, 5)), np.empty(4), np.log(last)
    act_softly(q, np.log(reference), tau, keep, np.empty(20), log_pi, pi, v)

    def gain(p):
        away = tau * (p * np.log(p / reference)).sum(1) + keep * (p * np.log(p / last)).sum(1)
        return (p * q).sum(1) - away

    np.testing.assert_allclose(log_pi, np.log(pi), atol=1e-12)
    np.testing.assert_allclose(pi.sum(axis=1), 1.0, atol=1e-12)
    for _ in range(50):
        other = 0.9 * pi + 0.1 * rng.dirichlet(np.ones(5), 4)
        assert (gain(other) <= gain(pi) + 1e-12).all()
    np.testing.assert_allclose(
        v, (pi * q).sum(1) - tau * (pi * np.log(pi / reference)).sum(1), atol=1e-12
    )


@pytest.mark.parametrize("tau", [1e-3, 0.1, 10.0])
def test_one_shot_policy_and_its_value(tau):
    rng = np.random.default_rng(1)
    q, reference = 3 * rng.random((4, 5)), rng.dirichlet(np.ones(5), 4)
    pi, v, log_pi = np.full((4, 5), 0.2), np.empty(4), np.zeros((4, 5))
    act_softly(q, np.log(reference), tau, 0.0, np.empty(20), log_pi, pi, v)
    weight = reference * np.exp((q - q.max(1, keepdims=True)) / tau)
    expected = q.max(1) + tau * np.log(weight.sum(1))
    np.testing.assert_allclose(pi, weight / weight.sum(1, keepdims=True), atol=1e-12)
    np.testing.assert_allclose(v, expected, atol=1e-12)


def test_greedy_ties_go_to_the_first():
    q, pi, v = np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]]), np.empty((2, 3)), np.empty(2)
    act_greedily(q, pi, v)
    np.testing.assert_array_equal(pi, [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(v, [2, 0])


@pytest.mark.parametrize("n", [1, 2, 7, 32, 33, 100, 1000])
def test_ascending_sorts(n):
    v = np.random.default_rng(n).integers(0, 5 * n, n).astype(float)
    order = np.empty(n, dtype=np.int64)
    ascending(v, order)
    np.testing.assert_array_equal(v[order], np.sort(v))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_no_kernel_has_more_than_two_signatures():
    from mdptheory.kernels import exponential, linear_learn, linear_policy, linear_track

    for module in (exponential, linear_learn, linear_policy, linear_track):
        for name, kernel in vars(module).items():
            if getattr(kernel, "__module__", "") == module.__name__:
                assert len(getattr(kernel, "signatures", ())) <= 2, name


def test_check_free_features_are_learnt_too():
    """Features that are no simplex weights, as long as the kernels are distributions."""
    phi = np.array([[[1.5, -0.5], [0.0, 1.0]], [[0.5, 0.5], [1.0, 0.0]]])
    mu = np.array([[[0.6, 0.4], [0.3, 0.7]]] * 2)
    mdp = LinearMDP(phi, np.full((2, 2), 0.5), mu, check=False)
    draws = uniforms(mdp, 8)
    history = plain.dr_rpo(mdp, draws, plain.tv_ball, np.full((2, 2), 0.1), tau=0.1)
    _, fit, log = play(made(mdp, TVBall(0.1), 0.1), mdp, draws)
    agree(history, fit, log, mdp)
