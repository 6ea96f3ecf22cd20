"""Time to learn, relative to PEVI: the published figure 2.

American put with 20 steps, on one thread; left 30 features and 1,000 to 10,000 paths, right 1,000
paths and 30 to 120 features. Filled: seconds of a learner over those of PEVI, each the best of
several rounds in which the learners take turns; the bar is the range of that ratio within rounds.
Hollow: the published ratios. DRPVI and DRVI-L search their duals by Nelder-Mead from H/2 as
published; "exact" is DRPVI with the maximum over all breakpoints, which also learns other policies
(figure 1d). The published programs estimate next values path by path, for all learners alike, which
hides much of what the search costs; here all but the search is vectorised. The searching learners
are therefore further from PEVI, most of all with few paths, and sorting instead of searching takes
nearly all of the difference away. Ratios depend on machine and load.
"""

import time
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.environments import AmericanPut, collect_real
from mdptheory.experiments import one_thread
from paper_figures._runner import Progress
from paper_figures.r2pvi import _published as published
from paper_figures.r2pvi._fits import learner, published_setting
from paper_figures.r2pvi._style import COLOURS

LEARNERS = (
    ("PEVI", 0.0),
    ("R2PVI-TV", 3.0),
    ("R2PVI-KL", 3.0),
    ("DRPVI, exact", 0.1),
    ("DRPVI", 0.1),
    ("DRVI-L", 0.1),
)


@dataclass(frozen=True, slots=True)
class Config:
    """What to time.

    Attributes
    ----------
    episodes : tuple of int
        Numbers of paths N, with ``features[0]`` features.
    features : tuple of int
        Numbers of features d, with ``episodes[0]`` paths.
    rounds : int
        How often each learner has its turn.
    """

    episodes: tuple[int, ...] = published.FIG_2_EPISODES
    features: tuple[int, ...] = published.FIG_2_FEATURES
    rounds: int = 7

    @classmethod
    def quick(cls) -> Self:
        """Take fewer paths and turns."""
        return cls(episodes=(1000,), features=(30, 60), rounds=2)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Time all learners on the same paths, by turns."""
    settings = [(n, config.features[0]) for n in config.episodes]
    settings += [(config.episodes[0], d) for d in config.features[1:]]
    seconds = np.empty((len(settings), config.rounds, len(LEARNERS)))
    with one_thread(), published_setting():
        for k, (n_episodes, n_features) in enumerate(settings):
            progress(f"N = {n_episodes}, d = {n_features}", k, len(settings))
            seconds[k] = _rounds(n_episodes, n_features, config.rounds, rng)
    return {
        "settings": np.array(settings),
        "by_episodes": len(config.episodes),
        "learners": np.array([name for name, _ in LEARNERS]),
        "seconds": seconds,
    }


def _rounds(n_episodes: int, n_features: int, rounds: int, rng: np.random.Generator) -> FloatArray:
    """Return seconds (rounds, learners); an unmeasured round goes first."""
    put = AmericanPut(n_features=n_features)
    data = collect_real(put, 0, n_episodes, rng=rng)
    small = collect_real(put, 0, 10, rng=rng)
    learners = [learner(name, level, beta=0.1, ridge=1.0) for name, level in LEARNERS]
    for learn in learners:
        learn(small, put)
    seconds = np.empty((rounds, len(learners)))
    for r in range(rounds):
        for k, learn in enumerate(learners):
            start = time.perf_counter()
            learn(data, put)
            seconds[r, k] = time.perf_counter() - start
    return seconds


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw ratios by the number of paths, and by the number of features."""
    fig.set_size_inches(11.0, 4.6)
    axes = fig.subplots(1, 2, sharey=True)
    n = int(data["by_episodes"])
    by_features = [0, *range(n, len(data["settings"]))]
    for ax, rows, column in ((axes[0], list(range(n)), 0), (axes[1], by_features, 1)):
        for x, row in enumerate(rows):
            _group(ax, x, data, row)
        ax.set_xticks(range(len(rows)), [_name(data, row, column) for row in rows])
        ax.grid(axis="x", visible=False)
        ax.set_xlim(-0.5, len(rows) - 0.5)
        ax.axhline(1.0, color=COLOURS["PEVI"], linewidth=1.0)
        ax.set_yscale("log")
    axes[0].set_ylabel("time relative to PEVI (1 thread)")
    axes[0].set_title(f"paths N, {data['settings'][0, 1]} features")
    axes[1].set_title(f"features d, {data['settings'][0, 0]:,} paths")
    for ax in axes:
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, 0.5), high)
        ticks = [y for y in (0.5, 1, 2, 5, 10, 20, 50, 100, 200) if y <= high]
        ax.set_yticks(ticks, [f"{y:g}" for y in ticks])
        ax.yaxis.minorticks_off()
    _legend(fig)


def _published(n_episodes: int, n_features: int) -> dict[str, float]:
    """Return the published seconds of a size, or nothing."""
    sizes: list[tuple[dict[str, Any], tuple[int, ...], int]] = []
    if n_features == published.FIG_2_FEATURES[0]:
        sizes.append((published.FIG_2_BY_EPISODES, published.FIG_2_EPISODES, n_episodes))
    if n_episodes == published.FIG_2_EPISODES[0]:
        sizes.append((published.FIG_2_BY_FEATURES, published.FIG_2_FEATURES, n_features))
    for table, known, size in sizes:
        if size in known:
            return {name: seconds[known.index(size)] for name, seconds in table.items()}
    return {}


def _group(ax: Any, x: int, data: dict[str, Any], row: int) -> None:
    """Draw the learners of one size side by side."""
    known = _published(*(int(size) for size in data["settings"][row]))
    seconds = data["seconds"][row]
    within, best = seconds / seconds[:, :1], seconds.min(axis=0)
    for k, name in enumerate(str(name) for name in data["learners"]):
        if name == "PEVI":
            continue
        at, colour = x + 0.15 * (k - 3), COLOURS[name.partition(",")[0]]
        ax.vlines(at, within[:, k].min(), within[:, k].max(), color=colour, linewidth=4, alpha=0.3)
        ax.plot(at, best[k] / best[0], _marker(name), color=colour, markersize=6)
        if name in known:
            ratio = known[name] / known["PEVI"]
            ax.plot(at, ratio, "o", color=colour, markerfacecolor="white", markersize=5.5, zorder=4)


def _marker(name: str) -> str:
    return "D" if name == "DRPVI, exact" else "o"


def _name(data: dict[str, Any], row: int, column: int) -> str:
    best = 1e3 * data["seconds"][row][:, 0].min()
    return f"{data['settings'][row, column]:,}\nPEVI: {best:.0f} ms"


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], color=COLOURS[name.partition(",")[0]], marker=_marker(name), linestyle="none",
            label=name, markersize=6,
        )
        for name, _ in LEARNERS[1:]
    ]  # fmt: skip
    hollow: dict[str, Any] = {"marker": "o", "linestyle": "none", "markerfacecolor": "white"}
    handles.append(Line2D([], [], color="#555555", label="published ratio", **hollow))
    fig.legend(handles=handles, loc="outside lower center", ncols=6)
