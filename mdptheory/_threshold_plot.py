"""What learners of a threshold did: the thresholds over time, what was earned and what violated."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from mdptheory._extras import require
from mdptheory._typing import FloatArray
from mdptheory.errors import InvalidModelError
from mdptheory.models import BanditRun, ThresholdLoop

BLOCKS = 60  # of rounds along the horizontal axis
FEASIBLE = 1e-9
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LEGEND = {
    1: "the darker, the more often chosen; grey thresholds violate the limits once the population"
    " has settled;\ndotted: the best of the others (if there is none, the least violating one)",
    2: "mean threshold of each group; dotted: the best pair",
}


def plot_thresholds(
    env: ThresholdLoop, runs: Mapping[str, BanditRun] | BanditRun, *, figure: Any = None
) -> Any:
    """Draw which thresholds were chosen over time, beside those that are feasible.

    Parameters
    ----------
    env : ThresholdLoop
        Where the runs took place.
    runs : BanditRun, or mapping from label to BanditRun
        What algorithms returned for it.
    figure : matplotlib Figure, optional
        Where to draw; a new one if absent.

    Returns
    -------
    matplotlib Figure
        Above, for each run: how often each threshold was chosen, the darker the more often; grey
        thresholds violate the constraints once the population has settled, and the dotted line is
        the best of the others. Below: cumulative violation, and mean reward so far.

    Raises
    ------
    InvalidModelError
        If there is no run, or one has another number of arms than the environment.
    MissingExtraError
        Without matplotlib.

    Notes
    -----
    With one threshold a group there is a line a group instead: the mean of what was chosen.

    Examples
    --------
    >>> import numpy as np
    >>> from mdptheory.algorithms import ofs
    >>> from mdptheory.models import DemographicParity, ThresholdLoop
    >>> S = [[[1.0, 0.5, 0.1], [1.0, 0.8, 0.5]], [[1.0, 0.6, 0.2], [1.0, 0.9, 0.6]]]
    >>> env = ThresholdLoop(S, [0.0, 0.5, 0.9], 0.5, [0.4, 0.6])
    >>> figure = plot_thresholds(env, ofs(env, 200, [DemographicParity(0.2)], rng=0))
    >>> len(figure.axes)
    3
    """
    labelled = {"": runs} if isinstance(runs, BanditRun) else dict(runs)
    if not labelled:
        raise InvalidModelError("runs is empty; expected at least one BanditRun")
    for label, run in labelled.items():
        if len(run.counts) != env.n_arms:
            raise InvalidModelError(
                f"runs[{label!r}] has {len(run.counts)} arms; expected {env.n_arms} as env"
            )
    if figure is None:
        size = (max(7.0, 3.0 * len(labelled) + 0.8), 6.4)
        figure = require("matplotlib.figure", "figures").Figure(figsize=size, layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.15, 1.0])
    panels = above.subplots(1, len(labelled), sharey=True, squeeze=False)[0]
    for (label, run), axes in zip(labelled.items(), panels, strict=True):
        if env.thresholds.ndim == 1:
            _choices(axes, env, run)
        else:
            _group_lines(axes, env, run)
        axes.set_title(label, fontsize="medium")
        _count_rounds(axes, bins=4)
    panels[0].set_ylabel("threshold")
    above.suptitle(_LEGEND[env.thresholds.ndim], fontsize="small")
    _sums(below.subplots(1, 2), labelled)
    lines = below.axes[1].get_legend_handles_labels()
    below.legend(*lines, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def _choices(axes: Any, env: ThresholdLoop, run: BanditRun) -> None:
    """Draw the share of rounds of each threshold, block by block."""
    edges = _edges(env.thresholds)
    infeasible = run.best.violations > FEASIBLE
    for k in np.flatnonzero(infeasible):
        axes.axhspan(edges[k], edges[k + 1], color="0.88", linewidth=0)
    ends = _blocks(len(run.arms))
    share = np.stack(
        [np.bincount(run.arms[a:b], minlength=env.n_arms) / (b - a) for a, b in pairwise(ends)],
        axis=1,
    )
    ink = require("matplotlib.colors", "figures").LinearSegmentedColormap.from_list(
        "often", [(0.0, 0.45, 0.7, 0.0), (0.0, 0.35, 0.6, 0.7), (0.0, 0.15, 0.4, 1.0)]
    )
    axes.pcolormesh(ends, edges, share, cmap=ink, vmin=0.0, vmax=1.0)
    _best_line(axes, run, float(env.thresholds[run.best.arm]), "C3")
    axes.set_ylim(edges[0], edges[-1])


def _group_lines(axes: Any, env: ThresholdLoop, run: BanditRun) -> None:
    """Draw for each group the mean threshold, block by block."""
    ends = _blocks(len(run.arms))
    sums = np.vstack([np.zeros(2), np.cumsum(env.thresholds[run.arms], axis=0)])
    means = np.diff(sums[ends], axis=0) / np.diff(ends)[:, None]
    for g, name in enumerate(env.groups):
        axes.stairs(means[:, g], ends, baseline=None, color=COLOURS[g], label=f"group {name}")
        _best_line(axes, run, float(env.thresholds[run.best.arm, g]), COLOURS[g])
    axes.legend(frameon=False, fontsize="small")


def _best_line(axes: Any, run: BanditRun, height: float, colour: str) -> None:
    axes.axhline(height, color=colour, linestyle=":", linewidth=1.4)
    axes.set_xlim(0, len(run.arms))


def _sums(panels: Any, runs: Mapping[str, BanditRun]) -> None:
    violation, reward = panels
    for i, (label, run) in enumerate(runs.items()):
        colour = COLOURS[i % len(COLOURS)]
        violation.plot(run.rounds, run.violation, color=colour, label=label or None)
        reward.plot(run.rounds, run.reward / run.rounds, color=colour, label=label or None)
    best = next(iter(runs.values())).best
    kind = "best feasible" if best.feasible else "least violating"
    reward.axhline(best.reward, color="C3", linestyle=":", label=f"{kind} threshold, settled")
    violation.set_ylabel("cumulative violation")
    reward.set_ylabel("mean reward so far")
    violation.set_ylim(bottom=0.0)
    for axes in panels:
        _count_rounds(axes, bins=5)


def _count_rounds(axes: Any, *, bins: int) -> None:
    """Write round numbers along the horizontal axis, 20k for 20,000."""
    ticker = require("matplotlib.ticker", "figures")
    axes.set_xlabel("round")
    axes.locator_params(axis="x", nbins=bins)
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))


def _blocks(horizon: int) -> Any:
    return np.unique(np.linspace(0, horizon, min(horizon, BLOCKS) + 1).astype(int))


def _edges(thresholds: FloatArray) -> FloatArray:
    """Return the limits of one stripe a threshold."""
    if len(thresholds) == 1:
        return thresholds[0] + np.array([-0.5, 0.5])
    middle = (thresholds[1:] + thresholds[:-1]) / 2
    first, last = 2 * thresholds[0] - middle[0], 2 * thresholds[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])
