"""Sets from counts: radii against closed forms, exact miss probabilities, and what is refused."""

import itertools
import math

import numpy as np
import pytest

from mdptheory import TabularMDP, solve
from mdptheory.certificates import check
from mdptheory.errors import InvalidModelError
from mdptheory.estimation import count_transitions, robust_model, sets_from_data
from mdptheory.models import Discounted, FiniteHorizon
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    EVaRSet,
    KLBall,
    L1Ball,
    WassersteinBall,
)
from mdptheory.operators import policy_value
from mdptheory.operators.nature import nature_rows
from mdptheory.operators.worst_case import worst_case
from mdptheory.solvers import robust_solve

KINDS = [L1Ball, BurgBall]
COUNTS = np.array([[[7, 3], [0, 0]], [[1, 99], [5, 5]]])


def outcomes(trials: int, n: int):
    """Every vector of counts with the given sum."""
    for cuts in itertools.combinations(range(trials + n - 1), n - 1):
        edges = np.array([-1, *cuts, trials + n - 1])
        yield np.diff(edges) - 1


def probability(counts, p) -> float:
    """Multinomial probability."""
    log = math.lgamma(counts.sum() + 1) - sum(math.lgamma(c + 1) for c in counts)
    return math.exp(log) * float(np.prod(np.asarray(p) ** counts))


def distance(kind, frequencies, p) -> float:
    if kind is L1Ball:
        return float(np.abs(frequencies - p).sum())
    seen = frequencies > 0
    return float((frequencies[seen] * np.log(frequencies[seen] / p[seen])).sum())


def one_pair(n: int, row) -> np.ndarray:
    """A model of n states and one action whose state 0 has the given counts."""
    counts = np.zeros((n, 1, n))
    counts[0, 0] = row
    return counts


# ---- radii --------------------------------------------------------------------------------------


def test_l1_radius_is_weissmans():
    sets = sets_from_data(COUNTS, delta=0.1, kind=L1Ball)
    for (s, a), count in np.ndenumerate(COUNTS.sum(axis=2)):
        expected = 2.0 if count == 0 else min(2.0, math.sqrt(2 / count * math.log(4 * 2 / 0.1)))
        assert sets.radius[s, a] == pytest.approx(expected, rel=1e-14)


def test_burg_radius_is_lamberts_root():
    from scipy.special import lambertw

    counts = np.random.default_rng(0).integers(0, 40, (4, 3, 4))
    sets = sets_from_data(counts, delta=0.05, kind=BurgBall)
    trials = counts.sum(axis=2)
    goal = math.log(12 / 0.05) / 3
    root = -float(lambertw(-math.exp(-1 - goal), -1).real)
    np.testing.assert_allclose(sets.radius, 3 * root / trials, rtol=1e-12)
    np.testing.assert_allclose(  # and above the mean, on the branch where the bound falls
        trials * sets.radius - 3 * (1 + np.log(trials * sets.radius / 3)), math.log(12 / 0.05)
    )
    assert (sets.radius > 3 / trials).all()


@pytest.mark.parametrize("delta", [1e-300, 1e-9, 0.5, 1 - 1e-12])
def test_burg_root_at_extreme_risks(delta):
    sets = sets_from_data(one_pair(1, 4), delta=delta, kind=BurgBall)
    assert sets.radius.tolist() == [[0.0]]
    wide = sets_from_data(np.full((50, 1, 50), 3), delta=delta, kind=BurgBall).radius[0, 0]
    left = 150 * wide - 49 * (1 + math.log(150 * wide / 49))
    assert left == pytest.approx(math.log(50 / delta), rel=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "trials"), [(2, 1), (2, 7), (2, 25), (3, 5), (3, 12), (4, 8)])
