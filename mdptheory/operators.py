"""The one place where models meet the Bellman kernels."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import as_float_array, check_finite, check_shape, check_simplex
from mdptheory.errors import InvalidModelError
from mdptheory.kernels import bellman as kernels
from mdptheory.models import TabularMDP

PARALLEL_TRANSITIONS = 400_000  # below this a thread costs more than it saves


def unsigned(index: IntArray) -> npt.NDArray[np.unsignedinteger[Any]]:
    """View a non-negative index array as unsigned, without a copy."""
    return index.view(np.uint32 if index.dtype.itemsize == 4 else np.uint64)


def thread_count() -> int:
    """Return how many threads a large sweep may use: Numba's setting, or the processors at hand."""
    setting = os.environ.get("NUMBA_NUM_THREADS")
    return max(1, int(setting)) if setting else max(1, len(os.sched_getaffinity(0)))


class Backup:
    """A model's arrays as the kernels want them, with buffers for one solver's sweeps.

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
        first = stage * mdp.n_states if mdp.n_stages > 1 else 0
        self.mdp = mdp
        self.gamma = mdp.gamma
        self.full_ptr = np.asarray(
            mdp.choice_ptr[first : first + mdp.n_states + 1], dtype=np.int64
        ) - int(mdp.choice_ptr[first])
        base, stop = int(mdp.choice_ptr[first]), int(mdp.choice_ptr[first + mdp.n_states])
        self.n_rows = stop - base
        self.row_ptr = unsigned(np.asarray(mdp.row_ptr[base : stop + 1], dtype=np.int64))
        self.next_state = unsigned(mdp.next_state)
        self.prob = mdp.prob
        self.reward = mdp.reward[base:stop]
        self.action = mdp.action[base:stop]
        self.n_transitions = int(self.row_ptr[-1]) - int(self.row_ptr[0])
        self.dense = self.n_transitions == self.n_rows * mdp.n_states and mdp.n_states >= 16
        self.all_rows = np.arange(self.n_rows, dtype=np.uint32 if stop < 2**32 else np.uint64)
        self.choice_ptr, self.rows = self.full_ptr, self.all_rows
        self.q = np.empty(self.n_rows)
        self.best = np.zeros(mdp.n_states, dtype=self.all_rows.dtype)
        wanted = thread_count() if threads is None else threads
        self.threads = wanted if self.n_transitions >= PARALLEL_TRANSITIONS else 1
        self.work = 0.0  # in full sweeps

    # ---- sharing a sweep ----------------------------------------------------------------------

    def share(
        self, sweep: Callable[[int, int], tuple[float, float]], size: float
    ) -> tuple[float, float]:
        """Run ``sweep(first, last)`` over all states in this many threads; return the extremes."""
        n = self.mdp.n_states
        if self.threads == 1 or size < PARALLEL_TRANSITIONS / 4:
            return sweep(0, n)
        cuts = np.linspace(0, n, self.threads + 1).astype(int)
        with ThreadPoolExecutor(self.threads) as pool:
            extremes = list(pool.map(sweep, cuts[:-1].tolist(), cuts[1:].tolist()))
        return min(low for low, _ in extremes), max(high for _, high in extremes)

    # ---- sweeps -------------------------------------------------------------------------------

    def greedy(self, v: FloatArray, out: FloatArray) -> tuple[float, float]:
        """Write ``T v`` over the listed rows, ``q`` and ``best``; return the extremes of Tv - v."""
        kernel = kernels.greedy_sweep_dense if self.dense else kernels.greedy_sweep
        size = self.n_transitions * len(self.rows) / self.n_rows

        def sweep(first: int, last: int) -> tuple[float, float]:
            return kernel(
                first, last, self.choice_ptr, self.rows, self.row_ptr, self.next_state,
                self.prob, self.reward, self.gamma, v, self.q, out, self.best,
            )  # fmt: skip

        self.work += size / self.n_transitions
        return self.share(sweep, size)

    def best_reward(self, out: FloatArray) -> tuple[float, float]:
        """Write ``T 0``; no transition is read."""
        return kernels.best_reward(self.choice_ptr, self.rows, self.reward, self.q, out, self.best)

    def eliminate(self, top: FloatArray, threshold: float) -> None:
        """Keep only the rows whose value is within ``threshold`` of their state's best."""
        kept_ptr = np.empty_like(self.full_ptr)
        kept = np.empty_like(self.rows)
        count = kernels.keep_rows(
            self.choice_ptr, self.rows, self.q, top, threshold, kept_ptr, kept
        )
        self.choice_ptr, self.rows = kept_ptr, kept[:count]

    def restore(self) -> None:
        """List every row again."""
        self.choice_ptr, self.rows = self.full_ptr, self.all_rows

    @property
    def reduced(self) -> bool:
        """Whether some rows are eliminated."""
        return len(self.rows) < self.n_rows

    def policy(self) -> IntArray:
        """Return the action ids of the best rows."""
        return self.action[self.best].astype(np.int64)

    def compact(self, chosen: npt.NDArray[Any]) -> "PolicyRows":
        """Copy the chosen rows into a CSR of their own."""
        length = np.diff(self.row_ptr)[chosen].sum()
        ptr = np.empty(len(chosen) + 1, dtype=np.uint64)
        next_state = np.empty(int(length), dtype=self.next_state.dtype)
        prob, reward = np.empty(int(length)), np.empty(len(chosen))
        kernels.copy_rows(
            chosen, self.row_ptr, self.next_state, self.prob, self.reward,
            ptr, next_state, prob, reward,
        )  # fmt: skip
        self.work += float(length) / self.n_transitions
        return PolicyRows(self, ptr, next_state, prob, reward)


