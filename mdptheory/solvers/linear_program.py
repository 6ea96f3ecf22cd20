"""The linear program of a discounted MDP, solved by HiGHS and then certified."""

import numpy as np

from mdptheory.errors import NotConvergedError
from mdptheory.models import Solution, TabularMDP
from mdptheory.solvers._evaluation import evaluate_exactly
from mdptheory.solvers._planning import (
    check_options,
    contraction_room,
    plan,
    require_discounted,
)

POLISH_STEPS = 50


def linear_program(mdp: TabularMDP, *, tol: float = 1e-6) -> Solution:
    """Minimise ``sum_s v(s)`` subject to ``v >= r + gamma P v`` for every row.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model.
    tol : float
        Largest certified error of ``v`` in the sup norm, discounted reward.

    Returns
    -------
    Solution
        The program's optimum, polished by exact evaluation of its greedy policy where HiGHS' own
        tolerance is coarser than ``tol``. ``convergence.iterations`` counts the greedy sweeps.

    Raises
    ------
    InvalidModelError
        If the objective is not discounted, or ``tol`` is not positive.
    NotConvergedError
        If HiGHS gives up.

    References
    ----------
    F. d'Epenoux, "A probabilistic production and inventory problem", Management Science 10, 1963.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> linear_program(mdp).v.round(6)
    array([1.818182, 0.      ])
    """
    from scipy import sparse
    from scipy.optimize import linprog

    require_discounted(mdp, "linear_program")
    check_options(tol, POLISH_STEPS)
    contraction_room(mdp)  # else the program is infeasible
    kernel = sparse.csr_matrix(
        (mdp.prob, mdp.next_state, mdp.row_ptr), shape=(mdp.n_rows, mdp.n_states)
    )
    states = sparse.csr_matrix(
        (np.ones(mdp.n_rows), mdp.row_state(), np.arange(mdp.n_rows + 1)), shape=kernel.shape
    )
    result = linprog(
        np.ones(mdp.n_states),
        A_ub=mdp.gamma * kernel - states,
        b_ub=-mdp.reward,
        bounds=(None, None),
        method="highs",
    )
    if result.x is None:
        raise NotConvergedError(f"HiGHS stopped without a solution: {result.message}")
    return plan(mdp, evaluate_exactly, tol=tol, max_iter=POLISH_STEPS, v0=result.x)
