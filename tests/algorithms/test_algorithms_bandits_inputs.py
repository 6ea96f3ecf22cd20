"""What bandit algorithms refuse, and what they say of it."""

import dataclasses
import re

import numpy as np
import pytest
from bandit_cases import ALGORITHMS, as_they_come, gauss, silence, trap

from mdptheory import algorithms
from mdptheory.algorithms import BanditOptions, ofs_epochs_learner, ofs_learner
from mdptheory.environments import threshold_preset
from mdptheory.errors import GuaranteeWarning, InvalidModelError, NotContractiveError
from mdptheory.models import (
    BanditProblem,
    Channel,
    DemographicParity,
    EqualOpportunity,
    GaussianBandit,
    LendingLoop,
    LinearResidual,
    LoopDynamics,
    ServiceRate,
)

PARITY = (DemographicParity(0.1),)


def refuses(text, error=InvalidModelError):
    return pytest.raises(error, match=re.escape(text))


@pytest.mark.parametrize(("function", "told"), ALGORITHMS.values(), ids=list(ALGORITHMS))
def test_every_algorithm_refuses_the_same(function, told):
    run, make = (getattr(algorithms, name) for name in (function, f"{function}_learner"))
    for entry in (run, make):
        with refuses("horizon is 3; expected at least one round for each of 4 arms"):
            entry(gauss(), 3, **{k: v for k, v in told.items() if k != "pulls"})
        with refuses("horizon", TypeError):
            entry(gauss(), 60.5, **told)
        with refuses("env is 7 of type int; expected a BanditProblem, a GaussianBandit", TypeError):
            entry(7, 30, **told)
        with refuses("expected a sequence of constraints", TypeError):
            entry(gauss(), 60, PARITY[0], **told)
        with refuses("constraints[0] needs the channel 'service'; this environment shows reward"):
            entry(gauss(), 60, (ServiceRate(0.5),), **told)
        with refuses("constraints[0] is", TypeError):
            entry(gauss(), 60, (0.5,), **told)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"delta": 0.0}, "delta is 0"),
        ({"delta": 1.0}, "delta is 1"),
        ({"delta": np.nan}, "delta is nan"),
        ({"radius_scale": 0.0}, "radius_scale is 0"),
        ({"radius_scale": -1.0}, "radius_scale is -1"),
        ({"radius_scale": np.inf}, "radius_scale is inf"),
        ({"record_every": 0}, "record_every is 0"),
    ],
)
def test_options_out_of_range(told, text):
    with refuses(text):
        BanditOptions(**told)


@pytest.mark.parametrize(
    ("name", "told", "text"),
    [
        ("ofs_epochs", {"first": 8, "burn": 9}, "burn is 9; expected at most first, which is 8"),
        ("ofs_epochs", {"first": 0}, "first is 0"),
        ("ofs_epochs", {"burn": -1}, "burn is -1"),
        ("ofs_epochs", {"bias": "some"}, "bias is 'some'; expected 'theory' or 'none'"),
        ("fixed_arm", {"arm": 4}, "arm is 4"),
        ("fixed_arm", {"arm": -1}, "arm is -1"),
        ("explore_then_commit", {"pulls": 0}, "pulls is 0"),
        ("explore_then_commit", {"pulls": 26}, "pulls is 26"),
        ("primal_dual_ucb", {"step": -0.1}, "step is -0.1"),
        ("primal_dual_ucb", {"cap": np.inf}, "cap is inf"),
        ("primal_dual_ucb", {"cap": np.nan}, "cap is nan"),
    ],
)
def test_numbers_of_one_algorithm(name, told, text):
    told = {"first": 9} | told if name == "ofs_epochs" else told
    for entry in (name, f"{name}_learner"):
        with refuses(text):
            getattr(algorithms, entry)(gauss(), 100, **told)


def test_epochs_that_do_not_fit_are_said():
    with pytest.warns(GuaranteeWarning, match="horizon is 100; some of 4 arms is never tried"):
        run = algorithms.ofs_epochs(gauss(), 100, first=20, burn=6, rng=0)
    assert run.counts.tolist() == [26, 26, 26, 22]
    run = algorithms.ofs_epochs(gauss(), 104, first=20, burn=6, rng=0)
    assert run.counts.tolist() == [26] * 4


