"""Exact evaluation of one policy: direct for small models, Krylov for large ones."""

from mdptheory._typing import FloatArray
from mdptheory.operators.backup import Backup, PolicyRows

DIRECT_STATES = 500  # above this, fill-in makes elimination slower than Krylov on random models
KRYLOV_STEPS = 500


def evaluate_exactly(backup: Backup, v: FloatArray, span: float, target: float) -> FloatArray:
    """Solve ``(I - gamma P) v = r`` for the best rows.

    A Krylov breakdown leaves the best iterate: the greedy sweep that follows measures its error.
    """
    rows = backup.policy_rows(whole=True)
    if len(v) <= DIRECT_STATES:
        return solve_directly(rows, backup.gamma)
    rows.krylov(v, goal=0.1 * target, limit=KRYLOV_STEPS)
    return v


def solve_directly(rows: PolicyRows, gamma: float) -> FloatArray:
    """Solve by sparse LU."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    n = len(rows.reward)
    return splu((sparse.eye(n, format="csr") - gamma * rows.matrix()).tocsc()).solve(rows.reward)
