"""Reads what ``verify --json`` writes, and refuses what is something else."""

import json
from pathlib import Path
from typing import Any

from mdptheory.errors import InvalidFileError
from proofs_checks.cli import REPORT_FORMAT

_CHAIN_KEYS = ("id", "title", "statement", "source", "verdict", "links", "events", "rates", "twins")
_LINK_KEYS = ("name", "statement", "trials", "conclusive", "vacuous", "skipped", "violations")


def read_report(path: Path) -> dict[str, Any]:
    """Return the report's content.

    Parameters
    ----------
    path : Path
        A file written by ``verify --json``.

    Returns
    -------
    dict
        With the key ``chains``.

    Raises
    ------
    InvalidFileError
        The file is not such a report.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidFileError(f"{path} is not JSON: {error}") from error
    if not isinstance(report, dict) or report.get("format") != REPORT_FORMAT:
        found = report.get("format") if isinstance(report, dict) else type(report).__name__
        raise InvalidFileError(
            f"{path} has format {found!r}; expected {REPORT_FORMAT!r}, as verify --json writes it"
        )
    for i, chain in enumerate(report.get("chains", [])):
        _require(path, f"chains[{i}]", chain, _CHAIN_KEYS)
        for k, link in enumerate(chain["links"]):
            _require(path, f"chains[{i}].links[{k}]", link, _LINK_KEYS)
    return report


def as_number(value: Any) -> float:
    """Return a number of the report: null stands for NaN, a string for an infinity."""
    return float("nan") if value is None else float(value)


def _require(path: Path, place: str, record: Any, keys: tuple[str, ...]) -> None:
    missing = [key for key in keys if not isinstance(record, dict) or key not in record]
    if missing:
        raise InvalidFileError(f"{path}: {place} lacks {missing[0]!r}")
