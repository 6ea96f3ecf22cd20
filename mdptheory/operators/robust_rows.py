"""Rows against which nature plays, with what her set's kernels need: the full model or a part."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray, UIntArray
from mdptheory._validation import place
from mdptheory.errors import InvalidModelError
from mdptheory.models import TabularMDP
from mdptheory.models.ambiguity import FiniteSet, IntervalSet, RowAmbiguity
from mdptheory.operators.backup import unsigned
from mdptheory.operators.nature import NatureRows, nature_rows

EMPTY: FloatArray = np.empty(0)
EMPTY.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """Nature's finite list for each row: option ``k`` of a row is itself a sparse row.

    Attributes
    ----------
    row_ptr : array of uint64 of shape (n_rows + 1,)
        Options of each row.
    ptr : array of uint64 of shape (n_options + 1,)
        Outcomes of each option.
    next_state, prob : array of shape (n_outcomes,)
        Successors and probabilities.
    paid : array of shape (n_outcomes,) or (0,)
        What each outcome pays, with rewards per transition.
    """

    row_ptr: UIntArray
    ptr: UIntArray
    next_state: UIntArray
    prob: FloatArray
    paid: FloatArray

    def __post_init__(self) -> None:
        """Make the arrays read-only, so kernels compile once."""
        for array in (self.row_ptr, self.ptr, self.next_state, self.prob, self.paid):
            array.setflags(write=False)

    def take(self, rows: IntArray) -> "Options":
        """Return the options of some rows."""
        options, row_ptr = segments(self.row_ptr, rows)
        some, ptr = segments(self.ptr, options)
        return Options(
            row_ptr, ptr, self.next_state[some], self.prob[some],
            self.paid[some] if self.paid.size else self.paid,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RobustRows:
    """Some of a model's rows as nature sees them.

    Attributes
    ----------
    ambiguity : RowAmbiguity
        The set.
    row_ptr, next_state, prob, reward, paid, anywhere, complete
        See `NatureRows`.
    radius : array of shape (n_rows,)
        One a row; ones for the sets that have none.
    lower, upper : array of shape (n_outcomes,) or (0,)
        Bounds of an `IntervalSet`.
    options : Options, optional
        Of a `FiniteSet`.
    """

    ambiguity: RowAmbiguity
    row_ptr: UIntArray
    next_state: UIntArray
    prob: FloatArray
    reward: FloatArray
    paid: FloatArray
    radius: FloatArray
    lower: FloatArray
    upper: FloatArray
    options: Options | None
    anywhere: bool
    complete: bool

    def __post_init__(self) -> None:
        """Make the arrays read-only like the model's own, so kernels compile once for both."""
        for array in (
            self.row_ptr, self.next_state, self.prob, self.reward, self.paid, self.radius,
            self.lower, self.upper,
        ):  # fmt: skip
            array.setflags(write=False)

    @classmethod
    def of(cls, mdp: TabularMDP, ambiguity: RowAmbiguity, stage: int) -> tuple[Self, NatureRows]:
        """Return the rows of one stage, or refuse a set that does not fit the model."""
        rows = nature_rows(mdp, ambiguity, stage=stage)
        count = len(rows.reward)
        lower = upper = EMPTY
        options = None
        if isinstance(ambiguity, IntervalSet):
            lower, upper = _bounds(mdp, ambiguity, rows, stage)
        elif isinstance(ambiguity, FiniteSet):
            options = _options(mdp, ambiguity, rows, stage)
        out = cls(
            ambiguity, rows.row_ptr, rows.next_state, rows.prob, rows.reward, rows.paid,
            rows.radius if rows.radius.size else np.ones(count), lower, upper, options,
            rows.anywhere, rows.complete,
        )  # fmt: skip
        return out, rows

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.reward)

    @property
    def size(self) -> int:
        """Number of transitions a sweep reads."""
        return len(self.prob) if self.options is None else len(self.options.prob)

    def negated(self) -> "RobustRows":
        """Return the rows of a model that pays the opposite."""
        options = self.options
        if options is not None:
            options = replace(options, paid=-options.paid)
        return replace(self, reward=-self.reward, paid=-self.paid, options=options)

    def take(self, rows: IntArray) -> "RobustRows":
        """Return a compact copy of some rows."""
        some, ptr = segments(self.row_ptr, rows)

        def pick(array: FloatArray) -> FloatArray:
            return array[some] if array.size else array

        return replace(
            self,
            row_ptr=ptr,
            next_state=self.next_state[some],
            prob=self.prob[some],
            reward=self.reward[rows],
            paid=pick(self.paid),
            radius=self.radius[rows],
            lower=pick(self.lower),
            upper=pick(self.upper),
            options=None if self.options is None else self.options.take(rows),
        )


