"""The chains about closed loops: their second routes, known numbers, false claims on one page."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mdptheory.algorithms import BanditOptions, ofs, ofs_epochs, ofs_epochs_learner, ofs_learner
from mdptheory.algorithms.fair_bounds import (
    Epochs,
    closed_loop_bound,
    epoch_log_term,
    row_scales,
)
from mdptheory.environments import threshold_preset
from mdptheory.models import GaussianBandit, residual_rows
from mdptheory.operators import certify, steady_states
from mdptheory.theory import draw_case, load_case, replay
from mdptheory.theory.counterexample import link_check
from proofs_checks import ofs_epochs as epochs_chain
from proofs_checks import ofs_uniform_bias as uniform_chain
from proofs_checks._loop_cases import lull, random_drift, random_loop, settled, shy, trap
from proofs_checks._loop_runs import Story, Told, epochs_of, noise_of
from proofs_checks.registry import CHAINS

pytestmark = pytest.mark.theorem
BY_ID = {chain.id: chain for chain in CHAINS}
PINNED = sorted((Path(__file__).parent / "data" / "closed_loop").glob("*.json"))
SPARSE = BanditOptions(record_every=100_000)
ROUNDS = 200_000


# ---- the second routes --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_steady_states_are_solved_for_as_they_are_iterated(seed):
    rng = np.random.default_rng(seed)
    for env in (random_loop(rng), random_drift(rng)):
        solved = [settled(env, k) for k in range(env.n_arms)]
        assert np.allclose(steady_states(env), solved, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("first", [0, 4])
def test_noise_that_is_drawn_again_gives_the_learners_estimates(seed, first):
    """The library's averages after a run are those of its means and of this noise."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        env, constraints = trap(), trap().constraints
    else:
        env, horizon = random_loop(rng), 60
        constraints = epochs_chain.Case(env, 0.1, 0.3, horizon, 4, 0, seed).constraints
    options, horizon = BanditOptions(delta=epochs_chain.DELTA), 60
    if first:
        learner = ofs_epochs_learner(env, horizon, constraints, first=first, options=options)
    else:
        learner = ofs_learner(env, horizon, constraints, options=options)
    state, steps = learner.init(), np.random.default_rng(seed)
    for _ in range(horizon):
        state, _ = learner.step(steps, state, env)
    story = Story.of(env, constraints, Told(horizon, epochs_chain.DELTA, first), seed)
    seen = story.run.means + noise_of(env, story.run, seed)
    cut = epochs_of(story.run.arms, env.n_arms, max(1, first), 0) if first else []
    for k in range(env.n_arms):
        mine = np.flatnonzero(story.run.arms == k)
        if cut:  # an epoch that was cut was recorded, but no bound was computed from it
            mine = np.array(
                [t for e in cut if e.arm == k and e.whole for t in range(horizon)[e.rounds]]
            )
        if len(mine):
            assert np.allclose(state.estimate[k], seen[mine][:, story.used].mean(axis=0))


def test_a_run_is_cut_into_its_epochs():
    arms = [1] * 3 + [0] * 3 + [0] * 3 + [0] * 5 + [1] * 2
    found = epochs_of(arms, 2, 2, 1)
    assert [(e.arm, e.start, e.skip, e.keep, e.before, e.number, e.whole) for e in found] == [
        (1, 0, 1, 2, 0, 0, True),
        (0, 3, 1, 2, 0, 0, True),
        (0, 6, 1, 2, 2, 1, True),
        (0, 9, 1, 4, 4, 2, True),
        (1, 14, 1, 1, 2, 1, False),
    ]
    assert (found[0].rounds, found[0].recorded) == (slice(0, 3), slice(1, 3))
    assert epochs_of([0], 1, 4, 3)[0][2:4] == (1, 0)


def test_stories_know_what_is_best_and_how_bad_it_can_get():
    story = Story.of(shy(), shy().constraints, Told(10, 0.1), 0)
    assert (story.best, story.feasible, story.least) == (0, True, 0.0)
    assert story.steady.tolist() == [[1.0, 0.0], [0.5, -1.0]]
    assert uniform_chain.most(story).tolist() == [0.5, 0.5]
    none = GaussianBandit(np.zeros(2), np.array([[0.3], [0.2]]))
    story = Story.of(none, none.constraints, Told(10, 0.1, 1), 0)
    assert (story.best, story.least) == (-1, 0.2)


@pytest.mark.parametrize("chain_id", ["ofs.epochs", "ofs.uniform_bias"])
def test_cases_reach_the_ends_of_what_is_claimed(chain_id):
    drawn = [draw_case(BY_ID[chain_id], 0, index) for index in range(300)]
    bandits = [case.env for case in drawn if isinstance(case.env, GaussianBandit)]
    assert {env.inertia for env in bandits} >= {0.0, 0.999}
    assert {1, 4} <= {case.env.n_arms for case in drawn}
    assert min(case.horizon for case in drawn) < 10
    if chain_id == "ofs.epochs":
        assert any(case.horizon < case.first for case in drawn)
        assert {0, 64} <= {case.burn for case in drawn}
        ends = [
            case.env.residuals + case.env.residual_slope * case.env.target[:, None]
            for case in drawn
            if isinstance(case.env, GaussianBandit)
        ]
        assert any((end == 0).any() for end in ends)  # just feasible
        assert any(end.size and (end.max(axis=1) > 0).all() for end in ends)  # infeasible


# ---- known numbers ------------------------------------------------------------------------------


