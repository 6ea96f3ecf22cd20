"""Sweeps of the robust Bellman operator when nature picks every row by itself."""

import itertools
from typing import Self

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray, UIntArray
from mdptheory._validation import as_array, as_float_array, check_shape, place
from mdptheory.errors import InvalidModelError
from mdptheory.kernels import robust_best as kernels
from mdptheory.models import TabularMDP
from mdptheory.models.ambiguity import RowAmbiguity, is_s_rectangular
from mdptheory.operators.backup import (
    PolicyRows,
    PolicySet,
    unsigned,
)
from mdptheory.operators.crew import Crew
from mdptheory.operators.game import Reply
from mdptheory.operators.robust_rows import RobustRows
from mdptheory.operators.robust_values import RowValues


class RobustBackup:
    """A model's rows against nature, for one solver's sweeps, shared by threads if it is large.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model.
    ambiguity : RowAmbiguity
        Where nature picks each row from; not one whose rows share a budget.
    stage : int
        Which stage's rows, for stage-dependent data.
    threads : int, optional
        Threads to share a sweep over a large model; all that Numba may use if absent.

    Attributes
    ----------
    q : array of shape (n_rows,)
        Values of the stage's rows at the last greedy sweep.
    work : float
        Sweeps so far; those of a policy count their share of the rows.
    """

    dense = False

    def __init__(
        self,
        mdp: TabularMDP,
        ambiguity: RowAmbiguity,
        *,
        stage: int = 0,
        threads: int | None = None,
    ) -> None:
        if is_s_rectangular(ambiguity):
            raise InvalidModelError(
                "ambiguity has rectangularity='s'; RobustBackup expects rows with budgets of their"
                " own (StateBackup takes shared ones)"
            )
        self.mdp, self.gamma, self.stage = mdp, mdp.gamma, stage
        self.rows, nature = RobustRows.of(mdp, ambiguity, stage)
        self.choice_ptr = nature.choice_ptr
        self.n_transitions = self.rows.size
        first = mdp._first_block(stage)
        self.actions = mdp.action[int(mdp.choice_ptr[first]) :][: self.rows.n_rows]
        self.values = RowValues(self.rows, self.gamma)
        self.q = np.empty(self.rows.n_rows)
        self.best = np.array(self.choice_ptr[:-1])
        self.work = 0.0
        self.crew = Crew(self.n_transitions, threads)
        self.threads = self.crew.threads
        self.parts = cuts(self.choice_ptr, self.threads)

    def __enter__(self) -> Self:
        """Start the threads, if the model is large enough for them."""
        self.crew.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the threads."""
        self.crew.stop()

    def greedy(self, v: FloatArray, out: FloatArray) -> tuple[float, float, float]:
        """Write the robust operator's ``L v``, ``q`` and the best rows.

        Returns the extremes of ``out - v``, and how far ``out`` may be off because nature's reply
        was found to within that only.
        """
        self.work += 1.0
        prepared = self.values.prepare(v)

        def sweep(part: tuple[int, int]) -> tuple[float, float, float]:
            first, last = part
            rows = int(self.choice_ptr[first]), int(self.choice_ptr[last])
            slack = self.values.sweep(*rows, prepared, self.q)
            low, high = kernels.best_rows(first, last, self.choice_ptr, self.q, v, out, self.best)
            return low, high, slack

        return extremes(self.crew.each(sweep, self.parts))

    def optimistic(self, v: FloatArray) -> FloatArray:
        """Return the values of the stage's rows if nature maximises, shape (n_rows,)."""
        values = RowValues(self.rows.negated(), self.gamma)
        q = np.empty(self.rows.n_rows)
        values.sweep(0, self.rows.n_rows, values.prepare(-v), q)
        return -q

    def policy(self) -> IntArray:
        """Return the action ids of the best rows, ties to the lowest."""
        return self.actions[self.best.astype(np.int64)].astype(np.int64)

    def hold(self, policy: IntArray | FloatArray | None = None) -> "HeldRows":
        """Return the rows of the last greedy sweep's, or another, policy.

        Parameters
        ----------
        policy : array of int of shape (n_states,) or of float of shape (n_states, n_actions)
            Action ids, or the probability of each action.
        """
        if policy is None:
            return HeldRows(self, self.best.astype(np.int64), None)
        return HeldRows(self, *self._used(policy))

    def reply(self, v: FloatArray) -> Reply:
        """Return nature's worst row for every row at ``v``."""
        return self.values.reply(v)

    def _used(self, policy: npt.ArrayLike) -> tuple[IntArray, FloatArray | None]:
        """Return the rows a policy uses and, if it is stochastic, their probabilities."""
        n, array = self.mdp.n_states, as_array("policy", policy)
        edges: IntArray = self.choice_ptr.astype(np.int64)
        states = np.repeat(np.arange(n), edges[1:] - edges[:-1])
        if array.ndim == 1 and array.dtype.kind in "iu":
            check_shape("policy", array, (n,))
            taken = np.flatnonzero(self.actions == array[states])
            missing = np.bincount(states[taken], minlength=n) == 0
            if missing.any():
                s = int(np.argmax(missing))
                raise InvalidModelError(
                    f"{place('policy', s)} is {array[s]}; expected an available action"
                )
            return taken, None
        pi = as_float_array("policy", policy)
        check_shape("policy", pi, (n, self.mdp.n_actions))
        weight = pi[states, self.actions]
        total = np.bincount(states, weights=weight, minlength=n)
        bad = (pi < 0.0).any(axis=1) | ~(np.abs(total - 1.0) <= 1e-9)
        if bad.any():
            s = int(np.argmax(bad))
            raise InvalidModelError(
                f"{place('policy', s)} is {pi[s].tolist()}; expected probabilities of available"
                " actions that sum to 1"
            )
        taken = np.flatnonzero(weight > 0.0)
        return taken, weight[taken]


