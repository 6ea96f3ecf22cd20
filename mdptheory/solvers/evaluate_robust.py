"""The value of a given policy against nature."""

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import (
    as_array,
    as_float_array,
    as_index_array,
    check_shape,
    check_simplex,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models import AmbiguitySet, RobustSolution, TabularMDP
from mdptheory.models.ambiguity import is_s_rectangular
from mdptheory.solvers._robust_planning import contract, play, require_robust


def evaluate_robust(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    policy: npt.ArrayLike,
    *,
    tol: float = 1e-6,
    max_iter: int = 10_000,
) -> RobustSolution:
    """Find what a policy earns against the worst rows of an ambiguity set.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model, discounted.
    ambiguity : AmbiguitySet
        Where nature picks each row from, or with ``rectangularity="s"`` the rows of each state.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.
    tol : float
        Largest certified error of ``v`` in the sup norm, discounted reward.
    max_iter : int
        Limit on rounds of nature's.

    Returns
    -------
    RobustSolution
        ``v`` is the policy's robust value; the certificate is about this policy alone
        (``fixed``), and ``worst_case`` holds nature's reply to it.

    Raises
    ------
    InvalidModelError
        If the objective is not discounted, the policy is no distribution or uses an action that is
        not available, the set does not fit the model, or an option is out of range.

    Notes
    -----
    Nature's policy iteration: a linear solve with her reply held fixed, then her reply to the
    result, with a sweep of value iteration in its place where the residual does not shrink by
    ``gamma``. Against a stationary policy a nature that may change her rows at every step earns no
    more than one that may not.

    References
    ----------
    G. N. Iyengar, "Robust dynamic programming", Mathematics of Operations Research 30, 2005.

    Examples
    --------
    >>> from mdptheory.models import L1Ball
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> evaluate_robust(mdp, L1Ball(0.2, support="nominal"), [0, 0], tol=1e-9).v.round(6) + 0.0
    array([1.5625, 0.    ])
    """
    require_robust(mdp, "evaluate_robust")
    given = _policy(mdp, policy, s_rectangular=is_s_rectangular(ambiguity))
    return play(mdp, ambiguity, contract, tol=tol, max_iter=max_iter, policy=given)


def _policy(
    mdp: TabularMDP, policy: npt.ArrayLike, *, s_rectangular: bool
) -> IntArray | FloatArray:
    """Return action ids, or probabilities over available actions."""
    given = as_array("policy", policy)
    if given.ndim != 2:
        actions = as_index_array("policy", given)
        mdp.policy_rows(actions)  # refuses an action that is not available
        if not s_rectangular:
            return np.array(actions, dtype=np.int64)
        return np.eye(mdp.n_actions)[actions]
    pi = np.array(as_float_array("policy", given))
    check_shape("policy", pi, (mdp.n_states, mdp.n_actions))
    check_simplex("policy", pi)
    available = np.isfinite(mdp.table(np.zeros(mdp.n_rows)))
    if (pi[~available] > 0).any():
        s, a = (int(i) for i in np.argwhere((pi > 0) & ~available)[0])
        raise InvalidModelError(
            f"policy[{s}, {a}] is {pi[s, a]}: action {mdp.action_label(a)} is not available in"
            f" state {mdp.state_label(s)}"
        )
    return pi / pi.sum(axis=1, keepdims=True)  # sums may be off by 1e-9: that is no rounding
