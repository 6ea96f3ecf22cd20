"""Exact planning, evaluation and expectations in a linear MDP whose kernel is known."""

import warnings

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_float_array,
    check_finite,
    check_number,
    check_shape,
    read_only,
)
from mdptheory.errors import UnderflowWarning
from mdptheory.kernels.linear_plan import apply_operator, plan_backward
from mdptheory.models.factor_ambiguity import FactorAmbiguity, factor_levels
from mdptheory.models.linear import LinearMDP
from mdptheory.models.linear_plan import LinearPlan
from mdptheory.solvers._linear_arguments import (
    action_chances,
    action_reference,
    check_linear,
    own_factors,
    sink,
)

DEEPEST = 700.0  # exp(-H / tau) is a normal float up to here


def linear_plan(
    mdp: LinearMDP,
    ambiguity: FactorAmbiguity | None = None,
    *,
    tau: float = 0.0,
    reference: npt.ArrayLike | None = None,
) -> LinearPlan:
    """Plan by backward induction against nature, with or without a temperature.

    Parameters
    ----------
    mdp : LinearMDP
        The nominal model.
    ambiguity : FactorAmbiguity, optional
        What nature may do to each factor at each step; None is nothing.
    tau : float
        Temperature in units of reward: the price of the policy's KL divergence from
        ``reference``. 0 maximises; a policy is then greedy with ties to the lowest action.
    reference : array of shape (A,), (S, A) or (H, S, A), optional
        Positive probabilities of actions; uniform if absent. Without effect if ``tau`` is 0.

    Returns
    -------
    LinearPlan
        Optimal values, the policy, nature's replies; exact up to rounding.

    Raises
    ------
    InvalidModelError
        If an argument does not fit the model, or features are negative and nature may act.

    Warns
    -----
    UnderflowWarning
        If ``H / tau > 700``: policies are numerically deterministic.

    Notes
    -----
    With ``sigma(i, v)`` nature's least ``E_mu v`` at factor i, a penalty's price included::

        q[h] = reward[h] + sum_i phi_i sigma(i, v[h + 1])
        v[h] = max_a q[h]   or   tau log sum_a reference_a exp(q[h] / tau)

    Nature may use every state; of equally bad ones she prefers the model's fail state.

    References
    ----------
    Z. Liu, P. Xu, "Minimax optimal and computationally efficient algorithms for distributionally
    robust offline reinforcement learning", NeurIPS 2024 (linear MDPs with an ambiguity a factor).

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> from mdptheory.models import TVBall
    >>> linear_plan(simulated_linear_mdp(0.2)).v[0, 0].round(6)
    np.float64(1.62425)
    >>> radius = np.zeros((3, 4))
    >>> radius[0, 3] = 0.5
    >>> linear_plan(simulated_linear_mdp(0.2), TVBall(radius)).v[0, 0].round(6)
    np.float64(1.22365)
    """
    check_linear(mdp, ambiguity)
    tau = check_number("tau", tau, low=0.0, open_high=True)
    if tau > 0.0 and mdp.horizon > DEEPEST * tau:
        warnings.warn(
            f"tau is {tau} at horizon {mdp.horizon}: policies are numerically deterministic",
            UnderflowWarning,
            stacklevel=2,
        )
    pi = np.zeros((mdp.horizon, mdp.n_states, mdp.n_actions))
    return _backward(mdp, ambiguity, tau, action_reference(mdp, reference), pi, given=False)


def linear_evaluate(
    mdp: LinearMDP,
    pi: npt.ArrayLike,
    ambiguity: FactorAmbiguity | None = None,
    *,
    tau: float = 0.0,
    reference: npt.ArrayLike | None = None,
) -> LinearPlan:
    """Evaluate a policy against nature.

    Parameters
    ----------
    mdp : LinearMDP
        The nominal model, or a target environment.
    pi : array
        Probabilities of shape (H, S, A) or (S, A), or actions, as integers, of shape (H, S) or
        (S,).
    ambiguity : FactorAmbiguity, optional
        What nature may do to each factor at each step; None is nothing.
    tau : float
        Temperature in units of reward: at each step the policy pays ``tau`` times its KL
        divergence from ``reference``, so that values may be negative.
    reference : array of shape (A,), (S, A) or (H, S, A), optional
        Positive probabilities of actions; uniform if absent. Without effect if ``tau`` is 0.

    Returns
    -------
    LinearPlan
        Values of the policy, nature's replies to it; exact up to rounding.

    Raises
    ------
    InvalidModelError
        If an argument does not fit the model, or features are negative and nature may act.

    References
    ----------
    Z. Liu, P. Xu, "Minimax optimal and computationally efficient algorithms for distributionally
    robust offline reinforcement learning", NeurIPS 2024 (linear MDPs with an ambiguity a factor).

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp, simulated_target
    >>> mdp = simulated_linear_mdp(0.2)
    >>> pi = linear_plan(mdp).pi
    >>> linear_evaluate(simulated_target(mdp, 1.0), pi).v[0, 0].round(6)
    np.float64(0.624875)
    """
    check_linear(mdp, ambiguity)
    tau = check_number("tau", tau, low=0.0, open_high=True)
    policy = action_chances(mdp, pi)
    return _backward(mdp, ambiguity, tau, action_reference(mdp, reference), policy, given=True)


