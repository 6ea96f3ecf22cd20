"""Exact evaluation of one policy: direct for small models, Krylov for large ones."""

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.kernels.bellman import gauss_seidel_from_zero
from mdptheory.operators import Backup, PolicyRows

DIRECT_STATES = 3_000  # above this, fill-in makes elimination slower than Krylov on random models
KRYLOV_ITERATIONS = 500


def evaluate_exactly(backup: Backup, v: FloatArray, span: float, target: float) -> FloatArray:
    """Solve ``(I - gamma P) v = r`` for the best rows."""
    rows = backup.compact(backup.best)
    if len(v) <= DIRECT_STATES:
        return solve_directly(rows, backup.gamma)
    return solve_by_krylov(rows, backup.gamma, v, 0.1 * target)


def solve_directly(rows: PolicyRows, gamma: float) -> FloatArray:
    """Solve by sparse LU."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    n = len(rows.reward)
    return splu((sparse.eye(n, format="csr") - gamma * rows.matrix()).tocsc()).solve(rows.reward)


def solve_by_krylov(rows: PolicyRows, gamma: float, v: FloatArray, atol: float) -> FloatArray:
    """Solve by BiCGSTAB from ``v``, preconditioned by one Gauss-Seidel sweep.

    A breakdown or an iteration limit leaves the best value so far: the greedy sweep that follows
    measures its error anyway.
    """
    from scipy.sparse.linalg import LinearOperator, bicgstab

    n = len(v)
    product = np.empty(n)

    def residual(x: FloatArray) -> FloatArray:
        rows.sweep(x, product)
        return x + rows.reward - product

    def precondition(b: FloatArray) -> FloatArray:
        out = np.zeros(n)
        rows.backup.work += len(rows.prob) / rows.backup.n_transitions
        gauss_seidel_from_zero(rows.ptr, rows.next_state, rows.prob, gamma, b, out)
        return out

    system = LinearOperator((n, n), matvec=residual, dtype=np.float64)
    helper = LinearOperator((n, n), matvec=precondition, dtype=np.float64)
    solved, _ = bicgstab(
        system, rows.reward, x0=v, rtol=0.0, atol=atol, maxiter=KRYLOV_ITERATIONS, M=helper
    )
    return solved if np.isfinite(solved).all() else v
