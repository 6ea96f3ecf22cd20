"""Inventory: order, sell, store and, if allowed, owe."""

import math

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_count, check_number
from mdptheory.environments._assemble import Transitions, build, point_mass, transitions
from mdptheory.models import Discounted, TabularMDP

MAX_DEMAND = 30  # the source cuts the Poisson demand here
PURCHASE, DELIVERY, HOLDING, BACKLOG, PRICE = 2.49, 0.49, 0.05, 0.15, 4.99


def poisson_demand(mean: float, largest: int) -> FloatArray:
    """Poisson probabilities of 0 to ``largest``, renormalised, shape (largest + 1,)."""
    k = np.arange(largest + 1)
    log_weight = k * math.log(mean) - np.array([math.lgamma(i + 1) for i in k])
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum()


def inventory(
    capacity: int = 20,
    max_order: int = 10,
    *,
    max_backlog: int = 0,
    mean_demand: float = 10.0,
    gamma: float = 0.95,
) -> TabularMDP:
    """Inventory with a Poisson demand, a fixed and a proportional ordering cost.

    An order arrives before the demand and is cut to the free space. A unit costs 2.49 and sells
    for 4.99; an order of at least one unit costs 0.49 besides; each unit left costs 0.05. Up to
    ``max_backlog`` units may be owed at 0.15 each; they are paid for when ordered by the customer,
    and demand beyond is lost.

    Parameters
    ----------
    capacity : int
        Largest stock.
    max_order : int
        Largest order; actions are 0 to ``max_order``.
    max_backlog : int
        Largest number of units owed. State ``i`` is a stock of ``i - max_backlog``, so that state
        0 is the largest backlog.
    mean_demand : float
        Mean of the Poisson demand before it is cut to 0..30 and renormalised.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with rewards per transition that starts with an empty stock and no backlog.

    Raises
    ------
    InvalidModelError
        If a size is too small, ``mean_demand`` is not positive, or ``gamma`` lies outside [0, 1).

    Notes
    -----
    The defaults are the source's instance of 21 levels. Its simulator with a backlog discards
    what exceeds the capacity after the demand and leaves the fixed cost out; the rules above are
    those of its instance without backlog, carried over.

    References
    ----------
    .. [1] M. Petrik et al., craam2, inventory domain script and ``craam/simulators/inventory.hpp``.

    Examples
    --------
    >>> mdp = inventory()
    >>> mdp.n_states, mdp.n_actions
    (21, 11)
    >>> inventory(max_backlog=5).state_label(0)
    '0 (stock -5)'
    """
    capacity = check_count("capacity", capacity)
    max_order = check_count("max_order", max_order)
    max_backlog = check_count("max_backlog", max_backlog, low=0)
    check_number("mean_demand", mean_demand, low=0.0, high=math.inf, open_low=True, open_high=True)
    moves = _moves(capacity, max_order, max_backlog, poisson_demand(mean_demand, MAX_DEMAND))
    n_states = capacity + 1 + max_backlog
    return build(
        n_states,
        moves,
        Discounted(gamma),
        initial=point_mass(n_states, max_backlog),
        state_names=tuple(f"stock {i - max_backlog}" for i in range(n_states)),
        action_names=tuple(f"order {a}" for a in range(max_order + 1)),
    )


def _moves(capacity: int, max_order: int, max_backlog: int, demand_prob: FloatArray) -> Transitions:
    stock, action, demand = np.meshgrid(
        np.arange(-max_backlog, capacity + 1),
        np.arange(max_order + 1),
        np.arange(len(demand_prob)),
        indexing="ij",
    )
    order = np.minimum(action, capacity - stock)
    left = np.maximum(stock + order - demand, -max_backlog)
    sold = stock + order - left
    # the reward depends on the demand only through what is left, so equal successors agree
    reward = (
        PRICE * sold
        - PURCHASE * order
        - DELIVERY * (order > 0)
        - HOLDING * np.maximum(left, 0)
        - BACKLOG * np.maximum(-left, 0)
    )
    return transitions(
        (stock + max_backlog, action, left + max_backlog, demand_prob[demand], reward)
    )