class PolicyRows:
    """One policy's kernel and reward, compact; its sweeps are accounted to the backup."""

    def __init__(
        self,
        backup: Backup,
        ptr: npt.NDArray[np.uint64],
        next_state: npt.NDArray[Any],
        prob: FloatArray,
        reward: FloatArray,
    ) -> None:
        self.backup, self.ptr, self.next_state = backup, ptr, next_state
        self.prob, self.reward = prob, reward

    def sweep(self, v: FloatArray, out: FloatArray) -> tuple[float, float]:
        """Write ``r + gamma P v``; return the extremes of its difference to ``v``."""
        backup = self.backup
        kernel = kernels.policy_sweep_dense if backup.dense else kernels.policy_sweep

        def sweep(first: int, last: int) -> tuple[float, float]:
            return kernel(
                first, last, self.ptr, self.next_state, self.prob, self.reward,
                backup.gamma, v, out,
            )  # fmt: skip

        backup.work += len(self.prob) / backup.n_transitions
        return backup.share(sweep, len(self.prob))

    def matrix(self) -> Any:
        """Return the scipy CSR kernel, shape (S, S)."""
        from scipy import sparse

        n = len(self.reward)
        return sparse.csr_matrix(
            (self.prob, self.next_state.astype(np.int64), self.ptr.astype(np.int64)), shape=(n, n)
        )


# ---- what users call ---------------------------------------------------------------------------


def _values(mdp: TabularMDP, v: npt.ArrayLike) -> FloatArray:
    values = np.array(as_float_array("v", v))
    check_shape("v", values, (mdp.n_states,))
    check_finite("v", values)
    return values


def bellman(mdp: TabularMDP, v: npt.ArrayLike, *, stage: int = 0) -> FloatArray:
    """Apply the Bellman operator to ``v`` for every action.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    array of shape (n_states, n_actions)
        ``q[s, a] = r[s, a] + gamma sum_s' P[s, a, s'] v[s']``; ``-inf`` where ``a`` is not
        available.

    Raises
    ------
    InvalidModelError
        If ``v`` has another shape or an entry that is not finite.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> bellman(mdp, [1.0, 2.0])
    array([[2.35],
           [1.8 ]])
    """
    backup = Backup(mdp, stage=stage)
    values = _values(mdp, v)
    backup.greedy(values, np.empty_like(values))
    q = np.full((mdp.n_states, mdp.n_actions), -np.inf)
    q[np.repeat(np.arange(mdp.n_states), np.diff(backup.full_ptr)), backup.action] = backup.q
    return q


def greedy(mdp: TabularMDP, v: npt.ArrayLike, *, stage: int = 0) -> IntArray:
    """Return the greedy action ids for ``v``, ties to the lowest id.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    array of int of shape (n_states,)
        A maximising action of each state.
    """
    backup = Backup(mdp, stage=stage)
    values = _values(mdp, v)
    backup.greedy(values, np.empty_like(values))
    return backup.policy()


