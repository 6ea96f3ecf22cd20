"""Named arrays on disk: equal arrays give equal bytes, and a torn file is told from a whole one."""

import io
import json
import os
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory.errors import InvalidFileError

META = "__meta__"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip entry can carry

Arrays = dict[str, npt.NDArray[Any]]


def encode_arrays(arrays: Mapping[str, npt.ArrayLike], meta: Mapping[str, Any]) -> bytes:
    """Return the bytes of an ``.npz`` file that depend on nothing but the arguments."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(meta, sort_keys=True, allow_nan=False).encode()
        _add(archive, META, np.frombuffer(text, dtype=np.uint8))
        for name in sorted(arrays):
            _add(archive, name, _checked(name, arrays[name]))
    return buffer.getvalue()


def decode_arrays(content: bytes, *, source: str = "content") -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the metadata, or raise `InvalidFileError` if any byte is missing."""
    arrays: Arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.namelist():
                raw = io.BytesIO(archive.read(entry))  # compares the checksum
                arrays[entry.removesuffix(".npy")] = np.lib.format.read_array(
                    raw, allow_pickle=False
                )
        meta = json.loads(arrays.pop(META).tobytes())
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError) as error:
        raise InvalidFileError(f"{source} is not a whole array file: {error}") from error
    return arrays, meta


def write_arrays(
    path: str | os.PathLike[str],
    arrays: Mapping[str, npt.ArrayLike],
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write named arrays and a JSON record as one ``.npz`` file, all or nothing.

    Parameters
    ----------
    path : path
        Where to; missing folders are made, an existing file is replaced in one step.
    arrays : mapping of str to array
        Numbers, booleans or strings of any shape; objects are refused.
    meta : mapping, optional
        Anything JSON can hold (finite numbers only).

    Raises
    ------
    TypeError
        An array holds Python objects, or a name is not a plain string.

    Notes
    -----
    The bytes are a function of the arguments: entries are sorted, stored without compression and
    carry a fixed time. ``numpy.load`` reads the file too.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> write_arrays(folder / "a.npz", {"x": [1.0, 2.0]}, {"seed": 3})
    >>> read_arrays(folder / "a.npz")
    ({'x': array([1., 2.])}, {'seed': 3})
    """
    write_bytes(Path(path), encode_arrays(arrays, meta or {}))


def read_arrays(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, Any]]:
    """Read what `write_arrays` wrote.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    arrays : dict of str to array
        The named arrays.
    meta : dict
        The JSON record.

    Raises
    ------
    InvalidFileError
        The file is truncated, corrupt or something else; nothing is unpickled.
    """
    return decode_arrays(Path(path).read_bytes(), source=os.fspath(path))


def write_bytes(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that no reader ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, name: str, array: npt.NDArray[Any]) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH), buffer.getvalue())


def _checked(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    if not isinstance(name, str) or not name or name.startswith("__"):
        raise TypeError(f"array name {name!r} is not a plain name; expected a string without '__'")
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError(
            f"array {name!r} has dtype {array.dtype}; expected numbers, booleans or strings"
        )
    return np.ascontiguousarray(array) if array.ndim else array
