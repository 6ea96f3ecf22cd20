"""Values of a model's rows, in rational arithmetic or in floats with a bound on their error."""

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models import TabularMDP

EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)

Numbers: TypeAlias = npt.NDArray[Any]
"""An array of floats, or in exact mode an object array of Fractions."""


class Value(NamedTuple):
    """``T_a x`` for some rows: the lesser and the greater reading, and the rounding allowance."""

    least: Numbers
    greatest: Numbers
    allowance: Numbers


class Exact:
    """Rational arithmetic on the stored floats, which are integers over a power of two."""

    def __init__(self, mdp: TabularMDP) -> None:
        self.gamma = Fraction(mdp.gamma)
        self.row_ptr, self.next_state = mdp.row_ptr.tolist(), mdp.next_state.tolist()
        self.prob, self.prob_unit = integers(mdp.prob)
        self.per_transition = mdp.transition_reward is not None
        paid = mdp.reward if mdp.transition_reward is None else mdp.transition_reward
        self.reward, self.reward_unit = integers(paid)

    def load(self, x: FloatArray) -> Any:
        return integers(x)

    def numbers(self, x: FloatArray) -> Numbers:
        return np.array([Fraction(value) for value in x.tolist()], dtype=object)

    def largest_row_sum(self) -> Fraction:
        """Return the larger of 1 and the largest sum of a row as stored."""
        sums = (sum(self.prob[i:j]) for i, j in pairwise(self.row_ptr))
        return max(Fraction(1), Fraction(max(sums), self.prob_unit))

    def backup(self, rows: IntArray, x: tuple[list[int], int], against: FloatArray) -> Value:
        """Return both readings of ``T_a x``; nothing is rounded, so nothing is allowed."""
        both = [self._readings(row, *x) for row in rows.tolist()]
        least = np.array([min(pair) for pair in both], dtype=object)
        greatest = np.array([max(pair) for pair in both], dtype=object)
        return Value(least, greatest, np.zeros(len(rows), dtype=np.int64))

    def _readings(self, row: int, x: list[int], x_unit: int) -> tuple[Fraction, Fraction]:
        start, stop = self.row_ptr[row], self.row_ptr[row + 1]
        p = self.prob[start:stop]
        total = Fraction(sum(p), self.prob_unit)
        ahead = sum(pk * x[t] for pk, t in zip(p, self.next_state[start:stop], strict=True))
        future = self.gamma * Fraction(ahead, self.prob_unit * x_unit)
        if self.per_transition:
            paid = sum(pk * rk for pk, rk in zip(p, self.reward[start:stop], strict=True))
            stored = Fraction(paid, self.prob_unit * self.reward_unit) + future
            return stored, stored / total
        reward = Fraction(self.reward[row], self.reward_unit)
        return reward + future, reward + future / total


def integers(array: FloatArray) -> tuple[list[int], int]:
    """Return integers k and a unit u with ``array == k / u`` exactly."""
    ratios = [number.as_integer_ratio() for number in array.tolist()]
    unit = max(below for _, below in ratios)  # powers of two: the largest is a common multiple
    return [above * (unit // below) for above, below in ratios], unit


class Float:
    """Float arithmetic with a bound on its error.

    A row of n transitions: the sum of the n products rounds each term at most n times, gamma and
    the reward once each; dividing by the row's sum adds the n - 1 roundings of that sum and one of
    the division; comparing with the bound and adding the allowance two more. So, with u = eps / 2,
    the computed excess is off by at most ``(2n + 4) u / (1 - (2n + 4) u) * M``, where M = |r| +
    gamma sum p |x| + |bound| (for rewards per transition, sum p |r|). Dividing by a row sum within
    1e-9 of 1, and rounding while M is computed, change M by a factor below 1 + 2e-9 + 4 n u. All
    this stays below the allowance ``(n + 4) eps M = (2n + 8) u M`` while n < 1e7.
    TINY covers products that underflow.
    """

    def __init__(self, mdp: TabularMDP) -> None:
        self.mdp = mdp

    def load(self, x: FloatArray) -> Any:
        return x

    def numbers(self, x: FloatArray) -> FloatArray:
        return x

    def largest_row_sum(self) -> Fraction:
        """Return an upper bound on 1 and on every row sum as stored."""
        sums, length = (
            np.add.reduceat(self.mdp.prob, self.mdp.row_ptr[:-1]),
            np.diff(self.mdp.row_ptr),
        )
        largest = max(1.0, float((sums * (1.0 + (length + 1) * EPS)).max()))
        return Fraction(largest)

    def backup(self, rows: IntArray, x: FloatArray, against: FloatArray) -> Value:
        """Return both readings of ``T_a x`` and the rounding of a comparison with ``against``."""
        mdp, gamma = self.mdp, self.mdp.gamma
        n = (mdp.row_ptr[rows + 1] - mdp.row_ptr[rows]).astype(np.int64)
        starts = np.cumsum(n) - n
        picked = np.repeat(mdp.row_ptr[rows] - starts, n) + np.arange(int(n.sum()))
        p, ahead = mdp.prob[picked], x[mdp.next_state[picked]]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            total = np.add.reduceat(p, starts)
            future = gamma * np.add.reduceat(p * ahead, starts)
            size = gamma * np.add.reduceat(p * np.abs(ahead), starts) + np.abs(against)
            if mdp.transition_reward is None:
                paid = mdp.reward[rows]
                stored, divided = paid + future, paid + future / total
                size += np.abs(paid)
            else:
                products = p * mdp.transition_reward[picked]
                stored = np.add.reduceat(products, starts) + future
                divided = stored / total
                size += np.add.reduceat(np.abs(products), starts)
            allowance = (n + 4) * EPS * size + TINY
        allowance[~np.isfinite(allowance)] = np.nan  # too large for floats: refused
        return Value(np.minimum(stored, divided), np.maximum(stored, divided), allowance)


Arithmetic: TypeAlias = Exact | Float


def nearest(number: Fraction | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def round_up(number: Fraction) -> float:
    """Return a float that is not below ``number``."""
    close = nearest(number)
    if math.isinf(close) or Fraction(close) >= number:
        return close
    return math.nextafter(close, math.inf)
