"""Machine replacement: repair early and pay a little, or late and pay much."""

import numpy as np

from mdptheory.environments._assemble import build, transitions, uniform
from mdptheory.models import Discounted, TabularMDP

LONG_REPAIR, SHORT_REPAIR = 8, 9
STATES = (*(f"wear {s}" for s in range(8)), "long repair", "short repair")
ACTIONS = ("nothing", "repair")


def machine_replacement(*, gamma: float = 0.9) -> TabularMDP:
    """Machine replacement with ten states and rewards on arrival.

    States 0 to 7 are degrees of wear, 8 is a long and 9 a short repair. Action 0 (nothing): wear
    up to 6 stays 0.2 and grows 0.8, 7 and 8 stay, 9 stays 0.2 and returns to 0 with 0.8. Action 1
    (repair): wear up to 6 grows 0.3, goes to the short repair 0.6, to the long one 0.1; 7 likewise
    but stays 0.3; 8 goes to 9 with 0.6, else stays; 9 stays. Arriving in 7 costs 20, in 8 costs
    10, in 9 costs 2; rewards are the negated costs.

    Parameters
    ----------
    gamma : float
        Discount factor per step; 0.9 goes with the stored golden value, [3]_ uses 0.8.

    Returns
    -------
    TabularMDP
        Model with rewards per transition, one a line of the source's CSV (a robust model must
        still choose the reward of successors that the file does not list), uniform first state.

    Raises
    ------
    InvalidModelError
        If ``gamma`` lies outside [0, 1).

    References
    ----------
    .. [1] M. Petrik et al., craam2, ``examples/R/machine_replacement/machine_replacement_mdp.csv``.
    .. [2] E. Delage, S. Mannor, "Percentile optimization for Markov decision processes with
       parameter uncertainty", Operations Research 58(1), 2010 (the domain; its random costs are
       not built here).
    .. [3] M. Li, D. Kuhn, T. Sutter, "Policy gradient algorithms for robust MDPs with
       non-rectangular uncertainty sets" (these costs, gamma 0.8, uniform first state).

    Examples
    --------
    >>> mdp = machine_replacement()
    >>> mdp.state_label(8), mdp.action_label(1)
    ('8 (long repair)', '1 (repair)')
    """
    s = np.arange(7)
    worn = np.arange(8)
    moves = transitions(
        (s, 0, s, 0.2, 0.0),
        (s, 0, s + 1, 0.8, 0.0),
        ([7, 8], 0, [7, 8], 1.0, 0.0),
        (SHORT_REPAIR, 0, [SHORT_REPAIR, 0], [0.2, 0.8], 0.0),
        (worn, 1, np.minimum(worn + 1, 7), 0.3, 0.0),
        (worn, 1, SHORT_REPAIR, 0.6, 0.0),
        (worn, 1, LONG_REPAIR, 0.1, 0.0),
        (LONG_REPAIR, 1, [LONG_REPAIR, SHORT_REPAIR], [0.4, 0.6], 0.0),
        (SHORT_REPAIR, 1, SHORT_REPAIR, 1.0, 0.0),
    )
    arrival = np.zeros(10)
    arrival[[7, LONG_REPAIR, SHORT_REPAIR]] = -20.0, -10.0, -2.0
    return build(
        10,
        moves._replace(reward=arrival[moves.next_state]),
        Discounted(gamma),
        initial=uniform(10),
        state_names=STATES,
        action_names=ACTIONS,
    )
