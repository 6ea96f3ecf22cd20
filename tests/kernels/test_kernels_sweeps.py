"""Greedy and policy sweeps against dense NumPy; dyadic numbers make most comparisons exact."""

import numpy as np
import pytest
from kernel_rows import (
    SIZES,
    build,
    full_rows,
    greedy,
    one_row_each,
    random_rows,
    whole_numbers,
)

from mdptheory.kernels import bellman as kernels


def buffers(rows):
    q, out = np.full(rows.n_rows, np.nan), np.full(rows.n, np.nan)
    return q, out, np.full(rows.n, 99, dtype=np.uint64)


def sweep(kernel, rows, gamma, v, *, first=0, last=None):
    """Sweep over the states ``first:last``, the others' entries staying as they are."""
    last = rows.n if last is None else last
    q, out, best = buffers(rows)
    choice = rows.choice_ptr[first : last + 1]
    extremes = kernel(first, choice, *rows[1:], gamma, v, q, out, best)
    return q, out, best, extremes


# ---- greedy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_greedy_sweep_is_the_maximum_over_rows_and_the_first_one_wins(n, seed, gamma):
    rows, v = random_rows(seed, n), whole_numbers(seed, n)
    q, out, best, extremes = sweep(kernels.greedy_sweep, rows, gamma, v)
    want_q, want_out, want_best = greedy(rows, gamma, v)
    assert np.array_equal(q, want_q)
    assert np.array_equal(out, want_out)
    assert np.array_equal(best, want_best)
    assert extremes == ((out - v).min(), (out - v).max())


def test_the_samples_do_hold_ties():
    tied = 0
    for seed in range(4):
        rows = random_rows(seed, 13)
        q, out, _ = greedy(rows, 0.0, whole_numbers(seed, 13))
        tied += sum(sum(q[row] == out[s] for row in rows.of(s)) > 1 for s in range(13))
    assert tied >= 4


def test_equal_rows_give_the_first():
    rows = build(2, [[(1.0, {0: 1.0})] * 3, [(0.0, {1: 1.0}), (1.0, {1: 1.0}), (1.0, {1: 1.0})]])
    _, _, best, _ = sweep(kernels.greedy_sweep, rows, 0.5, np.zeros(2))
    assert best.tolist() == [0, 4]


def test_a_self_loop_of_one_state():
    rows = build(1, [[(1.0, {0: 1.0}), (2.0, {0: 1.0})]])
    q, out, best, extremes = sweep(kernels.greedy_sweep, rows, 0.5, np.array([8.0]))
    assert (q.tolist(), out.tolist(), best.tolist(), extremes) == ([5, 6], [6], [1], (-2, -2))


@pytest.mark.parametrize("kernel", ["greedy_sweep", "greedy_sweep_dense"])
@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 9), (12, 13), (1, 13)])
def test_a_chunk_writes_its_own_states_only(kernel, first, last):
    rows = full_rows(5, 13)
    v = np.random.default_rng(5).normal(size=13)
    whole = sweep(getattr(kernels, kernel), rows, 0.9, v)
    part = sweep(getattr(kernels, kernel), rows, 0.9, v, first=first, last=last)
    inside = slice(int(rows.choice_ptr[first]), int(rows.choice_ptr[last]))
    assert np.array_equal(part[1][first:last], whole[1][first:last])
    assert np.array_equal(part[2][first:last], whole[2][first:last])
    assert np.array_equal(part[0][inside], whole[0][inside])
    assert np.isnan(np.delete(part[1], np.s_[first:last])).all()
    assert (np.delete(part[2], np.s_[first:last]) == 99).all()
    assert np.isnan(np.delete(part[0], np.r_[inside])).all()
    step = (whole[1] - v)[first:last]
    assert part[3] == (step.min(), step.max())


def test_64_bit_successors_give_the_same_bits():
    narrow, wide = random_rows(2, 8), random_rows(2, 8, wide=True)
    assert wide.next_state.dtype == np.uint64
    v = np.random.default_rng(2).normal(size=8)
    for a, b in zip(
        sweep(kernels.greedy_sweep, narrow, 0.9, v),
        sweep(kernels.greedy_sweep, wide, 0.9, v),
        strict=True,
    ):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 15, 16, 17, 24])