@pytest.mark.parametrize("delta", [0.01, 0.2])
def test_exact_probability_of_missing_a_row_is_at_most_delta(kind, n, trials, delta):
    rng = np.random.default_rng(n + trials)
    rows = [rng.dirichlet(np.ones(n)) for _ in range(3)] + [np.full(n, 1 / n)]
    rows.append(np.array([1 - 1e-3 * (n - 1)] + [1e-3] * (n - 1)))
    # one of the n pairs: the other pairs' shares of delta are not used up
    radii = {
        tuple(c): sets_from_data(one_pair(n, c), delta=delta, kind=kind).radius[0, 0]
        for c in outcomes(trials, n)
    }
    for p in rows:
        missed = sum(
            probability(np.array(c), p)
            for c, radius in radii.items()
            if distance(kind, np.array(c) / trials, p) > radius
        )
        assert missed <= delta / n


def test_adaptive_radii_pay_for_every_number_of_trials():
    fixed = sets_from_data(COUNTS, delta=0.1, kind=L1Ball).radius
    free = sets_from_data(COUNTS, delta=0.1, kind=L1Ball, adaptive=True).radius
    assert free[1, 0] == pytest.approx(math.sqrt(2 / 100 * math.log(4 * 2 * 100 * 101 / 0.1)))
    assert (free >= fixed).all()
    burg = [sets_from_data(COUNTS, delta=0.1, kind=BurgBall, adaptive=x) for x in (False, True)]
    assert (burg[1].radius[COUNTS.sum(axis=2) > 0] > burg[0].radius[COUNTS.sum(axis=2) > 0]).all()


def test_a_known_support_makes_the_radius_smaller():
    counts = np.zeros((6, 1, 6))
    counts[:, 0, :2] = 50
    wide = {kind: sets_from_data(counts, delta=0.1, kind=kind).radius for kind in KINDS}
    for kind in KINDS:
        known = sets_from_data(counts, delta=0.1, kind=kind, support_size=2).radius
        assert (known < wide[kind]).all()
    known = sets_from_data(counts, delta=0.1, kind=L1Ball, support_size=np.full((6, 1), 2)).radius
    np.testing.assert_allclose(known, math.sqrt(2 / 100 * math.log(6 * 2 / 0.1)))


@pytest.mark.parametrize(("kind", "unseen"), [(L1Ball, 2.0), (BurgBall, math.inf)])
def test_one_known_outcome_is_certain_once_it_was_seen(kind, unseen):
    counts = one_pair(3, [0, 4, 0])
    radius = sets_from_data(counts, delta=0.1, kind=kind, support_size=1).radius
    assert radius.ravel().tolist() == [0.0, unseen, unseen]


def test_many_outcomes_do_not_overflow():
    counts = np.zeros((1200, 1, 1200))
    counts[:, 0, 0] = 10_000
    radius = sets_from_data(counts, delta=0.1, kind=L1Ball).radius[0, 0]
    assert radius == pytest.approx(math.sqrt(2e-4 * (1200 * math.log(2) + math.log(12_000))))


# ---- rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_that_was_never_tried_may_do_anything(kind):
    sets = sets_from_data(COUNTS, delta=0.1, kind=kind)
    np.testing.assert_array_equal(sets.prob[0, 1], [0.5, 0.5])
    one = kind(float(sets.radius[0, 1]), support="all")
    assert worst_case(sets.prob[0, 1], [3.0, -1.0], one).value == pytest.approx(-1.0)
    assert worst_case(sets.prob[0, 1], [3.0, 8.0], one).value == pytest.approx(3.0)


@pytest.mark.parametrize("kind", KINDS)
def test_one_state_leaves_nothing_open(kind):
    sets = sets_from_data([[[0], [5]]], delta=0.1, kind=kind)
    assert sets.radius.tolist() == [[0.0, 0.0]]
    assert sets.prob.tolist() == [[[1.0], [1.0]]]


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_that_do_not_exist_are_not_counted(kind):
    available = [[True, False], [True, True]]
    sets = sets_from_data(COUNTS, delta=0.1, kind=kind, available=available)
    assert sets.radius[0, 1] == 0.0
    assert sets.prob[0, 1].tolist() == [0.0, 0.0]
    assert (sets.radius < sets_from_data(COUNTS, delta=0.1, kind=kind).radius)[1].all()
    mdp = sets.model(np.ones((2, 2)), Discounted(0.9))
    assert mdp.n_rows == 3
    assert np.diff(mdp.choice_ptr).tolist() == [1, 2]
    rows = nature_rows(mdp, sets.ambiguity)
    np.testing.assert_array_equal(rows.radius, sets.radius[np.array(available)])


