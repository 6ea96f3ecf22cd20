"""A model's rows and buffers as the Bellman kernels want them."""

import itertools
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray, UIntArray
from mdptheory.kernels import bellman as kernels
from mdptheory.kernels import relaxation
from mdptheory.models import TabularMDP
from mdptheory.operators.crew import Crew


def unsigned(index: IntArray) -> UIntArray:
    """View a non-negative index array as unsigned, without a copy."""
    return index.view(np.uint32 if index.dtype.itemsize == 4 else np.uint64)


class RowSet(NamedTuple):
    """Rows of consecutive states as the kernels want them; ``q`` holds one value a row."""

    first: int
    choice_ptr: UIntArray
    row_ptr: UIntArray
    next_state: UIntArray
    prob: FloatArray
    reward: FloatArray
    origin: UIntArray
    q: FloatArray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.choice_ptr[-1]) - int(self.choice_ptr[0])

    @property
    def size(self) -> int:
        """Number of transitions."""
        return int(self.row_ptr[self.choice_ptr[-1]]) - int(self.row_ptr[self.choice_ptr[0]])


class PolicySet(NamedTuple):
    """One row a state, compact, for consecutive states from ``first`` on."""

    first: int
    ptr: UIntArray
    next_state: UIntArray
    prob: FloatArray
    reward: FloatArray


class Owner(Protocol):
    """What a policy's rows need of the sweeps they are accounted to."""

    gamma: float
    n_transitions: int
    dense: bool
    work: float
    crew: Crew