def test_dense_sweeps_agree_with_sparse_ones(n):
    rows = full_rows(n, n)
    v = np.random.default_rng(n).normal(size=n)
    q, out, best, extremes = sweep(kernels.greedy_sweep_dense, rows, 0.9, v)
    want_q, want_out, want_best = greedy(rows, 0.9, v)
    np.testing.assert_allclose(q, want_q, rtol=0, atol=1e-14)
    np.testing.assert_allclose(out, want_out, rtol=0, atol=1e-14)
    assert np.array_equal(best, want_best)
    assert extremes == ((out - v).min(), (out - v).max())
    sparse = sweep(kernels.greedy_sweep, rows, 0.9, v)
    np.testing.assert_allclose(q, sparse[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 23])
def test_dense_mean_reads_its_own_row_only(n):
    prob = np.arange(3.0 * n)
    v = np.ones(n)
    assert kernels.dense_mean(np.uint64(n), prob, v) == prob[n : 2 * n].sum()


@pytest.mark.parametrize("n", SIZES)
def test_best_reward_is_the_sweep_of_a_constant(n):
    rows = random_rows(7, n)
    q, out, best = buffers(rows)
    low, high = kernels.best_reward(0, rows.choice_ptr, rows.reward, 0.5 * 3.0, q, out, best)
    swept = sweep(kernels.greedy_sweep, rows, 0.5, np.full(n, 3.0))
    for mine, full in zip((q, out, best), swept[:3], strict=True):
        assert np.array_equal(mine, full)
    assert (low - 3.0, high - 3.0) == swept[3]


# ---- packing ----------------------------------------------------------------------------------


def pack(rows, q, out, best, threshold, *, first=0, last=None):
    last = rows.n if last is None else last
    choice = np.empty(last - first + 1, dtype=np.uint64)
    size, count = len(rows.prob), rows.n_rows
    packed = (
        choice, np.empty(count + 1, dtype=np.uint64), np.empty(size, rows.next_state.dtype),
        np.empty(size), np.empty(count), np.empty(count, dtype=np.uint32),
    )  # fmt: skip
    origin = np.arange(count, dtype=np.uint32)
    n_rows, size = kernels.pack_rows(
        first, rows.choice_ptr[first : last + 1], *rows[1:], origin, q, out, threshold, best,
        *packed,
    )  # fmt: skip
    return int(n_rows), int(size), packed


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0, np.inf])
@pytest.mark.parametrize(("first", "last"), [(0, 13), (4, 9), (12, 13)])
def test_pack_rows_keeps_what_is_near_the_best(threshold, first, last):
    rows, v = random_rows(11, 13), whole_numbers(11, 13)
    q, out, best, _ = sweep(kernels.greedy_sweep, rows, 0.5, v)
    kept = [row for s in range(first, last) for row in rows.of(s) if q[row] >= out[s] - threshold]
    before = best.copy()
    n_rows, size, (choice, ptr, follow, prob, reward, origin) = pack(
        rows, q, out, best, threshold, first=first, last=last
    )
    assert n_rows == len(kept) == choice[-1]
    assert origin[:n_rows].tolist() == kept
    assert np.array_equal(reward[:n_rows], rows.reward[kept])
    assert size == ptr[n_rows]
    spans = [np.r_[int(rows.row_ptr[row]) : int(rows.row_ptr[row + 1])] for row in kept]
    assert np.array_equal(follow[:size], rows.next_state[np.concatenate(spans)])
    assert np.array_equal(prob[:size], rows.prob[np.concatenate(spans)])
    assert np.array_equal(np.diff(ptr[: n_rows + 1]), [len(span) for span in spans])
    assert np.array_equal(origin[best[first:last]], before[first:last])
    assert np.array_equal(np.delete(best, np.s_[first:last]), np.delete(before, np.s_[first:last]))
    if threshold == np.inf:
        assert kept == [row for s in range(first, last) for row in rows.of(s)]


def test_pack_rows_keeps_the_named_row_even_if_its_value_is_lower():
    rows = build(1, [[(0.0, {0: 1.0}), (5.0, {0: 1.0}), (1.0, {0: 1.0})]])
    best = np.array([2], dtype=np.uint64)
    n_rows, _, packed = pack(rows, rows.reward, np.array([5.0]), best, 0.0)
    assert packed[-1][:n_rows].tolist() == [1, 2]
    assert best.tolist() == [1]


def test_packed_rows_sweep_like_the_rows_they_came_from():
    rows, v = random_rows(3, 13), whole_numbers(3, 13)
    q, out, best, _ = sweep(kernels.greedy_sweep, rows, 0.5, v)
    n_rows, _, packed = pack(rows, q, out, best, 0.0)
    again, inner, chosen = np.empty(n_rows), np.empty(13), np.empty(13, dtype=np.uint64)
    kernels.greedy_sweep(0, *packed[:5], 0.5, v, again, inner, chosen)
    assert np.array_equal(inner, out)
    assert np.array_equal(chosen, best)


