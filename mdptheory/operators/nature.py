"""A model's rows as nature sees them: every outcome she may use, and how far she may go."""

from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray, UIntArray
from mdptheory._validation import check_shape, place
from mdptheory.errors import InvalidModelError
from mdptheory.models import TabularMDP
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    Radius,
    RowAmbiguity,
    WassersteinBall,
    WeightedL1Ball,
    is_ambiguity_set,
    is_s_rectangular,
)
from mdptheory.operators.backup import unsigned

UNIT = 2.3e-16  # a row's sum this close to 1, times its length, is rounding
MEMORY = 2_000_000_000  # bytes that rows over all states may take


class NatureRows(NamedTuple):
    """Rows of one stage in CSR form, numbered from 0, with what the sets' kernels need.

    Attributes
    ----------
    choice_ptr : array of uint64 of shape (n_states + 1,)
        Rows of each state.
    row_ptr : array of uint64 of shape (n_rows + 1,)
        Outcomes of each row.
    next_state : array of uint32 or uint64 of shape (n_outcomes,)
        Successor of each outcome, increasing within a row.
    prob : array of shape (n_outcomes,)
        Nominal probabilities; each row sums to 1.
    reward : array of shape (n_rows,)
        What a row pays whatever the outcome; 0 with rewards per transition.
    paid : array of shape (n_outcomes,) or (0,)
        What each outcome pays; empty without rewards per transition.
    radius : array of shape (n_rows,), or (n_states,) if the rows of a state share a budget
        Radius, tail probability (`CVaRSet`) or contaminated share; a KL radius for `EVaRSet`.
    anywhere : bool
        Whether nature may also use states that a row does not list (`L1Ball` and
        `ContaminationSet` with ``support="all"``); otherwise a row lists all outcomes.
    complete : bool
        Whether every row lists every state.
    """

    choice_ptr: UIntArray
    row_ptr: UIntArray
    next_state: UIntArray
    prob: FloatArray
    reward: FloatArray
    paid: FloatArray
    radius: FloatArray
    anywhere: bool
    complete: bool


def nature_rows(mdp: TabularMDP, ambiguity: RowAmbiguity, *, stage: int = 0) -> NatureRows:
    """Return the rows of one stage as nature sees them, or refuse a set that does not fit.

    Raises
    ------
    InvalidModelError
        If a radius, weight, cost, bound or kernel has another shape than the model needs, or if
        nature may use an outcome whose reward is not defined.
    """
    if not is_ambiguity_set(ambiguity):
        raise TypeError(
            f"ambiguity is of type {type(ambiguity).__name__}; expected an ambiguity set"
        )
    radius = _radius(mdp, ambiguity, stage)
    if isinstance(ambiguity, WeightedL1Ball):
        check_shape("weights", ambiguity.weights, (mdp.n_states,))
    if isinstance(ambiguity, WassersteinBall):
        check_shape("cost", ambiguity.cost, (mdp.n_states, mdp.n_states))
    beyond = reaches_beyond(ambiguity)
    sparse_reach = isinstance(ambiguity, L1Ball | ContaminationSet) and not is_s_rectangular(
        ambiguity
    )
    if beyond and mdp.transition_reward is not None:
        _require_complete(mdp, ambiguity)
    first = mdp._first_block(stage)
    choice = np.asarray(mdp.choice_ptr[first : first + mdp.n_states + 1], dtype=np.int64)
    rows = slice(int(choice[0]), int(choice[-1]))
    ptr: IntArray = np.asarray(mdp.row_ptr[rows.start : rows.stop + 1], dtype=np.int64)
    some = slice(int(ptr[0]), int(ptr[-1]))
    ptr, choice = ptr - ptr[0], choice - choice[0]
    next_state, prob = mdp.next_state[some], mdp.prob[some]
    paid = np.empty(0) if mdp.transition_reward is None else mdp.transition_reward[some]
    reward = mdp.reward[rows] if mdp.transition_reward is None else np.zeros(len(ptr) - 1)
    if beyond and not sparse_reach:
        ptr, next_state, prob, paid = _everywhere(mdp.n_states, ptr, next_state, prob, paid)
    elif not beyond and not isinstance(ambiguity, IntervalSet) and not (prob > 0.0).all():
        ptr, next_state, prob, paid = _supported(ptr, next_state, prob, paid)
    complete = len(prob) == (len(ptr) - 1) * mdp.n_states
    prob = _normalised(ptr, prob)
    for array in (choice, ptr, next_state, prob, paid, reward, radius):
        array.setflags(write=False)
    return NatureRows(
        unsigned(choice), unsigned(ptr), unsigned(next_state), prob, reward, paid, radius,
        anywhere=beyond and sparse_reach and not complete, complete=complete,
    )  # fmt: skip