def test_the_model_is_the_frequencies_with_the_rewards():
    sets = sets_from_data(COUNTS, delta=0.1, kind=L1Ball)
    P, r = sets.model([[1.0, 2.0], [3.0, 4.0]], Discounted(0.9)).to_dense()
    np.testing.assert_array_equal(P, sets.prob)
    np.testing.assert_array_equal(r, [[1.0, 2.0], [3.0, 4.0]])
    assert sets.model(np.ones((2, 2)), FiniteHorizon(3)).objective.horizon == 3


def test_rewards_of_transitions_that_were_not_seen_are_kept():
    """Nature may choose them, so that their rewards must be known."""
    counts = np.array([[[4, 0]], [[0, 4]]])
    paid = np.array([[[1.0, -7.0]], [[2.0, 3.0]]])
    mdp, ambiguity = robust_model(counts, paid, 0.5, delta=0.1, kind=BurgBall)
    rows = nature_rows(mdp, ambiguity)
    np.testing.assert_array_equal(rows.paid, paid.ravel())
    np.testing.assert_array_equal(mdp.reward, [1.0, 3.0])
    assert mdp.gamma == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_counts_stay_the_callers(kind):
    counts = COUNTS.astype(np.float64)
    before = counts.copy()
    sets = sets_from_data(counts, delta=0.1, kind=kind)
    np.testing.assert_array_equal(counts, before)
    assert not sets.prob.flags.writeable
    assert counts.flags.writeable


def test_a_log_is_counted():
    rng = np.random.default_rng(3)
    s, a, t = rng.integers(0, [[3], [2], [3]], (3, 500))
    counts = count_transitions(s, a, t, n_states=3, n_actions=2)
    assert counts.sum() == 500
    for index, count in np.ndenumerate(counts):
        assert count == sum((s == index[0]) & (a == index[1]) & (t == index[2]))
    assert count_transitions([], [], [], n_states=2, n_actions=1).sum() == 0


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1, r"counts\[1, 0, 1\] is -1.0; expected a whole number from 0 to 2\^53"),
        (0.5, r"counts\[1, 0, 1\] is 0.5; expected a whole number .* \(1 of 8 entries fail\)"),
        (1e17, r"counts\[1, 0, 1\] is 1e\+17; expected a whole number"),
        (np.nan, r"counts\[1, 0, 1\] is nan; expected a finite number"),
        (np.inf, r"counts\[1, 0, 1\] is inf; expected a finite number"),
    ],
)
def test_counts_that_are_no_counts(value, text):
    counts = COUNTS.astype(np.float64)
    counts[1, 0, 1] = value
    with pytest.raises(InvalidModelError, match=text):
        sets_from_data(counts, delta=0.1, kind=L1Ball)


@pytest.mark.parametrize("shape", [(2, 2), (2, 1, 3), (0, 1, 0), (2, 0, 2)])
def test_counts_of_another_shape(shape):
    with pytest.raises(InvalidModelError, match=r"counts has shape .* expected \(n_states, n_a"):
        sets_from_data(np.zeros(shape), delta=0.1, kind=L1Ball)


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_delta_outside_the_open_interval(delta):
    with pytest.raises(InvalidModelError, match=r"delta is .*; expected a number in \(0, 1\)"):
        sets_from_data(COUNTS, delta=delta, kind=L1Ball)


@pytest.mark.parametrize("kind", [KLBall, ChiSquareBall, EVaRSet])
def test_sets_that_cannot_hold_the_true_row(kind):
    text = rf"kind is {kind.__name__}, whose rows stay on the outcomes that were seen"
    with pytest.raises(NotImplementedError, match=text):
        sets_from_data(COUNTS, delta=0.1, kind=kind)


