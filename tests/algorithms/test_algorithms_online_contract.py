"""What every online learner keeps: seeds, steps, samplers, states left alone, records."""

import numpy as np
import pytest
from online_cases import LEARNERS, MODELS, PUT, quietly, same, sampler_of

from mdptheory.algorithms import OnlineOptions
from mdptheory.operators import crew

RUN = {name: pair[0] for name, pair in LEARNERS.items()}
MAKE = {name: pair[1] for name, pair in LEARNERS.items()}
K = 130  # past a refresh


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("refit", ["every", "doubling"])
def test_run_is_the_loop_of_steps(name, model, refit):
    mdp = MODELS[model]
    options = OnlineOptions(refit=refit, checkpoints=(0, 7, 99, 100))
    made = quietly(MAKE[name], mdp, K, options=options, track=mdp)
    result = made.run(5, mdp, K)
    rng, state, infos = np.random.default_rng(5), made.init(), []
    for k in range(K):
        assert state.episode == k
        state, info = made.step(rng, state, mdp)
        infos.append(info)
        if k in (0, 7, 99, 100, K - 1):
            i = result.checkpoints.tolist().index(k)
            np.testing.assert_array_equal(result.policies[i], state.fit.pi)
    for field in ("optimistic", "regret", "certificate", "event"):
        got = np.array([getattr(info, field) for info in infos])
        np.testing.assert_array_equal(getattr(result, field), got, err_msg=field)
    np.testing.assert_array_equal(result.data.states, [info.states for info in infos])
    np.testing.assert_array_equal(result.data.actions, [info.actions for info in infos])
    for mine, other in ((result.state.memory, state.memory), (result.state.fit, state.fit)):
        for one, two in zip(mine, other, strict=True):
            np.testing.assert_array_equal(one, two)
    assert result.refits == state.refits == sum(info.refitted for info in infos)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_sampler_gives_the_same_bits_as_the_model(name, model):
    mdp = MODELS[model]
    options = OnlineOptions(checkpoints=(3,))
    known = quietly(RUN[name], mdp, 110, options=options, track=mdp, rng=2)
    hidden = quietly(RUN[name], sampler_of(mdp), 110, options=options, track=mdp, rng=2)
    same(known, hidden)


@pytest.mark.parametrize("name", LEARNERS)
def test_same_seed_same_bits_other_seed_other_bits(name):
    mdp = MODELS["fail"]
    first = RUN[name](mdp, 60, rng=1)
    same(first, RUN[name](mdp, 60, rng=1))
    same(first, RUN[name](mdp, 60, rng=np.random.default_rng(1)))
    assert (first.data.states != RUN[name](mdp, 60, rng=2).data.states).any()


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("model", MODELS)
def test_many_runs_are_each_the_run_of_their_seed(name, model):
    mdp = MODELS[model]
    options = OnlineOptions(checkpoints=(40,), refit="doubling" if model == "fail" else "every")
    made = quietly(MAKE[name], mdp, K, options=options, track=mdp)
    many = made.run_many((4, np.random.default_rng(5), 6), mdp, K)
    for seed, result in zip((4, 5, 6), many, strict=True):
        same(result, made.run(seed, mdp, K))
    for result, hidden in zip(many, made.run_many((4, 5, 6), sampler_of(mdp), K), strict=True):
        same(result, hidden)


@pytest.mark.parametrize("name", LEARNERS)
def test_threads_change_no_bit(name, monkeypatch):
    mdp = MODELS["fail"]
    made = quietly(MAKE[name], mdp, K, track=mdp)
    one = made.run_many(range(5), mdp, K, threads=1)
    monkeypatch.setattr(crew, "PARALLEL_TRANSITIONS", 0)
    for threads in (2, 8):
        for first, other in zip(one, made.run_many(range(5), mdp, K, threads=threads), strict=True):
            same(first, other)
    assert made.run_many((), mdp, K) == ()


