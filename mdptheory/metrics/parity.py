"""Single numbers that say how unequally groups are treated."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory.errors import InvalidModelError
from mdptheory.metrics._grouped import (
    FALSE_POSITIVE,
    SELECTION,
    TRUE_POSITIVE,
    difference,
    people,
    rates,
    ratio,
)


def demographic_parity_difference(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    sensitive_features: Any,
    method: str = "between_groups",
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Return the difference between groups of selection rates.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels; only their number is read.
    y_pred : array of shape (n,)
        Decisions: 0 or -1, and 1 for who is selected.
    sensitive_features : list, array, pandas Series or DataFrame, or dict of columns
        Groups; several columns make intersections.
    method : {"between_groups", "to_overall"}
        Largest rate less smallest, or the largest distance of a group to everyone.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.

    Returns
    -------
    float
        In [0, 1]; 0 if everyone is treated alike; nan with a `GroupWarning` if a rate is one of
        nobody.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing, labels are not binary, or an option is unknown.

    Examples
    --------
    >>> demographic_parity_difference(
    ...     [1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 1, 0, 0, 1], sensitive_features=list("aaaabbbb")
    ... )
    0.25
    """
    who = people(
        y_true, y_pred, sample_weight, _given(sensitive_features), pos_label=1, labels_matter=False
    )
    return difference(rates(SELECTION, who), method)


def demographic_parity_ratio(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    sensitive_features: Any,
    method: str = "between_groups",
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Return the ratio between groups of selection rates.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels; only their number is read.
    y_pred : array of shape (n,)
        Decisions: 0 or -1, and 1 for who is selected.
    sensitive_features : list, array, pandas Series or DataFrame, or dict of columns
        Groups; several columns make intersections.
    method : {"between_groups", "to_overall"}
        Smallest rate by largest, or the smallest of a group to everyone, turned round above 1.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.

    Returns
    -------
    float
        In [0, 1]; 1 if everyone is treated alike; nan with a `GroupWarning` if a rate is one of
        nobody, or if all are 0.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing, labels are not binary, or an option is unknown.

    Examples
    --------
    >>> demographic_parity_ratio(
    ...     [1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 1, 0, 0, 1], sensitive_features=list("aaaabbbb")
    ... )
    0.6666666666666666
    """
    who = people(
        y_true, y_pred, sample_weight, _given(sensitive_features), pos_label=1, labels_matter=False
    )
    return ratio(rates(SELECTION, who), method)


def equal_opportunity_difference(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    sensitive_features: Any,
    method: str = "between_groups",
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Return the difference between groups of true-positive rates.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels: 0 or -1, and 1 for the favourable one.
    y_pred : array of shape (n,)
        Decisions, in the same values.
    sensitive_features : list, array, pandas Series or DataFrame, or dict of columns
        Groups; several columns make intersections.
    method : {"between_groups", "to_overall"}
        Largest rate less smallest, or the largest distance of a group to everyone.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.

    Returns
    -------
    float
        In [0, 1]; 0 if everyone is treated alike; nan with a `GroupWarning` if a rate is one of
        nobody.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing, labels are not binary, or an option is unknown.

    Examples
    --------
    >>> equal_opportunity_difference(
    ...     [1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 1, 0, 0, 1], sensitive_features=list("aaaabbbb")
    ... )
    0.5
    """
    who = people(y_true, y_pred, sample_weight, _given(sensitive_features))
    return difference(rates(TRUE_POSITIVE, who), method)


def equal_opportunity_ratio(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    sensitive_features: Any,
    method: str = "between_groups",
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Return the ratio between groups of true-positive rates.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels: 0 or -1, and 1 for the favourable one.
    y_pred : array of shape (n,)
        Decisions, in the same values.
    sensitive_features : list, array, pandas Series or DataFrame, or dict of columns
        Groups; several columns make intersections.
    method : {"between_groups", "to_overall"}
        Smallest rate by largest, or the smallest of a group to everyone, turned round above 1.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.

    Returns
    -------
    float
        In [0, 1]; 1 if everyone is treated alike; nan with a `GroupWarning` if a rate is one of
        nobody, or if all are 0.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing, labels are not binary, or an option is unknown.

    Examples
    --------
    >>> equal_opportunity_ratio(
    ...     [1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 1, 0, 0, 1], sensitive_features=list("aaaabbbb")
    ... )
    0.5
    """
    who = people(y_true, y_pred, sample_weight, _given(sensitive_features))
    return ratio(rates(TRUE_POSITIVE, who), method)


def equalized_odds_difference(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    sensitive_features: Any,
    method: str = "between_groups",
    sample_weight: npt.ArrayLike | None = None,
    agg: str = "worst_case",
) -> float:
    """Return the difference between groups of true-positive and of false-positive rates.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels: 0 or -1, and 1 for the favourable one.
    y_pred : array of shape (n,)
        Decisions, in the same values.
    sensitive_features : list, array, pandas Series or DataFrame, or dict of columns
        Groups; several columns make intersections.
    method : {"between_groups", "to_overall"}
        Largest rate less smallest, or the largest distance of a group to everyone.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.
    agg : {"worst_case", "mean"}
        The larger of the two numbers, or their mean.

    Returns
    -------
    float
        In [0, 1]; 0 if everyone is treated alike; nan with a `GroupWarning` if a rate is one of
        nobody.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing, labels are not binary, or an option is unknown.

    Examples
    --------
    >>> equalized_odds_difference(
    ...     [1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 1, 0, 0, 1], sensitive_features=list("aaaabbbb")
    ... )
    0.5
    """
    _check_agg(agg)
    who = people(y_true, y_pred, sample_weight, _given(sensitive_features))
    first, second = (difference(rates(m, who), method) for m in (TRUE_POSITIVE, FALSE_POSITIVE))
    return (first + second) / 2 if agg == "mean" else float(np.maximum(first, second))


def equalized_odds_ratio(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    sensitive_features: Any,
    method: str = "between_groups",
    sample_weight: npt.ArrayLike | None = None,
    agg: str = "worst_case",
) -> float:
    """Return the ratio between groups of true-positive and of false-positive rates.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels: 0 or -1, and 1 for the favourable one.
    y_pred : array of shape (n,)
        Decisions, in the same values.
    sensitive_features : list, array, pandas Series or DataFrame, or dict of columns
        Groups; several columns make intersections.
    method : {"between_groups", "to_overall"}
        Smallest rate by largest, or the smallest of a group to everyone, turned round above 1.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.
    agg : {"worst_case", "mean"}
        The smaller of the two numbers, or their mean.

    Returns
    -------
    float
        In [0, 1]; 1 if everyone is treated alike; nan with a `GroupWarning` if a rate is one of
        nobody, or if all are 0.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing, labels are not binary, or an option is unknown.

    Examples
    --------
    >>> equalized_odds_ratio(
    ...     [1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 1, 0, 0, 1], sensitive_features=list("aaaabbbb")
    ... )
    0.5
    """
    _check_agg(agg)
    who = people(y_true, y_pred, sample_weight, _given(sensitive_features))
    first, second = (ratio(rates(m, who), method) for m in (TRUE_POSITIVE, FALSE_POSITIVE))
    return (first + second) / 2 if agg == "mean" else float(np.minimum(first, second))


def _given(sensitive_features: Any) -> Any:
    if sensitive_features is None:
        raise TypeError("sensitive_features is None; expected one group a person")
    return sensitive_features


def _check_agg(agg: str) -> None:
    if agg not in ("worst_case", "mean"):
        raise InvalidModelError(f"agg is {agg!r}; expected worst_case or mean")
