"""Every compiled loop against dense NumPy on random row sets, ragged and full."""

import itertools

import numpy as np
import pytest

from mdptheory.kernels import bellman, relaxation

SEEDS = range(8)


class RowSet:
    """Random rows of ``n`` states in CSR form, and the same rows dense."""

    def __init__(self, seed, *, full=False, one_action=False, wide=False, n=None):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 12)) if n is None else n
        counts = np.ones(n, int) if one_action else rng.integers(1, 4, n)
        weights = rng.integers(1 if full else 0, 4, (counts.sum(), n))
        weights[np.arange(len(weights)), rng.integers(n, size=len(weights))] += 1
        self.P = weights / weights.sum(axis=1, keepdims=True)
        rows, columns = np.nonzero(self.P)
        self.n, self.counts = n, counts
        self.state = np.repeat(np.arange(n), counts)
        self.choice_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
        sizes = np.bincount(rows, minlength=len(weights))
        self.row_ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)
        self.next_state = columns.astype(np.uint64 if wide else np.uint32)
        self.prob = self.P[rows, columns]
        self.reward = rng.normal(size=len(weights))
        self.gamma = float(rng.uniform(0, 0.99))
        self.v = rng.normal(size=n)

    @property
    def rows(self):
        return self.row_ptr, self.next_state, self.prob

    def q(self):
        return self.reward + self.gamma * self.P @ self.v

    def top(self, q):
        return np.maximum.reduceat(q, self.choice_ptr[:-1].astype(int))

    def first_best(self, q):
        cuts = self.choice_ptr.astype(int)
        return [a + int(np.argmax(q[a:b])) for a, b in itertools.pairwise(cuts)]