@pytest.mark.parametrize(("kind", "name"), [(WassersteinBall, "WassersteinBall"), ("l1", "'l1'")])
def test_sets_without_a_radius(kind, name):
    with pytest.raises(NotImplementedError, match=rf"kind is {name}, for which no radius"):
        sets_from_data(COUNTS, delta=0.1, kind=kind)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, r"support_size is 1; expected a number from 1 to 2, and counts\[0, 0\] has 2 outcomes"),
        (3, r"support_size is 3; expected a number from 1 to 2"),
        ([[2, 0], [2, 2]], r"support_size\[0, 1\] is 0; expected a number from 1 to 2"),
        ([2, 2], r"support_size has shape \(2,\); expected \(\) or \(2, 2\)"),
    ],
)
def test_support_sizes_that_the_data_contradict(size, text):
    with pytest.raises(InvalidModelError, match=text):
        sets_from_data(COUNTS, delta=0.1, kind=L1Ball, support_size=size)


def test_availability_that_does_not_fit():
    with pytest.raises(InvalidModelError, match=r"counts\[1, 1\] has 10 trials of an action"):
        sets_from_data(COUNTS, delta=0.1, kind=L1Ball, available=[[True, True], [True, False]])
    with pytest.raises(InvalidModelError, match=r"available\[0\] has no action"):
        sets_from_data(
            np.zeros((2, 2, 2)), delta=0.1, kind=L1Ball, available=[[False] * 2, [True] * 2]
        )
    with pytest.raises(TypeError, match="available has dtype int64; expected bool"):
        sets_from_data(COUNTS, delta=0.1, kind=L1Ball, available=[[1, 1], [1, 1]])


def test_rewards_that_do_not_fit():
    sets = sets_from_data(COUNTS, delta=0.1, kind=L1Ball)
    with pytest.raises(InvalidModelError, match=r"reward has shape \(2,\); expected \(2, 2\) or"):
        sets.model([1.0, 2.0], Discounted(0.9))
    with pytest.raises(InvalidModelError, match=r"reward\[1, 0\] is nan"):
        sets.model([[0.0, 0.0], [np.nan, 0.0]], Discounted(0.9))


def test_a_log_that_does_not_fit():
    with pytest.raises(InvalidModelError, match=r"action\[1\] is 2; expected an index in \[0, 2\)"):
        count_transitions([0, 0], [0, 2], [1, 1], n_states=2, n_actions=2)
    with pytest.raises(InvalidModelError, match=r"action has shape \(1,\); expected \(2\)"):
        count_transitions([0, 0], [0], [1, 1], n_states=2, n_actions=2)
    with pytest.raises(TypeError, match="state has dtype float64; expected integers"):
        count_transitions([0.0], [0], [1], n_states=2, n_actions=2)


# ---- what it is for -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trials", [0, 4, 400])
@pytest.mark.parametrize("per_transition", [False, True])
def test_the_robust_value_bounds_what_the_policy_truly_earns(kind, trials, per_transition):
    rng = np.random.default_rng(11)
    P = rng.dirichlet(np.ones(4), (4, 2))
    reward = rng.random((4, 2, 4) if per_transition else (4, 2))
    mdp, ambiguity = robust_model(rng.multinomial(trials, P), reward, 0.9, delta=0.01, kind=kind)
    solution = robust_solve(mdp, ambiguity)
    earned = policy_value(TabularMDP.from_dense(P, reward, 0.9), solution.policy)
    assert (solution.v <= earned + 1e-6).all()
    assert check(solution.certificate, mdp).gap < 1e-5
    best = solve(TabularMDP.from_dense(P, reward, 0.9)).v
    assert (solution.v <= best + 1e-6).all()
    if trials == 0:  # nature may go anywhere: states differ in the first reward alone
        assert np.ptp(solution.v) <= np.ptp(reward)
