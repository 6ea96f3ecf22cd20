"""What planners of linear MDPs take, and what they refuse by name, place and value."""

import re

import numpy as np
import pytest

from mdptheory import L1Ball
from mdptheory.environments import simulated_linear_mdp
from mdptheory.errors import InvalidModelError
from mdptheory.models import LinearMDP, TVBall, TVPenalty
from mdptheory.solvers import (
    expected_total,
    linear_evaluate,
    linear_occupation,
    linear_plan,
    robust_operator,
)

MDP = simulated_linear_mdp(0.2)
UNIFORM = np.full((5, 16), 1 / 16)


def refuses(text, kind=InvalidModelError):
    return pytest.raises(kind, match=re.escape(text))


def test_policies_in_every_form():
    mdp = simulated_linear_mdp(0.2)
    actions = np.array([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3], [5, 8, 9, 7, 9]])
    expected = linear_evaluate(mdp, np.eye(16)[actions]).v
    np.testing.assert_array_equal(linear_evaluate(mdp, actions).v, expected)
    np.testing.assert_array_equal(linear_evaluate(mdp, np.eye(16, dtype=int)[actions]).v, expected)
    one = linear_evaluate(mdp, actions[0]).v
    np.testing.assert_array_equal(linear_evaluate(mdp, np.eye(16)[actions[0]]).v, one)
    np.testing.assert_array_equal(linear_evaluate(mdp, np.tile(actions[0], (3, 1))).v, one)


@pytest.mark.parametrize("tau", [-1.0, np.nan, np.inf])
def test_temperatures_that_are_none(tau):
    with refuses(f"tau is {tau}; expected a number in [0, inf)"):
        linear_plan(MDP, tau=tau)
    with refuses(f"tau is {tau}; expected a number in [0, inf)"):
        linear_evaluate(MDP, UNIFORM, tau=tau)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (np.full(3, 1 / 3), "reference has shape (3,); expected (16,), (5, 16) or (3, 5, 16)"),
        (np.eye(16)[0], "reference[1] is 0.0; expected a positive probability"),
        (np.full(16, 0.1), "reference sums to 1.6; expected 1 within 1e-09"),
        (np.full(16, np.nan), "reference[0] is nan; expected a finite number"),
    ],
)
def test_references_that_are_none(reference, text):
    for tau in (0.0, 0.3):
        with refuses(text):
            linear_plan(MDP, tau=tau, reference=reference)


@pytest.mark.parametrize(
    ("pi", "text"),
    [
        (np.zeros(4, dtype=int), "pi has shape (4,); expected actions of shape (3, 5) or (5,)"),
        (np.full(5, 16), "pi[0] is 16; expected an action in [0, 16)"),
        (np.full((3, 5), -1), "pi[0, 0] is -1; expected an action in [0, 16)"),
        (np.zeros((3, 5)), "pi has shape (3, 5); expected probabilities of shape (3, 5, 16) or"),
        (np.zeros((5, 16)), "pi[0] sums to 0; expected 1"),
        (np.full((3, 5, 16), -1.0), "pi[0, 0, 0] is -1.0; expected a probability"),
    ],
)
def test_policies_that_are_none(pi, text):
    for call in (linear_evaluate, linear_occupation):
        with refuses(text):
            call(MDP, pi)
    with refuses(text):
        expected_total(MDP, pi, MDP.reward)


def test_other_arguments_that_do_not_fit():
    with refuses("mdp is of type KnownModel; expected LinearMDP", TypeError):
        linear_plan(MDP.known)
    with refuses("ambiguity is of type L1Ball; expected TVBall, KLBall", TypeError):
        linear_plan(MDP, L1Ball(0.1, "all"))
    with refuses("ambiguity.weight has shape (2,); expected a number, (3,) or (3, 4)"):
        linear_plan(MDP, TVPenalty([1.0, 2.0]))
    with refuses("cost has shape (3, 5); expected (3, 5, 16)"):
        expected_total(MDP, UNIFORM, np.zeros((3, 5)))
    with refuses("cost[0, 0, 0] is nan; expected a finite number"):
        expected_total(MDP, UNIFORM, np.full((3, 5, 16), np.nan))
    with refuses("factors has shape (4, 5); expected (3, 4, 5)"):
        linear_occupation(MDP, UNIFORM, MDP.mu[0])
    with refuses("factors[0, 0] sums to 2; expected 1"):
        expected_total(MDP, UNIFORM, MDP.reward, 2 * MDP.mu)
    with refuses("v has shape (3, 5); expected (4, 5)"):
        robust_operator(MDP, None, np.zeros((3, 5)))
    with refuses("v[0, 0] is inf; expected a finite number"):
        robust_operator(MDP, None, np.full((4, 5), np.inf))


def test_negative_features_are_for_nominal_planning_only():
    phi = np.array([[[2.0, -1.0]], [[0.5, 0.5]]])
    mdp = LinearMDP(phi, [[1.0, 0.5]], [[[0.5, 0.5], [0.5, 0.5]]], check=False)
    np.testing.assert_allclose(linear_plan(mdp).v[0], [1.5, 0.75], rtol=0, atol=1e-12)
    for call in (linear_plan, lambda m, x: robust_operator(m, x, np.zeros((2, 2)))):
        with refuses("phi[0, 0, 1] is -1.0; nature's reply needs nonnegative features"):
            call(mdp, TVBall(0.1))
