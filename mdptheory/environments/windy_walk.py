"""Windy walk: three corridors with wind against the walker, and how strong it is, unknown."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import as_float_array, check_count, check_number, check_shape, place
from mdptheory.environments._assemble import Transitions, build, point_mass, transitions
from mdptheory.errors import InvalidModelError
from mdptheory.models import Discounted, FiniteSet, TabularMDP

ACTIONS = ("north", "south", "east", "west")
ROW_STEP = np.array([-1, 1, 0, 0])
COLUMN_STEP = np.array([0, 0, 1, -1])
WEST = 3
LONG = 16  # corridor length from which the southern corridor pays in a strong wind


@dataclass(frozen=True, slots=True, eq=False)
class WindyFamily:
    """The windy walk in several winds: one kernel a wind, for robust planning.

    Attributes
    ----------
    alphas : array of shape (K,)
        Wind strength of each kernel.
    kernels : array of shape (K, S, A, S)
        Transition probabilities ``P[s, a, s']`` in each wind.
    reward : array of shape (S, A)
        Reward of each state-action pair, the same in each wind.
    start, goal : int
        Cells S and G.
    """

    alphas: FloatArray
    kernels: FloatArray
    reward: FloatArray
    start: int
    goal: int

    def ambiguity(self, *, coupled: bool) -> FiniteSet:
        """Return the family as an ambiguity set: one wind for all pairs, or one for each pair."""
        return FiniteSet(self.kernels, coupled=coupled)


def windy_walk(
    alpha: float = 0.5,
    *,
    corridor_len: int = 3,
    c: int = 1,
    rows: int = 6,
    gamma: float = 0.95,
) -> TabularMDP:
    """Walk from S to G through one of three corridors; the shortest has the strongest wind.

    Cells are numbered row by row, row 0 in the north. Walls fill ``corridor_len`` cells of rows 1
    and 3 from column ``c`` on; those columns are a corridor in row 0 (north), row 2 (middle) and
    rows 4 to the last (south). Elsewhere a move succeeds; off the grid or into a wall it stays. The
    wind blows ``w = alpha`` in the north corridor, ``alpha^3`` in the middle, ``alpha^6`` in the
    south: west always succeeds, every other move only with probability ``1 - w``, and else the
    walker is blown one cell west. In the north and middle corridors walls bar north and south.

    Parameters
    ----------
    alpha : float
        Wind strength in [0, 1].
    corridor_len : int
        Cells of a corridor; the grid is three columns wider.
    c : int
        First column of the corridors, 1 or 2.
    rows : int
        Rows of the grid, at least 5.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with reward -1 a step until G, which is absorbing with reward 0, as are the walls,
        which nobody reaches. It starts in S, state 0; G is state ``corridor_len + 2``. Both, and
        the walls, carry their names.

    Raises
    ------
    InvalidModelError
        If ``alpha`` lies outside [0, 1], ``c`` is not 1 or 2, a size is too small or ``gamma`` lies
        outside [0, 1).

    Notes
    -----
    The text of [1]_ gives 36 cells, 6 walls, three corridors and the wind; where the walls stand is
    a reconstruction, which agrees with every sentence of the text.

    References
    ----------
    .. [1] A. Zouitine, D. Bertoin, P. Clavier, M. Geist, E. Rachelson, "Solving robust MDPs as a
       sequence of static RL problems", arXiv 2410.06212, 2024, section 4 and appendix E.

    Examples
    --------
    >>> mdp = windy_walk(0.25)
    >>> mdp.n_states, mdp.state_label(5), mdp.state_label(7)
    (36, '5 (G)', '7 (wall 1,1)')
    """
    number = check_number("alpha", alpha, low=0.0, high=1.0)
    rows, width = _sizes(corridor_len, c, rows)
    n_states = rows * width
    moves = _moves(number, corridor_len, c, rows)
    reward = np.full((n_states, 4), -1.0)
    reward[_resting(corridor_len, c, rows)] = 0.0
    walls = _wall_cells(corridor_len, c, rows)
    names = {0: "S", width - 1: "G"}
    names |= {int(s): f"wall {s // width},{s % width}" for s in walls}
    return build(
        n_states,
        moves,
        Discounted(gamma),
        pair_reward=reward.ravel(),
        initial=point_mass(n_states, 0),
        state_names=tuple(names.get(s, f"{s // width},{s % width}") for s in range(n_states)),
        action_names=ACTIONS,
    )


def windy_walk_long(alpha: float = 0.5, *, gamma: float = 0.95) -> TabularMDP:
    """Windy walk with corridors so long that every one of them is best in some wind.

    Parameters
    ----------
    alpha : float
        Wind strength in [0, 1].
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        `windy_walk` with corridors of 16 cells: 114 cells in 6 rows and 19 columns.

    Raises
    ------
    InvalidModelError
        If ``alpha`` lies outside [0, 1] or ``gamma`` outside [0, 1).

    Notes
    -----
    Ours: in the published size the southern corridor is never the best one for ``alpha`` up to 0.5.

    Examples
    --------
    >>> windy_walk_long(0.5).state_label(18)
    '18 (G)'
    """
    return windy_walk(alpha, corridor_len=LONG, gamma=gamma)


def windy_walk_family(
    alphas: npt.ArrayLike | None = None, *, corridor_len: int = 3, c: int = 1, rows: int = 6
) -> WindyFamily:
    """Return the windy walk in several winds, as arrays and as an ambiguity set.

    Parameters
    ----------
    alphas : array of shape (K,), optional
        Wind strengths in [0, 1]; the 25 of the paper, ``linspace(0, 0.5, 25)``, if absent.
    corridor_len, c, rows : int
        As in `windy_walk`; a ``corridor_len`` of 16 is `windy_walk_long`.

    Returns
    -------
    WindyFamily
        Kernels, reward, S and G.

    Raises
    ------
    InvalidModelError
        If there is no strength, one lies outside [0, 1], or a size does not fit.

    Examples
    --------
    >>> family = windy_walk_family()
    >>> family.kernels.shape, family.start, family.goal
    ((25, 36, 4, 36), 0, 5)
    """
    winds = (
        np.linspace(0.0, 0.5, 25) if alphas is None else np.array(as_float_array("alphas", alphas))
    )
    check_shape("alphas", winds, (None,))
    if winds.size == 0:
        raise InvalidModelError("alphas has no entries; expected at least one wind strength")
    for k, alpha in enumerate(winds):
        check_number(place("alphas", k), float(alpha), low=0.0, high=1.0)
    rows, width = _sizes(corridor_len, c, rows)
    n_states = rows * width
    kernels = np.zeros((len(winds), n_states, 4, n_states))
    for kernel, alpha in zip(kernels, winds, strict=True):
        moves = _moves(float(alpha), corridor_len, c, rows)
        np.add.at(kernel, (moves.state, moves.action, moves.next_state), moves.prob)
    reward = np.full((n_states, 4), -1.0)
    reward[_resting(corridor_len, c, rows)] = 0.0
    for array in (winds, kernels, reward):
        array.setflags(write=False)
    return WindyFamily(winds, kernels, reward, 0, width - 1)


def _sizes(corridor_len: int, c: int, rows: int) -> tuple[int, int]:
    """Return rows and columns of the grid, or refuse sizes without three corridors."""
    width = check_count("corridor_len", corridor_len) + 3
    if check_count("c", c) > 2:
        raise InvalidModelError(
            f"c is {c}; expected 1 or 2, so that the corridors end before both edges"
        )
    return check_count("rows", rows, low=5), width


def _wall_cells(corridor_len: int, c: int, rows: int) -> npt.NDArray[np.int64]:
    width = corridor_len + 3
    return (np.array([[1], [3]]) * width + np.arange(c, c + corridor_len)).ravel()


def _resting(corridor_len: int, c: int, rows: int) -> npt.NDArray[np.int64]:
    """Return the cells without a way out: walls and G."""
    return np.append(_wall_cells(corridor_len, c, rows), corridor_len + 2)


def _moves(alpha: float, corridor_len: int, c: int, rows: int) -> Transitions:
    """Return the transitions: where each move leads, and where the wind blows it."""
    width = corridor_len + 3
    s, a = np.divmod(np.arange(4 * rows * width), 4)
    row, column = np.divmod(s, width)
    target = _step(row, column, a, corridor_len, c, rows)
    blown = _step(row, column, np.full_like(a, WEST), corridor_len, c, rows)
    inside = (column >= c) & (column < c + corridor_len)
    north, middle, south = (inside & there for there in (row == 0, row == 2, row >= 4))
    wind = np.select([north, middle, south], [alpha, alpha**3, alpha**6], 0.0)
    wind[a == WEST] = 0.0
    resting = np.isin(s, _resting(corridor_len, c, rows))
    wind[resting] = 0.0
    target[resting] = s[resting]
    return transitions((s, a, target, 1.0 - wind, 0.0), (s, a, blown, wind, 0.0))


def _step(
    row: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
    action: npt.NDArray[np.int64],
    corridor_len: int,
    c: int,
    rows: int,
) -> npt.NDArray[np.int64]:
    """Return the cell one step on; off the grid or into a wall the walker stays."""
    width = corridor_len + 3
    ahead = np.clip(row + ROW_STEP[action], 0, rows - 1) * width
    ahead += np.clip(column + COLUMN_STEP[action], 0, width - 1)
    barred = np.isin(ahead, _wall_cells(corridor_len, c, rows))
    return np.where(barred, row * width + column, ahead)
