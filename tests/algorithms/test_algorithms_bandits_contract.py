"""What every bandit algorithm promises in every environment."""

import itertools

import numpy as np
import pytest
from bandit_cases import (
    ALGORITHMS,
    COMPILED,
    ROUNDS,
    as_they_come,
    environments,
    gauss,
    hopeless,
    learner_of,
    rerun,
    same_run,
    silence,
    trap,
)

from mdptheory import algorithms
from mdptheory.algorithms import BanditOptions, fixed_arm, ofs_epochs_learner, ofs_learner
from mdptheory.environments import threshold_preset
from mdptheory.errors import GuaranteeWarning, InfeasibleWarning
from mdptheory.models import (
    DemographicParity,
    EqualOpportunity,
    GaussianBandit,
    LendingLoop,
    residual_rows,
)
from mdptheory.operators import certify
from mdptheory.operators import crew as crew_module
from mdptheory.operators.closed_loop import is_open_loop, loop_means, violations

ENVIRONMENTS = environments()
# as plain Python, steady states of many arms, and above all of lending, take too long
QUICK = [*ENVIRONMENTS] if COMPILED else ["gauss", "hopeless", "trap", "open_mixed", "single"]
PAIRS = list(itertools.product(ALGORITHMS, QUICK))
both = pytest.mark.parametrize(("name", "where"), PAIRS)


def case(name, where, **options):
    """The learner, its environment and constraints; skips what theory refuses."""
    env, constraints = ENVIRONMENTS[where]
    learner = learner_of(name, env, constraints, **options)
    if learner is None:
        pytest.skip("no contraction")
    return learner, env, constraints


def contents(record):
    """Bytes of all arrays of a dataclass or tuple."""
    names = getattr(record, "_fields", None) or record.__slots__
    arrays = (getattr(record, name) for name in names)
    return [array.tobytes() for array in arrays if isinstance(array, np.ndarray)]


def stepped(learner, env, seed, rounds):
    """Play by hand: infos, and the last state."""
    rng, state = np.random.default_rng(seed), learner.init()
    infos = []
    for _ in range(rounds):
        state, info = learner.step(rng, state, env)
        infos.append(info)
    return infos, state


def check_steps(run, infos, state):
    np.testing.assert_array_equal(run.arms, [info.arm for info in infos])
    np.testing.assert_array_equal(run.means, [info.means for info in infos])
    np.testing.assert_array_equal(run.states, [info.state for info in infos])
    assert run.fallback_rounds == sum(info.fallback for info in infos)
    assert state.round == len(infos)
    sums = state.memory.sums
    assert (run.reward[-1], run.violation[-1]) == (sums[0], sums[1])
    np.testing.assert_array_equal(run.signed[-1], sums[6:])
    assert run.observed_violation[-1] == sums[5]
    assert run.certificate_violation in (None, sums[4])


@both
def test_a_run_is_the_loop_over_steps(name, where):
    learner, env, _ = case(name, where)
    before = contents(env)
    with silence():
        run = learner.run(3, env)
    check_steps(run, *stepped(learner, env, 3, ROUNDS))
    assert contents(env) == before
    with pytest.raises(ValueError, match="read-only"):
        learner.init().memory.pulls[0] = 1


def test_a_run_of_several_chunks_is_the_loop_over_steps():
    env, rounds = gauss(), 4096 + 7 if COMPILED else 200
    learner = ofs_learner(env, rounds, env.constraints)
    infos, state = stepped(learner, env, 1, rounds)
    check_steps(learner.run(1, env), infos, state)


@both
def test_many_runs_are_single_runs(name, where, monkeypatch):
    monkeypatch.setattr(crew_module, "PARALLEL_TRANSITIONS", 0)
    learner, env, _ = case(name, where)
    with silence():
        alone = [learner.run(seed, env) for seed in range(3)]
        for threads in (1, 2):
            together = learner.run_many(range(3), env, threads=threads)
            assert all(map(same_run, alone, together))
        assert same_run(learner.run(np.random.default_rng(0), env), alone[0])
        assert learner.run_many((), env) == ()


@pytest.mark.parametrize("where", QUICK)
def test_other_seeds_show_other_rounds(where):
    learner, env, _ = case("ofs", where)
    with silence():
        shown = [rerun(env, learner.run(seed, env), seed)[0][:, 0] for seed in range(3)]
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(shown, 2))


@both
def test_learning_from_what_was_seen_plays_the_same_arms(name, where):
    learner, env, _ = case(name, where)
    with silence():
        run = learner.run(4, env)
    values, weights = rerun(env, run, 4)
    state = learner.init()
    first = contents(state.memory)
    for t, arm in enumerate(run.arms):
        kept = contents(state.memory)
        assert learner.select(state) == arm
        after = learner.update(state, values[t], weights[t])
        assert contents(state.memory) == kept
        state = after
    assert contents(learner.init().memory) == first