def test_theory_needs_dynamics_that_contract_without_noise():
    env, limits = threshold_preset("compas_decile")
    with refuses("bias is 'theory', which needs an environment with known dynamics"):
        ofs_epochs_learner(env.problem, 1000, limits)
    noisy = dataclasses.replace(env, dynamics=LoopDynamics(stochastic=True))
    with refuses("bias is 'theory', which is proved for deterministic feedback only"):
        algorithms.ofs_epochs(noisy, 1000, limits, rng=0)
    run = algorithms.ofs_epochs(noisy, 1000, limits, bias="none", rng=0)
    assert run.certificate_violation is None
    wild = dataclasses.replace(env, dynamics=LoopDynamics(c1=0.5, c0=0.5))
    with refuses("c1 + c0 is 1; expected less than 1", NotContractiveError):
        algorithms.ofs_epochs(wild, 1000, limits, rng=0)
    steep = dataclasses.replace(env, dynamics=LoopDynamics(c_p=9.0))
    with refuses("expected less than 1, but c_p is 9", NotContractiveError):
        algorithms.ofs_epochs(steep, 1000, limits, rng=0)
    with refuses("env is a LendingLoop, where kappa is 1", NotContractiveError):
        algorithms.ofs_epochs(LendingLoop(), 1000, rng=0)


def test_constraints_need_what_an_environment_shows():
    with refuses("constraints[1] is EqualOpportunity(tol=0.1), which needs channels tpr_<group>"):
        algorithms.ofs(LendingLoop(), 100, (*PARITY, EqualOpportunity(0.1)))
    with refuses("constraints[0] needs the channel 'gap'"):
        algorithms.ofs(as_they_come(9), 100, (LinearResidual({"gap": 1.0}, 0.1),))


def test_a_learner_refuses_environments_with_other_channels():
    learner = ofs_learner(gauss(), 100, gauss().constraints)
    fewer = GaussianBandit(gauss().reward)
    text = "env has 4 arms and channels reward; expected 4 and reward, residual_0, residual_1"
    with refuses(text):
        learner.run(0, fewer)
    with refuses(text):
        learner.step(np.random.default_rng(0), learner.init(), fewer)
    with refuses("env has 2 arms"):
        learner.run_many((0, 1), trap())
    with refuses("env is None of type NoneType", TypeError):
        learner.step(np.random.default_rng(0), learner.init(), None)
    with refuses("env is None of type NoneType", TypeError):
        learner.run(0, None)


def test_runs_do_not_share_a_generator():
    """The order in which threads draw from it would decide what is played."""
    rng = np.random.default_rng(0)
    with refuses("rngs has a generator twice; expected one a run"):
        ofs_learner(gauss(), 100).run_many((rng, rng), gauss())


def test_a_learner_refuses_states_that_are_not_its_own():
    """Compiled code would read past the end of shorter arrays."""
    mine, other = ofs_learner(gauss(), 100, gauss().constraints), ofs_learner(trap(), 100)
    text = "state has 2 arms, 1 channels and 0 residuals; expected 4, 3 and 2"
    with refuses(text):
        mine.select(other.init())
    with refuses(text):
        mine.update(other.init(), [0.0, 0.0, 0.0])
    with refuses(text):
        mine.step(np.random.default_rng(0), other.init(), gauss())


def test_a_learner_of_a_problem_does_not_know_where_a_loop_starts():
    env, limits = threshold_preset("compas_decile")
    learner = ofs_learner(env.problem, 100, limits)
    with refuses("state of shape (1,); expected (3,)"):
        learner.step(np.random.default_rng(0), learner.init(), env)
    run = learner.run(0, env)  # starts where the environment does
    np.testing.assert_array_equal(run.arms, algorithms.ofs(env, 100, limits, rng=0).arms)
    assert run.certificate_violation is None


# ---- rounds played elsewhere --------------------------------------------------------------------

CHANNELS = [Channel("reward", 0.5, 0.0, 1.0), Channel("rate_A", 0.5, 0.0, 1.0, 20)]
CHANNELS += [Channel("rate_B", 0.5, 0.0, 1.0, 20), Channel("tpr_A", 0.5, 0.0, 1.0, 20)]


def learner(**told):
    return ofs_learner(BanditProblem(3, CHANNELS), 90, PARITY, **told)


