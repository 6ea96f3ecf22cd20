"""Episodes in Minari's data sets: local folders, discrete spaces, one length; no download."""

import os
import re
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._extras import require
from mdptheory._typing import IntArray
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.io._common import reading
from mdptheory.io.npz import MAX_FREE_BYTES, MAX_RATIO, parse_json
from mdptheory.io.offline_files import check_episodes
from mdptheory.models import KnownModel, OfflineData

EXTRA = "minari"
REWARD_TOLERANCE = 1e-6  # other programs may have stored rewards in single precision
_META, _MAIN = "metadata.json", "main_data.hdf5"
_KINDS = {
    "observations": "iu", "actions": "iu", "rewards": "iuf", "terminations": "biu",
    "truncations": "biu",
}  # fmt: skip
_PARTS = tuple(_KINDS)
_NAME = re.compile(r"[-_\w]+?-v\d+")


def write_minari(
    folder: str | PathLike[str],
    data: OfflineData,
    known: KnownModel,
    *,
    dataset_id: str | None = None,
) -> None:
    """Write episodes as a Minari data set, with the model's rewards.

    Parameters
    ----------
    folder : str or path
        The data set's folder, which is made; ``minari.load_dataset`` finds it by its name if it
        lies in the folder that ``MINARI_DATASETS_PATH`` names.
    data : OfflineData
        The episodes. Each ends with a termination, since nothing follows the last step.
    known : KnownModel
        Sizes and rewards of the model. Its features are not part of the data set.
    dataset_id : str, optional
        Minari's name, such as ``"lab/river-v0"``; the folder's own name if absent.

    Raises
    ------
    InvalidModelError
        If an index of the episodes is outside the model, their horizons differ, the name has no
        version, or the folder already holds a data set.
    MissingExtraError
        If Minari is not installed.
    TypeError
        If ``data`` or ``known`` is of another type.

    Notes
    -----
    Minari keeps each episode as a group of an HDF5 file, which takes about a millisecond each; for
    many episodes `write_offline` is faster, and it keeps the features too.
    """
    for name, value, kind in (("data", data, OfflineData), ("known", known, KnownModel)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} is of type {type(value).__name__}; expected {kind.__name__}")
    check_episodes(data, known)
    place = Path(folder).resolve()  # Minari stumbles over relative names
    named = place.name if dataset_id is None else dataset_id
    if not _NAME.fullmatch(named.rpartition("/")[2]):
        raise InvalidModelError(f"dataset_id is {named!r}; expected a name such as 'river-v0'")
    if (place / "data").exists():
        raise InvalidModelError(f"{place} already holds a data set")
    minari, spaces = require("minari", EXTRA), require("gymnasium.spaces", EXTRA)
    stores = require("minari.dataset.minari_storage", EXTRA)
    (place / "data").mkdir(parents=True)
    store = stores.MinariStorage.new(
        place / "data", spaces.Discrete(known.n_states), spaces.Discrete(known.n_actions)
    )
    store.update_metadata({"dataset_id": named, "minari_version": minari.__version__})
    store.update_episodes(_buffers(data, known))


def _buffers(data: OfflineData, known: KnownModel) -> list[Any]:
    """Return the episodes as Minari takes them."""
    buffer = require("minari.data_collector", EXTRA).EpisodeBuffer
    steps = np.arange(data.horizon)
    last = (steps == data.horizon - 1).tolist()
    never = [False] * data.horizon
    return [
        buffer(
            observations=states,
            actions=actions,
            rewards=known.reward[steps, states[:-1], actions].tolist(),
            terminations=last,
            truncations=never,
        )
        for states, actions in zip(data.states, data.actions, strict=True)
    ]


def read_minari(source: str | PathLike[str], known: KnownModel | None = None) -> OfflineData:
    """Read the episodes of a local Minari data set.

    Parameters
    ----------
    source : str or path
        The data set's folder, or the name of one in Minari's local folder
        (``MINARI_DATASETS_PATH``, else ``~/.minari/datasets``). Nothing is downloaded.
    known : KnownModel, optional
        The model that the episodes are to be read with: sizes, horizon and rewards must agree.
        Without it the stored rewards are not looked at.

    Returns
    -------
    OfflineData
        The episodes; numbers of states and actions count from 0, wherever the data set starts.

    Raises
    ------
    InvalidFileError
        If there is no data set, it is damaged or claims more than it holds; if its spaces are not
        discrete, its episodes differ in length or end early; if a reward is not ``phi @ theta``
        within 1e-6, or a number is outside the model. The message names episode and step.
    MissingExtraError
        If h5py is not installed.
    """
    if known is not None and not isinstance(known, KnownModel):
        raise TypeError(f"known is of type {type(known).__name__}; expected KnownModel or None")
    folder = _folder(source)
    with reading(folder):
        meta = _metadata(folder / _META)
        bounds = [_discrete(meta, name) for name in ("observation_space", "action_space")]
        parts = _episodes(folder / _MAIN, meta["total_episodes"])
        rows = [_index(parts[i], *bounds[i], _PARTS[i]) for i in range(2)]
        data = OfflineData(*rows)
        _check_ends(parts[3], parts[4])
        if known is not None:
            check_episodes(data, known)
            _check_rewards(data, known, parts[2])
    return data


