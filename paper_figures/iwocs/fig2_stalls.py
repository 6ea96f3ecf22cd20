"""How often the published rule stalls, and that its repairs do not.

Random finite sets: some kernels with Dirichlet(1/2) rows, rewards N(0, 1), discount 0.9; nature
picks a kernel for each state-action pair. Left: share of instances on which the run stalls: the
next kernel adds nothing while the bounds are apart. The published rule leaves open what the next
kernel is at actions that the policy does not take: the first kernel's rows ("nominal"), the last
one's ("kept") or the worst one step ahead ("greedy"). Bars are the share, lines its 95 %
Clopper-Pearson interval. Right: mean number of iterations of the runs that ended certified, with
their 10 to 90 % quantiles.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory import TabularMDP
from mdptheory.models import FiniteSet
from paper_figures._runner import Progress
from paper_figures.iwocs._variants import COLOURS, VARIANTS, run


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    sizes : tuple of (states, actions, kernels)
        Sizes of the random instances.
    instances : int
        Random instances a size.
    gamma : float
        Discount factor.
    concentration : float
        Parameter of the Dirichlet distribution of a row.
    """

    sizes: tuple[tuple[int, int, int], ...] = ((2, 2, 2), (3, 2, 2), (3, 3, 3), (5, 3, 3))
    instances: int = 300
    gamma: float = 0.9
    concentration: float = 0.5

    @classmethod
    def quick(cls) -> Self:
        """Run fewer instances."""
        return cls(instances=40)


def instance(
    size: tuple[int, int, int], config: Config, rng: np.random.Generator
) -> tuple[TabularMDP, FiniteSet]:
    """Draw kernels and rewards."""
    n, m, k = size
    rows = rng.dirichlet(np.full(n, config.concentration), size=(k, n, m))
    mdp = TabularMDP.from_dense(rows[0], rng.standard_normal((n, m)), config.gamma)
    return mdp, FiniteSet(rows, coupled=False)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Run every variant on the same instances."""
    shape = len(config.sizes), len(VARIANTS), config.instances
    stalled, iterations = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=int)
    certified = np.zeros(shape, dtype=bool)
    for i, size in enumerate(config.sizes):
        for k in range(config.instances):
            progress(f"n, m, K = {size}", i * config.instances + k, shape[0] * shape[2])
            mdp, ambiguity = instance(size, config, rng)
            for j, variant in enumerate(VARIANTS):
                result = run(mdp, ambiguity, variant, tol=1e-6)
                stalled[i, j, k] = result.status.name == "STALLED"
                certified[i, j, k] = result.status.name == "CERTIFIED"
                iterations[i, j, k] = len(result.history)
    return {
        "sizes": np.array(config.sizes),
        "variants": np.array(list(VARIANTS)),
        "stalled": stalled,
        "certified": certified,
        "iterations": iterations,
    }


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw grouped bars: stall frequency, iterations."""
    fig.set_size_inches(10.6, 3.7)
    left, right = fig.subplots(1, 2, width_ratios=[1.35, 1])
    variants = [str(name) for name in data["variants"]]
    width = 0.8 / len(variants)
    for j, variant in enumerate(variants):
        x = np.arange(len(data["sizes"])) + (j - (len(variants) - 1) / 2) * width
        _frequency(left, x, width, data["stalled"][:, j], COLOURS[variant], variant)
        _iterations(right, x, data["iterations"][:, j], data["certified"][:, j], COLOURS[variant])
    for ax in (left, right):
        ax.set_xticks(
            range(len(data["sizes"])),
            [f"{n} states\n{m} actions\n{k} kernels" for n, m, k in data["sizes"]],
        )
        ax.grid(axis="x", visible=False)
    n = data["stalled"].shape[2]
    left.set_ylabel("share of runs that stall (%)")
    left.set_title(f"stalls, {n} instances a group")
    right.set_ylabel("iterations until certified")
    right.set_title("iterations")
    right.set_ylim(bottom=0)
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(variants))


def _frequency(ax: Any, x: Any, width: float, stalled: Any, colour: str, label: str) -> None:
    from scipy.stats import binomtest

    count, n = stalled.sum(axis=1), stalled.shape[1]
    share = 100 * count / n
    ends = [binomtest(int(c), n).proportion_ci(0.95, method="exact") for c in count]
    error = np.abs(100 * np.array([[e.low for e in ends], [e.high for e in ends]]) - share)
    ax.bar(x, share, 0.9 * width, color=colour, label=label)
    ax.errorbar(x, share, error, fmt="none", ecolor="#444444", elinewidth=0.9, capsize=1.8)


def _iterations(ax: Any, x: Any, iterations: Any, certified: Any, colour: str) -> None:
    for at, counts, good in zip(x, iterations, certified, strict=True):
        if good.any():
            low, high = np.quantile(counts[good], [0.1, 0.9])
            ax.plot([at, at], [low, high], color=colour, linewidth=3.5, alpha=0.35)
            ax.plot(at, counts[good].mean(), "o", color=colour, markersize=5)
