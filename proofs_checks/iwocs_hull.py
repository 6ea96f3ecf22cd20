"""Planning against the hull of the rows found so far ends, and ends with the robust value."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory import TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import IWOCSResult, IWOCSStatus
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, value_width
from proofs_checks._iwocs_families import (
    RULES,
    Board,
    are_family,
    board_of,
    promised,
    random_family,
    run_iwocs,
    spoiled,
)
from proofs_checks._robust_games import Pair

HULL, PUBLISHED = 5, 0
LIMIT = 20  # iterations of the plain loop; more than the largest count
Plan = Callable[[Board, list[int]], FloatArray]


@case
class Case:
    """Two models whose rows nature mixes, and where she begins.

    Attributes
    ----------
    mdp, other : TabularMDP
        Discounted models with the same rewards.
    inside : bool
        Whether the first kernel is the mean of the two, which is no vertex, or the first model.
    """

    mdp: TabularMDP
    other: TabularMDP
    inside: bool


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The plain loop: policies, kernels, and bounds in every state.

    Attributes
    ----------
    case : Case
        The instance.
    board : Board
        Every policy against every kernel of the two models' rows and their mean.
    kernels : list of int
        T_0, T_1, ..., up to the one that adds nothing, which is left out.
    policies : list of array of int of shape (n_states,)
        The row that the policy of each iteration uses in each state.
    planned : array of shape (i, n_states)
        Optimal value against the mixtures, row by row, of the kernels so far.
    own : array of shape (i, n_states)
        Worst value of the policy over all kernels.
    v : array of shape (n_states,)
        Robust optimal value, max over policies of the min over kernels.
    result : IWOCSResult
        The library's.
    """

    case: Case
    board: Board
    kernels: list[int]
    policies: list[IntArray]
    planned: FloatArray
    own: FloatArray
    v: FloatArray
    result: IWOCSResult

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp)


def sample(rng: np.random.Generator) -> Case:
    """Draw two models, or two on which the published rule stalls."""
    kind = int(rng.integers(8))
    first, second = {0: promised, 1: spoiled}.get(kind, lambda: random_family(rng, 2))()
    return Case(first, second, bool(rng.integers(2)))


def by_mixtures(board: Board, kernels: list[int]) -> FloatArray:
    """Return the robust row values of the hull of the kernels so far."""
    return board.q_robust(board.found(kernels))


def by_least(board: Board, kernels: list[int]) -> FloatArray:
    """Return the least of the kernels' optimal row values: the published rule."""
    each = [board.q_ordinary(k, board.optimal[k]) for k in kernels]
    return np.asarray(np.min(each, axis=0))


def by_last(board: Board, kernels: list[int]) -> FloatArray:
    """Return the optimal row values of the last kernel: all others are forgotten."""
    return by_mixtures(board, kernels[-1:])


def run(case: Case, *, plan: Plan = by_mixtures, blind: bool = False) -> Trace:
    """Plan, let nature reply to the policy, go on until she adds nothing on the policy's rows."""
    board = with_mean(case)
    named = first_equal(board.pair.options)
    every = np.arange(board.choices.shape[1])
    choice = named[2 if case.inside else 0]
    kernels, policies, planned = [board.index(choice)], [], []
    for _ in range(LIMIT):
        q = plan(board, kernels)
        rows = board.greedy(q)
        policies.append(rows)
        planned.append(board.top(q))
        reply = named[board.reply(board.least(rows, board.everything)), every]
        if blind:  # nature does not see state 0
            reply = np.where(board.pair.state == 0, choice, reply)
        if board.found(kernels)[reply[rows], rows].all():
            break
        choice = reply
        kernels.append(board.index(choice))
    return Trace(
        case,
        board,
        kernels=kernels,
        policies=policies,
        planned=np.array(planned),
        own=np.array([board.least(rows, board.everything) for rows in policies]),
        v=board.robust(board.everything),
        result=by_library(case, HULL),
    )


def with_mean(case: Case) -> Board:
    """Enumerate the kernels of the two models' rows and their mean, option 2."""
    mean = Pair.of(case.mdp, case.other).options.mean(axis=0)
    return board_of(case.mdp, case.other, extra=mean)


def first_equal(options: FloatArray) -> IntArray:
    """Return, for each option of each row, the first one that is the same row."""
    same = (options[:, None] == options[None]).all(axis=3)
    return np.asarray(same.argmax(axis=1))


def by_library(case: Case, rule: int) -> IWOCSResult:
    """Run the library on the two models' kernels and, if it is the first one, their mean."""
    kernels = np.array([model.to_dense()[0] for model in (case.mdp, case.other)])
    if case.inside:
        kernels = np.concatenate([kernels, kernels.mean(axis=0, keepdims=True)])
    options = replace(RULES[rule], T0=2 if case.inside else 0)
    n = case.mdp.n_states
    return run_iwocs([case.mdp], options, np.full(n, 1.0 / n), rows=kernels, max_iter=count(case))


def count(case: Case) -> int:
    """Return 1 + the sum of vertices - 1, one more if a row of T_0 is no vertex.

    T_1 is made of vertices, so that from then on all but one of each row are left to be found.
    """
    first, second = Pair.of(case.mdp, case.other).options
    two = int((first != second).any(axis=1).sum())
    return 1 + two + int(case.inside and two > 0)