class Backup:
    """A model's rows and buffers for one solver's sweeps, shared by threads if it is large.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    stage : int
        Which stage's rows, for stage-dependent data.
    threads : int, optional
        Threads to share a sweep over a large model; all that Numba may use if absent.
    """

    def __init__(self, mdp: TabularMDP, *, stage: int = 0, threads: int | None = None) -> None:
        start = mdp._first_block(stage)
        self.mdp, self.gamma = mdp, mdp.gamma
        self.choice_ptr = unsigned(
            np.asarray(mdp.choice_ptr[start : start + mdp.n_states + 1], dtype=np.int64)
        )
        self.rows = slice(int(self.choice_ptr[0]), int(self.choice_ptr[-1]))
        self.row_ptr = unsigned(np.asarray(mdp.row_ptr, dtype=np.int64))
        self.next_state = unsigned(mdp.next_state)
        self.prob, self.reward = mdp.prob, mdp.reward
        self.n_rows = self.rows.stop - self.rows.start
        self.n_transitions = int(self.row_ptr[self.rows.stop]) - int(self.row_ptr[self.rows.start])
        self.longest = int((self.row_ptr[1:] - self.row_ptr[:-1]).max())
        self.dense = self.n_transitions == self.n_rows * mdp.n_states and mdp.n_states >= 16
        self.q = np.empty(mdp.n_rows)
        self.best = np.zeros(mdp.n_states, dtype=np.uint64)
        self.work = 0.0  # transitions read, in full sweeps
        self.crew = Crew(self.n_transitions, threads)
        self.threads = self.crew.threads
        self.origin: UIntArray = np.arange(
            mdp.n_rows, dtype=np.dtype(np.uint64 if mdp.n_rows >> 32 else np.uint32)
        )
        self.full = [self._slice(first, last) for first, last in self._cuts()]
        self._use(self.full)

    def _cuts(self) -> list[tuple[int, int]]:
        """Split the states into one range a thread, with about equally many rows each."""
        shares = np.linspace(int(self.choice_ptr[0]), int(self.choice_ptr[-1]), self.threads + 1)
        edges = np.searchsorted(self.choice_ptr, shares.astype(np.uint64)).tolist()
        edges[0], edges[-1] = 0, self.mdp.n_states
        return [(a, b) for a, b in itertools.pairwise(edges) if a < b]

    def _slice(self, first: int, last: int) -> RowSet:
        return RowSet(
            first, self.choice_ptr[first : last + 1], self.row_ptr, self.next_state,
            self.prob, self.reward, self.origin, self.q,
        )  # fmt: skip

    def _use(self, sets: list[RowSet]) -> None:
        """Sweep over these rows from now on."""
        self.sets = sets
        self.current_rows = sum(rows.n_rows for rows in sets)
        self.share = sum(rows.size for rows in sets) / self.n_transitions

    def row_counts(self) -> IntArray:
        """Return how many rows each state has, shape (n_states,)."""
        edges = self.choice_ptr.astype(np.int64)
        return edges[1:] - edges[:-1]

    def __enter__(self) -> Self:
        """Start the threads, if the model is large enough for them."""
        self.crew.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the threads."""
        self.crew.stop()

    # ---- sweeps over the current rows ---------------------------------------------------------

    @staticmethod
    def size(values: FloatArray) -> float:
        """Return the sup norm; NaN if an entry is NaN."""
        return float(relaxation.largest(values))

    def greedy(self, v: FloatArray, out: FloatArray) -> tuple[float, float]:
        """Write ``T v`` over the current rows, ``q`` and ``best``; return extremes of Tv - v."""
        kernel = kernels.greedy_sweep_dense if self.dense else kernels.greedy_sweep

        def sweep(rows: RowSet) -> tuple[float, float]:
            return kernel(
                rows.first, rows.choice_ptr, rows.row_ptr, rows.next_state, rows.prob,
                rows.reward, self.gamma, v, rows.q, out, self.best,
            )  # fmt: skip

        self.work += self.share
        return _extremes(self.crew.each(sweep, self.sets))

    def best_reward(self, constant: float, out: FloatArray) -> tuple[float, float]:
        """Do the same for a constant ``v``; no transition is read."""
        low, high = _extremes(
            [
                kernels.best_reward(
                    rows.first, rows.choice_ptr, rows.reward, self.gamma * constant,
                    rows.q, out, self.best,
                )
                for rows in self.sets
            ]
        )  # fmt: skip
        return low - constant, high - constant

    def keep(self, top: FloatArray, threshold: float) -> None:
        """Go on with a copy of the rows that are within ``threshold`` of their state's best."""

        def pack(rows: RowSet) -> RowSet:
            ptr = np.empty(rows.n_rows + 1, dtype=np.uint64)
            choice = np.empty_like(rows.choice_ptr)
            size, count = rows.size, rows.n_rows
            copy = RowSet(
                rows.first, choice, ptr, np.empty(size, dtype=rows.next_state.dtype),
                np.empty(size), np.empty(count), np.empty(count, dtype=rows.origin.dtype),
                np.empty(0),
            )  # fmt: skip
            count, size = kernels.pack_rows(
                rows.first, rows.choice_ptr, rows.row_ptr, rows.next_state, rows.prob,
                rows.reward, rows.origin, rows.q, top, threshold, self.best,
                choice, ptr, copy.next_state, copy.prob, copy.reward, copy.origin,
            )  # fmt: skip
            _freeze(choice, ptr, copy.next_state, copy.prob, copy.reward)
            return copy._replace(q=np.empty(count))

        self._use(self.crew.each(pack, self.sets))

    def restore(self) -> None:
        """Take up every row again; ``best`` keeps the rows it names."""
        self.best[:] = self.best_rows()
        self._use(self.full)

    @property
    def reduced(self) -> bool:
        """Whether some rows are left out at the moment."""
        return self.sets is not self.full

    def best_rows(self) -> IntArray:
        """Return the model's row that is best in each state, shape (n_states,)."""
        if not self.reduced:
            return self.best.astype(np.int64)
        parts = []
        for rows in self.sets:
            last = rows.first + len(rows.choice_ptr) - 1
            parts.append(rows.origin[self.best[rows.first : last]])
        return np.concatenate(parts).astype(np.int64)

    def policy(self) -> IntArray:
        """Return the action ids of the best rows."""
        return self.mdp.action[self.best_rows()].astype(np.int64)

    # ---- one policy ---------------------------------------------------------------------------

    def policy_rows(self, *, whole: bool = False) -> "PolicyRows":
        """Copy the best rows; as one set if the caller sweeps in place."""

        def copy(rows: RowSet) -> PolicySet:
            n = len(rows.choice_ptr) - 1
            capacity = min(n * self.longest, rows.size)
            out = PolicySet(
                rows.first, np.empty(n + 1, dtype=np.uint64),
                np.empty(capacity, dtype=rows.next_state.dtype), np.empty(capacity), np.empty(n),
            )  # fmt: skip
            length = kernels.copy_rows(
                rows.first, self.best, rows.row_ptr, rows.next_state, rows.prob, rows.reward,
                out.ptr, out.next_state, out.prob, out.reward,
            )  # fmt: skip
            _freeze(out.ptr, out.next_state, out.prob, out.reward)
            return out._replace(next_state=out.next_state[:length], prob=out.prob[:length])

        if whole and (self.reduced or len(self.sets) > 1):
            self.restore()
            sets = [self._slice(0, self.mdp.n_states)]
        else:
            sets = self.sets
        rows = PolicyRows(self, self.crew.each(copy, sets))
        self.work += rows.share
        return rows

    def greedy_in_place(self, v: FloatArray, *, backwards: bool) -> float:
        """Update ``v`` and ``best`` state by state over every row; return the largest change."""
        self._use(self.full)
        self.work += 1.0
        return relaxation.greedy_in_place(
            backwards, self.choice_ptr, self.row_ptr, self.next_state, self.prob, self.reward,
            self.gamma, v, self.best,
        )  # fmt: skip


