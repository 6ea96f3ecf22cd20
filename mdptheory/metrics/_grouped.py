"""Rates of groups and what they say about each other."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.errors import GroupWarning, InvalidModelError
from mdptheory.metrics._columns import (
    Groups,
    check_same_length,
    column,
    groups,
    positives,
    weights,
)

SELECTION, TRUE_POSITIVE, FALSE_POSITIVE = (
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
)
AMONG = {
    SELECTION: "weight",
    TRUE_POSITIVE: "weight on favourable labels",
    FALSE_POSITIVE: "weight on unfavourable labels",
}
METHODS = ("between_groups", "to_overall")


class People(NamedTuple):
    """Labels, decisions, weights and groups, checked.

    Attributes
    ----------
    good : array of bool of shape (n,), or None
        Who has the favourable label; None where labels are not read.
    chosen : array of bool of shape (n,)
        Who was selected.
    weight : array of shape (n,)
        Everyone's weight.
    groups : Groups
        Who belongs where.
    """

    good: BoolArray | None
    chosen: BoolArray
    weight: FloatArray
    groups: Groups


def people(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    sensitive_features: Any,
    *,
    pos_label: Any = None,
    labels_matter: bool = True,
) -> People:
    """Read everything that a metric is given; without features all are one group."""
    truth, decided = column("y_true", y_true), column("y_pred", y_pred)
    check_same_length(y_true=truth, y_pred=decided)
    if labels_matter:
        good, chosen = positives(pos_label, y_true=truth, y_pred=decided)
    else:
        good, (chosen,) = None, positives(pos_label, y_pred=decided)
    if sensitive_features is None:
        where = Groups(["everyone"], np.zeros(len(decided), dtype=np.int64))
    else:
        where = groups(sensitive_features)
        check_same_length(y_true=truth, sensitive_features=where.code)
    return People(good, chosen, weights(sample_weight, len(decided)), where)


class Rates(NamedTuple):
    """One rate of everyone and of each group.

    Attributes
    ----------
    metric : str
        Its name.
    overall : float
        Rate of everyone.
    by_group : array of shape (G,)
        Rates of the groups; nan where there is nobody to take the rate of.
    """

    metric: str
    overall: float
    by_group: FloatArray


def rates(metric: str, who: People) -> Rates:
    """Return a rate of everyone and of each group, and warn of groups without anyone to count."""
    among = np.ones(len(who.chosen), dtype=bool)
    if who.good is not None and metric != SELECTION:
        among = who.good if metric == TRUE_POSITIVE else ~who.good
    one = np.zeros(len(among), dtype=np.int64)
    overall = float(_share(who.chosen & among, among, who.weight, one, 1)[0])
    keys, code = who.groups
    found = _share(who.chosen & among, among, who.weight, code, len(keys))
    empty = np.flatnonzero(np.isnan(found))
    if empty.size:
        warnings.warn(
            f"{metric} of {keys[empty[0]]!r} is nan: the group has no {AMONG[metric]}"
            f" ({empty.size} of {len(keys)} groups)",
            GroupWarning,
            stacklevel=2,
        )
    return Rates(metric, overall, found)


def _share(
    hit: BoolArray, among: BoolArray, weight: FloatArray, code: IntArray, n_groups: int
) -> FloatArray:
    top = np.bincount(code, weights=weight * hit, minlength=n_groups)
    bottom = np.bincount(code, weights=weight * among, minlength=n_groups)
    return np.divide(top, bottom, out=np.full(n_groups, np.nan), where=bottom > 0)


def difference(found: Rates, method: str) -> float:
    """Return the largest difference between groups, or of a group to everyone."""
    _check_comparison(found, method)
    low = found.by_group.min() if method == "between_groups" else found.overall
    return float(np.abs(found.by_group - low).max())


def ratio(found: Rates, method: str) -> float:
    """Return the smallest ratio between groups, or of a group to everyone."""
    _check_comparison(found, method)
    rate = found.by_group
    if method == "between_groups":
        least, most = rate.min(), rate.max()
    else:
        least, most = np.minimum(rate, found.overall), np.maximum(rate, found.overall)
    zero = np.asarray(most == 0)
    if zero.any():
        warnings.warn(
            f"a ratio of {found.metric} is nan: the rates that it compares are both 0",
            GroupWarning,
            stacklevel=2,
        )
    shares = np.divide(least, most, out=np.full(zero.shape, np.nan), where=~zero)
    return float(shares.min())


def _check_comparison(found: Rates, method: str) -> None:
    if method not in METHODS:
        raise InvalidModelError(f"method is {method!r}; expected {' or '.join(METHODS)}")
    if len(found.by_group) == 1:
        warnings.warn(
            f"sensitive_features has one group: {found.metric} has nothing to be compared with",
            GroupWarning,
            stacklevel=3,
        )
