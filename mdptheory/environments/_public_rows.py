"""Fields of the German credit and COMPAS files, and the features that scores are learned from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from mdptheory._typing import BoolArray, FloatArray
from mdptheory.environments._csv_columns import word
from mdptheory.errors import InvalidFileError
from mdptheory.io._common import open_text, reading

GERMAN_NUMBERS: Final = (
    *("duration", "amount", "installment_rate", "residence", "age"),
    *("n_credits", "n_liable"),
)
GERMAN_CODES: Final = (
    *("status", "credit_history", "purpose", "savings", "employment", "debtors"),
    *("property", "other_plans", "housing", "job", "telephone", "foreign"),
)
GERMAN_FIELDS: Final = (
    *("status", "duration", "credit_history", "purpose", "amount", "savings", "employment"),
    *("installment_rate", "personal_status", "debtors", "residence", "property", "age"),
    *("other_plans", "housing", "n_credits", "job", "n_liable", "telephone", "foreign", "class"),
)
MOST_LEVELS: Final = 20
"""No code of the original has more than 10 levels; beyond this the columns are others."""

COMPAS_FEATURES: Final = (
    "age",
    "priors_count",
    "juv_fel_count",
    "juv_misd_count",
    "juv_other_count",
    "male",
    "felony",
)


def german_fields(path: Path, shape: str) -> dict[str, list[Any]]:
    """Return the columns: whole numbers as int, everything else as text."""
    fields: dict[str, list[Any]] = {name: [] for name in GERMAN_FIELDS}
    with reading(path), open_text(path) as handle:
        for line, text in enumerate(handle, 1):
            words = text.split()
            if len(words) != len(GERMAN_FIELDS):
                raise InvalidFileError(
                    f"{path}, line {line}: {len(words)} fields; expected {len(GERMAN_FIELDS)}."
                    f" The format is {shape}"
                )
            for name, entry in zip(GERMAN_FIELDS, words, strict=True):
                number = name in GERMAN_NUMBERS
                fields[name].append(whole(path, line, name, entry) if number else entry)
            _check_codes(path, line, words)
    return fields


def _check_codes(path: Path, line: int, words: list[str]) -> None:
    """Refuse classes and codes that are none: code j of the file starts with A and j."""
    for j, (name, entry) in enumerate(zip(GERMAN_FIELDS, words, strict=True), 1):
        known = entry in ("1", "2") if name == "class" else entry.startswith(f"A{j}")
        if name not in GERMAN_NUMBERS and not known:
            expected = "1 (good) or 2 (bad)" if name == "class" else f"a code A{j}..."
            raise InvalidFileError(
                f"{path}, line {line}: {name} is {entry[:60]!r}; expected {expected}"
            )


def german_features(fields: dict[str, list[Any]]) -> tuple[FloatArray, tuple[str, ...]]:
    """Return numbers, then 0 or 1 for each level of each code but the first."""
    columns = [np.array(fields[name], dtype=np.float64) for name in GERMAN_NUMBERS]
    names = list(GERMAN_NUMBERS)
    for code in GERMAN_CODES:
        levels = sorted(set(fields[code]))
        if len(levels) > MOST_LEVELS:
            raise InvalidFileError(
                f"{code} has {len(levels)} levels; expected at most {MOST_LEVELS}"
            )
        for level in levels[1:]:
            columns.append(np.array([entry == level for entry in fields[code]], dtype=np.float64))
            names.append(f"{code}={level}")
    return np.column_stack(columns), tuple(names)


def whole(path: Path, line: int, column: str, text: str) -> int:
    """Return a whole number from 0 to 999999999."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise InvalidFileError(
            f"{path}, line {line}: {column} is {text[:60]!r}; expected a whole number"
        )
    return int(digits)


def outcome(path: Path, line: int, column: str, text: str) -> int:
    """Return -1 for unknown, 0 or 1."""
    return _one_of(path, line, column, text, {"-1": -1, "0": 0, "1": 1})


def binary(path: Path, line: int, column: str, text: str) -> int:
    """Return 0 or 1."""
    return _one_of(path, line, column, text, {"0": 0, "1": 1})


def decile(path: Path, line: int, column: str, text: str) -> int:
    """Return -1 for none, or 1 to 10."""
    return _one_of(path, line, column, text, {str(i): i for i in (-1, *range(1, 11))})


def days(path: Path, line: int, column: str, text: str) -> float:
    """Return a signed whole number, or NaN where the field is empty, as it is for some."""
    digits = text.strip().removeprefix("-")
    if not text.strip():
        return np.nan
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise InvalidFileError(
            f"{path}, line {line}: {column} is {text[:60]!r}; expected a whole number or nothing"
        )
    return float(text)


def _one_of(path: Path, line: int, column: str, text: str, known: dict[str, int]) -> int:
    if text.strip() not in known:
        raise InvalidFileError(
            f"{path}, line {line}: {column} is {text[:60]!r}; expected {', '.join(known)}"
        )
    return known[text.strip()]


COMPAS_COLUMNS: Final[dict[str, Callable[[Path, int, str, str], Any]]] = {
    "age": whole,
    "priors_count": whole,
    "juv_fel_count": whole,
    "juv_misd_count": whole,
    "juv_other_count": whole,
    "sex": word,
    "race": word,
    "c_charge_degree": word,
    "days_b_screening_arrest": days,
    "is_recid": outcome,
    "score_text": word,
    "decile_score": decile,
    "two_year_recid": binary,
}
"""What is kept of the file; all else, names and birth dates among it, is passed over."""


def compas_kept(columns: dict[str, Any]) -> BoolArray:
    """Say which rows pass the filter under which the file is usually read."""
    kept: BoolArray = (
        (np.abs(columns["days_b_screening_arrest"]) <= 30)  # NaN is not
        & (columns["is_recid"] != -1)
        & (columns["c_charge_degree"] != "O")
        & (columns["score_text"] != "N/A")
    )
    return kept


def compas_features(columns: dict[str, Any]) -> FloatArray:
    """Return the columns of `COMPAS_FEATURES`."""
    found = [columns[name] for name in COMPAS_FEATURES[:5]]
    found += [columns["sex"] == "Male", columns["c_charge_degree"] == "F"]
    return np.column_stack(found).astype(np.float64)