def _folder(source: str | PathLike[str]) -> Path:
    """Return the folder that holds metadata and episodes."""
    local = os.environ.get("MINARI_DATASETS_PATH") or Path.home() / ".minari" / "datasets"
    for place in (Path(source), Path(local) / source):
        for folder in (place / "data", place):
            if (folder / _META).is_file():
                return folder
    raise InvalidFileError(
        f"{source} is no Minari data set, neither a folder nor a name in {local}"
    )


def _metadata(path: Path) -> dict[str, Any]:
    meta = parse_json(path.read_bytes())
    if not isinstance(meta, dict):
        raise InvalidFileError(f"{_META} holds no object")
    if meta.get("data_format") != "hdf5":
        raise InvalidFileError(f"data_format is {meta.get('data_format')!r}; expected 'hdf5'")
    if type(meta.get("total_episodes")) is not int or meta["total_episodes"] < 1:
        raise InvalidFileError(f"total_episodes is {meta.get('total_episodes')!r}; expected >= 1")
    return meta


def _discrete(meta: dict[str, Any], name: str) -> tuple[int, int]:
    """Return the first number of a discrete space and how many it has."""
    text = meta.get(name)
    space = parse_json(text.encode()) if isinstance(text, str) else None
    if not isinstance(space, dict) or space.get("type") != "Discrete":
        kind = space.get("type") if isinstance(space, dict) else space
        raise InvalidFileError(f"{name} is of type {kind!r}; expected 'Discrete'")
    start, n = space.get("start", 0), space.get("n")
    if type(start) is not int or type(n) is not int or n < 1 or max(abs(start), n) >= 2**31:
        raise InvalidFileError(f"{name} has start {start!r} and n {n!r}; expected integers")
    return start, n


def _episodes(path: Path, count: int) -> list[npt.NDArray[Any]]:
    """Return the five parts of all episodes, each of shape (K, H) or (K, H + 1)."""
    h5py = require("h5py", EXTRA)
    try:
        with h5py.File(path, "r") as file:
            if len(file) != count:
                raise InvalidFileError(f"metadata count {count} episodes; {len(file)} are stored")
            groups = [file[f"episode_{k}"] for k in range(count)]
            shapes = [groups[0][name].shape for name in _PARTS]
            free = MAX_FREE_BYTES + MAX_RATIO * path.stat().st_size
            for k, group in enumerate(groups):
                for name, shape in zip(_PARTS, shapes, strict=True):
                    free -= _claimed(group[name], k, name, shape)
                    if free < 0:
                        raise InvalidFileError("the file claims more than it can hold")
            return [np.array([group[name][()] for group in groups]) for name in _PARTS]
    except InvalidFileError as error:
        raise InvalidFileError(f"{path}: {error}") from error
    except Exception as error:  # damaged bytes reach HDF5
        raise InvalidFileError(
            f"{path} is no readable data set ({type(error).__name__}: {error})"
        ) from error


def _claimed(part: Any, k: int, name: str, shape: tuple[int, ...]) -> int:
    """Return the bytes that a part of an episode claims, which is like the first one's."""
    if part.dtype.kind not in _KINDS[name]:
        raise InvalidFileError(f"episode {k}: {name} has dtype {part.dtype}; expected numbers")
    if part.ndim != 1 or len(shape) != 1:
        raise InvalidFileError(f"episode {k}: {name} has shape {part.shape}; expected one axis")
    if part.shape != shape:
        raise InvalidFileError(
            f"episode {k}: {name} has length {part.shape[0]}, that of episode 0 has {shape[0]};"
            " expected episodes of one length (an absorbing state fills up those that end early)"
        )
    return int(part.shape[0]) * int(part.dtype.itemsize)


def _index(array: npt.NDArray[Any], start: int, n: int, name: str) -> IntArray:
    """Return numbers that count from 0, all inside their space."""
    off = (array < start) | (array >= start + n)
    if off.any():
        k, h = (int(i) for i in np.argwhere(off)[0])
        raise InvalidFileError(
            f"episode {k}, step {h}: {name} has {array[k, h]}; its space has {start} to"
            f" {start + n - 1}"
        )
    return np.asarray(array.astype(np.int64) - start)


def _check_ends(terminations: npt.NDArray[Any], truncations: npt.NDArray[Any]) -> None:
    """Require that no episode ends before its last step."""
    early = (terminations[:, :-1] != 0) | (truncations[:, :-1] != 0)
    if early.any():
        k, h = (int(i) for i in np.argwhere(early)[0])
        raise InvalidFileError(f"episode {k} ends at step {h} and goes on; expected one run")


def _check_rewards(data: OfflineData, known: KnownModel, stored: npt.NDArray[Any]) -> None:
    """Require that rewards are those of the model."""
    steps = np.arange(data.horizon)
    wanted = known.reward[steps, data.states[:, :-1], data.actions]
    if stored.shape != wanted.shape:
        raise InvalidFileError(f"rewards has shape {stored.shape}; expected {wanted.shape}")
    off = ~(np.abs(stored - wanted) <= REWARD_TOLERANCE)
    if off.any():
        k, h = (int(i) for i in np.argwhere(off)[0])
        raise InvalidFileError(
            f"episode {k}, step {h}: the reward is {stored[k, h]:.12g}, but phi @ theta gives"
            f" {wanted[k, h]:.12g} for state {data.states[k, h]} and action {data.actions[k, h]}"
            f" ({int(off.sum())} of {off.size} rewards disagree)"
        )