def policy_kernel(
    mdp: TabularMDP, policy: npt.ArrayLike, *, stage: int = 0
) -> tuple[Any, FloatArray]:
    """Return the transition matrix and the expected reward of a policy.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    P : scipy CSR matrix of shape (n_states, n_states)
        Transition probabilities under the policy.
    r : array of shape (n_states,)
        Expected reward per step.

    Raises
    ------
    InvalidModelError
        If the policy is no distribution or uses an action that is not available.
    """
    from scipy import sparse

    array = np.asarray(policy)
    if array.ndim != 2:
        return mdp.policy_matrix(array, stage)
    pi = as_float_array("pi", policy)
    check_shape("pi", pi, (mdp.n_states, mdp.n_actions))
    check_simplex("pi", pi)
    backup = Backup(mdp, stage=stage)
    states = np.repeat(np.arange(mdp.n_states), np.diff(backup.full_ptr))
    available = np.zeros_like(pi, dtype=bool)
    available[states, backup.action] = True
    stray = (pi > 0) & ~available
    if stray.any():
        s, a = (int(i) for i in np.argwhere(stray)[0])
        raise InvalidModelError(
            f"pi[{s}, {a}] is {pi[s, a]}: action {mdp.action_label(a)} is not available in state"
            f" {mdp.state_label(s)}"
        )
    weight = pi[states, backup.action]
    mix = sparse.csr_matrix(
        (weight, np.arange(backup.n_rows), backup.full_ptr), shape=(mdp.n_states, backup.n_rows)
    )
    first = int(backup.row_ptr[0])
    rows = sparse.csr_matrix(
        (
            mdp.prob[first : first + backup.n_transitions],
            mdp.next_state[first : first + backup.n_transitions],
            backup.row_ptr.astype(np.int64) - first,
        ),
        shape=(backup.n_rows, mdp.n_states),
    )
    return (mix @ rows).tocsr(), mix @ backup.reward


def policy_bellman(
    mdp: TabularMDP, policy: npt.ArrayLike, v: npt.ArrayLike, *, stage: int = 0
) -> FloatArray:
    """Apply one policy's Bellman operator to ``v``.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    array of shape (n_states,)
        ``r_pi + gamma P_pi v``.
    """
    values = _values(mdp, v)
    P, r = policy_kernel(mdp, policy, stage=stage)
    return r + mdp.gamma * (P @ values)


def policy_value(mdp: TabularMDP, policy: npt.ArrayLike) -> FloatArray:
    """Solve for the value of a stationary policy by sparse elimination.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.

    Returns
    -------
    array of shape (n_states,)
        Expected discounted reward from each state.

    Raises
    ------
    InvalidModelError
        If the model is not discounted.
    """
    return _resolvent(mdp, policy, None)


def occupancy(mdp: TabularMDP, policy: npt.ArrayLike, mu0: npt.ArrayLike) -> FloatArray:
    """Return the normalised discounted occupancy of states.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.
    mu0 : array of shape (n_states,)
        Distribution of the first state.

    Returns
    -------
    array of shape (n_states,)
        ``(1 - gamma) sum_t gamma^t P(s_t = s)``, a distribution.
    """
    start = as_float_array("mu0", mu0)
    check_shape("mu0", start, (mdp.n_states,))
    check_simplex("mu0", start)
    return _resolvent(mdp, policy, start)


def _resolvent(mdp: TabularMDP, policy: npt.ArrayLike, mu0: FloatArray | None) -> FloatArray:
    """Solve ``(I - gamma P) v = r``, or its transpose for an initial distribution."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    if not mdp.gamma < 1 or mdp.n_stages > 1:
        raise InvalidModelError(
            f"gamma is {mdp.gamma}; the value of a stationary policy needs a discount below 1"
        )
    P, r = policy_kernel(mdp, policy)
    factor = splu((sparse.eye(mdp.n_states, format="csr") - mdp.gamma * P).tocsc())
    if mu0 is None:
        return factor.solve(r)
    return (1.0 - mdp.gamma) * factor.solve(mu0, trans="T")
