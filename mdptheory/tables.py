"""Runs of bandit algorithms as plain columns, ready for ``pandas.DataFrame`` or a CSV file."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._validation import check_number
from mdptheory.errors import InvalidModelError
from mdptheory.models import BanditRun

__all__ = ["round_table", "run_table"]

Table: TypeAlias = dict[str, npt.NDArray[Any]]
"""Columns of equal lengths."""
LAST_SHARE = 0.2
PRICE = 3.0  # of a unit of violation


def round_table(
    runs: BanditRun | Sequence[BanditRun], labels: Mapping[str, Sequence[Any]] | None = None
) -> Table:
    """Return one row for every recorded round of every run.

    Parameters
    ----------
    runs : BanditRun or sequence of BanditRun
        What algorithms returned.
    labels : mapping from column to sequence, optional
        What tells the runs apart, one entry a run: say ``method``, ``preset`` and ``seed``.

    Returns
    -------
    dict from str to array
        The labels; ``round`` (from 1) and ``arm``; ``mean_<channel>``, the means of that round, and
        ``state_<i>``; the sums up to that round ``cumulative_reward``, ``cumulative_violation``,
        ``signed_violation_<m>`` (one a residual), ``observed_violation`` and ``regret``. A column
        that some run lacks is nan there.

    Raises
    ------
    InvalidModelError
        If there is no run, a label has another length, or is named like another column.

    Examples
    --------
    >>> from mdptheory.algorithms import ofs
    >>> from mdptheory.models import GaussianBandit
    >>> run = ofs(GaussianBandit([0.5, 0.4]), 100, rng=0)
    >>> table = round_table([run, run], {"method": ["first", "second"]})
    >>> len(table["round"]), str(table["method"][-1])
    (200, 'second')
    """
    several, given = _checked(runs, labels)
    lengths = [len(run.rounds) for run in several]
    columns = _stacked([_rounds(run) for run in several], lengths)
    return _with_labels(given, columns, np.repeat(np.arange(len(several)), lengths))


def run_table(
    runs: BanditRun | Sequence[BanditRun],
    labels: Mapping[str, Sequence[Any]] | None = None,
    *,
    price: float = PRICE,
) -> Table:
    """Return one row for every run.

    Parameters
    ----------
    runs : BanditRun or sequence of BanditRun
        What algorithms returned.
    labels : mapping from column to sequence, optional
        What tells the runs apart, one entry a run: say ``method``, ``preset`` and ``seed``.
    price : float
        What a unit of violation costs in ``net``.

    Returns
    -------
    dict from str to array
        The labels and these columns:

        - ``rounds``, ``reward``, ``violation``, ``signed_violation`` (the largest of the sums of
          residuals with their signs; nan without constraints), ``observed_violation`` and
          ``regret``: sums over the run.
        - ``oracle_gap``: steady reward of the best feasible arm less the mean reward of the last
          fifth of the run (from the recorded round that is nearest to its start); nan if no arm is
          feasible.
        - ``net``: mean reward less ``price`` times mean violation.
        - ``best_arm``, ``feasible``, ``most_played`` and ``best_share``, the share of rounds on the
          best arm.
        - ``fallback_rounds``, ``switches``, ``certificate_regret`` and ``certificate_violation``
          (nan where nothing is proved).

    Raises
    ------
    InvalidModelError
        If there is no run, a label has another length, or is named like another column.

    Examples
    --------
    >>> from mdptheory.algorithms import ofs
    >>> from mdptheory.models import GaussianBandit
    >>> table = run_table(ofs(GaussianBandit([0.5, 0.4]), 1000, rng=0), {"seed": [0]})
    >>> int(table["rounds"][0]), int(table["best_arm"][0])
    (1000, 0)
    """
    several, given = _checked(runs, labels)
    price = check_number("price", price, low=0.0, open_high=True)
    rows = [_summary(run, price) for run in several]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return _with_labels(given, columns, np.arange(len(several)))


def _checked(
    runs: BanditRun | Sequence[BanditRun], labels: Mapping[str, Sequence[Any]] | None
) -> tuple[list[BanditRun], dict[str, npt.NDArray[Any]]]:
    several = [runs] if isinstance(runs, BanditRun) else list(runs)
    for i, run in enumerate(several):
        if not isinstance(run, BanditRun):
            raise TypeError(f"runs[{i}] is of type {type(run).__name__}; expected a BanditRun")
    if not several:
        raise InvalidModelError("runs is empty; expected at least one BanditRun")
    found: Table = {}
    for name, values in ({} if labels is None else labels).items():
        if isinstance(values, str) or len(values) != len(several):
            raise InvalidModelError(
                f"labels[{name!r}] is {values!r}; expected one entry for each of {len(several)}"
                " runs"
            )
        found[name] = np.asarray(values)
    return several, found


def _with_labels(labels: Table, columns: Table, place: npt.NDArray[Any]) -> Table:
    """Put the label of each row's run before what is known of the row."""
    for name in labels:
        if name in columns:
            raise InvalidModelError(f"labels has {name!r}, which is a column of the table already")
    return {name: values[place] for name, values in labels.items()} | columns


def _rounds(run: BanditRun) -> Table:
    columns: Table = {"round": np.asarray(run.rounds), "arm": np.asarray(run.arms)[run.rounds - 1]}
    columns |= {f"mean_{name}": run.means[:, c] for c, name in enumerate(run.names)}
    columns |= {f"state_{i}": run.states[:, i] for i in range(run.states.shape[1])}
    columns |= {"cumulative_reward": run.reward, "cumulative_violation": run.violation}
    columns |= {f"signed_violation_{m}": run.signed[:, m] for m in range(run.signed.shape[1])}
    return columns | {"observed_violation": run.observed_violation, "regret": run.regret}


def _stacked(parts: Sequence[Table], lengths: Sequence[int]) -> Table:
    """Put tables below each other; where a column is absent its entries are nan."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    return {
        name: np.concatenate(
            [
                part[name] if name in part else np.full(n, np.nan)
                for part, n in zip(parts, lengths, strict=True)
            ]
        )
        for name in names
    }


def _summary(run: BanditRun, price: float) -> dict[str, Any]:
    horizon = int(run.rounds[-1])
    reward, violation = float(run.reward[-1]), float(run.violation[-1])
    best = run.best
    return {
        "rounds": horizon,
        "reward": reward,
        "violation": violation,
        "signed_violation": float(run.signed[-1].max()) if run.signed.shape[1] else np.nan,
        "observed_violation": float(run.observed_violation[-1]),
        "regret": float(run.regret[-1]),
        "oracle_gap": best.reward - _late_reward(run) if best.feasible else np.nan,
        "net": (reward - price * violation) / horizon,
        "best_arm": best.arm,
        "feasible": best.feasible,
        "most_played": int(np.argmax(run.counts)),
        "best_share": float(run.counts[best.arm]) / horizon,
        "fallback_rounds": run.fallback_rounds,
        "switches": run.switches,
        "certificate_regret": _or_nan(run.certificate_regret),
        "certificate_violation": _or_nan(run.certificate_violation),
    }


def _late_reward(run: BanditRun) -> float:
    """Return the mean reward of about the last fifth of the rounds."""
    rounds, sums = np.append(0, run.rounds), np.append(0.0, run.reward)
    horizon = rounds[-1]
    start = int(np.argmin(np.abs(rounds[:-1] - (1.0 - LAST_SHARE) * horizon)))
    return float((sums[-1] - sums[start]) / (horizon - rounds[start]))


def _or_nan(bound: float | None) -> float:
    return np.nan if bound is None else bound
