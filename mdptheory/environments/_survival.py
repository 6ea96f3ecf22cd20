"""From scores, labels and groups to acceptance rates, checked once for all ways in."""

import warnings
from typing import Any, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import as_float_array, check_finite, check_shape
from mdptheory.errors import FitWarning, InvalidModelError
from mdptheory.metrics._columns import check_same_length, groups
from mdptheory.models import LoopDynamics, ThresholdLoop
from mdptheory.models.threshold_loop import check_thresholds

MOST = 0.9  # share of all beyond which thresholds and scores look like those of different scales


class LoopOptions(TypedDict, total=False):
    """What `ThresholdLoop` takes besides what scores say."""

    cost: float
    dynamics: LoopDynamics
    batch: int | tuple[int, int]
    stratified: bool


class Scored(NamedTuple):
    """Scores of people of two groups.

    Attributes
    ----------
    scores : array of shape (n,)
        Finite scores.
    labels : array of int of shape (n,)
        0 or 1.
    code : array of int of shape (n,)
        0 for the first group, 1 for the second.
    groups : pair of str
        Their names.
    """

    scores: FloatArray
    labels: IntArray
    code: IntArray
    groups: tuple[str, str]


def scored(scores: npt.ArrayLike, labels: npt.ArrayLike, sensitive_features: Any) -> Scored:
    """Check columns of equal length: finite scores, labels 0 and 1, two groups."""
    score, label = as_float_array("scores", scores), as_float_array("labels", labels)
    for name, column in (("scores", score), ("labels", label)):
        check_shape(name, column, (None,))
        if not column.size:
            raise InvalidModelError(f"{name} is empty; expected one entry a person")
        check_finite(name, column)
    where = groups(sensitive_features)
    check_same_length(scores=score, labels=label)
    check_same_length(scores=score, sensitive_features=where.code)
    wrong = (label != 0) & (label != 1)
    if wrong.any():
        i = int(wrong.argmax())
        raise InvalidModelError(
            f"labels[{i}] is {label[i]:g}; expected 0 or 1, the favourable label"
            f" ({int(wrong.sum())} of {len(label)} entries fail)"
        )
    names = [str(key) for key in where.keys]
    if len(names) != 2:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise InvalidModelError(
            f"sensitive_features has {len(names)} group{'s' * (len(names) > 1)} ({shown});"
            " expected two"
        )
    return Scored(score, label.astype(np.int64), where.code, (names[0], names[1]))


def count_table(people: Scored, thresholds: npt.ArrayLike | None = None) -> IntArray:
    """Return how many of each group and label score at least each threshold, (2, 2, K)."""
    grid = grid_of(thresholds)
    table = np.zeros((2, 2, len(grid)), dtype=np.int64)
    for g in range(2):
        for y in range(2):
            mine = np.sort(people.scores[(people.code == g) & (people.labels == y)])
            table[g, y] = len(mine) - np.searchsorted(mine, grid, side="left")
    return table


def grid_of(thresholds: npt.ArrayLike | None) -> FloatArray:
    """Return one increasing threshold an arm; 0, 0.05, ..., 1 if nothing is said."""
    grid = check_thresholds(np.linspace(0.0, 1.0, 21) if thresholds is None else thresholds)
    check_shape("thresholds", grid, (None,))
    return grid


def rates_of(
    people: Scored, thresholds: npt.ArrayLike | None = None, *, stacklevel: int = 3
) -> tuple[FloatArray, float, FloatArray]:
    """Return acceptance rates (2, 2, K), the share of the first group and favourable rates (2,)."""
    sizes = np.array(
        [[((people.code == g) & (people.labels == y)).sum() for y in (0, 1)] for g in (0, 1)]
    )
    for g, y in np.argwhere(sizes == 0):
        name = people.groups[g]
        raise InvalidModelError(
            f"group {name} has no label-{y} rows; cannot estimate P(score>=tau | {name},{y})"
        )
    counts = count_table(people, thresholds)
    everybody = sizes[:, :, None]
    if ((counts == 0).all(axis=(0, 1)) | (counts == everybody).all(axis=(0, 1))).all():
        grid = grid_of(thresholds)
        warnings.warn(
            f"every threshold accepts everybody or nobody: scores lie in"
            f" [{people.scores.min():g}, {people.scores.max():g}], thresholds in"
            f" [{grid[0]:g}, {grid[-1]:g}]",
            FitWarning,
            stacklevel=stacklevel,
        )
    elif (share := _accepted_at_ends(counts, sizes))[1] > MOST or share[0] < 1.0 - MOST:
        grid = grid_of(thresholds)
        kind, k = ("highest", 1) if share[1] > MOST else ("lowest", 0)
        warnings.warn(
            f"the {kind} threshold accepts {share[k]:.0%} of all: scores lie in"
            f" [{people.scores.min():g}, {people.scores.max():g}], thresholds in"
            f" [{grid[0]:g}, {grid[-1]:g}]",
            FitWarning,
            stacklevel=stacklevel,
        )
    total = sizes.sum(axis=1)
    return counts / everybody, float(total[0] / total.sum()), sizes[:, 1] / total


def _accepted_at_ends(counts: IntArray, sizes: IntArray) -> tuple[float, float]:
    """Return the shares of all whom the lowest and the highest threshold accept."""
    taken = counts.sum(axis=(0, 1)) / sizes.sum()
    return float(taken[0]), float(taken[-1])


def loop_of(
    people: Scored, thresholds: npt.ArrayLike | None, options: LoopOptions
) -> ThresholdLoop:
    """Return the closed loop of these people."""
    survival, p0, q0 = rates_of(people, thresholds, stacklevel=4)
    return ThresholdLoop(survival, grid_of(thresholds), p0, q0, groups=people.groups, **options)