class HeldRows:
    """One policy's rows, compact, against which nature still plays.

    Parameters
    ----------
    backup : RobustBackup
        Whose rows; sweeps are accounted to it.
    used : array of int
        The policy's rows, increasing.
    weight : array of the same shape, optional
        Probability of each; absent if the policy takes one action a state.
    """

    def __init__(self, backup: RobustBackup, used: IntArray, weight: FloatArray | None) -> None:
        self.backup, self.weight = backup, weight
        self.rows = backup.rows.take(used)
        edges = np.searchsorted(used, backup.choice_ptr.astype(np.int64))
        self.choice_ptr = unsigned(edges.astype(np.int64))
        self.values = RowValues(self.rows, backup.gamma)
        self.values.warm(backup.values, used)
        self.share_of = np.ones(len(used)) if weight is None else weight
        self.q = np.empty(len(used))
        self.share = self.rows.size / backup.n_transitions
        self.parts = cuts(self.choice_ptr, backup.threads)
        backup.work += self.share

    def sweeps(
        self, v: FloatArray, *, goal: float, limit: int
    ) -> tuple[FloatArray, int, float, float]:
        """Apply the policy's robust operator until the span of the step is at most ``goal``.

        Returns the value (``v`` is overwritten), the number of sweeps and the last extremes.
        """
        other, count, low, high = np.empty_like(v), 0, 0.0, 0.0
        while count < limit:
            low, high, _ = self.sweep(v, other)
            v, other = other, v
            count += 1
            if high - low <= goal:
                break
        return v, count, low, high

    def sweep(self, v: FloatArray, out: FloatArray) -> tuple[float, float, float]:
        """Apply the policy's robust operator once; return extremes of ``out - v``, and slack."""
        prepared = self.values.prepare(v)

        def part(states: tuple[int, int]) -> tuple[float, float, float]:
            first, last = states
            rows = int(self.choice_ptr[first]), int(self.choice_ptr[last])
            slack = self.values.sweep(*rows, prepared, self.q)
            low, high = kernels.mixed_rows(
                first, last, self.choice_ptr, self.share_of, self.q, v, out
            )
            return low, high, slack

        self.backup.work += self.share
        return extremes(self.backup.crew.each(part, self.parts))

    def frozen(self, v: FloatArray) -> PolicyRows:
        """Return the policy's rows with nature's reply at ``v`` held fixed, one row a state."""
        self.backup.work += self.share
        against = self.values.reply(v, by_state=self.weight is not None)
        mean = np.add.reduceat(against.prob * v[against.next_state], against.row_ptr[:-1])
        pays = against.value - self.backup.gamma * mean
        if not self.rows.paid.size:
            pays = self.rows.reward
        ptr, next_state, prob = against.row_ptr, against.next_state, against.prob
        if self.weight is not None:
            from scipy import sparse

            n = len(v)
            shape = (n, len(self.weight))
            mix = sparse.csr_matrix(
                (self.weight, np.arange(shape[1]), self.choice_ptr.astype(np.int64)), shape=shape
            )
            rows = sparse.csr_matrix((prob, next_state, ptr), shape=(shape[1], n))
            mixed = (mix @ rows).sorted_indices()
            ptr, next_state, prob = mixed.indptr, mixed.indices, mixed.data
            pays = mix @ pays
        arrays = (
            unsigned(ptr.astype(np.int64)), next_state.astype(self.rows.next_state.dtype),
            np.ascontiguousarray(prob), np.ascontiguousarray(pays),
        )  # fmt: skip
        for array in arrays:
            array.setflags(write=False)
        return PolicyRows(self.backup, [PolicySet(0, *arrays)])


def cuts(choice_ptr: UIntArray, threads: int) -> list[tuple[int, int]]:
    """Split the states into one range a thread, with about equally many rows each."""
    n = len(choice_ptr) - 1
    shares = np.linspace(int(choice_ptr[0]), int(choice_ptr[-1]), threads + 1)
    edges = np.searchsorted(choice_ptr, shares.astype(np.uint64)).tolist()
    edges[0], edges[-1] = 0, n
    return [(a, b) for a, b in itertools.pairwise(edges) if a < b]


def extremes(parts: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Return the least of the first, the largest of the second and of the third entries."""
    low, high, slack = zip(*parts, strict=True)
    return float(min(low)), float(max(high)), float(max(slack))
