"""Simulated returns against a loop in Python that reads the same random numbers."""

import numpy as np
import pytest

from mdptheory.kernels.rollout import returns


def chain_rows(rng, n):
    """Random rows as CSR with distribution functions; the last state is absorbing, reward 0."""
    ptr, columns, cumulative = [0], [], []
    for s in range(n):
        size = 1 if s == n - 1 else int(rng.integers(1, n + 1))
        successors = [s] if s == n - 1 else np.sort(rng.choice(n, size, replace=False)).tolist()
        steps = np.cumsum(rng.dirichlet(np.ones(size)))
        steps[-1] = 1.0
        columns += successors
        cumulative += steps.tolist()
        ptr.append(len(columns))
    reward = np.append(rng.standard_normal(n - 1), 0.0)
    return np.array(ptr, np.uint64), np.array(columns, np.uint64), np.array(cumulative), reward


def slow(start, ptr, columns, cumulative, reward, gamma, horizon, rng, runs):
    out = []
    for _ in range(runs):
        u = rng.random()
        s = next(i for i, c in enumerate(start) if c > u)
        total = 0.0
        for t in range(horizon):
            total += gamma**t * reward[s]
            low, high = int(ptr[s]), int(ptr[s + 1])
            if high - low == 1:
                if columns[low] == s and reward[s] == 0:
                    break
                s = int(columns[low])
                continue
            u = rng.random()
            s = next(int(columns[k]) for k in range(low, high) if cumulative[k] > u)
        out.append(total)
    return np.array(out)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
@pytest.mark.parametrize("horizon", [1, 3, 40])
def test_returns_against_a_slow_loop(n, horizon):
    rng = np.random.default_rng(n)
    ptr, columns, cumulative, reward = chain_rows(rng, n)
    start = np.cumsum(rng.dirichlet(np.ones(n)))
    start[-1] = 1.0
    out = np.empty(50)
    fast, same = np.random.default_rng(7), np.random.default_rng(7)
    returns(start, ptr, columns, cumulative, reward, 0.9, horizon, fast, out)
    expected = slow(start, ptr, columns, cumulative, reward, 0.9, horizon, same, 50)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)
    assert fast.random() == same.random()  # as many numbers were drawn


def test_the_mean_return_is_the_value():
    rng = np.random.default_rng(0)
    n, gamma, runs = 5, 0.9, 20_000
    ptr, columns, cumulative, reward = chain_rows(rng, n)
    P = np.zeros((n, n))
    for s in range(n):
        some = slice(int(ptr[s]), int(ptr[s + 1]))
        P[s, columns[some].astype(int)] = np.diff(cumulative[some], prepend=0.0)
    v = np.linalg.solve(np.eye(n) - gamma * P, reward)
    start = np.array([1.0, 1.0, 1.0, 1.0, 1.0])
    out = np.empty(runs)
    returns(start, ptr, columns, cumulative, reward, gamma, 400, rng, out)
    assert abs(out.mean() - v[0]) <= 6 * out.std(ddof=1) / np.sqrt(runs)


def test_every_state_of_the_start_is_drawn_as_often_as_it_should():
    ptr = np.arange(4, dtype=np.uint64)
    columns = np.arange(3, dtype=np.uint64)
    start = np.cumsum([0.2, 0.0, 0.8])
    start[-1] = 1.0
    out = np.empty(20_000)
    rng = np.random.default_rng(0)
    returns(start, ptr, columns, np.ones(3), np.array([1.0, 2.0, 3.0]), 0.0, 1, rng, out)
    share = (out == 1.0).mean()
    assert not (out == 2.0).any()
    assert abs(share - 0.2) <= 6 * np.sqrt(0.16 / out.size)