@pytest.mark.parametrize("name", LEARNERS)
def test_states_are_read_only_and_left_alone(name):
    mdp = MODELS["fail"]
    made = MAKE[name](mdp, 10)
    state = made.init()
    before = [array.copy() for array in (*state.memory, *state.fit)]
    after, _ = made.step(np.random.default_rng(0), state, mdp)
    for array, copy in zip((*state.memory, *state.fit), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    for array in (*after.memory, *after.fit):
        assert not array.flags.writeable
    np.testing.assert_array_equal(after.gram, after.memory.gram)
    np.testing.assert_array_equal(after.gram_inverse, after.memory.inverse)
    np.testing.assert_array_equal(after.moments, after.memory.moments)


@pytest.mark.parametrize("name", LEARNERS)
def test_policies_are_distributions(name):
    result = RUN[name](MODELS["simulated"], 30, rng=0)
    assert result.pi.shape == (3, 5, 16)
    assert (result.pi >= 0).all()
    np.testing.assert_allclose(result.pi.sum(axis=2), 1.0, atol=1e-12)
    np.testing.assert_array_equal(result.checkpoints, [29])
    np.testing.assert_array_equal(result.policies[-1], result.pi)
    assert result.regret.size == result.tracked.size == result.event.size == 0


def test_statistics_are_those_of_the_data():
    mdp = MODELS["fail"]
    result = RUN["dr_rpo"](mdp, 350, rng=0)
    statistics = result.data.statistics(mdp.known)
    gram = statistics.gram + 0.1 * np.eye(mdp.n_factors)
    np.testing.assert_allclose(result.state.gram, gram, rtol=1e-10)
    np.testing.assert_allclose(result.state.moments, statistics.moments, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        result.state.gram_inverse, np.linalg.inv(gram), rtol=1e-9, atol=1e-12
    )


def test_tracks_every_so_often():
    mdp = MODELS["fail"]
    all_of_them = RUN["dr_rpo"](mdp, 25, track=mdp, rng=0)
    some = RUN["dr_rpo"](mdp, 25, track=mdp, options=OnlineOptions(track_every=10), rng=0)
    np.testing.assert_array_equal(some.tracked, [0, 10, 20])
    np.testing.assert_array_equal(some.regret, all_of_them.regret[::10])
    np.testing.assert_array_equal(some.certificate, all_of_them.certificate[::10])


def test_progress_hears_of_every_hundred_episodes():
    heard = []
    options = OnlineOptions(progress=heard.append, checkpoints=(150,))
    RUN["dr_rpo"](MODELS["simulated"], 230, options=options, rng=0)
    assert heard == [100, 151, 200, 230]


@pytest.mark.parametrize("name", [name for name in LEARNERS if name != "mirror"])
@pytest.mark.parametrize("refit", ["every", "doubling"])
def test_real_states_run_is_the_loop_of_steps(name, refit):
    made = MAKE[name](PUT, 8, options=OnlineOptions(refit=refit))
    result = made.run(3, PUT, 8)
    rng, state, infos = np.random.default_rng(3), made.init(), []
    for _ in range(8):
        state, info = made.step(rng, state, PUT)
        infos.append(info)
    np.testing.assert_array_equal(result.optimistic, [info.optimistic for info in infos])
    np.testing.assert_array_equal(result.data.states, [info.states for info in infos])
    np.testing.assert_array_equal(result.data.actions, [info.actions for info in infos])
    assert result.refits == state.refits == sum(info.refitted for info in infos)
    again = RUN[name](PUT, 8, options=OnlineOptions(refit=refit), rng=3)
    np.testing.assert_array_equal(again.data.states, result.data.states)
    assert (RUN[name](PUT, 8, rng=4).data.states != result.data.states).any()


def test_real_states_have_values_and_policies():
    fit = RUN["dr_rpo"](PUT, 20, rng=0).fit
    prices = np.array([80.0, 95.0, 120.0, np.inf])
    for h in range(PUT.horizon):
        q, pi = fit.q(h, prices), fit.pi(h, prices)
        np.testing.assert_array_equal(q[:, 1], [20.0, 5.0, 0.0, 0.0])  # exercise is known
        assert (q[:, 0] >= 0).all()
        assert (q[:, 0] <= PUT.horizon - h).all()
        weight = np.exp((q - q.max(axis=1, keepdims=True)) / 0.1)
        np.testing.assert_allclose(pi, weight / weight.sum(axis=1, keepdims=True), atol=1e-12)
        np.testing.assert_array_equal(fit.act(h, prices), pi.argmax(axis=1))
        soft = q.max(axis=1) + 0.1 * np.log(weight.mean(axis=1))
        np.testing.assert_allclose(fit.v(h, prices), soft, atol=1e-12)


def test_real_states_estimates_are_those_of_the_data():
    """One backward pass by hand, nominal and greedy, on what the learner saw before its last."""
    made = MAKE["dr_lsvi_ucb"](PUT, 30, options=OnlineOptions(beta=0.3, ridge=0.5))
    rng, state = np.random.default_rng(1), made.init()
    for _ in range(30):
        before = state
        state, _ = made.step(rng, state, PUT)
    nu, H, d = np.zeros((4, 6)), PUT.horizon, 6
    after = None
    for h in reversed(range(H)):
        x, a = before.states[:, h], before.actions[:, h]
        phi = PUT.features(h, x)[np.arange(len(x)), a]
        inverse = np.linalg.inv(phi.T @ phi + 0.5 * np.eye(d))
        if after is not None:
            v = after(before.states[:, h + 1])
            cap = H - 1.0 - h
            alpha = np.concatenate(([0.0, cap], v[v <= cap]))
            z = inverse @ phi.T @ np.minimum(v[:, None], alpha)
            nu[h] = (z - 0.2 * alpha).max(axis=1).clip(0.0, cap)  # the least value is 0

        def after(prices, h=h, inverse=inverse, last=after is None):
            hats = PUT.features(h, prices)[:, 0]
            width = 0.0 if last else 0.3 * hats @ np.sqrt(np.diag(inverse))
            go_on = np.clip(hats @ nu[h] + width, 0.0, H - h)
            go_on[~hats.any(axis=1)] = 0.0
            return np.maximum(go_on, PUT.rewards(h, prices)[:, 1])

    np.testing.assert_allclose(state.fit.estimate.w, nu, atol=1e-9)