def linear_occupation(
    mdp: LinearMDP, pi: npt.ArrayLike, factors: npt.ArrayLike | None = None
) -> FloatArray:
    """Return the distribution of the state at each step.

    Parameters
    ----------
    mdp : LinearMDP
        The model; its features, its first state.
    pi : array
        Probabilities of shape (H, S, A) or (S, A), or actions, as integers, of shape (H, S) or
        (S,).
    factors : array of shape (H, d, S), optional
        Factors in place of the model's, such as nature's reply ``worst`` of a plan.

    Returns
    -------
    array of shape (H, S)
        Probability of each state at each step.

    Raises
    ------
    InvalidModelError
        If an argument does not fit the model.

    References
    ----------
    M. L. Puterman, "Markov Decision Processes", Wiley, 1994, section 4.2.

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> mdp = simulated_linear_mdp(0.2, leak=0.0)
    >>> linear_occupation(mdp, np.full(5, 15))
    array([[1.  , 0.  , 0.  , 0.  , 0.  ],
           [0.  , 0.5 , 0.  , 0.  , 0.5 ],
           [0.  , 0.  , 0.25, 0.  , 0.75]])
    """
    check_linear(mdp, None)
    policy, mu = action_chances(mdp, pi), own_factors(mdp, factors)
    law = np.zeros((mdp.horizon, mdp.n_states))
    law[0] = mdp.start
    for h in range(mdp.horizon - 1):
        weight = np.einsum("s,sa,sad->d", law[h], policy[h], mdp.known.phi_at(h))
        law[h + 1] = weight @ mu[h]
    return law


def expected_total(
    mdp: LinearMDP, pi: npt.ArrayLike, cost: npt.ArrayLike, factors: npt.ArrayLike | None = None
) -> FloatArray:
    """Return the expected sum of a cost over the steps, from each first state.

    Parameters
    ----------
    mdp : LinearMDP
        The model; its features.
    pi : array
        Probabilities of shape (H, S, A) or (S, A), or actions, as integers, of shape (H, S) or
        (S,).
    cost : array of shape (H, S, A)
        What each action costs at each step; any finite numbers.
    factors : array of shape (H, d, S), optional
        Factors in place of the model's, such as nature's reply ``worst`` of a plan.

    Returns
    -------
    array of shape (S,)
        Expected sum from each state at the first step.

    Raises
    ------
    InvalidModelError
        If an argument does not fit the model.

    References
    ----------
    M. L. Puterman, "Markov Decision Processes", Wiley, 1994, section 4.2.

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> mdp = simulated_linear_mdp(0.2)
    >>> expected_total(mdp, np.full(5, 15), np.ones((3, 5, 16)))
    array([3., 3., 3., 3., 3.])
    """
    check_linear(mdp, None)
    policy, mu = action_chances(mdp, pi), own_factors(mdp, factors)
    paid = as_float_array("cost", cost)
    check_shape("cost", paid, mdp.reward.shape)
    check_finite("cost", paid)
    total = np.zeros(mdp.n_states)
    for h in range(mdp.horizon - 1, -1, -1):
        onward = mdp.known.phi_at(h) @ (mu[h] @ total)
        total = np.einsum("sa,sa->s", policy[h], paid[h] + onward)
    return total


def robust_operator(
    mdp: LinearMDP, ambiguity: FactorAmbiguity | None, v: npt.ArrayLike
) -> FloatArray:
    """Return what nature makes of values, step by step and without rewards.

    Parameters
    ----------
    mdp : LinearMDP
        The nominal model.
    ambiguity : FactorAmbiguity or None
        What nature may do to each factor at each step; None is nothing.
    v : array of shape (H + 1, S)
        Values; ``v[h + 1]`` are those after step h, ``v[0]`` is not read.

    Returns
    -------
    array of shape (H, S, A)
        ``sum_i phi_i(s, a) sigma(i, v[h + 1])`` with nature's least worth sigma of factor i.

    Raises
    ------
    InvalidModelError
        If an argument does not fit the model, or features are negative and nature may act.

    References
    ----------
    Z. Liu, P. Xu, "Minimax optimal and computationally efficient algorithms for distributionally
    robust offline reinforcement learning", NeurIPS 2024 (linear MDPs with an ambiguity a factor).

    Examples
    --------
    >>> from mdptheory.environments import simulated_linear_mdp
    >>> from mdptheory.models import TVPenalty
    >>> mdp = simulated_linear_mdp(0.2)
    >>> v = np.zeros((4, 5))
    >>> v[1, 4] = 2.0
    >>> robust_operator(mdp, TVPenalty(0.5), v)[0, 0, 15]
    np.float64(0.25)
    """
    check_linear(mdp, ambiguity)
    values = np.array(as_float_array("v", v), order="C")
    check_shape("v", values, (mdp.horizon + 1, mdp.n_states))
    check_finite("v", values)
    kind, level = factor_levels(ambiguity, mdp.horizon, mdp.n_factors)
    nu, worst = np.empty(level.shape), np.empty(mdp.mu.shape)
    out = np.empty(mdp.reward.shape)
    apply_operator(
        int(kind), level, mdp.known.features, read_only(np.zeros(out.shape[1:])), mdp.mu,
        sink(mdp), values, nu, worst, out,
    )  # fmt: skip
    return out


def _backward(
    mdp: LinearMDP,
    ambiguity: FactorAmbiguity | None,
    tau: float,
    reference: FloatArray,
    pi: FloatArray,
    *,
    given: bool,
) -> LinearPlan:
    """Run the kernel and freeze what it wrote."""
    kind, level = factor_levels(ambiguity, mdp.horizon, mdp.n_factors)
    v = np.zeros((mdp.horizon + 1, mdp.n_states))
    q, nu, worst = np.empty(pi.shape), np.empty(level.shape), np.empty(mdp.mu.shape)
    plan_backward(
        int(kind), level, mdp.known.features, mdp.reward, mdp.mu, sink(mdp), tau, reference,
        given, v, q, pi, nu, worst,
    )  # fmt: skip
    for array in (v, q, pi, nu, worst):
        array.setflags(write=False)
    return LinearPlan(v, q, pi, nu, worst, ambiguity, tau)
