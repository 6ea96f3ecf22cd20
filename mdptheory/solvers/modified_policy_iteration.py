"""Modified policy iteration with adaptive evaluation sweeps."""

import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory.models import Solution, TabularMDP
from mdptheory.operators.backup import Backup
from mdptheory.solvers._planning import macqueen_threshold, plan, require_discounted

FORCING = 0.1  # evaluate until the policy's residual span is this part of the greedy step's
MAX_SWEEPS = 200


def evaluate_by_sweeps(backup: Backup, v: FloatArray, span: float, target: float) -> FloatArray:
    """Sweep with the best rows until their residual is small beside the last greedy step's."""
    rows = backup.policy_rows()
    goal = max(FORCING * span, 0.3 * target)
    v, _, low, high = rows.sweeps(v, goal=goal, limit=MAX_SWEEPS)
    v += backup.gamma / (1.0 - backup.gamma) * (low + high) / 2
    return v


def modified_policy_iteration(
    mdp: TabularMDP,
    *,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    v0: npt.ArrayLike | None = None,
) -> Solution:
    """Alternate greedy steps with as many evaluation sweeps as still pay.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model.
    tol : float
        Largest certified error of ``v`` in the sup norm, discounted reward.
    max_iter : int
        Limit on greedy steps.
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
    Evaluation of a policy stops once the span of its residual is a tenth of the last greedy step's:
    more would solve for a policy that is about to change.

    References
    ----------
    M. L. Puterman and M. C. Shin, "Modified policy iteration algorithms for discounted Markov
    decision problems", Management Science 24, 1978.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> modified_policy_iteration(mdp, tol=1e-9).v.round(6)
    array([1.818182, 0.      ])
    """
    require_discounted(mdp, "modified_policy_iteration")
    return plan(
        mdp, evaluate_by_sweeps, tol=tol, max_iter=max_iter, v0=v0, narrowing=macqueen_threshold
    )
