"""Finds figures, computes their data once, keeps it with its origin, and plots from the file."""

import dataclasses
import importlib
import pkgutil
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mdptheory import __version__
from mdptheory._extras import require
from mdptheory.errors import InvalidModelError
from mdptheory.experiments import read_arrays, write_arrays
from mdptheory.experiments.cells import canonical

Progress = Callable[[str, int, int], None]
STYLE = Path(__file__).with_name("style.mplstyle")
PACKAGE = Path(__file__).parent


@dataclasses.dataclass(frozen=True, slots=True)
class FigureEntry:
    """One figure module: ``Config``, ``compute(config, rng, progress)``, ``plot(data, fig)``."""

    name: str

    @property
    def module(self) -> ModuleType:
        """Import the module."""
        return importlib.import_module(f"paper_figures.{self.name.replace('/', '.')}")

    @property
    def title(self) -> str:
        """First line of the module's docstring."""
        return self._text()[0].rstrip(".")

    @property
    def caption(self) -> str:
        """The rest of the module's docstring."""
        return " ".join(" ".join(self._text()[1:]).split())

    def _text(self) -> list[str]:
        return (self.module.__doc__ or self.name).strip().split("\n")


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """The files of one figure."""

    entry: FigureEntry
    data: Path
    png: Path
    svg: Path


def list_figures() -> tuple[FigureEntry, ...]:
    """Return every figure of every paper folder, by name."""
    found = []
    for paper in pkgutil.iter_modules([str(PACKAGE)]):
        if paper.ispkg and not paper.name.startswith("_"):
            for figure in pkgutil.iter_modules([str(PACKAGE / paper.name)]):
                if not figure.name.startswith("_"):
                    found.append(FigureEntry(f"{paper.name}/{figure.name}"))
    return tuple(sorted(found, key=lambda entry: entry.name))


def select_figures(name: str | None) -> tuple[FigureEntry, ...]:
    """Return the figures that ``PAPER``, ``PAPER/FIG`` or ``PAPER/FIG_slug`` names; None is all."""
    known = list_figures()
    if name is None:
        return known
    wanted = name.strip("/")
    chosen = tuple(
        entry
        for entry in known
        if entry.name == wanted
        or entry.name.startswith(f"{wanted}/")
        or ("/" in wanted and entry.name.startswith(f"{wanted}_"))
    )
    if not chosen:
        listed = ", ".join(entry.name for entry in known)
        raise InvalidModelError(f"figure {name!r} is unknown; there are {listed}")
    return chosen


def draw(
    entry: FigureEntry,
    out: Path,
    *,
    quick: bool = False,
    replot: bool = False,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Drawn:
    """Compute one figure's data (unless ``replot``), keep it, and plot from the kept file.

    Parameters
    ----------
    entry : FigureEntry
        The figure.
    out : Path
        Folder; the files land in ``out/PAPER/``, the data in ``out/PAPER/data/``.
    quick : bool
        Use ``Config.quick()``.
    replot : bool
        Plot from the data file of an earlier run.
    seed : int
        Seed of the generator that ``compute`` receives.
    options : mapping, optional
        Fields of the configuration to replace; those that the figure lacks are ignored.
    progress : callable, optional
        ``progress(label, done, total)``.

    Returns
    -------
    Drawn
        Paths of data, PNG and SVG.

    Raises
    ------
    InvalidModelError
        ``replot`` without a data file.
    """
    paper, _, figure = entry.name.partition("/")
    drawn = Drawn(
        entry,
        data=out / paper / "data" / f"{figure}.npz",
        png=out / paper / f"{figure}.png",
        svg=out / paper / f"{figure}.svg",
    )
    if not replot:
        _compute(drawn, quick, seed, options or {}, progress or (lambda label, done, total: None))
    elif not drawn.data.exists():
        raise InvalidModelError(f"{drawn.data} is not there; run once without --replot")
    _plot(drawn)
    return drawn


def versions() -> dict[str, str]:
    """Return the versions that the numbers depend on."""
    import numba
    import scipy

    return {
        "mdptheory": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "matplotlib": require("matplotlib", "figures").__version__,
    }


def commit() -> str | None:
    """Return the commit of the checkout that is running, or None outside one."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    command = ["git", "-C", str(PACKAGE.parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a progress callable that draws on stderr, and nothing without a terminal."""
    if not sys.stderr.isatty():
        yield lambda label, done, total: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    with Progress(
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("")
        yield lambda label, done, total: bar.update(
            task, description=label, completed=done, total=total
        )


def _compute(
    drawn: Drawn, quick: bool, seed: int, options: Mapping[str, Any], progress: Progress
) -> None:
    module = drawn.entry.module
    config = module.Config.quick() if quick else module.Config()
    fields = {field.name for field in dataclasses.fields(config)}
    config = dataclasses.replace(config, **{k: v for k, v in options.items() if k in fields})
    data = module.compute(config, np.random.default_rng(seed), progress)
    meta = {
        "figure": drawn.entry.name,
        "config": canonical(config),
        "quick": quick,
        "seed": seed,
        "versions": versions(),
        "commit": commit(),
    }
    write_arrays(drawn.data, data, meta)


def _plot(drawn: Drawn) -> None:
    matplotlib = require("matplotlib", "figures")
    from matplotlib.figure import Figure

    data, _ = read_arrays(drawn.data)
    with matplotlib.rc_context(fname=STYLE):
        figure = Figure(layout="constrained")
        drawn.entry.module.plot(data, figure)
        figure.savefig(drawn.png, metadata={"Software": None})
        figure.savefig(drawn.svg, metadata={"Date": None, "Creator": None})
