"""What `iwocs` refuses, with which words, and that it leaves its input alone."""

import dataclasses
import re

import numpy as np
import pytest
from iwocs_models import matching_pennies, model

from mdptheory import FiniteHorizon, FiniteSet, KLBall, L1Ball, TabularMDP
from mdptheory.algorithms import IWOCSOptions, MonteCarlo, iwocs
from mdptheory.errors import InvalidModelError
from mdptheory.models import FactorSet, SignedLpBall

MDP, COUPLED = matching_pennies()
BY_PAIR = FiniteSet(COUPLED.rows, coupled=False)
NO_START = dataclasses.replace(MDP, initial=None)
NAN = np.where(COUPLED.rows == 1, np.nan, 0.0)
HOLE = np.array(COUPLED.rows)
HOLE[:, 0, 1] = 0.0
SUM = np.array(COUPLED.rows)
SUM[1, 0, 1, 1] = 0.5
UNIT = np.full((1, 3, 2, 3), 1 / 3)

REFUSED = [
    (lambda: iwocs(MDP, COUPLED, tol=0.0), "tol is 0.0; expected a number in (0, inf]"),
    (lambda: iwocs(MDP, COUPLED, max_iter=0), "max_iter is 0; expected an integer of at least 1"),
    (lambda: iwocs(MDP, COUPLED, start=3), "start is 3; expected an index in [0, 3)"),
    (lambda: iwocs(MDP, COUPLED, start=-1), "start is -1; expected an index in [0, 3)"),
    (lambda: iwocs(MDP, COUPLED, start=[0.5, 0.5]), "start has shape (2,); expected (3)"),
    (lambda: iwocs(MDP, COUPLED, start=[0.5, 0.4, 0.0]), "start sums to 0.9; expected 1"),
    (lambda: iwocs(MDP, COUPLED, start=[1.5, -0.5, 0.0]), "start[1] is -0.5; expected a probab"),
    (lambda: iwocs(NO_START, COUPLED), "start is not given and the model has no initial"),
    (lambda: iwocs(MDP.with_objective(FiniteHorizon(3)), COUPLED), "iwocs expects Discounted"),
    (lambda: MDP.with_objective(dataclasses.replace(MDP.objective, gamma=1.0)), "gamma is 1.0"),
    (lambda: iwocs(MDP, FiniteSet(HOLE, coupled=True)), "rows[0, 0, 1] is zero"),
    (lambda: FiniteSet(SUM, coupled=True), "rows[1, 0, 1] sums to 0.5; expected 1"),
    (lambda: FiniteSet(NAN, coupled=True), "is nan; expected a finite number"),
    (lambda: FiniteSet(COUPLED.rows[:0], coupled=True), "expected at least one row"),
    (lambda: FiniteSet(COUPLED.rows), "coupled is not given"),
    (
        lambda: iwocs(MDP, FiniteSet(UNIT[:, :, :1], coupled=True)),
        "rows of the FiniteSet has shape (1, 3, 1, 3); expected (1, 3, 2, 3)",
    ),
    (lambda: iwocs(MDP, FiniteSet(np.eye(2))), "rows of the FiniteSet has shape (2, 2)"),
    (lambda: iwocs(MDP, COUPLED, options=IWOCSOptions(T0=2)), "T0 is 2; expected an index in"),
    (lambda: IWOCSOptions(T0=-1), "T0 is -1; expected an integer of at least 0"),
    (
        lambda: iwocs(MDP, KLBall(0.1), options=IWOCSOptions(T0=1)),
        "T0 is 1; only a FiniteSet has kernels to index",
    ),
    (
        lambda: iwocs(MDP, COUPLED, options=IWOCSOptions(selection="hull")),
        "selection is 'hull' and the kernels are coupled",
    ),
    (
        lambda: iwocs(MDP, COUPLED, options=IWOCSOptions(selection="nature_greedy")),
        "expected FiniteSet(kernels, coupled=False)",
    ),
    (
        lambda: iwocs(MDP, BY_PAIR, options=IWOCSOptions(evaluator=MonteCarlo())),
        "evaluator is MonteCarlo, which simulates each kernel of a coupled family",
    ),
    (
        lambda: IWOCSOptions(selection="best"),
        "selection is 'best'; expected 'policy_worst', 'nature_greedy', 'hull' or 'random'",
    ),
    (lambda: IWOCSOptions(completion="none"), "completion is 'none'; expected 'greedy', 'keep'"),
    (lambda: IWOCSOptions(planner="lp"), "planner is 'lp'; expected 'pi' or 'vi'"),
    (lambda: IWOCSOptions(planner_tol=0.0), "planner_tol is 0.0; expected a number in (0, inf]"),
    (
        lambda: IWOCSOptions(selection="hull", completion="keep"),
        "completion is 'keep'; selection 'hull' says itself what the next kernel is",
    ),
    (lambda: MonteCarlo(1), "n_rollouts is 1; expected an integer of at least 2"),
    (lambda: MonteCarlo(10, 0), "horizon is 0; expected an integer of at least 1"),
]