def reaches_beyond(ambiguity: RowAmbiguity) -> bool:
    """Return whether a row of the set may use outcomes of nominal probability 0."""
    if isinstance(ambiguity, IntervalSet):
        return ambiguity.row_ptr is None
    if isinstance(ambiguity, FiniteSet | WassersteinBall):
        return True
    return getattr(ambiguity, "support", "nominal") == "all"


def per_row(mdp: TabularMDP, name: str, value: Radius, *, stage: int = 0) -> FloatArray:
    """Spread a number, one a state or one a pair to the rows of a stage, shape (n_rows,)."""
    first = mdp._first_block(stage)
    choice = mdp.choice_ptr[first : first + mdp.n_states + 1]
    n_rows = int(choice[-1]) - int(choice[0])
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        return np.full(n_rows, float(array))
    states = np.repeat(np.arange(mdp.n_states), np.diff(choice))
    expected = (mdp.n_states,) if array.ndim == 1 else (mdp.n_states, mdp.n_actions)
    if array.shape != expected:
        raise InvalidModelError(
            f"{name} has shape {array.shape}; expected a number, ({mdp.n_states},) or"
            f" ({mdp.n_states}, {mdp.n_actions})"
        )
    if array.ndim == 1:
        return array[states]
    return array[states, mdp.action[int(choice[0]) : int(choice[-1])]]


def _radius(mdp: TabularMDP, ambiguity: RowAmbiguity, stage: int) -> FloatArray:
    match ambiguity:
        case EVaRSet(alpha=alpha):
            return -np.log(per_row(mdp, "alpha", alpha, stage=stage)) + 0.0
        case CVaRSet(alpha=alpha):
            return per_row(mdp, "alpha", alpha, stage=stage)
        case ContaminationSet(fraction=fraction):
            return per_row(mdp, "fraction", fraction, stage=stage)
        case IntervalSet() | FiniteSet():
            return np.zeros(0)
        case (
            L1Ball() | WeightedL1Ball() | LinfBall() | L2Ball() | KLBall() | BurgBall()
            | ChiSquareBall() | WassersteinBall()
        ):  # fmt: skip
            if not is_s_rectangular(ambiguity):
                return per_row(mdp, "radius", ambiguity.radius, stage=stage)
            budget = np.asarray(ambiguity.radius, dtype=np.float64)
            if budget.ndim and budget.shape != (mdp.n_states,):
                raise InvalidModelError(
                    f"radius has shape {budget.shape}; expected a number or ({mdp.n_states},)"
                )
            return np.array(np.broadcast_to(budget, (mdp.n_states,)))


def _require_complete(mdp: TabularMDP, ambiguity: RowAmbiguity) -> None:
    """Refuse rows with an outcome whose reward is not defined."""
    short = np.diff(mdp.row_ptr) < mdp.n_states
    if short.any():
        row = int(np.argmax(short))
        state, action = int(mdp.row_state()[row]), int(mdp.action[row])
        listed = mdp.next_state[int(mdp.row_ptr[row]) : int(mdp.row_ptr[row + 1])]
        missing = int(np.setdiff1d(np.arange(mdp.n_states), listed)[0])
        raise InvalidModelError(
            f"{place('transition_reward', (state, action, missing))} is not defined, but nature may"
            f" move there ({type(ambiguity).__name__} reaches every state); say what it pays with"
            f" mdp.completed(reward) ({int(short.sum())} of {mdp.n_rows} rows are incomplete)"
        )


def _everywhere(
    n: int, ptr: IntArray, next_state: IntArray, prob: FloatArray, paid: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Let every row list every state."""
    n_rows = len(ptr) - 1
    if len(prob) == n_rows * n:
        return ptr, next_state, prob, paid
    if n_rows * n * 12 > MEMORY:
        raise InvalidModelError(
            f"nature may move to each of {n} states from {n_rows} rows: that takes"
            f" {n_rows * n * 12 / 1e9:.1f} GB; expected support='nominal', or a smaller model"
        )
    full = np.zeros((n_rows, n))
    full[np.repeat(np.arange(n_rows), np.diff(ptr)), next_state] = prob
    columns = np.tile(np.arange(n, dtype=next_state.dtype), n_rows)
    return np.arange(0, n_rows * n + 1, n), columns, full.ravel(), paid


def _supported(
    ptr: IntArray, next_state: IntArray, prob: FloatArray, paid: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Drop outcomes of probability 0."""
    kept = prob > 0.0
    ends = np.concatenate([[0], np.cumsum(kept)])
    return ends[ptr], next_state[kept], prob[kept], paid[kept] if paid.size else paid


def _normalised(ptr: IntArray, prob: FloatArray) -> FloatArray:
    """Divide rows by their sums; a sum that is off by rounding only keeps its bits."""
    sums = np.add.reduceat(prob, ptr[:-1])
    length = np.diff(ptr)
    off = np.abs(sums - 1.0) > UNIT * (length + 1)
    if not off.any():
        return prob
    return prob / np.repeat(np.where(off, sums, 1.0), length)
