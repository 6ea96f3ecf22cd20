"""Rows that nature picks, one for every state-action pair, and a step of planning on them."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models import TabularMDP
from mdptheory.models.rows import row_sums

TIE = 1e-12  # values this close, relative to 1 + their size, are equal
DIRECT_STATES = 500  # above this, elimination is sparse


class Rows(NamedTuple):
    """Rows in CSR form with the expected reward of each; ``paid`` is empty or one a transition."""

    ptr: IntArray
    next_state: IntArray
    prob: FloatArray
    paid: FloatArray
    reward: FloatArray


class Kernel(NamedTuple):
    """One row for every state-action pair, and the kernel of a finite family each comes from."""

    rows: Rows
    choice: IntArray | None


def take(rows: Rows, index: IntArray) -> Rows:
    """Return the rows at ``index``, in that order."""
    length = np.diff(rows.ptr)[index]
    ptr = np.concatenate([[0], np.cumsum(length)])
    where = np.arange(ptr[-1]) + np.repeat(rows.ptr[index] - ptr[:-1], length)
    paid = rows.paid[where] if rows.paid.size else rows.paid
    return Rows(ptr, rows.next_state[where], rows.prob[where], paid, rows.reward[index])


def join(parts: list[Rows]) -> Rows:
    """Stack rows."""
    lengths = np.concatenate([np.diff(part.ptr) for part in parts])
    stacked = [np.concatenate(columns) for columns in list(zip(*parts, strict=True))[1:]]
    return Rows(np.concatenate([[0], np.cumsum(lengths)]), *stacked)


def normalised(ptr: IntArray, prob: FloatArray) -> FloatArray:
    """Divide rows by their sums, which inputs may miss by more than rounding."""
    return prob / np.repeat(row_sums(prob, ptr), np.diff(ptr))


def values(rows: Rows, gamma: float, v: FloatArray) -> FloatArray:
    """Return the value of every row one step ahead of ``v``."""
    return rows.reward + gamma * row_sums(rows.prob * v[rows.next_state], rows.ptr)


def slack(gamma: float, value: FloatArray) -> FloatArray:
    """Return what counts as a tie when the values come out of a linear solve."""
    return np.maximum(TIE, 1e-14 / (1.0 - gamma)) * (1.0 + np.abs(value))


def greedy_rows(mdp: TabularMDP, q: FloatArray) -> IntArray:
    """Return the best row of each state, ties to the lowest action."""
    first = mdp.choice_ptr[:-1]
    top = np.maximum.reduceat(q, first)
    near = q >= np.repeat(top - TIE * (1.0 + np.abs(top)), np.diff(mdp.choice_ptr))
    found = np.flatnonzero(near)
    return found[np.searchsorted(found, first)]


def as_model(mdp: TabularMDP, kernel: Kernel) -> TabularMDP:
    """Return the ordinary model with nature's rows."""
    rows = kernel.rows
    return replace(
        mdp,
        row_ptr=rows.ptr,
        next_state=rows.next_state,
        prob=rows.prob,
        reward=rows.reward,
        transition_reward=rows.paid if rows.paid.size else None,
    )


def policy_value(rows: Rows, gamma: float) -> FloatArray:
    """Solve ``(I - gamma P) v = r`` for one row a state."""
    from scipy import sparse

    n = len(rows.reward)
    matrix = sparse.csr_matrix((rows.prob, rows.next_state, rows.ptr), shape=(n, n))
    if n <= DIRECT_STATES:
        solution: FloatArray = np.linalg.solve(np.eye(n) - gamma * matrix.toarray(), rows.reward)
        return solution
    system = sparse.eye(n, format="csc") - gamma * matrix.tocsc()
    return np.asarray(sparse.linalg.splu(system).solve(rows.reward))