@both
def test_sums_are_sums_of_means(name, where):
    learner, env, constraints = case(name, where)
    with silence():
        run = learner.run(5, env)
    rows = residual_rows(constraints, env.channels)
    close = {"rtol": 1e-11, "atol": 1e-11}
    np.testing.assert_allclose(run.reward, run.means[:, 0].cumsum(), **close)
    np.testing.assert_allclose(run.violation, violations(run.means, rows).cumsum(), **close)
    signed = (run.means @ rows.matrix.T - rows.level).cumsum(axis=0)
    np.testing.assert_allclose(run.signed, signed, **close)
    exact = [loop_means(env, z)[arm] for z, arm in zip(run.states, run.arms, strict=True)]
    np.testing.assert_array_equal(run.means, exact)
    values, weights = rerun(env, run, 5)
    with np.errstate(invalid="ignore"):
        shown = (values / weights)[:, None] * rows.matrix
    shown = np.where(rows.matrix == 0, 0.0, shown).sum(axis=2) - rows.level
    seen = np.nan_to_num(shown, nan=-1.0).max(axis=1, initial=0.0).cumsum()
    np.testing.assert_allclose(run.observed_violation, seen, **close)
    assert run.counts.tolist() == np.bincount(run.arms, minlength=env.n_arms).tolist()
    assert run.switches == np.count_nonzero(np.diff(run.arms))
    if run.best.feasible:
        lost = np.maximum(run.best.reward - run.means[:, 0], 0.0).cumsum()
        np.testing.assert_allclose(run.regret, lost, **close)
    else:
        assert np.isnan(run.regret).all()


@both
def test_certificates_are_there_where_something_is_proved_and_hold(name, where):
    learner, env, _ = case(name, where)
    with silence():
        run = learner.run(6, env)
    proved = is_open_loop(env) or name == "epochs_theory"
    assert (run.certificate_violation is not None) == proved
    optimistic = name == "ucb" or (name.startswith(("ofs", "epochs")) and not run.fallback_rounds)
    assert (run.certificate_regret is not None) == (proved and optimistic)
    if proved:
        assert run.violation[-1] <= run.certificate_violation + 1e-9
    if proved and optimistic and run.best.feasible:
        assert run.regret[-1] <= run.certificate_regret + 1e-9


@pytest.mark.parametrize("every", [1, 7, ROUNDS - 1, ROUNDS, ROUNDS + 1])
@pytest.mark.parametrize("where", QUICK[:4:3])
def test_recording_less_records_the_same(where, every):
    told = {"name": "ofs", "where": where}
    (full, env, _), (less, _, _) = case(**told), case(**told, record_every=every)
    a, b = full.run(8, env), less.run(8, env)
    kept = b.rounds - 1
    assert b.rounds.tolist() == [*range(every, ROUNDS, every), ROUNDS]
    for field in ("means", "states", "reward", "violation", "signed", "regret"):
        np.testing.assert_array_equal(getattr(a, field)[kept], getattr(b, field))
    np.testing.assert_array_equal(a.arms, b.arms)
    assert a.certificate_violation == b.certificate_violation


def test_progress_is_told_and_changes_nothing():
    done, env = [], gauss()
    told = [BanditOptions(), BanditOptions(progress=done.append)]
    runs = [algorithms.ofs(env, 9000, env.constraints, options=o, rng=0) for o in told]
    assert done == [4096, 8192, 9000]
    assert same_run(*runs)


# ---- certificates -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ofs", "epochs_theory", "ucb"])
def test_narrow_radii_prove_nothing(name):
    function, told = ALGORITHMS[name]
    env, narrow = gauss(), BanditOptions(radius_scale=0.9)
    with pytest.warns(GuaranteeWarning, match=r"radius_scale is 0\.9; below 1 nothing is proved"):
        run = getattr(algorithms, function)(env, 200, options=narrow, rng=0, **told)
    assert (run.certificate_regret, run.certificate_violation) == (None, None)


def test_a_learner_certifies_only_the_environment_that_it_was_made_for():
    """Made for means that do not move, it is fooled by the trap: its sums are no bound there."""
    still, rounds = GaussianBandit([0.2, 0.5], sigma_reward=0.1), 15_000
    learner = ofs_learner(still, rounds)
    elsewhere, home = learner.run(0, trap()), learner.run(0, still)
    assert elsewhere.regret[-1] > 10 * home.certificate_regret
    assert elsewhere.certificate_regret is None
    assert elsewhere.certificate_violation is None
    twin = GaussianBandit([0.2, 0.5], sigma_reward=0.1)
    assert learner.run(0, twin).certificate_regret == home.certificate_regret


