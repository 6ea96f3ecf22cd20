"""The vectorised exponential, the dual of the KL ball, and the sorting of sparse rows."""

import numpy as np
import pytest

from mdptheory.kernels import robust_kl, robust_sparse
from mdptheory.kernels.divergence import kl_row
from mdptheory.kernels.robust_reply import CVAR, L1, LINF, longest_row
from mdptheory.models import CVaRSet, L1Ball, LinfBall
from mdptheory.operators import worst_case


def test_decay_is_the_exponential_to_two_roundings():
    x = np.concatenate([np.linspace(0, 1, 1001), np.geomspace(1e-18, 690, 1003), [0.0]])
    power, out = np.empty(x.size), np.empty(x.size)
    for tau in (1.0, 0.37, 1e-9):
        robust_kl.decay(tau, x, power, power.view(np.int64), out)
        np.testing.assert_allclose(out, np.exp(-tau * x), rtol=5e-16, atol=0)
    robust_kl.decay(1e9, x[:4], power[:4], power.view(np.int64)[:4], out[:4])
    assert out[0] == 1.0
    assert (out[1:4] <= 1e-300).all()  # held above 0, far below anything that counts


@pytest.mark.parametrize("seed", range(5))
def test_kl_sweep_agrees_with_the_primal_rows_cold_warm_and_after_jumps(seed):
    rng = np.random.default_rng(seed)
    n, rows = 30, 60
    follow = np.concatenate([np.sort(rng.choice(n, 7, replace=False)) for _ in range(rows)])
    prob = rng.dirichlet(np.full(7, 0.3), rows) + 1e-12
    prob /= prob.sum(axis=1, keepdims=True)
    radius = rng.choice([0.0, 1e-9, 1e-3, 0.01, 0.3, 2.0, 30.0, 1e300], rows)
    ptr = np.arange(0, 7 * rows + 1, 7).astype(np.uint64)
    tau, out = np.zeros(rows), np.empty(rows)
    v = rng.normal(size=n)
    for u in (v, v + 1e-3 * rng.normal(size=n), 1e9 * v, 1e-9 * v + 5.0, np.round(v), 0 * v):
        slack = robust_kl.kl_sweep(
            0, rows, longest_row(ptr), ptr, follow.astype(np.uint32), prob.ravel(), np.empty(0),
            np.zeros(rows), radius, 0.9, u, tau, out,
        )  # fmt: skip
        size = 1.0 + np.abs(u).max()
        assert 0.0 <= slack <= 1e-11 * size
        for k in range(rows):
            z, q = 0.9 * u[follow[7 * k : 7 * k + 7]], np.empty(7)
            value, *_ = kl_row(prob[k], z, radius[k], q)
            assert out[k] == pytest.approx(value, abs=2e-13 * size)


@pytest.mark.parametrize("length", [1, 2, 9, 24, 25, 80])
@pytest.mark.parametrize("kind", [L1, LINF, CVAR])
def test_sparse_rows_are_left_in_ascending_order_with_their_own_outcomes(kind, length):
    rng = np.random.default_rng(length)
    n, rows = 100, 20
    follow = np.stack([np.sort(rng.choice(n, length, replace=False)) for _ in range(rows)])
    prob = rng.dirichlet(np.ones(length), rows)
    columns, mass = follow.ravel().astype(np.uint32), prob.ravel().copy()
    ptr = np.arange(0, length * rows + 1, length).astype(np.uint64)
    out, v = np.empty(rows), rng.normal(size=n)
    for u in (v, v + 0.02 * rng.normal(size=n), np.round(v), -v):
        robust_sparse.sparse_sweep(
            kind, 0, rows, length, ptr, columns, mass, np.empty(0), np.zeros(rows),
            np.full(rows, 0.3), np.inf, 1.0, u, out,
        )  # fmt: skip
        for k in range(rows):
            some = slice(k * length, (k + 1) * length)
            assert (np.diff(u[columns[some]]) >= 0.0).all()
            back = np.argsort(columns[some])
            assert (columns[some][back] == follow[k]).all()
            assert (mass[some][back] == prob[k]).all()


@pytest.mark.parametrize("kind", [L1, LINF, CVAR])
@pytest.mark.parametrize("length", [3, 24, 60])
def test_rewards_per_transition_travel_with_their_outcomes(kind, length):
    rng = np.random.default_rng(length)
    rows, n, gamma = 5, 80, 0.9
    follow = np.stack([np.sort(rng.choice(n, length, replace=False)) for _ in range(rows)])
    prob, paid = rng.dirichlet(np.ones(length), rows), rng.normal(size=(rows, length))
    columns, mass, kept = follow.ravel().astype(np.uint32), prob.ravel().copy(), paid.ravel().copy()
    ptr = np.arange(0, length * rows + 1, length).astype(np.uint64)
    out, v = np.empty(rows), rng.normal(size=n)
    for u in (v, v + 0.02 * rng.normal(size=n), -v):
        robust_sparse.sparse_sweep(
            kind, 0, rows, length, ptr, columns, mass, kept, np.zeros(rows), np.full(rows, 0.3),
            np.inf, gamma, u, out,
        )  # fmt: skip
        for k in range(rows):
            z = paid[k] + gamma * u[follow[k]]
            ball = {
                L1: L1Ball(0.3, "nominal"),
                LINF: LinfBall(0.3, "nominal"),
                CVAR: CVaRSet(0.3),
            }[kind]
            assert out[k] == pytest.approx(worst_case(prob[k], z, ball).value, abs=1e-12)
