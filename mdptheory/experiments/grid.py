"""Run a function over configurations times seeds; finished cells are on disk, whatever happens."""

import dataclasses
import json
import os
import sys
import traceback
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mdptheory._extras import require
from mdptheory._version import __version__
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.experiments.cells import (
    Cell,
    CellFunction,
    check_distinct,
    describe,
    function_name,
    make_cell,
)
from mdptheory.experiments.storage import decode_arrays, write_bytes

MANIFEST = "manifest.json"
_SHOWN_FAILURES = 3


class GridError(RuntimeError):
    """Some cells raised; the others are on disk and a second run tries only these again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Grid:
    """A finished grid.

    Attributes
    ----------
    cells : tuple of Cell
        Configuration by configuration, seeds in the order given.
    executed : int
        Cells computed by this call; the other ``len(cells) - executed`` were on disk.
    """

    cells: tuple[Cell, ...]
    executed: int

    def stack(self, name: str) -> np.ndarray[Any, Any]:
        """Return array ``name`` of every cell, shape (n_configs * n_seeds, ...)."""
        return np.stack([cell.arrays()[name] for cell in self.cells])


@dataclasses.dataclass(frozen=True, slots=True)
class _Outcome:
    """What a worker sends back: the bytes when it cannot write, the traceback when it failed."""

    key: str
    content: bytes | None = None
    error: str | None = None


def run_grid(
    function: CellFunction,
    configs: Iterable[Any],
    seeds: Iterable[int],
    *,
    out: str | os.PathLike[str],
    n_jobs: int = 1,
    backend: Literal["dask"] | None = None,
    progress: bool = True,
) -> Grid:
    """Compute ``function(config, rng)`` for every configuration and seed, once.

    Parameters
    ----------
    function : callable
        ``function(config, rng)`` returns a dict of named arrays. A named, importable function:
        its name is part of each cell's identity.
    configs : iterable of frozen dataclasses or dicts
        Their content (numbers, strings, arrays, nested) is the other part.
    seeds : iterable of int
        Non-negative.
    out : path
        Folder; ``out/cells/<key>.npz`` holds one cell, ``out/manifest.json`` lists them all.
    n_jobs : int, optional
        Worker processes; 1 runs in this process, -1 uses every core.
    backend : "dask", optional
        Send the cells to the current `distributed.Client`, or to a local cluster of ``n_jobs``
        processes if there is none. The results come back to this process, which writes them.
    progress : bool, optional
        Show a progress bar on stderr if that is a terminal.

    Returns
    -------
    Grid
        The cells, in order; their arrays are read from disk on request.

    Raises
    ------
    GridError
        A cell raised or its worker died; the others have been completed or kept.
    InvalidModelError
        A configuration or a seed occurs twice, or the grid is empty.
    TypeError
        A configuration holds something that has no stable identity.
    MissingExtraError
        ``backend="dask"`` without the extra ``cluster``.

    Notes
    -----
    A cell's generator is seeded by the seed and the configuration's content, so a cell's bytes
    depend on neither its neighbours nor the number of workers; for that reason BLAS and Numba are
    held to one thread while cells run. A cell's file appears in one step when the cell ends: after
    a kill, the next call recomputes only what is missing or damaged. Editing the *code* of
    ``function`` changes no key: choose another folder then.

    Examples
    --------
    >>> import tempfile
    >>> def mean_of_draws(config, rng):
    ...     return {"mean": rng.random(config["n"]).mean()}
    >>> grid = run_grid(mean_of_draws, [{"n": 10}, {"n": 1000}], range(3), out=tempfile.mkdtemp())
    >>> grid.stack("mean").shape, grid.executed
    ((6,), 6)
    """
    if backend not in (None, "dask"):
        raise InvalidModelError(f"backend is {backend!r}; expected None or 'dask'")
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or (n_jobs < 1 and n_jobs != -1):
        raise InvalidModelError(f"n_jobs is {n_jobs!r}; expected a positive integer or -1")
    root = Path(out)
    all_seeds = list(seeds)
    cells = [make_cell(function, c, s, root / "cells") for c in configs for s in all_seeds]
    if not cells:
        raise InvalidModelError("configs x seeds is empty; expected at least one cell")
    check_distinct(cells)
    _remove_drafts(root / "cells")
    _write_manifest(root, function, cells)
    todo = [cell for cell in cells if not cell.is_done()]
    failures = _run(function, todo, n_jobs, backend, progress=progress)
    if failures:
        raise GridError(_failure_text(failures, cells))
    return Grid(tuple(cells), len(todo))


def _run(
    function: CellFunction,
    cells: list[Cell],
    n_jobs: int,
    backend: str | None,
    *,
    progress: bool,
) -> dict[str, str]:
    """Run the cells; return the failures' tracebacks by key."""
    if not cells:
        return {}
    if backend == "dask":
        outcomes = _on_dask(function, cells, n_jobs)
    elif n_jobs == 1:
        outcomes = _in_process(function, cells)
    else:
        outcomes = _on_processes(function, cells, n_jobs)
    failures: dict[str, str] = {}
    with closing(outcomes), _bar(len(cells), shown=progress) as advance:
        for outcome in outcomes:
            if outcome.error is not None:
                failures[outcome.key] = outcome.error
            advance()
    return failures