def admissible(case: Case) -> bool:
    """Tell whether the models belong together and can be enumerated with their mean."""
    return are_family(case.mdp, case.other, extra=1)


# ---- links --------------------------------------------------------------------------------------


def planned_for(trace: Trace) -> Checks:
    """V^{pi_i}_{H_i} = V*_{H_i}: the policy is optimal against the mixtures found."""
    board = trace.board
    hulls = [board.found(trace.kernels[: i + 1]) for i in range(len(trace.policies))]
    mine = [board.least(rows, h) for rows, h in zip(trace.policies, hulls, strict=True)]
    return Check.equal(mine, trace.planned, scale=trace.width)


def enclosed(trace: Trace) -> Checks:
    """V^{pi_i}_U <= V*_U <= V*_{H_i}."""
    differences = np.vstack([trace.own - trace.v, trace.v - trace.planned])
    return Check.nonpositive(differences, scale=trace.width)


def falls(trace: Trace) -> Checks:
    """V*_{H_{i+1}} <= V*_{H_i}, in every state; nothing if there is no next."""
    if len(trace.planned) < 2:
        return ()
    return Check.nonpositive(np.diff(trace.planned, axis=0), scale=trace.width)


def either(trace: Trace) -> Checks:
    """V^{pi_i}_U = V*_{H_i} once nature's reply has no new row at a pair (s, pi_i(s))."""
    return Check.equal(trace.own[-1], trace.planned[-1], scale=trace.width)


def ends(trace: Trace) -> Checks:
    """Find both equal to V*_U at the end."""
    return Check.equal(trace.planned[-1], trace.v, scale=trace.width)


def counted(trace: Trace, *, last: bool = True) -> Checks:
    """Bound the iterations by the vertices to find, and the last one, which finds none."""
    return Check(len(trace.planned), count(trace.case) - (not last))


def library(trace: Trace) -> Checks:
    """Hold the library's bounds to V*_U; it had no more than the counted iterations."""
    result, mean = trace.result, float(trace.v.mean())
    certified = float(result.status is IWOCSStatus.CERTIFIED)
    return (
        *Check.equal([result.upper, result.lower], [mean, mean], scale=trace.width),
        Check(1.0 - certified, 0.0, scale=1.0),
    )


# ---- broken versions ----------------------------------------------------------------------------


def coupled_value(trace: Trace) -> FloatArray:
    """Return the value against a nature that must pick one model for all pairs."""
    board = trace.board
    members = [board.index(first_equal(board.pair.options)[k]) for k in (0, 1)]
    return np.asarray(board.values[:, members].min(axis=1).max(axis=0))


CHAIN = Chain(
    id="iwocs.hull",
    title="Planning against the hull of the rows found ends with the robust value",
    source="derived; repairs algorithm 1 of Zouitine et al. 2024 (arXiv:2410.06212)",
    statement=(
        "With pi_i optimal against the rectangular hull H_i of the kernels found and T_{i+1} worst"
        " for pi_i in vertices: V*_{H_i} falls; either V^{pi_i}_U = V*_{H_i} = V*_U, or T_{i+1} has"
        " a vertex at some (s, pi_i(s)) that H_i has not; so there are at most"
        " 1 + sum (vertices - 1) iterations, one more if a row of T_0 is no vertex."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="enumeration of all policies and kernels",
    links=(
        Link("planned_for", "V^{pi_i}_{H_i} = V*_{H_i}", planned_for),
        Link("enclosed", "V^{pi_i}_U <= V*_U <= V*_{H_i}", enclosed),
        Link("falls", "V*_{H_{i+1}} <= V*_{H_i}", falls),
        Link("either", "V^{pi_i}_U = V*_{H_i} if T_{i+1} adds nothing on policy", either),
        Link("ends", "V*_{H_i} = V*_U then", ends),
        Link("count", "iterations <= 1 + sum (vertices - 1), + 1 if T_0 has none", counted),
        Link("library", "iwocs certifies V*_U within the count", library),
    ),
    twins=(
        Twin(
            "published",
            "the policy is planned by the least of the kernels' optimal values",
            run=partial(run, plan=by_least),
            expect_link=("planned_for", "either", "ends"),
        ),
        Twin(
            "forgetful",
            "the policy is planned in the last kernel only",
            run=partial(run, plan=by_last),
            expect_link=("planned_for", "falls"),
        ),
        Twin(
            "blind",
            "nature does not see state 0",
            run=partial(run, blind=True),
            expect_link=("either", "ends"),
        ),
        Twin(
            "coupled",
            "the robust value is that of a nature that must pick one model for all pairs",
            run=altered(run, v=coupled_value),
            expect_link=("enclosed", "ends", "library"),
        ),
        Twin(
            "last_not_counted",
            "the last iteration, which finds no vertex, is not counted",
            links={"count": partial(counted, last=False)},
            expect_link="count",
        ),
        Twin(
            "published_library",
            "the library follows the published rule",
            run=altered(run, result=lambda trace: by_library(trace.case, PUBLISHED)),
            expect_link="library",
        ),
    ),
)
"""Tight: one row with a choice, which takes two iterations. That a T_0 within needs the one more is
not known: no instance among 237 000 random ones with one to three such rows does."""