@pytest.mark.parametrize(
    ("values", "weights", "text"),
    [
        ([0.1, 3, 4], [1, 9, 9, 9], "values has shape (3,); expected (4)"),
        ([[0.1, 3, 4, 2]], [1, 9, 9, 9], "values has shape (1, 4)"),
        ([0.1, 3, 4, 2], [1, 9, 9], "weights has shape (3,); expected (4)"),
        ([0.1, 3, 4, 2], None, "weights is absent; expected the trials of channel 'rate_A'"),
        ([np.nan, 3, 4, 2], [1, 9, 9, 9], "values[0] is nan"),
        ([np.inf, 3, 4, 2], [1, 9, 9, 9], "values[0] is inf"),
        ([0.1, 3, 4, 2], [1, 9, np.nan, 9], "weights[2] is nan"),
        ([0.1, 3, 10, 2], [1, 9, 9, 9], "values[2] is 10 of 9 trials of channel 'rate_B'"),
        ([0.1, -1, 4, 2], [1, 9, 9, 9], "values[1] is -1 of 9 trials"),
        ([0.1, 3, 4, 2], [1, 9, -1, 9], "values[2] is 4 of -1 trials"),
        ([0.1, 3, 4, 2], [1, 21, 9, 9], "weights[1] is 21; expected at most 20 trials"),
    ],
)
def test_rounds_that_cannot_be(values, weights, text):
    made = learner()
    with refuses(text):
        made.update(made.init(), values, weights)


def test_what_no_constraint_reads_need_not_be_known():
    made = learner()
    state = made.update(made.init(), [0.1, 3, 4, np.nan], [np.nan, 9, 0 + 8, np.nan])
    np.testing.assert_allclose(state.estimate[0], [0.1, 3 / 9, 4 / 8])
    empty = made.update(made.init(), [0.1, 0, 4, 99], [7, 0, 8, 3])
    assert np.isinf(empty.radius[0, 1])
    assert empty.optimistic_violation[0] == 0.0


def test_arms_that_are_none_or_not_this_epochs():
    made = learner()
    round_one = [0.1, 3, 4, 2], [1, 9, 9, 9]
    with refuses("arm is 3; expected an index (there are 3 arms)"):
        made.update(made.init(), *round_one, arm=3)
    with refuses("arm is -1"):
        made.update(made.init(), *round_one, arm=-1)
    state = made.update(made.init(), *round_one, arm=2)
    assert state.pulls.tolist() == [0, 0, 1]
    assert made.select(state) == 0
    epochs = ofs_epochs_learner(BanditProblem(3, CHANNELS), 90, PARITY, first=5, bias="none")
    with refuses("arm is 2; expected 0, whose epoch goes on (there are 3 arms)"):
        epochs.update(epochs.init(), *round_one, arm=2)


def test_a_learner_of_a_problem_certifies_nothing_and_a_wide_one_runs():
    env = gauss()
    run = ofs_learner(env.problem, 100, env.constraints).run(0, env)
    assert (run.certificate_regret, run.certificate_violation) == (None, None)
    with silence():
        tiny = algorithms.ofs(GaussianBandit([1.0]), 1, rng=0)
    assert tiny.certificate_regret == tiny.regret[-1] == 0.0


def test_a_problem_has_no_rounds_to_play():
    bandit = GaussianBandit([0.5, 0.4])
    learner = ofs_learner(bandit.problem, 10)
    with pytest.raises(TypeError, match="env is a BanditProblem, where no round can be played"):
        learner.run(0, bandit.problem)
    with pytest.raises(TypeError, match="env is a BanditProblem, where no round can be played"):
        algorithms.ofs(bandit.problem, 10)


def test_what_is_no_state_is_refused():
    learner = ofs_learner(GaussianBandit([0.5, 0.4]), 10)
    with pytest.raises(TypeError, match="state is None of type NoneType; expected the BanditState"):
        learner.select(None)
    with pytest.raises(TypeError, match="state is 3 of type int; expected the BanditState"):
        learner.update(3, [0.5])


def test_radii_hold_up_to_the_horizon_only():
    bandit = GaussianBandit([0.5, 0.4])
    for anytime in (False, True):
        learner = ofs_learner(bandit, 2, options=BanditOptions(anytime=anytime))
        state = learner.init()
        for _ in range(2):
            state = learner.update(state, [0.5])
        if anytime:
            assert learner.update(state, [0.5]).round == 3
        else:
            with pytest.raises(InvalidModelError, match="state has played 2 rounds, which is the"):
                learner.update(state, [0.5])
