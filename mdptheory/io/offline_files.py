"""Episodes with the features they are to be read with, in NumPy archives: never a pickle."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._validation import check_finite, place
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.io._common import CELLS_PER_ROW, MAX_TABLE_CELLS, reading
from mdptheory.io.npz import decode_json, encode_json, load_arrays, save_arrays
from mdptheory.models import KnownModel, OfflineData

FORMAT = "mdptheory offline data 1"
SUFFIX = ".npz"
_WHOLE = ("states", "actions")
_FLOAT = ("phi", "theta", "initial")
_REQUIRED = {*_WHOLE, "phi", "theta", "meta"}
_META = {"format", "initial", "fail_state", "simplex"}


def write_offline(path: str | PathLike[str], data: OfflineData, known: KnownModel) -> None:
    """Write episodes and what is known of their model, so that `read_offline` returns the same.

    Parameters
    ----------
    path : str or path
        The file; its name ends in ``.npz``.
    data : OfflineData
        The episodes.
    known : KnownModel
        Features, rewards, first state and fail state.

    Raises
    ------
    InvalidModelError
        If an index of the episodes is outside the model, or their horizons differ.
    InvalidFileError
        If the name has another suffix.
    TypeError
        If an argument is of another type.
    """
    for name, value, kind in (("data", data, OfflineData), ("known", known, KnownModel)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} is of type {type(value).__name__}; expected {kind.__name__}")
    target = _with_suffix(path)
    check_episodes(data, known)
    numbered = np.ndim(known.initial) == 0
    meta = {
        "format": FORMAT,
        "initial": int(np.asarray(known.initial)) if numbered else None,
        "fail_state": None if known.fail_state is None else int(known.fail_state),
        "simplex": known.simplex,
    }
    arrays: dict[str, npt.NDArray[Any]] = {"states": data.states, "actions": data.actions}
    arrays |= {"phi": known.phi, "theta": known.theta, "meta": encode_json(meta)}
    save_arrays(target, arrays if numbered else arrays | {"initial": known.start})


def read_offline(path: str | PathLike[str]) -> tuple[OfflineData, KnownModel]:
    """Read what `write_offline` wrote, with every size checked before it is allocated.

    Parameters
    ----------
    path : str or path
        The file; its name ends in ``.npz``.

    Returns
    -------
    data : OfflineData
        The episodes.
    known : KnownModel
        Features, rewards, first state and fail state.

    Raises
    ------
    InvalidFileError
        If the file cannot be read, is truncated or inconsistent, claims more than it holds, or
        breaks a rule of `OfflineData` or `KnownModel`; the message names file, place and value.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> known = KnownModel(np.ones((2, 1, 1)), np.ones((3, 1)))
    >>> data = OfflineData([[0, 1, 1, 0]], [[0, 0, 0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_offline(pathlib.Path(folder) / "episodes.npz", data, known)
    ...     read_offline(pathlib.Path(folder) / "episodes.npz")[0].states
    array([[0, 1, 1, 0]])
    """
    source = _with_suffix(path)
    if not source.is_file():
        raise InvalidFileError(f"{source} is not a file")
    with reading(source), np.errstate(over="ignore", invalid="ignore"):
        arrays = load_arrays(source, {*_REQUIRED, "initial"}, _REQUIRED)
        meta = _meta(decode_json(arrays.pop("meta")), "initial" in arrays)
        _check_types(arrays)
        _check_sizes(arrays)
        data = OfflineData(arrays["states"], arrays["actions"])
        known = KnownModel(
            arrays["phi"],
            arrays["theta"],
            arrays.get("initial", meta["initial"]),
            meta["fail_state"],
            meta["simplex"],
        )
        check_finite("reward", known.reward)
        check_episodes(data, known)
    return data, known


def check_episodes(data: OfflineData, known: KnownModel) -> None:
    """Require episodes of the model's horizon whose indices it has."""
    if data.horizon != known.horizon:
        raise InvalidModelError(
            f"actions has {data.horizon} steps an episode; the model has {known.horizon}"
        )
    limits = {"states": known.n_states, "actions": known.n_actions}
    for name, limit in limits.items():
        array = getattr(data, name)
        if array.max() >= limit:
            k, h = (int(i) for i in np.argwhere(array >= limit)[0])
            raise InvalidModelError(
                f"{place(name, (k, h))} is {array[k, h]}; expected an index in [0, {limit})"
            )


def _with_suffix(path: str | PathLike[str]) -> Path:
    target = Path(path)
    if target.suffix.lower() != SUFFIX:
        raise InvalidFileError(f"{target} has the suffix {target.suffix!r}; expected {SUFFIX}")
    return target


def _meta(given: Any, has_initial: bool) -> dict[str, Any]:
    """Return the fields of the archive's head, each of its type."""
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise InvalidFileError(f"not a {FORMAT!r} archive")
    if set(given) != _META:
        raise InvalidFileError(f"meta has fields {sorted(given)}")
    if (given["initial"] is None) != has_initial:
        raise InvalidFileError("expected initial either in meta or as an array")
    for name in ("initial", "fail_state"):
        if given[name] is not None and type(given[name]) is not int:
            raise InvalidFileError(f"{name} is {given[name]!r}; expected an index or null")
    if type(given["simplex"]) is not bool:
        raise InvalidFileError(f"simplex is {given['simplex']!r}; expected true or false")
    return given


def _check_types(arrays: dict[str, npt.NDArray[Any]]) -> None:
    for name, array in arrays.items():
        kinds = (np.int32, np.int64) if name in _WHOLE else (np.float64,)
        if array.dtype not in kinds:
            wanted = " or ".join(np.dtype(kind).name for kind in kinds)
            raise InvalidFileError(f"{name} has dtype {array.dtype}; expected {wanted}")


def _check_sizes(arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Refuse features and steps whose table of rewards would exhaust memory."""
    phi, theta = arrays["phi"], arrays["theta"]
    if phi.ndim not in (3, 4) or theta.ndim != 2:
        raise InvalidFileError(f"phi has shape {phi.shape} and theta {theta.shape}")
    cells = theta.shape[0] * phi.shape[-3] * phi.shape[-2]
    if cells > MAX_TABLE_CELLS + CELLS_PER_ROW * (phi.size + theta.size):
        raise InvalidFileError(
            f"{theta.shape[0]} steps of {phi.shape[-3]} states and {phi.shape[-2]} actions would"
            f" take a table of {cells} rewards, which is refused"
        )
