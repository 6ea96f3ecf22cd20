"""Shares of people who are selected, and decisions that a threshold makes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._typing import IntArray
from mdptheory._validation import as_float_array, check_finite, check_number
from mdptheory.errors import InvalidModelError
from mdptheory.metrics._columns import check_same_length, coded, column
from mdptheory.metrics._grouped import FALSE_POSITIVE, SELECTION, TRUE_POSITIVE, people, rates


def selection_rate(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    pos_label: Any = 1,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Return the weighted share of people who are selected.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels; only their number is read.
    y_pred : array of shape (n,)
        Decisions: at most two different values.
    pos_label : scalar
        Which decision selects.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing, or decisions are not binary, as scores are not.

    Examples
    --------
    >>> selection_rate([1, 0, 1, 0], [1, 1, 1, 0])
    0.75
    """
    who = people(y_true, y_pred, sample_weight, None, pos_label=pos_label, labels_matter=False)
    return rates(SELECTION, who).overall


def true_positive_rate(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    pos_label: Any = None,
) -> float:
    """Return the weighted share selected among people with the favourable label.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels.
    y_pred : array of shape (n,)
        Decisions, in the same two values.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.
    pos_label : scalar, optional
        The favourable label; 1 if absent, and then the other must be 0 or -1.

    Returns
    -------
    float
        In [0, 1], or nan with a `GroupWarning` if nobody has the favourable label.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing or labels are not binary.

    Notes
    -----
    fairlearn says 0 where nobody has the favourable label; a rate of nobody is not known.

    Examples
    --------
    >>> true_positive_rate([1, 1, 1, 0], [1, 0, 1, 1])
    0.6666666666666666
    """
    who = people(y_true, y_pred, sample_weight, None, pos_label=pos_label)
    return rates(TRUE_POSITIVE, who).overall


def false_positive_rate(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    pos_label: Any = None,
) -> float:
    """Return the weighted share selected among people without the favourable label.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels.
    y_pred : array of shape (n,)
        Decisions, in the same two values.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.
    pos_label : scalar, optional
        The favourable label; 1 if absent, and then the other must be 0 or -1.

    Returns
    -------
    float
        In [0, 1], or nan with a `GroupWarning` if everybody has the favourable label.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing or labels are not binary.

    Examples
    --------
    >>> false_positive_rate([1, 0, 0, 0], [1, 0, 1, 1])
    0.6666666666666666
    """
    who = people(y_true, y_pred, sample_weight, None, pos_label=pos_label)
    return rates(FALSE_POSITIVE, who).overall


def decisions(
    scores: npt.ArrayLike,
    threshold: float | Mapping[Any, float],
    *,
    groups: npt.ArrayLike | None = None,
) -> IntArray:
    """Select everyone whose score reaches the threshold.

    Parameters
    ----------
    scores : array of shape (n,)
        One score a person; more is better.
    threshold : float, or mapping from group to float
        One threshold for all, as ``env.thresholds[arm]``, or one a group, as
        ``dict(zip(env.groups, env.thresholds[arm]))``.
    groups : array of shape (n,), optional
        Group of each person; needed if thresholds differ, and then every group must have one.

    Returns
    -------
    array of int of shape (n,)
        1 for who is selected and 0 for others: ``y_pred`` of the metrics here and of fairlearn's
        ``MetricFrame``.

    Raises
    ------
    InvalidModelError
        If an entry is missing, lengths differ, or a group has no threshold.

    Examples
    --------
    >>> decisions([0.2, 0.5, 0.8], 0.5).tolist()
    [0, 1, 1]
    >>> decisions([0.2, 0.5, 0.8], {"A": 0.1, "B": 0.6}, groups=["A", "B", "B"]).tolist()
    [1, 0, 1]
    """
    score = as_float_array("scores", column("scores", scores))
    check_finite("scores", score)
    if not isinstance(threshold, Mapping):
        return (score >= check_number("threshold", threshold)).astype(np.int64)
    if groups is None:
        raise InvalidModelError("threshold has one value a group; expected groups as well")
    where = column("groups", groups)
    check_same_length(scores=score, groups=where)
    names, code = coded("groups", where)
    for name in names:
        if name not in threshold:
            given = ", ".join(repr(key) for key in threshold)
            raise InvalidModelError(f"groups has {name!r}; threshold has values for {given} only")
    limits = np.array([check_number(f"threshold[{name!r}]", threshold[name]) for name in names])
    return (score >= limits[code]).astype(np.int64)