def _compute(function: CellFunction, cell: Cell, *, store: bool) -> _Outcome:
    """Run one cell; an exception is its result, not the grid's end."""
    try:
        content = cell.compute(function)
        if not store:
            return _Outcome(cell.key, content=content)
        write_bytes(cell.path, content)
    except Exception:  # the other cells go on; run_grid names this one at the end
        return _Outcome(cell.key, error=traceback.format_exc())
    return _Outcome(cell.key)


def one_thread() -> Any:
    """Hold linear algebra to one thread: from now on, or inside a ``with`` block.

    Returns
    -------
    threadpoolctl.threadpool_limits
        A context manager that lifts the limit when it ends.
    """
    import scipy.linalg  # noqa: F401  SciPy has a BLAS of its own, which must be there to be held
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _compute_alone(function: CellFunction, cell: Cell, *, store: bool) -> _Outcome:
    """Run one cell in a process that exists for cells, held to one thread for good."""
    _set_numba_threads(1)
    one_thread()
    return _compute(function, cell, store=store)


def _in_process(function: CellFunction, cells: list[Cell]) -> Generator[_Outcome]:
    for cell in cells:
        before = _set_numba_threads(1)
        try:
            with one_thread():
                outcome = _compute(function, cell, store=True)
        finally:
            _set_numba_threads(before)
        yield outcome


def _on_processes(function: CellFunction, cells: list[Cell], n_jobs: int) -> Generator[_Outcome]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    task = delayed(_compute_alone)
    # the limit reaches the workers as environment variables, NUMBA_NUM_THREADS among them
    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
        outcomes = pool(task(function, cell, store=True) for cell in cells)
        try:
            with closing(outcomes):
                yield from outcomes
        except TerminatedWorkerError as error:
            done = sum(cell.is_done() for cell in cells)
            raise GridError(
                f"a worker process died ({done} of {len(cells)} cells of this run are on disk;"
                " running again resumes there). Out of memory is the usual cause"
            ) from error


def _on_dask(function: CellFunction, cells: list[Cell], n_jobs: int) -> Generator[_Outcome]:
    distributed = require("distributed", "cluster")
    by_key = {cell.key: cell for cell in cells}
    with _dask_client(distributed, n_jobs) as client:
        futures = [
            client.submit(_compute_alone, function, cell, store=False, key=f"cell-{cell.key}")
            for cell in cells
        ]
        try:
            for future in distributed.as_completed(futures):
                yield _receive(future, by_key)
                future.release()
        finally:
            client.cancel(futures)


def _receive(future: Any, by_key: dict[str, Cell]) -> _Outcome:
    """Write a cell that came back from the cluster, or say why it did not."""
    key = str(future.key).removeprefix("cell-")
    if future.status != "finished":  # its workers kept dying
        return _Outcome(key, error=f"{future.exception()!r}")
    outcome: _Outcome = future.result()
    if outcome.content is not None:
        write_bytes(by_key[key].path, outcome.content)
    return _Outcome(key, error=outcome.error)


@contextmanager
def _dask_client(distributed: Any, n_jobs: int) -> Iterator[Any]:
    """Yield the caller's client, or one to a local cluster that lives as long as the grid."""
    try:
        client = distributed.get_client()
    except ValueError:
        client = None
    if client is not None:
        yield client
        return
    workers = None if n_jobs == -1 else n_jobs
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as own,
    ):
        yield own


def _set_numba_threads(count: int) -> int:
    """Set the number of Numba threads of this thread; return what it was."""
    import numba

    before = int(numba.get_num_threads())
    numba.set_num_threads(count)
    return before


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Any]:
    if not (shown and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("cells", total=total)
        yield lambda: bar.advance(task)


def _remove_drafts(folder: Path) -> None:
    """Delete what a killed run left half written."""
    for draft in folder.glob("*.tmp"):
        draft.unlink(missing_ok=True)


def _write_manifest(root: Path, function: CellFunction, cells: Sequence[Cell]) -> None:
    """List the folder's cells: this call's, and earlier ones that are still there."""
    entries = {cell.key: cell.record for cell in cells}
    for path in sorted((root / "cells").glob("*.npz")):
        if path.stem not in entries:
            try:
                entries[path.stem] = decode_arrays(path.read_bytes())[1]
            except InvalidFileError:
                continue
    manifest = {
        "format": 1,
        "function": function_name(function),
        "versions": {"mdptheory": __version__, "numpy": np.__version__},
        "cells": dict(sorted(entries.items())),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    write_bytes(root / MANIFEST, text.encode())


def _failure_text(failures: dict[str, str], cells: Sequence[Cell]) -> str:
    failed = [cell for cell in cells if cell.key in failures]
    lines = [f"{len(failed)} of {len(cells)} cells failed; the others are on disk"]
    for cell in failed[:_SHOWN_FAILURES]:
        reason = failures[cell.key].strip().splitlines()[-1]
        lines.append(f"  {describe(cell)}: {reason}")
    if len(failed) > _SHOWN_FAILURES:
        seeds = ", ".join(describe(cell) for cell in failed[_SHOWN_FAILURES:])
        lines.append(f"  and: {seeds}")
    lines.append(failures[failed[0].key].rstrip())
    return "\n".join(lines)
