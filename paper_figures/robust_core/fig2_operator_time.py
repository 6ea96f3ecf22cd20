"""What nature's reply costs: time of one row against its length.

Successive sweeps of robust value iteration over a model with dense random rows, on one thread: the
time of a sweep divided by its rows, so that of nature's worst row of n outcomes (with shared
budgets, of a state's rows divided by their number). Radii are moderate: part of the mass moves.
Left, the sets whose worst row is exact up to rounding; right, L2, divergences and budgets that the
rows of a state share. The grey line is the nominal sweep, a dot product a row. The black lines are
a general convex solver on one row (cvxpy with CLARABEL; the programme is built once and only z
changes), drawn where cvxpy is installed. Markers are medians over the sweeps, bands their 25 to
75 % quantiles; set-up, the first sweep and compilation are not counted. Sizes at which a set would
take too long are left out.
"""

import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory import TabularMDP, models
from mdptheory._typing import FloatArray
from mdptheory.operators.backup import Backup
from mdptheory.operators.dispatch import game
from paper_figures._runner import Progress

GAMMA = 0.95
SETS: dict[str, Callable[[TabularMDP], models.AmbiguitySet]] = {
    "L1": lambda mdp: models.L1Ball(0.2, "nominal"),
    "weighted L1": lambda mdp: models.WeightedL1Ball(
        0.2, np.linspace(0.5, 2.0, mdp.n_states), "nominal"
    ),
    "L∞": lambda mdp: models.LinfBall(0.5 / mdp.n_states, "nominal"),
    "interval": lambda mdp: models.IntervalSet(
        0.5 * mdp.prob, np.minimum(2.0 * mdp.prob, 1.0), mdp.row_ptr
    ),
    "CVaR": lambda mdp: models.CVaRSet(0.5),
    "contamination": lambda mdp: models.ContaminationSet(0.1, "nominal"),
    "Wasserstein": lambda mdp: models.WassersteinBall(0.05, _steps(mdp.n_states)),
    "L2": lambda mdp: models.L2Ball(0.5 / mdp.n_states, "nominal"),
    "KL": lambda mdp: models.KLBall(0.1),
    "Burg": lambda mdp: models.BurgBall(0.1, "nominal"),
    "χ²": lambda mdp: models.ChiSquareBall(0.2),
    "L1, shared": lambda mdp: models.L1Ball(0.4, "nominal", "s"),
    "KL, shared": lambda mdp: models.KLBall(0.2, "s"),
    "χ², shared": lambda mdp: models.ChiSquareBall(0.4, "s"),
}
LEFT = ("L1", "weighted L1", "L∞", "interval", "CVaR", "contamination", "Wasserstein")
PROGRAMMES = ("L1", "KL")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255")


@dataclass(frozen=True, slots=True)
class Config:
    """What to time.

    Attributes
    ----------
    sizes : tuple of int
        Outcomes of a row, which is the number of states.
    programme_sizes : tuple of int
        Outcomes of the row that cvxpy solves.
    repeats : int
        Timed sweeps of each.
    longest : float
        Seconds; a set whose sweep took a tenth of that is not tried at larger sizes.
    """

    sizes: tuple[int, ...] = (20, 50, 100, 200, 500, 1000)
    programme_sizes: tuple[int, ...] = (20, 100, 400, 1000)
    repeats: int = 9
    longest: float = 4.0

    @classmethod
    def quick(cls) -> Self:
        """Take fewer and smaller sizes."""
        return cls(sizes=(20, 50, 100), programme_sizes=(20,), repeats=7, longest=0.5)


