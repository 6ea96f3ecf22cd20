"""IWOCS with sets that have no indices: balls, intervals, risk measures."""

import numpy as np
import pytest
from iwocs_models import random_family

from mdptheory import (
    ChiSquareBall,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    LinfBall,
    TabularMDP,
    worst_case,
)
from mdptheory.algorithms import IWOCSOptions, IWOCSStatus, iwocs
from mdptheory.environments import garnet, machine_replacement, riverswim
from mdptheory.models import ContaminationSet, CVaRSet
from mdptheory.solvers import evaluate_robust, robust_solve


def garnet_small():
    return garnet(12, 3, 4, gamma=0.95, rng=5)


pytestmark = pytest.mark.filterwarnings("ignore::mdptheory.errors.StallWarning")
SETS = [
    L1Ball(0.3, support="all"),
    L1Ball(0.3, support="nominal"),
    LinfBall(0.1, support="nominal"),
    KLBall(0.1),
    ChiSquareBall(0.2),
    ContaminationSet(0.2, support="all"),
    CVaRSet(0.6),
]
VARIANTS = [
    {},
    {"completion": "keep"},
    {"completion": "nominal"},
    {"selection": "nature_greedy"},
    {"selection": "hull"},
    {"selection": "random"},
]


def iterated(mdp, ambiguity):
    """Robust value by rows: the public `worst_case`, iterated until nothing moves."""
    P, r = mdp.to_dense()
    v = np.zeros(mdp.n_states)
    while True:
        q = [
            [
                r[s, a] + worst_case(P[s, a], mdp.gamma * v, ambiguity).value
                for a in range(mdp.n_actions)
            ]
            for s in range(mdp.n_states)
        ]
        new = np.max(q, axis=1)
        if np.abs(new - v).max() <= 1e-9:
            return new
        v = new


@pytest.mark.parametrize("ambiguity", SETS, ids=lambda s: f"{type(s).__name__}")
def test_bracket_and_agreement(ambiguity):
    mdp = garnet(5, 3, 3, gamma=0.8, rng=3)
    truth = iterated(mdp, ambiguity)
    for options in VARIANTS:
        result = iwocs(mdp, ambiguity, start=0, options=IWOCSOptions(**options), rng=1)
        for step in result.history:
            assert step.lower - 1e-7 <= truth[0] <= step.upper + 1e-7
        if options.get("selection") in ("nature_greedy", "hull"):
            assert result.status is IWOCSStatus.CERTIFIED
        assert result.upper_valid_for == "all"
        assert result.worst_kernel.n_rows == mdp.n_rows


@pytest.mark.parametrize("selection", ["nature_greedy", "hull"])
def test_rewards_on_arrival(selection):
    mdp = machine_replacement()
    result = iwocs(
        mdp, L1Ball(0.2, support="nominal"), options=IWOCSOptions(selection=selection), tol=1e-8
    )
    assert result.status is IWOCSStatus.CERTIFIED
    worst = result.worst_kernel
    assert worst.transition_reward is not None
    rows = worst.policy_rows(result.best_policy)
    dense = np.zeros((mdp.n_rows, mdp.n_states))
    dense[np.repeat(np.arange(worst.n_rows), np.diff(worst.row_ptr)), worst.next_state] = worst.prob
    system = np.eye(mdp.n_states) - mdp.gamma * dense[rows]
    v = np.linalg.solve(system, worst.reward[rows])
    assert mdp.initial @ v == pytest.approx(result.lower, abs=1e-8)


def test_radius_zero_is_the_nominal_model():
    mdp = riverswim()
    result = iwocs(mdp, L1Ball(0.0, support="nominal"), start=0)
    assert result.status is IWOCSStatus.CERTIFIED
    assert len(result.history) == 1
    assert result.lower == pytest.approx(1530.96399823, rel=1e-9)


def test_intervals_need_not_hold_the_nominal_kernel():
    rng = np.random.default_rng(0)
    kernels, reward = random_family(rng, 4, 2, 2)
    mdp = TabularMDP.from_dense(kernels[0], reward, 0.8)
    lower, upper = np.clip(kernels[1] - 0.05, 0, 1), np.clip(kernels[1] + 0.05, 0, 1)
    options = IWOCSOptions(selection="nature_greedy")
    result = iwocs(mdp, IntervalSet(lower, upper), start=0, options=options)
    assert result.status is IWOCSStatus.CERTIFIED
    for found in (*result.kernels_found, result.worst_kernel):
        P = found.to_dense()[0]
        assert (lower - 1e-12 <= P).all()
        assert (upper + 1e-12 >= P).all()


def test_a_finite_set_and_the_interval_set_of_two_outcomes_agree():
    """With two states the interval between two rows has these rows as corners."""
    rng = np.random.default_rng(4)
    for _ in range(10):
        kernels, reward = random_family(rng, 2, 2, 2)
        mdp = TabularMDP.from_dense(kernels[0], reward, 0.9)
        options = IWOCSOptions(selection="hull")
        finite = iwocs(mdp, FiniteSet(kernels, coupled=False), start=0, options=options)
        interval = IntervalSet(kernels.min(axis=0), kernels.max(axis=0))
        other = iwocs(mdp, interval, start=0, options=options)
        assert finite.lower == pytest.approx(other.lower, abs=1e-6)


@pytest.mark.parametrize("make", [garnet_small, machine_replacement, riverswim])
@pytest.mark.parametrize(
    "ambiguity",
    [L1Ball(0.2, support="nominal"), KLBall(0.05), ChiSquareBall(0.1), CVaRSet(0.7)],
    ids=lambda s: type(s).__name__,
)
def test_agreement_with_the_robust_planners(make, ambiguity):
    mdp = make()
    truth = robust_solve(mdp, ambiguity, tol=1e-7)
    scale = 1 + np.abs(truth.v).max()
    start = np.full(mdp.n_states, 1 / mdp.n_states)
    for selection in ("nature_greedy", "hull"):
        options = IWOCSOptions(selection=selection, planner_tol=1e-10 * scale)
        result = iwocs(mdp, ambiguity, start=start, options=options, tol=1e-7 * scale)
        assert result.status is IWOCSStatus.CERTIFIED
        assert result.lower - 2e-7 * scale <= start @ truth.v <= result.upper + 2e-7 * scale
        held = evaluate_robust(mdp, ambiguity, result.best_policy, tol=1e-7)
        assert start @ held.v == pytest.approx(result.lower, abs=2e-7 * scale)