def segments(ptr: UIntArray, rows: IntArray) -> tuple[IntArray, UIntArray]:
    """Return which entries some CSR rows hold, and the pointers of their compact copy."""
    starts = ptr[rows].astype(np.int64)
    lengths = ptr[np.asarray(rows) + 1].astype(np.int64) - starts
    ends = np.concatenate([[0], np.cumsum(lengths)])
    entries = np.repeat(starts - ends[:-1], lengths) + np.arange(ends[-1])
    return entries, unsigned(ends)


def places(mdp: TabularMDP, stage: int) -> tuple[IntArray, IntArray]:
    """Return the state and the action id of each row of a stage."""
    first = mdp._first_block(stage)
    choice = mdp.choice_ptr[first : first + mdp.n_states + 1]
    states = np.repeat(np.arange(mdp.n_states), np.diff(choice))
    return states, mdp.action[int(choice[0]) : int(choice[-1])]


def _bounds(
    mdp: TabularMDP, ambiguity: IntervalSet, rows: NatureRows, stage: int
) -> tuple[FloatArray, FloatArray]:
    """Return the bounds on the outcomes of the rows, or refuse those of another model."""
    lower, upper = ambiguity.lower, ambiguity.upper
    if ambiguity.row_ptr is not None:
        if not np.array_equal(ambiguity.row_ptr, mdp.row_ptr):
            raise InvalidModelError(
                f"row_ptr runs to {ambiguity.row_ptr[-1]} in {len(ambiguity.row_ptr) - 1} rows;"
                f" expected the model's own, which runs to {mdp.n_transitions} in {mdp.n_rows}"
            )
        block = mdp._first_block(stage)
        first = int(mdp.row_ptr[int(mdp.choice_ptr[block])])
        return lower[first : first + len(rows.prob)], upper[first : first + len(rows.prob)]
    expected = (mdp.n_states, mdp.n_actions, mdp.n_states)
    if lower.shape != expected:
        raise InvalidModelError(f"lower has shape {lower.shape}; expected {expected}, or row_ptr")
    where = places(mdp, stage)
    _require_rows("upper", upper[where].sum(axis=-1) > 0.0, where)
    return lower[where].ravel(), upper[where].ravel()


def _options(mdp: TabularMDP, ambiguity: FiniteSet, rows: NatureRows, stage: int) -> Options:
    """Return the rows of the kernels that a model's pairs choose from, without their zeros."""
    kernels = ambiguity.rows
    expected = (len(kernels), mdp.n_states, mdp.n_actions, mdp.n_states)
    if kernels.shape != expected:
        raise InvalidModelError(f"rows has shape {kernels.shape}; expected {expected}")
    if ambiguity.coupled:
        raise InvalidModelError(
            "ambiguity couples its kernels across states (coupled=True): no dynamic programme"
            " solves that; mdptheory.algorithms.iwocs brackets it, coupled=False is its"
            " rectangular hull"
        )
    where = places(mdp, stage)
    picked = np.swapaxes(kernels[:, where[0], where[1]], 0, 1)  # (n_rows, k, n_states)
    total = picked.sum(axis=-1)
    _require_rows("rows", (total > 0.0).all(axis=1), where)
    off = np.abs(total - 1.0) > 2.3e-16 * (mdp.n_states + 1)
    picked = picked / np.where(off, total, 1.0)[:, :, None]
    row, option, state = np.nonzero(picked)
    counts = np.bincount(row * len(kernels) + option, minlength=len(where[0]) * len(kernels))
    paid = rows.paid[row * mdp.n_states + state] if rows.paid.size else EMPTY
    return Options(
        unsigned(np.arange(len(where[0]) + 1, dtype=np.int64) * len(kernels)),
        unsigned(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)),
        state.astype(rows.next_state.dtype),
        picked[row, option, state],
        paid,
    )


def _require_rows(name: str, there: BoolArray, where: tuple[IntArray, IntArray]) -> None:
    """Refuse an available pair for which the set has no row."""
    if not there.all():
        i = int(np.argmin(there))
        pair = place(name, (int(where[0][i]), int(where[1][i])))
        if name == "rows":
            pair = f"rows[:, {int(where[0][i])}, {int(where[1][i])}]"
        raise InvalidModelError(f"{pair} is all zero, but the action is available")