def published_trap(inertia: float) -> GaussianBandit:
    """Return the trap without constraints."""
    return GaussianBandit(
        np.array([0.8, 0.5]),
        sigma_reward=0.1,
        reward_slope=np.array([-0.6, 0.0]),
        target=np.array([0.0, 1.0]),
        inertia=inertia,
        start=1.0,
    )


@pytest.mark.parametrize(("inertia", "bound", "regret"), [(0.95, 13218, 210), (0.99, 55554, 1554)])
def test_epochs_leave_the_trap_and_plain_search_does_not(inertia, bound, regret):
    env, rounds = published_trap(inertia), 1_000_000
    plan = Epochs(rounds, 1, 0, inertia)
    log = epoch_log_term(2, 1, plan, 0.05)
    drift = 0.6 / (1 - inertia)
    most = closed_loop_bound(2, log, scale=0.1, worst=1.0, drift=drift, epochs=plan)
    assert most == pytest.approx(bound, abs=0.5)
    run = ofs_epochs(env, rounds, first=1, options=SPARSE, rng=0)
    assert run.regret[-1] == pytest.approx(regret, abs=1)
    assert run.regret[-1] <= run.certificate_regret <= most
    plain = ofs(env, rounds, options=SPARSE, rng=0)
    assert plain.regret[-1] == pytest.approx(300_000, abs=10)
    assert plain.counts[0] <= 4
    assert plain.certificate_regret is None


def test_epochs_of_64_rounds_need_the_bias_once_the_trap_is_slow():
    lost = {}
    for inertia in (0.95, 0.99):
        run = ofs_epochs(
            published_trap(inertia), 1_000_000, first=64, bias="none", options=SPARSE, rng=0
        )
        assert run.certificate_regret is None
        lost[inertia] = run.regret[-1]
    assert lost[0.95] == pytest.approx(42, abs=1)
    assert lost[0.99] == pytest.approx(300_009, abs=10)


@pytest.mark.parametrize(
    ("name", "regret", "violation"),
    [("synthetic", 20_519, 9_564), ("german", 24_433, 7_411), ("compas", 18_029, 7_240)],
)
def test_presets_stay_far_below_their_bounds(name, regret, violation):
    env, constraints = threshold_preset(name)
    loop, rows = certify(env), residual_rows(constraints, env.channels)
    plan = Epochs(ROUNDS, 64, 0, loop.kappa)
    log = epoch_log_term(env.n_arms, 3, plan, 0.05)
    drifts = loop.lipschitz * loop.diameter / (1 - loop.kappa)
    sides = (
        (env.channels[0].scale, 1 + env.cost, drifts[0]),
        (row_scales(rows, env.channels).max(), 1.0, (np.abs(rows.matrix) @ drifts).max()),
    )
    bounds = [
        closed_loop_bound(env.n_arms, log, scale=scale, worst=worst, drift=drift, epochs=plan)
        for scale, worst, drift in sides
    ]
    assert bounds == pytest.approx([regret, violation], abs=1)
    run = ofs_epochs(env, ROUNDS, constraints, options=SPARSE, rng=0)
    assert abs(run.best.reward * ROUNDS - run.reward[-1]) <= 400
    assert 50 <= run.violation[-1] <= 400
    assert run.regret[-1] <= run.certificate_regret <= bounds[0]
    assert run.violation[-1] <= run.certificate_violation <= bounds[1]
    assert run.fallback_rounds == 0


# ---- false claims -------------------------------------------------------------------------------


def test_a_loop_that_forgets_at_once_traps_plain_search_too():
    """Arm 0 is tried once more in the state that arm 1 leaves behind, and looks infeasible."""
    env = GaussianBandit(
        np.array([1.0, 0.0]),
        np.array([[0.0], [-1.0]]),
        sigma_reward=0.1,
        sigma_residuals=np.array([0.01]),
        residual_slope=np.array([[1.0], [1.0]]),
        target=np.array([0.0, 1.0]),
        inertia=0.0,
    )
    for seed in range(5):
        plain = ofs(env, 20_000, env.constraints, options=SPARSE, rng=seed)
        assert plain.counts[0] == 2
        epochs = ofs_epochs(env, 20_000, env.constraints, options=SPARSE, rng=seed)
        assert epochs.regret[-1] < 2_000


def test_an_arm_that_is_feasible_only_when_played_is_never_tried_again():
    for seed in range(5):
        assert ofs(shy(), 20_000, shy().constraints, rng=seed).counts[0] < 100
        epochs = ofs_epochs(shy(), 20_000, shy().constraints, first=64, rng=seed)
        assert epochs.counts[0] > 10_000


def test_an_arm_that_is_feasible_at_first_is_kept_for_too_long():
    """It has been safe for a thousand rounds, so its average residual stays below 0 as long."""
    run = ofs(lull(), 20_000, lull().constraints, rng=0)
    assert run.violation[-1] > 100
    assert run.violation[500] == 0.0


@cache
def saved(path):
    return load_case(path)


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.stem)
def test_pinned_counterexample_still_breaks_its_twin_and_not_the_theorem(path):
    again = replay(saved(path), CHAINS)
    assert again.check is not None
    assert not again.check.holds
    assert again.check.measured == pytest.approx(saved(path).check.measured, rel=1e-9)
    if saved(path).twin not in ("per_round", "no_bias"):  # they are told something else
        true = link_check(BY_ID[saved(path).chain], saved(path).link, saved(path).case)
        assert true is None or true.holds


def test_every_false_claim_of_the_closed_loop_is_written_up():
    text = (Path(__file__).parents[2] / "FINDINGS.md").read_text(encoding="utf-8")
    assert len(PINNED) == 8
    assert [path.name for path in PINNED if f"closed_loop/{path.name}" not in text] == []