@pytest.mark.parametrize(("call", "text"), REFUSED)
def test_refusals_name_argument_and_value(call, text):
    with pytest.raises(InvalidModelError, match=re.escape(text)):
        call()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: IWOCSOptions(evaluator="mc"), "evaluator is 'mc'; expected 'exact' or MonteCarlo"),
        (lambda: iwocs(MDP, COUPLED, options={}), "options is of type dict; expected IWOCSOptions"),
        (lambda: iwocs(MDP, "ball"), "ambiguity is of type str; expected an ambiguity set"),
        (lambda: iwocs(MDP, COUPLED, start="S"), "start has dtype"),
        (lambda: iwocs(MDP, COUPLED, tol="x"), "tol is 'x'"),
        (lambda: IWOCSOptions(T0=0.5), "T0 is 0.5 of type float; expected an integer"),
    ],
)
def test_wrong_types(call, text):
    with pytest.raises(TypeError, match=re.escape(text)):
        call()


@pytest.mark.parametrize(
    "ambiguity",
    [
        L1Ball(0.1, support="all", rectangularity="s"),
        SignedLpBall(0.1, 2.0, rectangularity="s"),
        FactorSet(np.ones((3, 2, 1)), np.full((1, 3), 1 / 3), L1Ball(0.1, support="all")),
    ],
    ids=lambda s: type(s).__name__,
)
def test_sets_whose_rows_depend_on_each_other(ambiguity):
    with pytest.raises(NotImplementedError, match=f"{type(ambiguity).__name__} ties the rows"):
        iwocs(MDP, ambiguity)


def test_signed_rows_are_no_kernels():
    with pytest.raises(TypeError, match="SignedLpBall; expected an ambiguity set"):
        iwocs(MDP, SignedLpBall(0.1, 2.0))


def test_rewards_of_moves_that_the_model_does_not_know():
    """With rewards per transition, a kernel must not use a move without one."""
    paid = np.zeros((3, 2, 3))
    paid[0, 0, 1] = paid[0, 1, 2] = 1.0
    mdp = TabularMDP.from_dense(COUPLED.rows[0], paid, 0.9)
    with pytest.raises(InvalidModelError, match=re.escape("transition_reward[0, 0, 0] is not def")):
        iwocs(mdp, COUPLED, start=0)
    assert iwocs(mdp.completed(0.0), COUPLED, start=0).upper <= 1.0


def test_input_is_left_alone_and_may_be_read_only():
    kernels = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 3, 2))
    before = kernels.copy()
    mdp, ambiguity = model(kernels, np.ones((3, 2)), 0.9)
    start = np.array([0.2, 0.3, 0.5])
    start.setflags(write=False)
    result = iwocs(mdp, ambiguity, start=start)
    assert kernels.tolist() == before.tolist()
    assert (result.upper, result.lower) == pytest.approx((10.0, 10.0))


def test_actions_that_are_not_available():
    """State 1 has action 1 only; ids and tables say so."""
    P = np.zeros((2, 2, 2, 2))
    P[:, 0, 0] = [[1.0, 0.0], [0.5, 0.5]]
    P[:, 0, 1] = [[0.0, 1.0], [0.0, 1.0]]
    P[:, 1, 1] = [[0.0, 1.0], [1.0, 0.0]]
    states, actions = [0, 0, 1], [0, 1, 1]
    from scipy import sparse

    matrix = sparse.csr_matrix(np.array([P[0, 0, 0], P[0, 0, 1], P[0, 1, 1]]))
    mdp = TabularMDP.from_sparse(matrix, [1.0, 0.0, 0.5], 0.9, states=states, actions=actions)
    result = iwocs(mdp, FiniteSet(P, coupled=False), start=0)
    assert result.policy[1] == result.best_policy[1] == 1
    assert result.q_min[1, 0] == -np.inf
    assert all(table[1, 0] == -1 for table in result.kernels_found)
    # staying pays 1 and slips to state 1 (worth 5) half the time
    assert result.lower == pytest.approx((1 + 0.45 * 5) / 0.55, abs=1e-8)