class PolicyRows:
    """One policy's kernel and reward, compact; its sweeps are accounted to the backup."""

    def __init__(self, backup: Owner, sets: list[PolicySet]) -> None:
        self.backup, self.sets = backup, sets
        self.share = sum(len(part.prob) for part in sets) / backup.n_transitions

    def sweeps(
        self, v: FloatArray, *, goal: float, limit: int
    ) -> tuple[FloatArray, int, float, float]:
        """Apply ``r + gamma P v`` until the span of the step is at most ``goal``.

        Returns the value (``v`` is overwritten), the number of sweeps and the last extremes.
        """
        backup, other = self.backup, np.empty_like(v)
        if len(self.sets) == 1 and not backup.dense:  # one call for all sweeps
            part = self.sets[0]
            count, low, high = kernels.policy_sweeps(
                part.ptr, part.next_state, part.prob, part.reward, backup.gamma,
                v, other, goal, limit,
            )  # fmt: skip
        else:
            low = high = 0.0
            count = 0
            while count < limit:
                low, high = self._sweep(v, other)
                v, other = other, v
                count += 1
                if high - low <= goal:
                    break
        backup.work += count * self.share
        return v, count, low, high

    def _sweep(self, v: FloatArray, out: FloatArray) -> tuple[float, float]:
        kernel = kernels.policy_sweep_dense if self.backup.dense else kernels.policy_sweep

        def sweep(part: PolicySet) -> tuple[float, float]:
            return kernel(
                part.first, part.ptr, part.next_state, part.prob, part.reward,
                self.backup.gamma, v, out,
            )  # fmt: skip

        return _extremes(self.backup.crew.each(sweep, self.sets))

    def krylov(self, v: FloatArray, *, goal: float, limit: int) -> float:
        """Solve for the policy's value in place, by BiCGSTAB; return the residual's sup norm."""
        (part,) = self.sets
        gamma = self.backup.gamma
        inverse = np.empty_like(v)
        relaxation.diagonal(part.ptr, part.next_state, part.prob, gamma, inverse)
        steps, residual = relaxation.bicgstab(
            part.ptr, part.next_state, part.prob, gamma, inverse, part.reward, v, goal, limit
        )
        self.backup.work += (2 + 6 * steps) * self.share
        return residual

    def matrix(self) -> Any:
        """Return the scipy CSR kernel, shape (S, S)."""
        from scipy import sparse

        (part,) = self.sets
        n = len(part.reward)
        return sparse.csr_matrix(
            (part.prob, part.next_state.astype(np.int64), part.ptr.astype(np.int64)), shape=(n, n)
        )

    @property
    def reward(self) -> FloatArray:
        """Return the policy's expected reward, shape (S,)."""
        return np.concatenate([part.reward for part in self.sets])


def _freeze(*arrays: npt.NDArray[Any]) -> None:
    """Make copies read-only like the model's own arrays, so kernels compile once for both."""
    for array in arrays:
        array.setflags(write=False)


def _extremes(parts: list[tuple[float, float]]) -> tuple[float, float]:
    return float(min(low for low, _ in parts)), float(max(high for _, high in parts))
