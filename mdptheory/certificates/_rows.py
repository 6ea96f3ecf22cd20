"""Nature's rows beside the nominal ones: which outcomes, how likely, worth how much."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.certificates._enclosure import Enclosure, Load
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import FiniteSet, IntervalSet, TabularMDP, TransportPlan, WassersteinBall
from mdptheory.models.ambiguity import RowAmbiguity, is_s_rectangular

BLOCK = 1 << 17  # outcomes looked at together: arrays that stay in a cache


class Stage(NamedTuple):
    """One stage of a model, with rows numbered from 0."""

    choice_ptr: IntArray  # (S + 1,)
    action: IntArray  # (n_rows,)
    row_ptr: IntArray  # (n_rows + 1,)
    next_state: IntArray
    prob: FloatArray
    reward: FloatArray  # (n_rows,)
    paid: FloatArray | None  # per transition; then ``reward`` is not added
    first: int  # transitions of the model before this stage

    @property
    def states(self) -> IntArray:
        """Return the state of each row."""
        return np.repeat(np.arange(len(self.choice_ptr) - 1), np.diff(self.choice_ptr))


def stage_of(mdp: TabularMDP, stage: int) -> Stage:
    """Return one stage of a model; stationary data serve every stage."""
    block = stage * mdp.n_states if mdp.n_stages > 1 else 0
    choice = np.asarray(mdp.choice_ptr[block : block + mdp.n_states + 1], dtype=np.int64)
    rows = slice(int(choice[0]), int(choice[-1]))
    ptr = np.asarray(mdp.row_ptr[rows.start : rows.stop + 1], dtype=np.int64)
    some = slice(int(ptr[0]), int(ptr[-1]))
    paid = mdp.transition_reward
    return Stage(
        choice - choice[0], mdp.action[rows], ptr - ptr[0], mdp.next_state[some], mdp.prob[some],
        mdp.reward[rows], None if paid is None else paid[some], some.start,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    """One stage of the game: a set, the nominal rows, nature's rows."""

    ambiguity: RowAmbiguity
    nominal: Stage
    worst: Stage
    plan: TransportPlan | None  # of this stage's rows
    n_states: int
    load: Load
    name: Callable[[int], str]  # of a row, in messages
    states: IntArray  # of the rows
    limit: FloatArray  # radius, alpha or fraction: one a row, or one a state if shared; or empty

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.nominal.reward)

    @property
    def shared(self) -> bool:
        """Whether the rows of a state share one budget."""
        return is_s_rectangular(self.ambiguity)


class Outcomes(NamedTuple):
    """Some rows side by side, with the outcomes that nature may use.

    Numbers are enclosures; probabilities are divided by their row's sum.
    """

    rows: IntArray  # of the stage
    ptr: IntArray
    row: IntArray  # of each outcome, counted from 0 in this block
    state: IntArray  # the successor
    place: IntArray  # which nominal transition it is, -1 if not listed
    there: BoolArray  # whether the nominal row has mass there
    p: Enclosure
    q: Enclosure | None
    x: Enclosure  # what the outcome is worth
    least: Enclosure  # (rows,): the least worth that nature may pick


def reaches_beyond(ambiguity: RowAmbiguity) -> bool:
    """Return whether nature may use outcomes that a nominal row does not list."""
    if isinstance(ambiguity, IntervalSet):
        return ambiguity.row_ptr is None
    if isinstance(ambiguity, FiniteSet | WassersteinBall):
        return True
    return getattr(ambiguity, "support", "nominal") == "all"


def blocks(board: Board, rows: IntArray, everywhere: bool) -> Iterator[IntArray]:
    """Split rows so that few outcomes are looked at together."""
    longest = max(
        board.n_states if everywhere else 1,
        int(np.diff(board.nominal.row_ptr).max()),
        int(np.diff(board.worst.row_ptr).max()),
    )
    size = max(1, BLOCK // longest)
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def segments(ptr: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return the pointers of a compact copy of some CSR rows, and which entries it takes."""
    lengths = ptr[rows + 1] - ptr[rows]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return ends, np.repeat(ptr[rows] - ends[:-1], lengths) + np.arange(ends[-1])


def outcomes(
    board: Board, rows: IntArray, z: Enclosure, *, with_nature: bool, everywhere: bool
) -> Outcomes:
    """Lay out some rows; refuse mass where nature may not have any.

    ``z`` is what the states are worth to come, ``everywhere`` lists every state in every row.
    """
    nominal, n = board.nominal, board.n_states
    ptr, some = segments(nominal.row_ptr, rows)
    cells = np.repeat(np.arange(len(rows)) * n, np.diff(ptr)) + nominal.next_state[some]
    layout, found = cells, np.zeros(0, dtype=np.int64)
    if with_nature:  # the same successors, as often, need no search
        ends, taken = segments(board.worst.row_ptr, rows)
        found = np.repeat(np.arange(len(rows)) * n, np.diff(ends)) + board.worst.next_state[taken]
        if not everywhere and not np.array_equal(cells, found):
            layout = np.union1d(cells, found)
    if everywhere:
        layout = np.arange(len(rows) * n)
    place = np.full(len(layout), -1)
    place[np.searchsorted(layout, cells)] = some
    p = np.where(place >= 0, nominal.prob[place], 0.0)
    q = np.zeros(len(layout))
    if with_nature:
        q[np.searchsorted(layout, found)] = board.worst.prob[taken]
    keep = _admissible(board.ambiguity, place, p)
    if nominal.paid is not None:
        keep &= place >= 0
    _refuse_outside(board, rows, layout, q, keep)
    layout, place, p, q = layout[keep], place[keep], p[keep], q[keep]
    row, state = np.divmod(layout, n)
    ptr = np.searchsorted(row, np.arange(len(rows) + 1))
    x = z[state]
    if nominal.paid is not None:
        x = x + board.load(nominal.paid[place])
    least = x.minima(ptr)
    if nominal.paid is None and reaches_beyond(board.ambiguity):
        least = least.minimum(z.minima(np.array([0, n])))
    chosen = _normalised(board.load(q), ptr, row) if with_nature else None
    return Outcomes(
        rows, ptr, row, state, place, p > 0, _normalised(board.load(p), ptr, row), chosen, x, least
    )


def _admissible(ambiguity: RowAmbiguity, place: IntArray, p: FloatArray) -> BoolArray:
    if reaches_beyond(ambiguity):
        return np.full(len(p), True)
    return place >= 0 if isinstance(ambiguity, IntervalSet) else p > 0


def _refuse_outside(
    board: Board, rows: IntArray, layout: IntArray, q: FloatArray, keep: BoolArray
) -> None:
    bad = ~keep & (q != 0)
    if bad.any():
        k = int(np.argmax(bad))
        row, state = divmod(int(layout[k]), board.n_states)
        raise InvalidCertificateError(
            f"worst_case: the row of {board.name(int(rows[row]))} gives {float(q[k])!r} to state"
            f" {state}, where the set has no mass ({int(bad.sum())} such outcomes); the distance is"
            " infinite"
        )


def _normalised(x: Enclosure, ptr: IntArray, row: IntArray) -> Enclosure:
    return x / x.sums(ptr)[row]
