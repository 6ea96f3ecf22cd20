"""Assembly of the sparse state-action rows from dense arrays, scipy matrices and functions."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import as_float_array, as_index_array, check_count, check_shape
from mdptheory.errors import InvalidModelError

INT32_MAX = np.iinfo(np.int32).max


class Rows(NamedTuple):
    """State-action rows in CSR form; see `TabularMDP` for the shapes."""

    n_states: int
    choice_ptr: IntArray
    action: IntArray
    row_ptr: IntArray
    next_state: IntArray
    prob: FloatArray
    reward: FloatArray
    transition_reward: FloatArray | None


def index_dtype(largest: int) -> type[np.signedinteger[Any]]:
    """Return int32 while it can hold ``largest``, else int64."""
    return np.int32 if largest <= INT32_MAX else np.int64


def row_sums(values: FloatArray, row_ptr: IntArray) -> FloatArray:
    """Sum CSR ``values`` row by row; no row may be empty."""
    return np.add.reduceat(values, row_ptr[:-1]) if values.size else np.zeros(len(row_ptr) - 1)


def expected_reward(
    prob: FloatArray, transition_reward: FloatArray, row_ptr: IntArray
) -> FloatArray:
    """Average a reward per transition over each row."""
    return row_sums(prob * transition_reward, row_ptr)


def normalized(built: Rows) -> Rows:
    """Divide each row by its sum, or name the row whose sum cannot be divided by."""
    sums = row_sums(built.prob, built.row_ptr)
    bad = ~(np.isfinite(sums) & (sums > 0))
    if bad.any():
        row = int(np.argmax(bad))
        block = int(np.searchsorted(built.choice_ptr, row, side="right")) - 1
        stage, state = divmod(block, built.n_states)
        lead = f"{stage}, " if len(built.choice_ptr) - 1 > built.n_states else ""
        raise InvalidModelError(
            f"P[{lead}{state}, {built.action[row]}] sums to {sums[row]}; it cannot be normalized"
            f" ({int(bad.sum())} of {len(sums)} rows fail)"
        )
    prob = built.prob / np.repeat(sums, np.diff(built.row_ptr))
    reward = built.reward
    if built.transition_reward is not None:
        reward = expected_reward(prob, built.transition_reward, built.row_ptr)
    return built._replace(prob=prob, reward=reward)


def from_dense(P: npt.ArrayLike, r: npt.ArrayLike) -> Rows:
    """Rows of ``P[s, a, s']`` (or ``P[h, s, a, s']``); zero probabilities are not stored."""
    kernel = as_float_array("P", P)
    if kernel.ndim not in (3, 4):
        raise InvalidModelError(
            f"P has shape {kernel.shape}; expected (S, A, S), or (H, S, A, S) with stages"
        )
    n_states, n_actions = kernel.shape[-3], kernel.shape[-2]
    if kernel.shape[-1] != n_states or 0 in kernel.shape:
        raise InvalidModelError(
            f"P has shape {kernel.shape}; expected (..., S, A, S) with equal, positive S"
        )
    rewards = as_float_array("r", r)
    per_transition = rewards.shape == kernel.shape
    if not per_transition and rewards.shape != kernel.shape[:-1]:
        raise InvalidModelError(
            f"r has shape {rewards.shape}; expected {kernel.shape[:-1]} or {kernel.shape}"
        )
    flat = kernel.reshape(-1, n_states)
    stored = flat != 0  # NaN is stored, and refused by the model with its place
    counts = stored.sum(axis=1)
    if (counts == 0).any():
        row = int(np.argmin(counts))
        index = np.unravel_index(row, kernel.shape[:-1])
        raise InvalidModelError(
            f"P[{', '.join(str(int(i)) for i in index)}] sums to 0; expected 1"
            f" ({int((counts == 0).sum())} of {len(counts)} rows are empty)"
        )
    n_rows = len(flat)
    row_ptr = np.concatenate([[0], np.cumsum(counts)])
    columns = np.nonzero(stored)[1].astype(index_dtype(n_states))
    prob = flat[stored]
    transition_reward = rewards.reshape(-1, n_states)[stored] if per_transition else None
    reward = (
        rewards.flatten()  # a copy: the caller keeps the original
        if transition_reward is None
        else expected_reward(prob, transition_reward, row_ptr)
    )
    action = np.tile(np.arange(n_actions, dtype=np.int32), n_rows // n_actions)
    choice_ptr = np.arange(0, n_rows + 1, n_actions)
    return Rows(n_states, choice_ptr, action, row_ptr, columns, prob, reward, transition_reward)


def from_triplets(
    n_states: int,
    state: IntArray,
    action: IntArray,
    next_state: IntArray,
    prob: FloatArray,
    transition_reward: FloatArray,
) -> Rows:
    """Rows of a list of transitions in any order.

    Duplicates of ``(s, a, s')`` add their probabilities and average their rewards by probability.
    Transitions of probability 0 are kept, so that their rewards are not lost.
    """
    order = np.lexsort((next_state, action, state))
    s, a, t = state[order], action[order], next_state[order]
    p, w = prob[order], transition_reward[order]
    new_row = np.ones(len(s), dtype=bool)
    new_row[1:] = (s[1:] != s[:-1]) | (a[1:] != a[:-1])
    new_cell = new_row.copy()
    new_cell[1:] |= t[1:] != t[:-1]
    cells = np.flatnonzero(new_cell)
    if len(cells) < len(s):
        size = np.diff(np.append(cells, len(s)))
        total = np.add.reduceat(p, cells)
        with np.errstate(divide="ignore", invalid="ignore"):
            averaged = np.add.reduceat(p * w, cells) / total
        # a cell that stands once keeps its reward's exact bits
        w = np.where(size == 1, w[cells], np.where(total > 0, averaged, w[cells]))
        p, s, a, t, new_row = total, s[cells], a[cells], t[cells], new_row[cells]
    starts = np.flatnonzero(new_row)
    row_ptr = np.append(starts, len(s)).astype(np.int64)
    choice_ptr = np.searchsorted(s[starts], np.arange(n_states + 1)).astype(np.int64)
    reward = expected_reward(p, w, row_ptr)
    return Rows(
        n_states,
        choice_ptr,
        a[starts].astype(np.int32),
        row_ptr,
        t.astype(index_dtype(n_states)),
        p,
        reward,
        w,
    )


def _float_csr(name: str, matrix: Any) -> Any:
    """Return a float64 CSR copy, sorted and without duplicates."""
    from scipy import sparse

    if not sparse.issparse(matrix):
        raise TypeError(f"{name} has type {type(matrix).__name__}; expected a scipy sparse matrix")
    if matrix.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {matrix.dtype}; expected real numbers")
    csr = sparse.csr_matrix(matrix, dtype=np.float64, copy=True)
    csr.sum_duplicates()
    return csr


def _reward_rows(name: str, r: Any, csr: Any) -> tuple[FloatArray, FloatArray | None]:
    """Reward per row from an array, or per transition from a sparse matrix on the same support."""
    from scipy import sparse

    row_ptr = csr.indptr.astype(np.int64)
    if not sparse.issparse(r):
        rewards = np.array(as_float_array(name, r))  # a copy: the caller keeps the original
        check_shape(name, rewards, (csr.shape[0],))
        return rewards, None
    matrix = _float_csr(name, r)
    check_shape(name, matrix, csr.shape)
    pattern = csr.copy()
    pattern.data = np.ones_like(pattern.data)
    picked = pattern.multiply(matrix).tocsr()  # rewards on the stored transitions, zeros dropped
    picked.sort_indices()
    per_transition = np.zeros(csr.nnz)
    keys = _keys(csr)
    per_transition[np.searchsorted(keys, _keys(picked))] = picked.data
    return expected_reward(csr.data, per_transition, row_ptr), per_transition


def _keys(csr: Any) -> IntArray:
    rows = np.repeat(np.arange(csr.shape[0], dtype=np.int64), np.diff(csr.indptr))
    return rows * csr.shape[1] + csr.indices


def from_pairs(P: Any, r: Any, states: npt.ArrayLike, actions: npt.ArrayLike) -> Rows:
    """Rows of one ``(n_pairs, S)`` sparse matrix with the state and action of each row."""
    from scipy import sparse

    s, a = as_index_array("states", states), as_index_array("actions", actions)
    csr = _float_csr("P", P)
    csr.eliminate_zeros()
    n_states = int(csr.shape[1])
    check_shape("states", s, (csr.shape[0],))
    check_shape("actions", a, (csr.shape[0],))
    for name, array, high in (("states", s, n_states), ("actions", a, INT32_MAX)):
        bad = (array < 0) | (array >= high)
        if bad.any():
            i = int(np.argmax(bad))
            raise InvalidModelError(f"{name}[{i}] is {array[i]}; expected an index in [0, {high})")
    empty = np.flatnonzero(np.diff(csr.indptr) == 0)
    if empty.size:
        i = int(empty[0])
        raise InvalidModelError(
            f"P[{s[i]}, {a[i]}] sums to 0; expected 1 ({empty.size} of {len(s)} rows are empty)"
        )
    order = np.lexsort((a, s))
    if not (order[1:] > order[:-1]).all():
        r = sparse.csr_matrix(r) if sparse.issparse(r) else as_float_array("r", r)
        check_shape("r", r, csr.shape if sparse.issparse(r) else (csr.shape[0],))
        csr, s, a, r = csr[order], s[order], a[order], r[order]
    same = (s[1:] == s[:-1]) & (a[1:] == a[:-1])
    if same.any():
        i = int(np.argmax(same))
        raise InvalidModelError(f"states and actions list the pair ({s[i]}, {a[i]}) more than once")
    reward, per_transition = _reward_rows("r", r, csr)
    return Rows(
        n_states,
        np.searchsorted(s, np.arange(n_states + 1)).astype(np.int64),
        a.astype(np.int32),
        csr.indptr.astype(np.int64),
        csr.indices.astype(index_dtype(n_states)),
        csr.data,
        reward,
        per_transition,
    )


def from_matrices(P: Sequence[Any], r: Any) -> Rows:
    """Rows of one ``S x S`` sparse matrix per action, rewards ``r[s, a]`` or one matrix each."""
    from scipy import sparse

    n_actions = check_count("len(P)", len(P))
    blocks = [_float_csr(f"P[{a}]", matrix) for a, matrix in enumerate(P)]
    n_states = int(blocks[0].shape[0])
    for a, block in enumerate(blocks):
        check_shape(f"P[{a}]", block, (n_states, n_states))
    stacked = sparse.vstack(blocks, format="csr")
    per_action = isinstance(r, list | tuple) and any(sparse.issparse(matrix) for matrix in r)
    if per_action:
        if len(r) != n_actions:
            raise InvalidModelError(f"r has {len(r)} matrices; expected {n_actions}")
        given = [_float_csr(f"r[{a}]", matrix) for a, matrix in enumerate(r)]
        for a, block in enumerate(given):
            check_shape(f"r[{a}]", block, (n_states, n_states))
        rewards: Any = sparse.vstack(given, format="csr")
    else:
        rewards = as_float_array("r", r)
        check_shape("r", rewards, (n_states, n_actions))
        rewards = rewards.T.reshape(-1)
    states = np.tile(np.arange(n_states), n_actions)
    actions = np.repeat(np.arange(n_actions), n_states)
    return from_pairs(stacked, rewards, states, actions)


def _walks(transitions: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return two compiled loops over all pairs: count the successors, and write them down."""
    from numba import njit
    from numba.extending import is_jitted

    compiled = transitions if is_jitted(transitions) else njit(transitions)

    @njit
    def count(n_states, n_actions):  # type: ignore[no-untyped-def]
        sizes = np.empty((n_states, n_actions), dtype=np.int64)
        for s in range(n_states):
            for a in range(n_actions):
                targets, probs, _ = compiled(s, a)
                sizes[s, a] = len(targets) if len(targets) == len(probs) else -1
        return sizes

    @njit
    def fill(n_states, n_actions, state, action, target, prob, reward):  # type: ignore[no-untyped-def]
        k = 0
        for s in range(n_states):
            for a in range(n_actions):
                targets, probs, rewards = compiled(s, a)
                stop = k + len(targets)
                state[k:stop], action[k:stop] = s, a
                target[k:stop], prob[k:stop], reward[k:stop] = targets, probs, rewards
                k = stop

    return count, fill


def _tabulate(transitions: Callable[..., Any], n_states: int, n_actions: int) -> list[Any]:
    """Return state, action, successor, probability and reward of every transition."""
    count, fill = _walks(transitions)
    sizes = count(n_states, n_actions)
    if (sizes < 0).any():
        s, a = (int(i) for i in np.argwhere(sizes < 0)[0])
        raise InvalidModelError(
            f"transitions({s}, {a}) returns successors and probabilities of different lengths"
        )
    unavailable = (sizes == 0).all(axis=1)
    if unavailable.any():
        raise InvalidModelError(
            f"state {int(np.argmax(unavailable))} has no action; expected at least one"
            f" ({int(unavailable.sum())} of {n_states} states are empty)"
        )
    total = int(sizes.sum())
    written: list[Any] = [np.empty(total, dtype=np.int64) for _ in range(2)]
    written += [np.empty(total) for _ in range(3)]
    try:
        fill(n_states, n_actions, *written)
    except ValueError as error:  # assigning a reward array of another length
        raise InvalidModelError(
            f"transitions returns rewards that do not fit its successors: {error}"
        ) from error
    return written


def from_function(transitions: Callable[..., Any], n_states: int, n_actions: int) -> Rows:
    """Rows of ``transitions(s, a) -> (next_states, probabilities, reward)``, compiled by Numba."""
    from numba.core.errors import NumbaError

    if not callable(transitions):
        raise TypeError(
            f"transitions has type {type(transitions).__name__}; expected a function of (s, a)"
        )
    try:
        state, action, target, prob, reward = _tabulate(transitions, n_states, n_actions)
    except NumbaError as error:
        first = str(error).strip().splitlines()
        raise TypeError(
            "transitions does not compile with Numba; expected a function of two integers that"
            f" returns (next_states, probabilities, reward): {first[0] if first else error}"
        ) from error
    # successors arrive as floats, so that a fraction is refused instead of cut off
    bad = ~((target >= 0) & (target < n_states) & (target == np.floor(target)))
    if bad.any():
        i = int(np.argmax(bad))
        raise InvalidModelError(
            f"transitions({state[i]}, {action[i]}) names successor {target[i]:.12g}; expected an"
            f" index in [0, {n_states})"
        )
    return from_triplets(n_states, state, action, target.astype(np.int64), prob, reward)


def completed(built: Rows, reward: float) -> Rows:
    """Store every state as a successor of every row: with probability 0 where it was none."""
    n, n_rows = built.n_states, len(built.row_ptr) - 1
    row = np.repeat(np.arange(n_rows), np.diff(built.row_ptr))
    prob = np.zeros((n_rows, n))
    prob[row, built.next_state] = built.prob
    paid = None
    if built.transition_reward is not None:
        table = np.full((n_rows, n), reward)
        table[row, built.next_state] = built.transition_reward
        paid = table.ravel()
    return built._replace(
        row_ptr=np.arange(0, n_rows * n + 1, n),
        next_state=np.tile(np.arange(n, dtype=index_dtype(n)), n_rows),
        prob=prob.ravel(),
        transition_reward=paid,
    )
