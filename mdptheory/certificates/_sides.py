"""The two sides of a robust claim, for all rows of a stage."""

from collections.abc import Callable

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.certificates._dual import lists_everywhere, penalised
from mdptheory.certificates._enclosure import Enclosure, join, share, where
from mdptheory.certificates._nature import LOOSE, reply
from mdptheory.certificates._plan import transported
from mdptheory.certificates._rows import Board, blocks, outcomes
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import (
    BurgBall,
    ChiSquareBall,
    EVaRSet,
    KLBall,
    L1Ball,
    L2Ball,
    WassersteinBall,
    WeightedL1Ball,
)

PRICED = (L1Ball, WeightedL1Ball, WassersteinBall, KLBall, EVaRSet, BurgBall, ChiSquareBall)


def worth(board: Board, z: Enclosure) -> tuple[Enclosure, FloatArray]:
    """Return what nature's rows are worth once they are inside the set, and their distances."""
    everywhere = lists_everywhere(board, with_nature=True)
    replies = []
    for some in blocks(board, np.arange(board.n_rows), everywhere):
        o = outcomes(board, some, z, with_nature=True, everywhere=everywhere)
        if isinstance(board.ambiguity, WassersteinBall):
            replies.append(transported(board, o, board.ambiguity.cost))
        else:
            replies.append(reply(board, o))
    distance = join([one.distance for one in replies])
    value = join([one.value for one in replies])
    floats = distance.middle()
    if replies[0].misses is not None:
        _refuse_broken(board, join([one.misses for one in replies if one.misses is not None]))
        return value, floats
    nominal = join([one.nominal for one in replies])
    return value + _moved(board, distance) * (nominal - value), floats


def _refuse_broken(board: Board, misses: Enclosure) -> None:
    by = misses.middle()
    if not (by <= LOOSE).all():
        row = int(np.argmax(~(by <= LOOSE)))
        raise InvalidCertificateError(
            f"worst_case: the row of {board.name(row)} is not in the {_kind(board)}, by"
            f" {by[row]:.3g} ({int((~(by <= LOOSE)).sum())} of {len(by)} rows)"
        )


def _moved(board: Board, distance: Enclosure) -> Enclosure:
    """Return how far each row has to move towards the nominal one; refuse more than rounding."""
    if board.shared:
        distance = distance.sums(board.nominal.choice_ptr)
    radius, unlimited = _radius(board)
    have, most = distance.middle(), radius.middle()
    most[unlimited] = np.inf
    fails = ~(have <= most + LOOSE * (_unit(board) + most)) | ~np.isfinite(have)
    if fails.any():
        k = int(np.argmax(fails))
        row = f"row of {board.name(k)} is"
        if board.shared:
            row = f"rows of state {k} are together"
        raise InvalidCertificateError(
            f"worst_case: the {row} at distance {float(have[k])!r} from the nominal; the"
            f" {_kind(board)} has radius {float(most[k])!r} ({int(fails.sum())} of {len(fails)}"
            " fail)"
        )
    excess = (distance - radius).maximum(0)
    t = where(unlimited, 0, share(excess, distance))
    return t[board.states] if board.shared else t


def _unit(board: Board) -> float:
    """Return the most that a unit of mass may cost, at least 1: rounding costs as much."""
    match board.ambiguity:
        case WeightedL1Ball(weights=array) | WassersteinBall(cost=array):
            return max(1.0, float(array.max()))
        case _:
            return 1.0


def _radius(board: Board) -> tuple[Enclosure, np.ndarray]:
    """Return the radii, 0 in the place of infinite ones, and which are infinite."""
    if isinstance(board.ambiguity, EVaRSet):
        return (-board.load(board.limit).log()).maximum(0), np.full(len(board.limit), False)
    unlimited = np.isinf(board.limit)
    return board.load(np.where(unlimited, 0.0, board.limit)), unlimited


def _kind(board: Board) -> str:
    return type(board.ambiguity).__name__


def _endless(
    board: Board, multiplier: FloatArray, name: Callable[[int], str], there: IntArray
) -> BoolArray:
    """Return which multipliers are infinite: only for a radius of 0, where p is the only row."""
    endless = np.isinf(multiplier)
    if not isinstance(board.ambiguity, (*PRICED, L2Ball)):
        return np.full(len(endless), False)  # these sets have no use for a multiplier
    zero = board.limit == (1.0 if isinstance(board.ambiguity, EVaRSet) else 0.0)
    bad = (endless & ~zero) | (np.isinf(board.limit) & (multiplier > 0))
    if bad[there].any():
        k = int(there[np.argmax(bad[there])])
        raise InvalidCertificateError(
            f"multiplier is {float(multiplier[k])!r} in {name(k)}, where the {_kind(board)} has"
            f" radius {float(board.limit[k])!r}: that bounds nothing"
        )
    return endless


def bound(
    board: Board, used: IntArray, z: Enclosure, multiplier: FloatArray, level: FloatArray
) -> Enclosure:
    """Return what nature can bring each used row down to at most, by weak duality."""
    endless = _endless(board, multiplier, board.name, used)
    found = _penalised_rows(board, used, z, multiplier, level, endless, None)
    if not isinstance(board.ambiguity, PRICED):
        return found
    radius, _ = _radius(board)
    return found - radius[used] * board.load(np.where(endless, 0.0, multiplier)[used])


def shared_bound(
    board: Board, used: IntArray, z: Enclosure, multiplier: FloatArray, level: FloatArray,
    chances: Enclosure,
) -> Enclosure:  # fmt: skip
    """Return the same for each state whose rows share a budget, played with these chances."""
    states = board.states[used]
    ends = np.searchsorted(states, np.arange(board.n_states + 1))
    price = multiplier[used][ends[:-1]]
    off = multiplier[used] != price[states]
    if off.any():
        k = int(used[np.argmax(off)])
        first = float(price[board.states[k]])
        raise InvalidCertificateError(
            f"multiplier is {float(multiplier[k])!r} in {board.name(k)} but {first!r} in another"
            " row of the state: they share one budget and one price"
        )
    everyone = np.arange(len(price))
    endless = _endless(board, price, lambda s: f"state {s}", everyone)
    found = _penalised_rows(board, used, z, multiplier, level, endless[board.states], chances)
    radius, _ = _radius(board)
    return found.sums(ends) - radius * board.load(np.where(endless, 0.0, price))


def _penalised_rows(
    board: Board, used: IntArray, z: Enclosure, multiplier: FloatArray, level: FloatArray,
    endless: BoolArray, chances: Enclosure | None,
) -> Enclosure:  # fmt: skip
    """Return the penalised minimum of each used row, its worths scaled by its chance."""
    everywhere = lists_everywhere(board, with_nature=False)
    lam = np.where(np.isinf(multiplier), 0.0, multiplier)
    limit = board.load(np.where(np.isinf(board.limit), 0.0, board.limit))
    parts, done = [], 0
    for rows in blocks(board, used, everywhere):
        o = outcomes(board, rows, z, with_nature=False, everywhere=everywhere)
        if chances is not None:
            scale = chances[done : done + len(rows)]
            o = o._replace(x=scale[o.row] * o.x, least=scale * o.least)
        done += len(rows)
        radius = limit[rows] if limit.size and not board.shared else limit
        found, nominal = penalised(board, o, board.load(lam[rows]), board.load(level[rows]), radius)
        parts.append(where(endless[rows], nominal, found))
    return join(parts)