def _steps(n: int) -> FloatArray:
    return np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / n


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Time sweeps of every set at every size, and general programmes for a few."""
    found = importlib.util.find_spec("cvxpy") is not None
    data: dict[str, Any] = {
        "sets": np.array(list(SETS)),
        "sizes": np.array(config.sizes),
        "programme_sizes": np.array(config.programme_sizes if found else ()),
        "programmes": np.array(PROGRAMMES if found else (), dtype=str),
        "nominal": np.full((len(config.sizes), config.repeats), np.nan),
    }
    for k in range(len(SETS)):
        data[f"seconds_{k}"] = np.full((len(config.sizes), config.repeats), np.nan)
    total = len(config.sizes) * len(SETS)
    slow: set[str] = set()
    for i, n in enumerate(config.sizes):
        n_actions = max(2, 1000 // n)
        P = rng.dirichlet(np.ones(n), (n, n_actions))
        mdp = TabularMDP.from_dense(P, rng.random((n, n_actions)), GAMMA)
        v = rng.random(n)
        data["nominal"][i] = _sweeps(Backup(mdp, threads=1), mdp, v, config)
        for k, name in enumerate(SETS):
            progress(f"{name}, n = {n}", i * len(SETS) + k, total)
            if name in slow:
                continue
            sweeps = _sweeps(game(mdp, SETS[name](mdp), threads=1), mdp, v, config)
            data[f"seconds_{k}"][i] = sweeps
            if np.median(sweeps) * mdp.n_rows > config.longest / 10:
                slow.add(name)
    for name in PROGRAMMES if found else ():
        times = [_programme(name, n, config.repeats, rng) for n in config.programme_sizes]
        data[f"programme_{name}"] = np.array(times)
    return data


def _sweeps(backup: Any, mdp: TabularMDP, v: FloatArray, config: Config) -> FloatArray:
    """Return the seconds a row of value iteration's sweeps; the first one is not counted."""
    seconds, out = np.empty(config.repeats), np.empty_like(v)
    with backup:
        backup.greedy(v, out)
        v, out = out, np.array(v)  # the caller's stays as it is
        for k in range(config.repeats):
            start = time.perf_counter()
            backup.greedy(v, out)
            seconds[k] = time.perf_counter() - start
            v, out = out, v
    return seconds / mdp.n_rows


def _programme(name: str, n: int, repeats: int, rng: np.random.Generator) -> FloatArray:
    """Return the seconds in which cvxpy solves one row, from its second solve on."""
    cp: Any = importlib.import_module("cvxpy")
    p, q, z = rng.dirichlet(np.ones(n)), cp.Variable(n, nonneg=True), cp.Parameter(n)
    near = cp.norm1(q - p) <= 0.2 if name == "L1" else cp.sum(cp.kl_div(q, p)) <= 0.1
    problem = cp.Problem(cp.Minimize(q @ z), [cp.sum(q) == 1, near])
    seconds = np.empty(repeats)
    for k in range(-1, repeats):
        z.value = rng.random(n)
        start = time.perf_counter()
        problem.solve(solver=cp.CLARABEL)
        if k >= 0:
            seconds[k] = time.perf_counter() - start
    return seconds


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw exact sets on the left, divergences and shared budgets on the right."""
    fig.set_size_inches(10.6, 4.9)
    axes = fig.subplots(1, 2, sharey=True)
    names = [str(name) for name in data["sets"]]
    groups = [[n for n in names if n in LEFT], [n for n in names if n not in LEFT]]
    for ax, group, title in zip(
        axes, groups, ("exact replies", "divergences and shared budgets"), strict=True
    ):
        _line(ax, data["sizes"], data["nominal"], "#999999", "nominal (dot product)", width=3.2)
        for name, colour in zip(group, COLOURS, strict=True):
            _line(ax, data["sizes"], data[f"seconds_{names.index(name)}"], colour, name)
        for name in (str(name) for name in data["programmes"]):
            if name in group:
                seconds, label = data[f"programme_{name}"], f"{name} by cvxpy"
                _line(ax, data["programme_sizes"], seconds, "#222222", label, dashed=True)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ticks = [int(n) for n in np.union1d(data["sizes"], data["programme_sizes"])]
        ax.set_xticks(ticks, [str(n) for n in ticks])
        ax.xaxis.minorticks_off()
        ax.set_xlabel("outcomes of a row n")
        ax.set_title(title)
        ax.legend(loc="upper left", ncols=2, fontsize=7.5)
    axes[0].set_ylabel("time of a row (microseconds, one thread)")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low, high * 30)  # room for the legends
    if not len(data["programmes"]):
        fig.supxlabel("cvxpy is not installed: its lines are missing", fontsize=8)


def _line(
    ax: Any,
    n: Any,
    seconds: Any,
    colour: str,
    label: str,
    *,
    width: float = 1.4,
    dashed: bool = False,
) -> None:
    done = ~np.isnan(seconds[:, 0])
    low, middle, high = (1e6 * np.quantile(seconds[done], k, axis=1) for k in (0.25, 0.5, 0.75))
    x, style = np.asarray(n)[done], "--" if dashed else "-"
    ax.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
    ax.plot(x, middle, style, marker="o", color=colour, label=label, linewidth=width, markersize=3)
