"""The five-state linear MDP on which distributionally robust linear methods are compared."""

import itertools

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_number
from mdptheory.errors import InvalidModelError
from mdptheory.models.linear import LinearMDP

_HORIZON, _FAIL, _GOAL = 3, 3, 4
_SHAPE = (_HORIZON, 4, 5)


def simulated_linear_mdp(
    xi: float = 0.2, *, delta: float = 0.3, leak: float = 0.001, leaky: float = 0.0
) -> LinearMDP:
    """Return the simulated linear MDP of Liu and Xu [1]_.

    An action of weight ``u`` sends state 0, 1 or 2 to the goal (state 4) with probability ``u``
    and else one state further, where a leak may end in the fail state (state 3).

    Parameters
    ----------
    xi : float
        How much actions matter: l1 norm of the parameter whose four entries are equal.
    delta : float
        Weight of the goal under an action of sum 0; a probability.
    leak : float
        Probability of the fail state instead of state 1 or 2.
    leaky : float
        Probability of the fail state instead of the goal, at every step; 0 in [1]_.

    Returns
    -------
    LinearMDP
        Horizon 3, 5 states, 16 actions, 4 factors; starts in state 0, fail state 3.

    Raises
    ------
    InvalidModelError
        If a number is no probability, or ``delta - xi`` or ``delta + xi`` is none.

    Notes
    -----
    Action ``a`` is the a-th of ``itertools.product((-1, 1), repeat=4)`` and has the weight
    ``u(a) = delta + xi * sum(action) / 4``: the least for action 0, the largest for action 15.
    Features are ``(1 - u, 0, 0, u)``, ``(0, 1 - u, 0, u)``, ``(0, 0, 1 - u, u)`` in the first three
    states, unit vectors in the last two. Only factor 3 is paid, from the second step on. Factors
    are the same at every step. Those a step cannot reach are free: this is one way to fill them.

    With ``leaky`` 0 the goal factor is one point: penalties on KL or chi-square divergence then
    leave its worth alone, so that the exact best policy does not react to them. ``leaky`` 0.05
    makes it react.

    References
    ----------
    .. [1] Z. Liu, P. Xu, "Minimax optimal and computationally efficient algorithms for
       distributionally robust offline reinforcement learning", NeurIPS 2024.

    Examples
    --------
    >>> mdp = simulated_linear_mdp(0.2)
    >>> mdp.kernel(0)[0, 15].round(4)
    array([0.    , 0.4995, 0.    , 0.0005, 0.5   ])
    """
    xi = check_number("xi", xi, low=0.0)
    delta = check_number("delta", delta, low=0.0, high=1.0)
    leak = check_number("leak", leak, low=0.0, high=1.0)
    leaky = check_number("leaky", leaky, low=0.0, high=1.0)
    if delta - xi < 0.0 or delta + xi > 1.0:
        raise InvalidModelError(
            f"xi is {xi} with delta {delta}; expected delta - xi >= 0 and delta + xi <= 1"
        )
    factors = np.zeros(_SHAPE[1:])
    factors[[0, 1], [1, 2]] = 1.0 - leak
    factors[[0, 1], _FAIL] = leak
    factors[2, _FAIL] = 1.0
    factors[3, _FAIL] = leaky
    factors[3, _GOAL] = 1.0 - leaky
    theta = np.zeros(_SHAPE[:2])
    theta[1:, 3] = 1.0
    mu = np.broadcast_to(factors, _SHAPE)
    return LinearMDP(_features(xi, delta), theta, mu, 0, _FAIL)


def simulated_target(mdp: LinearMDP, q: float) -> LinearMDP:
    """Return the perturbed environment in which policies for the simulated MDP are tested.

    Parameters
    ----------
    mdp : LinearMDP
        As `simulated_linear_mdp` returns it.
    q : float
        Probability that the goal factor of the first step ends in the fail state.

    Returns
    -------
    LinearMDP
        At the first step, factor 0 leads to state 1 without leak and factor 3 to the goal with
        probability ``1 - q``; later steps are those of ``mdp``.

    Raises
    ------
    InvalidModelError
        If ``q`` is no probability or the model has another shape or fail state.
    TypeError
        If ``mdp`` is no `LinearMDP`.

    Examples
    --------
    >>> simulated_target(simulated_linear_mdp(), 0.25).mu[0, 3]
    array([0.  , 0.  , 0.  , 0.25, 0.75])
    """
    q = check_number("q", q, low=0.0, high=1.0)
    if not isinstance(mdp, LinearMDP):
        raise TypeError(f"mdp is of type {type(mdp).__name__}; expected LinearMDP")
    if mdp.mu.shape != _SHAPE or mdp.fail_state != _FAIL:
        raise InvalidModelError(
            f"mdp has factors of shape {mdp.mu.shape} and fail state {mdp.fail_state}; expected a"
            f" simulated linear MDP, with {_SHAPE} and {_FAIL}"
        )
    mu = np.array(mdp.mu)
    mu[0, 0] = [0.0, 1.0, 0.0, 0.0, 0.0]
    mu[0, 3] = [0.0, 0.0, 0.0, q, 1.0 - q]
    return mdp.with_factors(mu)


def _features(xi: float, delta: float) -> FloatArray:
    """Return the features of shape (5, 16, 4)."""
    sums = np.array([sum(signs) for signs in itertools.product((-1, 1), repeat=4)])
    u = delta + xi * sums / 4
    phi = np.zeros((5, u.size, 4))
    for state in range(3):
        phi[state, :, state] = 1.0 - u
        phi[state, :, 3] = u
    phi[_FAIL, :, 2] = 1.0
    phi[_GOAL, :, 3] = 1.0
    return phi
