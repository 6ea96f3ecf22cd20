"""The least of several kernels' optimal values bounds the robust value from above, and falls."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, TabularMDP
from mdptheory._typing import FloatArray
from mdptheory.algorithms import IWOCSResult
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, value_width
from proofs_checks._iwocs_families import (
    RULES,
    Board,
    are_family,
    board_of,
    given,
    in_fields,
    kernels_in_turn,
    promised,
    random_family,
    run_iwocs,
    spoiled,
)
from proofs_checks._oracles import optimal_value

LAST = 4  # rule; the one after it, the hull's, plans against all mixtures
Combine = Callable[[FloatArray], FloatArray]


@case
class Case:
    """Models whose rows nature mixes, and the rule by which kernels are found.

    Attributes
    ----------
    mdp, other : TabularMDP
        Discounted models with the same rewards; the first is the first kernel.
    third : TabularMDP, optional
        One more.
    rule : int
        Which of `RULES` finds the kernels.
    """

    mdp: TabularMDP
    other: TabularMDP
    third: TabularMDP | None
    rule: int

    @property
    def models(self) -> list[TabularMDP]:
        """All models."""
        return given(self.mdp, self.other, self.third)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Row values of the kernels found, of their hulls and of the whole set.

    Attributes
    ----------
    case : Case
        The instance.
    board : Board
        Every policy against every kernel.
    kernels : list of int
        T_0, T_1, ..., as the library found them; it planned in all but the last.
    own : array of shape (i, n_rows)
        ``Q*`` of each kernel, by trying every policy.
    q : array of shape (i, n_rows)
        ``Q_i``: the least of the first i + 1.
    hull : array of shape (i, n_rows)
        Robust row values of the first i + 1 kernels' rectangular hull.
    truth : array of shape (n_rows,)
        Robust row values of the whole set.
    result : IWOCSResult
        The library's.
    """

    case: Case
    board: Board
    kernels: list[int]
    own: FloatArray
    q: FloatArray
    hull: FloatArray
    truth: FloatArray
    result: IWOCSResult

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp)


def sample(rng: np.random.Generator) -> Case:
    """Draw a family, or one of the two on which the published rule stalls."""
    kind, rule = int(rng.integers(8)), int(rng.integers(LAST + 1))
    found = {0: promised, 1: spoiled}.get(kind, lambda: random_family(rng))()
    return Case(*in_fields(found), rule)


def least(own: FloatArray) -> FloatArray:
    """Return the running minimum."""
    return np.asarray(np.minimum.accumulate(own, axis=0))


def mean(own: FloatArray) -> FloatArray:
    """Return the running mean."""
    return np.cumsum(own, axis=0) / np.arange(1, len(own) + 1)[:, None]


def run(
    case: Case, *, combine: Combine = least, plan: bool = True, member: int | None = None
) -> Trace:
    """Find kernels by the rule; the twins combine badly, do not plan, or shrink nature's set."""
    board = board_of(*case.models)
    result = run_iwocs(case.models, RULES[case.rule], 0)
    kernels = kernels_in_turn(board, result)
    first = board.values[board.policy(board.greedy(_planned(board, kernels[0])))]
    worths = board.optimal if plan else first
    own = np.array([board.q_ordinary(k, worths[k]) for k in kernels])
    whole = board.everything
    if member is not None:
        whole = board.found([board.index(np.full(whole.shape[1], member))])
    return Trace(
        case,
        board,
        kernels=kernels,
        own=own,
        q=combine(own),
        hull=np.array([board.q_robust(board.found(kernels[: i + 1])) for i in range(len(own))]),
        truth=board.q_robust(whole),
        result=result,
    )


def _planned(board: Board, kernel: int) -> FloatArray:
    return board.q_ordinary(kernel, board.optimal[kernel])


def admissible(case: Case) -> bool:
    """Tell whether the models belong together and can be enumerated, and the rule exists."""
    return 0 <= case.rule <= LAST and are_family(*case.models)


# ---- links --------------------------------------------------------------------------------------


def routes_agree(trace: Trace) -> Checks:
    """Compare the first kernel's best policy with policy iteration in rational arithmetic."""
    best = trace.board.top(trace.own[0])
    return Check.equal(best, optimal_value(trace.case.mdp), scale=trace.width)


