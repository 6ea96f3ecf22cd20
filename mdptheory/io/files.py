"""One door for every format: the suffix of the name decides."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TypeVar

from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.io.csv_files import read_csv, write_csv
from mdptheory.io.gym import GYM_PREFIX, from_spec
from mdptheory.io.npz import read_npz, write_npz
from mdptheory.io.prism import read_prism
from mdptheory.io.prism_write import write_prism
from mdptheory.io.umb import read_umb, write_umb
from mdptheory.models import Objective, TabularMDP

T = TypeVar("T")
_READERS: dict[str, Callable[..., TabularMDP]] = {
    ".npz": read_npz,
    ".csv": read_csv,
    ".tra": read_prism,
    ".umb": read_umb,
}
_WRITERS: dict[str, Callable[[TabularMDP, Path], None]] = {
    ".npz": write_npz,
    ".csv": write_csv,
    ".tra": write_prism,
    ".umb": write_umb,
}


def read(
    path: str | PathLike[str], *, gamma: float | None = None, objective: Objective | None = None
) -> TabularMDP:
    """Read a model from ``.npz``, ``.csv``, ``.tra`` (PRISM, Storm) or ``.umb``.

    Parameters
    ----------
    path : str or path
        The file; the suffix names its format. Files that lie beside it are read with it: see
        `mdptheory.io.csv_files` and `mdptheory.io.prism`.
    gamma : float, optional
        Discount factor per step; replaces what the file says. ``.tra`` and ``.umb`` hold none.
    objective : Discounted, FiniteHorizon or TotalReward, optional
        Replaces what the file says; give at most one of ``gamma`` and ``objective``.

    Returns
    -------
    TabularMDP
        The validated model.

    Raises
    ------
    InvalidFileError
        If the file cannot be read, is truncated or inconsistent, claims more than it holds, or
        breaks a rule of `TabularMDP`; the message names file, place and value.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from mdptheory import TabularMDP, io
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write(mdp, pathlib.Path(folder) / "two.csv")
    ...     io.read(pathlib.Path(folder) / "two.csv").gamma
    0.9
    """
    place = Path(path)
    reader = _choose(_READERS, place)
    if not place.is_file():
        raise InvalidFileError(f"{place} is not a file")
    return reader(place, gamma=gamma, objective=objective)


def write(mdp: TabularMDP, path: str | PathLike[str]) -> None:
    """Write a model so that `read` returns the same numbers bit for bit.

    Parameters
    ----------
    mdp : TabularMDP
        The model. Stage-dependent data need ``.npz``; ``.tra`` and ``.umb`` hold no objective.
    path : str or path
        The file, whose suffix names the format. For ``.csv`` and ``.tra`` the files beside it that
        belong to the same model are written, or removed where this model has no need of them.

    Raises
    ------
    InvalidModelError
        If the format cannot hold the model.
    """
    if not isinstance(mdp, TabularMDP):
        raise TypeError(f"mdp has type {type(mdp).__name__}; expected a TabularMDP")
    place = Path(path)
    _choose(_WRITERS, place)(mdp, place)


def load(
    spec: str | PathLike[str], gamma: float | None = None, objective: Objective | None = None
) -> TabularMDP:
    """Read a model from a path, or from ``gym:NAME[?option=value&...]``.

    Parameters
    ----------
    spec : str or path
        A file as for `read`, or a Gymnasium environment such as
        ``gym:FrozenLake-v1?map_name=8x8&is_slippery=true``.
    gamma : float, optional
        Discount factor per step; 0.99 for Gymnasium, which has none of its own.
    objective : Discounted, FiniteHorizon or TotalReward, optional
        Used instead of ``gamma``.

    Returns
    -------
    TabularMDP
        The validated model.

    Raises
    ------
    InvalidFileError
        If the file is refused, see `read`.
    InvalidModelError
        If Gymnasium does not know the environment or it has no transition table.
    """
    if isinstance(spec, str) and spec.startswith(GYM_PREFIX):
        if gamma is not None and objective is not None:
            raise InvalidModelError("give gamma or objective, not both")
        mdp = from_spec(spec, 0.99 if gamma is None else gamma)
        return mdp if objective is None else mdp.with_objective(objective)
    return read(spec, gamma=gamma, objective=objective)


def _choose(table: dict[str, T], path: Path) -> T:
    try:
        return table[path.suffix.lower()]
    except KeyError:
        raise InvalidFileError(
            f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(table)}"
        ) from None