def test_bias_weighs_rounds_by_their_trials():
    """Of the applicants of a group, all may have come while the state was furthest off."""
    env, first = as_they_come(5), 9
    rounds, limit = 60, (DemographicParity(0.3),)
    learner = ofs_epochs_learner(env, rounds, limit, first=first)
    _, state = stepped(learner, env, 2, first)
    _, hits, trials = state.memory.total[0], *state.memory.weight[0][1:]
    constants, share = certify(env), 0.05 / (2 * env.n_arms * 3)
    b = constants.lipschitz * constants.diameter / (1 - constants.kappa)
    names = [channel.name for channel in env.channels]
    for j, (name, n) in enumerate(zip(("rate_A", "rate_B"), (hits, trials), strict=True), 1):
        noise = 0.5 * np.sqrt(2 * np.log(rounds * 5 / share) / n)
        bias = 5 * b[names.index(name)] / n
        assert bias > 0
        assert state.radius[0, j] == pytest.approx(noise + bias, rel=1e-12)


def test_an_arm_that_misses_its_limit_by_a_hair_is_no_comparator():
    """Averages without noise show that it is not feasible; regret must not ask for it."""
    env = GaussianBandit([1.0, 0.0], [[5e-10], [-1.0]], 0.01, 1e-13)
    run = algorithms.ofs(env, 500, env.constraints, rng=0)
    assert run.best.arm == 1
    assert run.regret[-1] <= run.certificate_regret


@pytest.mark.parametrize("where", ["open_mixed", "single", "opportunity"])
def test_intervals_of_counts_cover(where):
    """In at least 95 of 100 runs all intervals hold all the time; narrow ones do not."""
    env, constraints = ENVIRONMENTS[where]
    env = env.open() if where == "opportunity" else env
    n_runs, rounds = (60, 60) if COMPILED else (20, 30)
    truth = loop_means(env, env.start_state)
    broken = {}
    for scale in (1.0, 0.25):
        with silence():
            learner = ofs_learner(
                env, rounds, constraints, options=BanditOptions(radius_scale=scale)
            )
        used = learner.plan.task.pick
        assert any(env.channels[int(c)].trials for c in used)
        broken[scale] = 0
        for seed in range(n_runs):
            rng, state, missed = np.random.default_rng([seed, 9]), learner.init(), False
            for _ in range(rounds):
                state, _ = learner.step(rng, state, env)
                off = np.abs(state.estimate - truth[:, used])
                missed |= bool((off > state.radius + 1e-12).any())
            broken[scale] += missed
    assert broken[1.0] <= 0.05 * n_runs
    assert broken[0.25] > 0.05 * n_runs


# ---- fairness -----------------------------------------------------------------------------------


def test_equal_opportunity_stays_while_parity_moves():
    env, _ = threshold_preset("compas_decile")
    run = fixed_arm(env, ROUNDS, (EqualOpportunity(0.5), DemographicParity(0.5)), arm=5, rng=0)
    at = {name: run.means[:, i] for i, name in enumerate(run.names)}
    names = [name for name in run.names if name.startswith("tpr_")]
    assert np.ptp(at[names[0]] - at[names[1]]) == 0.0
    assert np.ptp(at["gap"]) > 1e-3


def test_signed_residuals_cancel_and_violations_do_not():
    """Prices alternate between an arm at +1/2 and one at -1/2; the search settles on the latter."""
    env, rounds = GaussianBandit([1.0, 0.0], [[0.5], [-0.5]], 0.1, 0.1), 4000
    priced = algorithms.primal_dual_ucb(env, rounds, env.constraints, rng=0)
    assert abs(priced.signed[-1, 0]) < 0.05 * rounds
    assert priced.violation[-1] == pytest.approx(rounds / 4, rel=0.2)
    assert priced.reward[-1] > 0.4 * rounds
    search = algorithms.ofs(env, rounds, env.constraints, rng=0)
    assert search.violation[-1] < 0.01 * rounds
    assert search.signed[-1, 0] < -0.45 * rounds


def test_nothing_feasible_is_said_and_has_no_regret():
    env = hopeless()
    with pytest.warns(InfeasibleWarning, match="no arm satisfies the constraints; arm 0 violates"):
        run = algorithms.ofs(env, 500, env.constraints, rng=0)
    assert not run.best.feasible
    assert run.fallback_rounds > 0
    assert np.isnan(run.regret).all()
    assert run.certificate_regret is None
    assert run.certificate_violation >= run.violation[-1]


@pytest.mark.skipif(not COMPILED, reason="steady states of lending take long")
def test_a_rate_of_nobody_is_said():
    env = LendingLoop(group_probs=[0.0, 1.0])
    with pytest.warns(GuaranteeWarning, match="the channel 'rate_A' never had a trial"):
        algorithms.ofs(env, 30, (DemographicParity(0.3),), rng=0)