# ---- one policy -------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "last"), [(0, 13), (2, 7), (12, 13)])
def test_copy_rows_copies_the_chosen_row_of_each_state(first, last):
    rows = random_rows(17, 13)
    rng = np.random.default_rng(0)
    chosen = np.array([rng.choice(rows.of(s)) for s in range(13)], dtype=np.uint64)
    chosen.setflags(write=False)
    n = last - first
    ptr, reward = np.empty(n + 1, dtype=np.uint64), np.empty(n)
    follow, prob = np.empty(3 * n, dtype=np.uint32), np.empty(3 * n)
    size = int(kernels.copy_rows(first, chosen, *rows[1:], ptr, follow, prob, reward))
    P = np.zeros((n, 13))
    for i in range(n):
        for k in range(int(ptr[i]), int(ptr[i + 1])):
            P[i, follow[k]] = prob[k]
    assert size == ptr[-1]
    assert np.array_equal(P, rows.kernel()[chosen[first:last]])
    assert np.array_equal(reward, rows.reward[chosen[first:last]])


@pytest.mark.parametrize("kernel", ["policy_sweep", "policy_sweep_dense"])
@pytest.mark.parametrize("n", [1, 5, 8, 17])
def test_policy_sweeps_apply_the_affine_map(kernel, n):
    rows = full_rows(n, n, most=1)
    v = np.random.default_rng(n).normal(size=n)
    out = np.empty(n)
    extremes = getattr(kernels, kernel)(0, *rows[1:], 0.9, v, out)
    np.testing.assert_allclose(out, greedy(rows, 0.9, v)[0], rtol=0, atol=1e-14)
    assert extremes == ((out - v).min(), (out - v).max())


@pytest.mark.parametrize("kernel", ["policy_sweep", "policy_sweep_dense"])
def test_policy_sweep_of_a_chunk(kernel):
    rows, first, last = full_rows(1, 9, most=1), 3, 7
    v = np.random.default_rng(1).normal(size=9)
    out = np.full(9, np.nan)
    part = (rows.row_ptr[first : last + 1], rows.next_state, rows.prob, rows.reward[first:last])
    low, high = getattr(kernels, kernel)(first, *part, 0.9, v, out)
    want = greedy(rows, 0.9, v)[0]
    np.testing.assert_allclose(out[first:last], want[first:last], rtol=0, atol=1e-14)
    assert np.isnan(np.delete(out, np.s_[first:last])).all()
    assert (low, high) == ((out - v)[first:last].min(), (out - v)[first:last].max())


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_policy_sweeps_leave_the_result_in_v_after_odd_and_even_counts(limit):
    rows, v = one_row_each(23, 8), whole_numbers(1, 8).copy()
    want, before = v.copy(), None
    for _ in range(limit):
        before, want = want, greedy(rows, 0.5, want)[0]
    count, low, high = kernels.policy_sweeps(*rows[1:], 0.5, v, np.full(8, np.nan), -1.0, limit)
    assert count == limit
    assert np.array_equal(v, want)
    assert (low, high) == ((want - before).min(), (want - before).max())


def test_policy_sweeps_stop_at_the_first_span_within_the_goal():
    rows, start = one_row_each(29, 8), whole_numbers(2, 8)
    spans, v = [], start
    for _ in range(40):
        after = greedy(rows, 0.5, v)[0]
        spans.append(np.ptp(after - v))
        v = after
    for goal in (np.inf, spans[0], spans[2], spans[3], spans[7]):
        first = next(i + 1 for i, span in enumerate(spans) if span <= goal)
        work = start.copy()
        count, low, high = kernels.policy_sweeps(*rows[1:], 0.5, work, np.empty(8), goal, 40)
        assert count == first
        assert high - low == spans[first - 1]


def test_kernels_accept_read_only_input_and_do_not_write_to_it():
    rows, v = random_rows(31, 5), whole_numbers(3, 5)
    before = [array.tobytes() for array in (*rows, v)]
    assert not any(array.flags.writeable for array in (*rows, v))
    sweep(kernels.greedy_sweep, rows, 0.5, v)
    kernels.best_reward(0, rows.choice_ptr, rows.reward, 0.0, *buffers(rows))
    assert [array.tobytes() for array in (*rows, v)] == before