def greedy(rows, kernel, first=0, count=None):
    """Sweep states ``first`` to ``first + count``; other states keep NaN."""
    last = rows.n if count is None else first + count
    q, out = np.full(len(rows.reward), np.nan), np.full(rows.n, np.nan)
    best = np.zeros(rows.n, dtype=np.uint64)
    extremes = kernel(first, rows.choice_ptr[first : last + 1], *rows.rows, rows.reward,
                      rows.gamma, rows.v, q, out, best)  # fmt: skip
    return q, out, best, extremes


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("kernel", "full"), [(bellman.greedy_sweep, False), (bellman.greedy_sweep_dense, True)]
)
def test_greedy_sweep(seed, kernel, full):
    rows = RowSet(seed, full=full, n=[1, 7, 8, 9, 16, 17, 3, 24][seed])
    q, out, best, (low, high) = greedy(rows, kernel)
    assert q == pytest.approx(rows.q(), abs=1e-12)
    assert np.array_equal(out, rows.top(q))
    assert best.tolist() == rows.first_best(q)
    assert (low, high) == ((out - rows.v).min(), (out - rows.v).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sweep_in_two_parts_gives_the_same_bits(seed):
    rows = RowSet(seed, n=9)
    whole = greedy(rows, bellman.greedy_sweep)
    head = greedy(rows, bellman.greedy_sweep, 0, 4)
    tail = greedy(rows, bellman.greedy_sweep, 4, 5)
    assert np.array_equal(np.append(head[1][:4], tail[1][4:]), whole[1])
    assert np.isnan(head[1][4:]).all()
    assert np.isnan(tail[1][:4]).all()
    assert min(head[3][0], tail[3][0]) == whole[3][0]
    assert max(head[3][1], tail[3][1]) == whole[3][1]


def test_ties_go_to_the_first_row():
    rows = RowSet(0, n=3)
    rows.reward[:], rows.gamma = 1.0, 0.0
    assert greedy(rows, bellman.greedy_sweep)[2].tolist() == rows.choice_ptr[:-1].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_best_reward_is_the_sweep_of_a_constant(seed):
    rows = RowSet(seed)
    rows.v[:] = 3.0
    q, out, best, _ = greedy(rows, bellman.greedy_sweep)
    q2, out2, best2 = np.empty_like(q), np.empty_like(out), np.zeros_like(best)
    low, high = bellman.best_reward(
        0, rows.choice_ptr, rows.reward, 3.0 * rows.gamma, q2, out2, best2
    )
    assert q2 == pytest.approx(q, abs=1e-12)
    assert out2 == pytest.approx(out, abs=1e-12)
    assert (low, high) == (out2.min(), out2.max())
    assert best2.tolist() == rows.first_best(q2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("wide", [False, True])
def test_pack_rows_keeps_the_close_rows_and_every_best_one(seed, wide):
    rows = RowSet(seed, wide=wide)
    q, out, best, _ = greedy(rows, bellman.greedy_sweep)
    threshold = 0.4
    wanted = np.flatnonzero(
        (q >= out[rows.state] - threshold) | np.isin(np.arange(len(q)), best.astype(int))
    )
    k_choice, k_row = np.empty_like(rows.choice_ptr), np.empty_like(rows.row_ptr)
    k_next, k_prob = np.empty_like(rows.next_state), np.empty_like(rows.prob)
    k_reward, k_origin = np.empty_like(rows.reward), np.empty(len(q), dtype=np.uint64)
    chosen = best.copy()
    kept, size = bellman.pack_rows(
        0, rows.choice_ptr, *rows.rows, rows.reward, np.arange(len(q), dtype=np.uint64), q, out,
        threshold, chosen, k_choice, k_row, k_next, k_prob, k_reward, k_origin,
    )  # fmt: skip
    kept, size = int(kept), int(size)
    assert k_origin[:kept].tolist() == wanted.tolist()
    assert np.array_equal(k_reward[:kept], rows.reward[wanted])
    counts = np.bincount(rows.state[wanted], minlength=rows.n)
    assert k_choice.tolist() == [0, *np.cumsum(counts)]
    assert k_origin[chosen.astype(int)].tolist() == best.tolist()
    dense = np.zeros((kept, rows.n))
    lengths = np.diff(k_row[: kept + 1].astype(int))
    dense[np.repeat(np.arange(kept), lengths), k_next[:size].astype(int)] = k_prob[:size]
    assert np.array_equal(dense, rows.P[wanted])


@pytest.mark.parametrize("seed", SEEDS)
def test_copy_rows_then_policy_sweep(seed):
    rows = RowSet(seed)
    chosen = greedy(rows, bellman.greedy_sweep)[2]
    ptr = np.empty(rows.n + 1, dtype=np.uint64)
    next_state, prob = np.empty_like(rows.next_state), np.empty_like(rows.prob)
    reward, out = np.empty(rows.n), np.empty(rows.n)
    size = bellman.copy_rows(0, chosen, *rows.rows, rows.reward, ptr, next_state, prob, reward)
    assert size == ptr[-1] == np.count_nonzero(rows.P[chosen.astype(int)])
    low, high = bellman.policy_sweep(0, ptr, next_state, prob, reward, rows.gamma, rows.v, out)
    assert out == pytest.approx(rows.q()[chosen.astype(int)], abs=1e-12)
    assert (low, high) == ((out - rows.v).min(), (out - rows.v).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_policy_sweep_dense(seed):
    rows = RowSet(seed, full=True, one_action=True, n=[1, 7, 8, 9, 16, 17, 3, 24][seed])
    out = np.empty(rows.n)
    args = (*rows.rows, rows.reward, rows.gamma, rows.v, out)
    low, high = bellman.policy_sweep_dense(0, *args)
    assert out == pytest.approx(rows.q(), abs=1e-12)
    assert (low, high) == ((out - rows.v).min(), (out - rows.v).max())


@pytest.mark.parametrize("limit", [1, 2, 3, 10_000])
@pytest.mark.parametrize("seed", SEEDS)
def test_policy_sweeps_stop_on_the_span_or_at_the_limit(seed, limit):
    rows = RowSet(seed, one_action=True)
    v, other = rows.v.copy(), np.empty(rows.n)
    goal = 1e-6
    count, low, high = bellman.policy_sweeps(
        *rows.rows, rows.reward, rows.gamma, v, other, goal, limit
    )
    expected, step, done = rows.v, np.array([0.0, np.inf]), 0
    while done < limit and np.ptp(step) > goal:
        after = rows.reward + rows.gamma * rows.P @ expected
        step, expected, done = after - expected, after, done + 1
    assert count == done
    assert v == pytest.approx(expected, abs=1e-10)
    assert (low, high) == pytest.approx((step.min(), step.max()), abs=1e-10)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_greedy_in_place(seed, backwards):
    rows = RowSet(seed)
    v, best = rows.v.copy(), np.zeros(rows.n, dtype=np.uint64)
    args = (rows.choice_ptr, *rows.rows, rows.reward, rows.gamma)
    change = relaxation.greedy_in_place(backwards, *args, v, best)
    expected, largest = rows.v.copy(), 0.0
    for s in reversed(range(rows.n)) if backwards else range(rows.n):
        mine = np.flatnonzero(rows.state == s)
        others = rows.P[mine] @ expected - rows.P[mine, s] * expected[s]
        solved = (rows.reward[mine] + rows.gamma * others) / (1 - rows.gamma * rows.P[mine, s])
        largest = max(largest, abs(solved.max() - expected[s]))
        expected[s] = solved.max()
        assert best[s] == mine[solved.argmax()]
    assert v == pytest.approx(expected, abs=1e-10)
    assert change == pytest.approx(largest, abs=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_linear_system_and_its_relaxation(seed):
    rows = RowSet(seed, one_action=True)
    matrix = np.eye(rows.n) - rows.gamma * rows.P
    out, inverse = np.empty(rows.n), np.empty(rows.n)
    relaxation.apply_system(*rows.rows, rows.gamma, rows.v, out)
    assert out == pytest.approx(matrix @ rows.v, abs=1e-12)
    relaxation.diagonal(*rows.rows, rows.gamma, inverse)
    assert inverse == pytest.approx(1 / np.diag(matrix))
    x = rows.v.copy()
    relaxation.gauss_seidel(*rows.rows, rows.gamma, inverse, rows.reward, x)
    lower, upper = np.tril(matrix), np.triu(matrix)
    half = np.linalg.solve(lower, rows.reward - (matrix - lower) @ rows.v)
    expected = np.linalg.solve(upper, rows.reward - (matrix - upper) @ half)
    assert x == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_bicgstab_solves_and_reports_its_true_residual(seed):
    rows = RowSet(seed, one_action=True, n=10 + seed)
    matrix = np.eye(rows.n) - rows.gamma * rows.P
    inverse, x = 1 / np.diag(matrix), rows.v.copy()
    args = (*rows.rows, rows.gamma, inverse, rows.reward)
    steps, residual = relaxation.bicgstab(*args, x, 1e-12, 200)
    assert steps <= 200
    assert residual <= 1e-12
    assert np.abs(rows.reward - matrix @ x).max() <= 1e-11
    assert x == pytest.approx(np.linalg.solve(matrix, rows.reward), abs=1e-8)
    start = rows.v.copy()
    steps, residual = relaxation.bicgstab(*args, start, 1e-12, 0)
    assert steps == 0
    assert np.array_equal(start, rows.v)
    assert residual == pytest.approx(np.abs(rows.reward - matrix @ rows.v).max())


def test_bicgstab_breaks_down_quietly():
    rows = RowSet(1, one_action=True, n=4)
    x = np.linalg.solve(np.eye(4) - rows.gamma * rows.P, rows.reward)
    exact = x.copy()
    inverse = np.ones(4)
    args = (*rows.rows, rows.gamma, inverse)
    relaxation.bicgstab(*args, rows.reward, x, 0.0, 50)
    assert x == pytest.approx(exact, abs=1e-9)
    nothing = np.zeros(4)
    steps, residual = relaxation.bicgstab(*args, nothing, nothing.copy(), 0.0, 50)
    assert (steps, residual) == (0, 0.0)


def test_largest_does_not_hide_nan():
    assert relaxation.largest(np.array([1.0, -3.0, 2.0])) == 3.0
    assert relaxation.largest(np.zeros(2)) == 0.0
    for place in range(3):
        x = np.ones(3)
        x[place] = np.nan
        assert np.isnan(relaxation.largest(x))
