"""All rates of all groups at once, and how far they are apart."""

from typing import Any

import numpy.typing as npt

from mdptheory.errors import InvalidModelError
from mdptheory.metrics._grouped import (
    FALSE_POSITIVE,
    SELECTION,
    TRUE_POSITIVE,
    Rates,
    difference,
    people,
    rates,
    ratio,
)


class GroupReport:
    """Selection, true-positive and false-positive rates of everyone and of each group.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels.
    y_pred : array of shape (n,)
        Decisions, in the same two values.
    sensitive_features : list, array, pandas Series or DataFrame, or dict of columns
        Groups; several columns make intersections.
    sample_weight : array of shape (n,), optional
        Weight of each person, at least 0.
    pos_label : scalar, optional
        The favourable label; 1 if absent, and then the other must be 0 or -1.

    Attributes
    ----------
    overall : dict from metric to float
        ``selection_rate``, ``true_positive_rate`` and ``false_positive_rate`` of everyone.
    by_group : dict from group to dict from metric to float
        The same of each group that occurs; a group is a tuple where several columns make it.

    Raises
    ------
    InvalidModelError
        If lengths differ, an entry is missing or labels are not binary.

    Notes
    -----
    A rate of nobody is nan, with a `GroupWarning`, and so is everything that would compare it:
    fairlearn says 0 there, which looks like a group that is always refused. Intersections in which
    nobody is are not listed; fairlearn lists them with nan and leaves them out of comparisons.

    Examples
    --------
    >>> report = GroupReport(
    ...     [1, 0, 1, 1, 0, 0], [1, 0, 1, 0, 0, 1], sensitive_features=list("aaabbb")
    ... )
    >>> report.by_group["b"]["selection_rate"]
    0.3333333333333333
    >>> report.difference("true_positive_rate")
    1.0
    """

    def __init__(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        *,
        sensitive_features: Any,
        sample_weight: npt.ArrayLike | None = None,
        pos_label: Any = None,
    ) -> None:
        """Take every rate of every group."""
        if sensitive_features is None:
            raise TypeError("sensitive_features is None; expected one group a person")
        who = people(y_true, y_pred, sample_weight, sensitive_features, pos_label=pos_label)
        self._rates = {m: rates(m, who) for m in (SELECTION, TRUE_POSITIVE, FALSE_POSITIVE)}
        self.overall = {m: found.overall for m, found in self._rates.items()}
        self.by_group = {
            key: {m: float(found.by_group[g]) for m, found in self._rates.items()}
            for g, key in enumerate(who.groups.keys)
        }

    def difference(self, metric: str, method: str = "between_groups") -> float:
        """Return how far a rate differs between groups.

        Parameters
        ----------
        metric : str
            One of the rates.
        method : {"between_groups", "to_overall"}
            Largest less smallest, or the largest distance of a group to everyone.

        Returns
        -------
        float
            In [0, 1]; nan if a group's rate is.
        """
        return difference(self._of(metric), method)

    def ratio(self, metric: str, method: str = "between_groups") -> float:
        """Return the ratio of groups' rates.

        Parameters
        ----------
        metric : str
            One of the rates.
        method : {"between_groups", "to_overall"}
            Smallest by largest, or the smallest of a group to everyone, turned round if above 1.

        Returns
        -------
        float
            In [0, 1]; nan if a group's rate is, or if both rates are 0.
        """
        return ratio(self._of(metric), method)

    def group_min(self, metric: str) -> float:
        """Return the smallest rate of a group.

        Parameters
        ----------
        metric : str
            One of the rates.

        Returns
        -------
        float
            In [0, 1]; nan if a group's rate is.
        """
        return float(self._of(metric).by_group.min())

    def group_max(self, metric: str) -> float:
        """Return the largest rate of a group.

        Parameters
        ----------
        metric : str
            One of the rates.

        Returns
        -------
        float
            In [0, 1]; nan if a group's rate is.
        """
        return float(self._of(metric).by_group.max())

    def _of(self, metric: str) -> Rates:
        if metric not in self._rates:
            raise InvalidModelError(
                f"metric is {metric!r}; expected one of {', '.join(self._rates)}"
            )
        return self._rates[metric]
