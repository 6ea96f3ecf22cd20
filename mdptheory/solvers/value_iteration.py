"""Value iteration with MacQueen bounds and action elimination."""

import numpy.typing as npt

from mdptheory.models import Solution, TabularMDP
from mdptheory.solvers._planning import macqueen_threshold, plan, require_discounted


def value_iteration(
    mdp: TabularMDP,
    *,
    tol: float = 1e-6,
    max_iter: int = 100_000,
    v0: npt.ArrayLike | None = None,
) -> Solution:
    """Iterate ``v <- T v`` until MacQueen's bounds enclose ``v*`` within ``tol``.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model.
    tol : float
        Largest certified error of ``v`` in the sup norm, discounted reward.
    max_iter : int
        Limit on sweeps.
    v0 : array of shape (n_states,), optional
        Where to start; a constant below ``v*`` if absent.

    Returns
    -------
    Solution
        ``v`` is the midpoint of the enclosure; ``q`` is one Bellman step, with maximum ``v``.

    Raises
    ------
    InvalidModelError
        If the objective is not discounted, or an option is out of range.

    Notes
    -----
    With ``d = T v - v``, monotonicity and ``T(v + c) = T v + gamma c`` give ``T v + gamma/(1-gamma)
    min d <= v* <= T v + gamma/(1-gamma) max d``. Actions below the best by more than
    ``gamma/(1-gamma) span(d)`` cannot be optimal and are not looked at again.

    References
    ----------
    J. MacQueen, "A modified dynamic programming method for Markovian decision problems", Journal
    of Mathematical Analysis and Applications 14, 1966; "A test for suboptimal actions in Markovian
    decision problems", Operations Research 15, 1967.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> value_iteration(mdp, tol=1e-9).v.round(6)
    array([1.818182, 0.      ])
    """
    require_discounted(mdp, "value_iteration")
    return plan(mdp, None, tol=tol, max_iter=max_iter, v0=v0, narrowing=macqueen_threshold)
