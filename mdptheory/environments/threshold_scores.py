"""Closed loops of threshold decisions from a user's own scores, labels and groups."""

import os
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory.environments._csv_columns import number, read_columns, word
from mdptheory.environments._survival import LoopOptions, loop_of, rates_of, scored
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.models import ThresholdLoop

_BINARY = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}


def survival_from_scores(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    sensitive_features: Any,
    thresholds: npt.ArrayLike | None = None,
) -> tuple[FloatArray, float, FloatArray]:
    """Estimate how often each threshold accepts each group and label.

    Parameters
    ----------
    scores : array of shape (n,)
        A score for each person; those of at least the threshold are accepted.
    labels : array of shape (n,)
        1 is the favourable label, 0 the other.
    sensitive_features : array of shape (n,)
        Each person's group, one of two values; lists, arrays and pandas columns of any type.
    thresholds : array of shape (K,), optional
        Increasing thresholds; 0, 0.05, ..., 1 if absent.

    Returns
    -------
    survival : array of shape (2, 2, K)
        ``survival[g, y, k]``: share of group g with label y that scores at least threshold k;
        groups in sorted order.
    p0 : float
        Share of the first group.
    q0 : array of shape (2,)
        Share of label 1 in each group.

    Raises
    ------
    InvalidModelError
        If lengths differ, a score is not finite, a label is not 0 or 1, there are not exactly two
        groups, or a group has nobody of one label.

    Warns
    -----
    FitWarning
        If every threshold accepts everybody or nobody, as when all scores are equal; if the highest
        one accepts over nine tenths of all, or the lowest one less than a tenth, as when scores are
        percentages and thresholds are not.

    Examples
    --------
    >>> survival, p0, q0 = survival_from_scores(
    ...     [0.2, 0.6, 0.4, 0.9], [0, 1, 0, 1], sensitive_features=["a", "a", "b", "b"],
    ...     thresholds=[0.0, 0.5, 0.7],
    ... )
    >>> survival[:, 1].tolist(), p0, q0.tolist()
    ([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], 0.5, [0.5, 0.5])
    """
    return rates_of(scored(scores, labels, sensitive_features), thresholds)


def threshold_loop_from_scores(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    sensitive_features: Any,
    thresholds: npt.ArrayLike | None = None,
    **options: Unpack[LoopOptions],
) -> ThresholdLoop:
    """Make a closed loop of threshold decisions from scores.

    Parameters
    ----------
    scores, labels, sensitive_features, thresholds
        As in `survival_from_scores`.
    **options
        ``cost``, ``dynamics``, ``batch`` and ``stratified`` of `ThresholdLoop`.

    Returns
    -------
    ThresholdLoop
        Its groups are the two values of ``sensitive_features``, sorted.

    Notes
    -----
    Shares of acceptance by group and label are taken from the data and stay; how decisions change
    the groups' sizes and rates is an assumption, ``dynamics``, which no such data can show.

    Examples
    --------
    >>> loop = threshold_loop_from_scores(
    ...     [0.2, 0.6, 0.4, 0.9], [0, 1, 0, 1], sensitive_features=["a", "a", "b", "b"], cost=2.0
    ... )
    >>> loop.n_arms, loop.groups
    (21, ('a', 'b'))
    """
    return loop_of(scored(scores, labels, sensitive_features), thresholds, options)


def threshold_loop_from_csv(
    path: str | os.PathLike[str],
    *,
    score: str = "score",
    label: str = "label",
    group: str = "group",
    favourable: str | None = None,
    thresholds: npt.ArrayLike | None = None,
    delimiter: str = ",",
    **options: Unpack[LoopOptions],
) -> ThresholdLoop:
    r"""Make a closed loop of threshold decisions from three columns of a file.

    Parameters
    ----------
    path : str or path
        UTF-8 text with a header line; other columns are not kept.
    score, label, group : str
        Names of the columns with the scores, labels and groups.
    favourable : str, optional
        Text of the favourable label where labels are words; absent means that labels are 0 and 1
        and 1 is favourable.
    thresholds : array of shape (K,), optional
        As in `survival_from_scores`.
    delimiter : str
        What separates fields.
    **options
        ``cost``, ``dynamics``, ``batch`` and ``stratified`` of `ThresholdLoop`.

    Returns
    -------
    ThresholdLoop
        As of `threshold_loop_from_scores`.

    Raises
    ------
    InvalidFileError
        If the file cannot be read, lacks a column, or has a field that is no score or label; the
        message names file, line, column and value.
    InvalidModelError
        As `survival_from_scores`.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("score,repaid,sex\n.2,no,f\n.6,yes,f\n.4,no,m\n.9,yes,m\n")
    >>> loop = threshold_loop_from_csv(path, label="repaid", group="sex", favourable="yes")
    >>> loop.groups, loop.q0.tolist()
    (('f', 'm'), [0.5, 0.5])
    """
    file = Path(path)
    wanted = {score: number, label: word, group: word}
    if len(wanted) < 3:
        raise InvalidModelError(
            f"score is {score!r}, label is {label!r} and group is {group!r}; expected three columns"
        )
    table = read_columns(file, wanted, delimiter=delimiter)
    labels = _read_labels(file, label, table.columns[label], table.lines, favourable)
    scores = np.array(table.columns[score], dtype=np.float64)
    try:
        return loop_of(scored(scores, labels, table.columns[group]), thresholds, options)
    except InvalidModelError as error:
        told = str(error).replace("sensitive_features", group)
        raise InvalidFileError(f"{path}: {told}") from None


def _read_labels(
    path: Path, name: str, words: list[Any], lines: list[int], favourable: str | None
) -> list[int]:
    """Return 0 or 1 for every word of the column."""
    found: list[int] = []
    other: str | None = None
    for line, text in zip(lines, words, strict=True):
        if favourable is None:
            value = _BINARY.get(text.lower(), -1)
            expected = "0 or 1, or favourable= naming the good label"
        else:
            value = int(text == favourable)
            other = text if other is None and not value else other
            expected = f"{favourable!r} or {other!r}"
            value = value if value or text == other else -1
        if value < 0:
            raise InvalidFileError(f"{path}, line {line}: {name} is {text!r}; expected {expected}")
        found.append(value)
    if favourable is not None and favourable not in words:
        raise InvalidFileError(f"{path}: no {name} is {favourable!r}, the favourable label")
    return found
