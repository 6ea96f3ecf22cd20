"""Value iteration with closed forms, as long as nature's rows are distributions."""

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_count, check_number, place
from mdptheory.errors import InvalidModelError
from mdptheory.iterate import Step, iterate
from mdptheory.models import Discounted, SignedLpBall, TabularMDP
from mdptheory.models.ambiguity import Radius
from mdptheory.models.result import Convergence
from mdptheory.operators.signed_lp import SignedLpStep, direction, signed_lp_bellman

UNIT = 2.3e-16
ROUNDINGS = 8  # of a row's outcomes


def signed_lp_value_iteration(
    mdp: TabularMDP,
    ball: SignedLpBall,
    *,
    reward_radius: Radius = 0.0,
    tol: float = 1e-6,
    max_iter: int = 100_000,
) -> tuple[FloatArray, SignedLpStep, Convergence]:
    """Iterate the closed forms of an Lp ball while nature's best rows are distributions.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model, with one reward a row.
    ball : SignedLpBall
        Radius, order and rectangularity.
    reward_radius : float or array
        Radius of the rewards in the same norm, of the shapes of the ball's radius.
    tol : float
        Certified sup-norm error at which to stop, discounted reward.
    max_iter : int
        Largest number of sweeps.

    Returns
    -------
    v : array of shape (n_states,)
        Robust value over the true distributions of the ball.
    step : SignedLpStep
        The last step: row values and policy.
    convergence : Convergence
        How the iteration ended.

    Raises
    ------
    InvalidModelError
        If at some iterate nature's best row has a negative entry, if the model is not discounted,
        or an argument does not fit.

    Notes
    -----
    Where no row is negative the closed form is the robust operator over true distributions, which
    contracts, so that MacQueen's bounds hold. With negative rows it may expand without bound.

    References
    ----------
    N. Kumar, K. Wang, K. Levy and S. Mannor, "Efficient value iteration for s-rectangular robust
    Markov decision processes", ICML 2024.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.5, 0.5]]], [[1.0], [0.0]], 0.9)
    >>> v, step, convergence = signed_lp_value_iteration(mdp, SignedLpBall(0.2, 1))
    >>> v
    array([4.60, 3.60])
    """
    if not isinstance(mdp.objective, Discounted):
        raise InvalidModelError(
            f"mdp has objective {type(mdp.objective).__name__}; signed_lp_value_iteration expects"
            " Discounted"
        )
    tolerance = check_number("tol", tol, low=0.0, open_low=True)
    sweeps = check_count("max_iter", max_iter)
    discount = mdp.gamma / (1.0 - mdp.gamma)
    v = np.zeros(mdp.n_states)
    found: list[SignedLpStep] = []

    def advance(i: int) -> Step:
        if i > 0:
            v[:] = found[-1].value
        step = signed_lp_bellman(mdp, ball, v, reward_radius=reward_radius)
        _require_distributions(mdp, ball, v, step)
        found[:] = [step]
        change = step.value - v
        low, high = float(change.min()), float(change.max())
        size = float(np.abs(mdp.reward).max() + np.abs(step.value).max())
        pad = ROUNDINGS * mdp.n_states * UNIT * size / (1.0 - mdp.gamma)
        return Step(low, high, discount * (high - low) / 2, pad, float(i + 1))

    convergence = iterate(advance, tol=tolerance, max_iter=sweeps)
    change = found[-1].value - v
    middle = discount * float(change.min() + change.max()) / 2
    return found[-1].value + middle, found[-1], convergence


def _require_distributions(
    mdp: TabularMDP, ball: SignedLpBall, v: FloatArray, step: SignedLpStep
) -> None:
    """Refuse an iterate at which nature's best row has a negative entry."""
    if v.min() == v.max():
        return
    states = mdp.row_state()
    for row in np.flatnonzero(step.share > 0.0):
        prob = np.zeros(mdp.n_states)
        some = slice(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1]))
        prob[mdp.next_state[some]] = mdp.prob[some]
        worst = prob + step.share[row] * direction(prob, v, ball.order)
        if (worst < -UNIT * mdp.n_states).any():
            k = int(np.argmin(worst))
            where = place("row", (int(states[row]), int(mdp.action[row]), k))
            raise InvalidModelError(
                f"nature's {where} is {worst[k]:.6g}: without the simplex the operator need not"
                " contract; expected a radius at which her rows stay distributions"
            )
