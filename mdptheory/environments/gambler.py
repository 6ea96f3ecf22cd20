"""Gambler's ruin: stake part of a capital until it is lost or a target is reached."""

import numpy as np

from mdptheory._validation import check_count, check_number
from mdptheory.environments._assemble import Transitions, build, transitions
from mdptheory.models import Discounted, TabularMDP, TotalReward


def gamblers_ruin(
    capital: int = 10, win_probability: float = 0.4, *, gamma: float = 0.95
) -> TabularMDP:
    """Gambler's ruin as a discounted benchmark: winning early pays.

    State ``s`` is the money held, 0 to ``capital``. Action ``b`` bets ``b`` in 0..s: it is won with
    ``win_probability`` (what exceeds the target is cut) and lost otherwise. In the absorbing state
    ``capital`` each step pays 1; state 0 is absorbing with reward 0.

    Parameters
    ----------
    capital : int
        Target, at least 1.
    win_probability : float
        Probability of winning a bet.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model whose states have ``s + 1`` actions each, the two absorbing ones a single action.

    Raises
    ------
    InvalidModelError
        If ``capital`` is less than 1, ``win_probability`` lies outside [0, 1] or ``gamma`` outside
        [0, 1).

    References
    ----------
    .. [1] K. Badger, M. Huang, M. Petrik, "Convergence of fast policy iteration in Markov games and
       robust MDPs", AAAI 2026 (the domain; the default sizes are ours).

    Examples
    --------
    >>> gamblers_ruin(3).choice_ptr
    array([0, 1, 3, 6, 7])
    """
    capital, win = _checked(capital, win_probability)
    bets = [(s, b) for s in range(1, capital) for b in range(s + 1)]
    moves = _game(capital, win, bets)
    reward = np.where(moves.state == capital, 1.0, 0.0)
    return build(capital + 1, moves._replace(reward=reward), Discounted(gamma))


def gamblers_ruin_total(capital: int = 16, win_probability: float = 0.4) -> TabularMDP:
    """Gambler's ruin in its classical form: maximise the probability of reaching the target.

    As `gamblers_ruin`, but undiscounted: the reward 1 is paid once, on arrival at the target, and
    bets run from 1 to ``min(s, capital - s)``, so that every policy ends.

    Parameters
    ----------
    capital : int
        Target, at least 1.
    win_probability : float
        Probability of winning a bet.

    Returns
    -------
    TabularMDP
        Model with the `TotalReward` objective; action ``b`` bets ``b + 1``, and in the two
        absorbing states action 0 does nothing.

    Raises
    ------
    InvalidModelError
        If ``capital`` is less than 1, or ``win_probability`` lies outside [0, 1].

    Notes
    -----
    With odds ``p <= 1/2`` bold play is optimal, ``v(x) = p v(2x)`` for ``x <= 1/2`` and
    ``p + (1 - p) v(2x - 1)`` above, where ``x = s / capital`` [1]_. With ``p > 1/2`` betting 1
    is, and ``v = (1 - z^s) / (1 - z^capital)`` for ``z = (1 - p) / p``.

    References
    ----------
    .. [1] L. E. Dubins, L. J. Savage, "How to gamble if you must", McGraw-Hill, 1965.

    Examples
    --------
    >>> gamblers_ruin_total(4, 0.5).action
    array([0, 0, 0, 1, 0, 0], dtype=int32)
    """
    capital, win = _checked(capital, win_probability)
    bets = [(s, b) for s in range(1, capital) for b in range(1, min(s, capital - s) + 1)]
    moves = _game(capital, win, bets)
    arrives = (moves.next_state == capital) & (moves.state != capital)
    playing = (moves.state > 0) & (moves.state < capital)
    moves = moves._replace(action=moves.action - playing, reward=np.where(arrives, 1.0, 0.0))
    return build(capital + 1, moves, TotalReward())


def _checked(capital: int, win_probability: float) -> tuple[int, float]:
    return (
        check_count("capital", capital),
        check_number("win_probability", win_probability, low=0.0, high=1.0),
    )


def _game(capital: int, win: float, bets: list[tuple[int, int]]) -> Transitions:
    """Transitions of the listed bets and of the two absorbing states; no rewards yet."""
    s, b = np.array(bets, dtype=np.int64).reshape(-1, 2).T
    return transitions(
        (s, b, np.minimum(s + b, capital), win, 0.0),
        (s, b, s - b, 1.0 - win, 0.0),
        ([0, capital], 0, [0, capital], 1.0, 0.0),
    )
