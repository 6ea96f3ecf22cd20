"""Chosen columns of a file of unknown origin, converted as they are read."""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.io._common import open_text, reading
from mdptheory.io.csv_files import parse_number

MAX_BYTES = 2**30
"""Larger files are refused before anything is read."""

Converter = Callable[[Path, int, str, str], Any]
"""From file, line, column and text to a value, or an `InvalidFileError` that names all four."""


class Table(NamedTuple):
    """What was read.

    Attributes
    ----------
    columns : dict
        Converted values under each column's name.
    lines : list of int
        Line of the file on which each row ends.
    header : tuple of str
        All names of the header.
    """

    columns: dict[str, list[Any]]
    lines: list[int]
    header: tuple[str, ...]


def number(path: Path, line: int, column: str, text: str) -> float:
    """Return a finite number."""
    return parse_number(path, line, column, text)


def word(path: Path, line: int, column: str, text: str) -> str:
    """Return a text that is not empty, without blanks around it."""
    if not text.strip():
        raise InvalidFileError(f"{path}, line {line}: {column} is empty; expected a value")
    return text.strip()


def check_file(path: Path, largest: int = MAX_BYTES) -> None:
    """Refuse what is no plain file, which might never end, and what is too large."""
    with reading(path):
        size = path.stat().st_size
        if not path.is_file():
            raise InvalidFileError(f"cannot read {path}: it is not a plain file")
        if size > largest:
            raise InvalidFileError(f"{path} has {size} bytes; expected at most {largest}")


def read_columns(
    path: Path, wanted: Mapping[str, Converter], *, delimiter: str = ",", repeated: bool = False
) -> Table:
    """Keep the wanted columns and nothing else; ``repeated`` takes the first of equal names."""
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise InvalidModelError(f"delimiter is {delimiter!r}; expected one character")
    check_file(path)
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    lines: list[int] = []
    with reading(path):
        rows = _rows(path, delimiter)
        header = tuple(name.strip() for name in next(rows, (0, ()))[1])
        at = {name: _position(path, header, name, repeated, delimiter) for name in wanted}
        for line, fields in rows:
            if len(fields) != len(header):
                raise InvalidFileError(
                    f"{path}, line {line}: {len(fields)} fields; expected {len(header)},"
                    " as in the header"
                )
            for name, convert in wanted.items():
                columns[name].append(convert(path, line, name, fields[at[name]]))
            lines.append(line)
    if not lines:
        raise InvalidFileError(f"{path} has no rows")
    return Table(columns, lines, header)


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each line that is not blank."""
    with open_text(path) as handle:
        reader = csv.reader(handle, strict=True, delimiter=delimiter)
        try:
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
        except csv.Error as error:
            raise InvalidFileError(f"{path}, line {reader.line_num}: {error}") from error


def _position(
    path: Path, header: tuple[str, ...], name: str, repeated: bool, delimiter: str
) -> int:
    found = [i for i, title in enumerate(header) if title == name]
    if not found:
        shown = ", ".join(title[:40] for title in header[:12]) + ", ..." * (len(header) > 12)
        raise InvalidFileError(
            f"{path} has no column {name!r}; its header, split at {delimiter!r}, is"
            f" {shown or 'empty'}" + "; delimiter says where to split" * (len(header) == 1)
        )
    if len(found) > 1 and not repeated:
        raise InvalidFileError(
            f"{path} has {len(found)} columns {name!r}; expected one, to know which is meant"
        )
    return found[0]