def one_kernel(trace: Trace) -> Checks:
    """Q*_H <= Q*_T for every kernel T of the hull H: nature may pick T and keep it."""
    return Check.nonpositive(trace.hull[-1] - trace.own, scale=trace.width)


def above_hull(trace: Trace) -> Checks:
    """Q_i >= Q*_H_i, the first half of the first property."""
    return Check.nonpositive(trace.hull - trace.q, scale=trace.width)


def above_all(trace: Trace) -> Checks:
    """Q*_H_i >= Q*_U, the second half: nature has more to choose from."""
    return Check.nonpositive(trace.truth - trace.hull, scale=trace.width)


def falls(trace: Trace) -> Checks:
    """Q_{i+1} <= Q_i, the second property."""
    return Check.nonpositive(np.diff(trace.q, axis=0), scale=trace.width)


def library(trace: Trace) -> Checks:
    """Hold the library's least row values, and its bound in every iteration, to the plain ones."""
    board, history = trace.board, trace.result.history
    table = trace.result.q_min[board.pair.state, board.pair.action]
    uppers = [board.top(q)[0] for q in trace.q[:-1]]
    return (
        *Check.equal(table, trace.q[-2], scale=trace.width),
        *Check.equal([step.upper for step in history], uppers, scale=trace.width),
    )


# ---- broken versions ----------------------------------------------------------------------------


def near_sighted(trace: Trace) -> IWOCSResult:
    """Run the library with 0.9 gamma."""
    goal = Discounted(0.9 * trace.case.mdp.gamma)
    models = [model.with_objective(goal) for model in trace.case.models]
    return run_iwocs(models, RULES[trace.case.rule], 0, max_iter=len(trace.result.history))


def rewards_only(trace: Trace) -> FloatArray:
    """Return what each row pays at once in each kernel."""
    board = trace.board
    paid = [board.q_ordinary(k, np.zeros(board.values.shape[2])) for k in trace.kernels]
    return np.array(paid)


CHAIN = Chain(
    id="iwocs.upper_bounds",
    title="The least of several kernels' optimal values is an upper bound that falls",
    source="Zouitine et al. 2024 (arXiv:2410.06212), properties 1 and 2",
    statement=(
        "With Q_i = min_{j <= i} Q*_{T_j} for kernels T_0, ..., T_i of an (s, a)-rectangular set U,"
        " however found, and H_i their rectangular hull: Q_i >= Q*_{H_i} >= Q*_U and"
        " Q_{i+1} <= Q_i."
    ),
    provenance=Provenance.PAPER,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="enumeration of all policies and kernels; policy iteration in rational arithmetic",
    links=(
        Link("routes", "max over policies = exact policy iteration, at T_0", routes_agree),
        Link("one_kernel", "Q*_H <= Q*_T for T in H", one_kernel),
        Link("above_hull", "Q_i >= Q*_{H_i}", above_hull),
        Link("above_all", "Q*_{H_i} >= Q*_U", above_all),
        Link("falls", "Q_{i+1} <= Q_i", falls),
        Link("library", "iwocs' q_min = Q_i, its upper bound = max_a Q_i", library),
    ),
    twins=(
        Twin(
            "mean",
            "Q_i is the mean of the kernels' values",
            run=partial(run, combine=mean),
            expect_link=("falls", "library"),
        ),
        Twin(
            "fixed_policy",
            "Q* of a kernel is replaced by the value of the first kernel's policy",
            run=partial(run, plan=False),
            expect_link=("one_kernel", "above_hull", "library"),
        ),
        Twin(
            "one_row_each",
            "the set U lost all rows but the last model's",
            run=lambda case: run(case, member=len(case.models) - 1),
            expect_link="above_all",
        ),
        Twin(
            "one_step",
            "a kernel's row values are its rewards",
            run=altered(run, own=rewards_only),
            expect_link=("routes", "one_kernel"),
        ),
        Twin(
            "near_sighted",
            "the library plans with 0.9 gamma",
            run=altered(run, result=near_sighted),
            expect_link="library",
        ),
    ),
)
"""Tight: in every run the first hull is one kernel, whose robust row values are its own. The paper
says of Q_i that at the start it is the static robust value of the kernels found; it is only a bound
(`promised`: 37, the hull's value is 31), and Q_i need not converge to Q*_U, as the paper notes."""
