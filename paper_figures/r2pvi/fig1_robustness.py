"""Robustness of learnt policies: the published figure 1, measured exactly.

(a) to (c): simulated linear MDP, 100 episodes of uniform actions, ridge 0.1, β = 1, the published
options and seeds; a policy's reward is exact, so that only the 20 data sets are random. Lines are
means over them with 95 % bootstrap intervals; hollow markers are published points, read off the
drawing, which carry the noise of 100 test episodes too. Grey: exact values of playing the largest
weight u+ (solid) or the least u- (dashed) first. (a) ‖ξ‖ = 0.2. The parameters of the published KL
and χ² curves are not known: no KL weight from 0.002 to 5 gives one as flat, and the published
program minimises its χ² dual instead of maximising it (at weights from 0.3 on, that gives the
published points); ours at 0.1 both ways. (b) ‖ξ‖ = 0.3 and (c) ‖ξ‖ = 0.2, q = 1 were identified by
matching, and the points of (c) are not of these seeds; a weight and a radius act in opposite
directions. The exact robust policy plays u+ at all these weights: what reacts is the least value in
the data, see figure 3. (d) American put: 20 steps, 30 features, 100 paths of continuing, ridge 1,
β = 0.1; means of exact payoffs over the 3 published data sets, shaded bars their range. Weights and
radii belong to the published curves by matching: (λ, ρ) = (3, 0.1), (5, 0.025), (1, 0.2). The
publication tests all data sets on the same 100 paths. DRPVI searches its dual by Nelder-Mead from
H/2 over [0, H], as published; thin: its exact maximum.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.environments import AmericanPut, put_value, simulated_linear_mdp
from mdptheory.models import LinearMDP, OfflineStatistics
from paper_figures._runner import Progress
from paper_figures.r2pvi import _published as published
from paper_figures.r2pvi._fits import learner, published_setting
from paper_figures.r2pvi._put import payoffs, published_paths, tested
from paper_figures.r2pvi._robustness_chart import plot
from paper_figures.r2pvi._simulated import (
    first_action_lines,
    published_episodes,
    target_values,
)
from paper_figures.r2pvi._style import bootstrap

__all__ = ["Config", "compute", "plot"]

PANEL_A = ("PEVI", "R2PVI-TV", "R2PVI-KL", "R2PVI-χ², minimum", "R2PVI-χ²")
PANEL_C = ("DRPVI", "DRPVI, exact", "R2PVI-TV")
PANEL_D = (
    ("PEVI", (0.0,)),
    ("R2PVI-TV", published.FIG_1D_LEVELS["R2PVI-TV"]),
    ("DRPVI", published.FIG_1D_LEVELS["DRPVI"]),
    ("DRPVI, exact", published.FIG_1D_LEVELS["DRPVI"]),
)


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    replications : int
        Data sets of the simulated linear MDP, with seeds 0, 1, ...
    put_replications : int
        Data sets of the put.
    weight : float
        Weight of all penalties of panel (a).
    """

    replications: int = 20
    put_replications: int = 3
    weight: float = 0.1

    @classmethod
    def quick(cls) -> Self:
        """Take fewer data sets."""
        return cls(replications=6, put_replications=1)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Fit the published data and evaluate what was learnt."""
    narrow, wide = simulated_linear_mdp(0.2), simulated_linear_mdp(0.3)
    data: dict[str, Any] = {
        "shifts": published.SHIFT,
        "weights": np.array(published.FIG_1B_WEIGHTS),
        "levels": published.FIG_1C_LEVELS,
        "p_up": np.array(published.FIG_1D_UP),
        "lines_a": first_action_lines(narrow, published.SHIFT),
        "lines_b": first_action_lines(wide, published.SHIFT),
        "replications": config.replications,
    }
    with published_setting():
        progress("panels (a), (c)", 0, 3)
        episodes = [published_episodes(narrow, k) for k in range(config.replications)]
        data |= _perturbed(narrow, episodes, config, rng)
        data |= _levels(narrow, episodes, rng)
        progress("panel (b)", 1, 3)
        episodes = [published_episodes(wide, k) for k in range(config.replications)]
        rows = [_values(wide, episodes, "R2PVI-TV", x, published.SHIFT) for x in data["weights"]]
        data |= _kept("b", np.array(rows), rng)
        progress("panel (d)", 2, 3)
        data |= _put(config)
    return data


def _perturbed(
    mdp: LinearMDP, episodes: list[OfflineStatistics], config: Config, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Return panel (a)."""
    rows = [_values(mdp, episodes, name, config.weight, published.SHIFT) for name in PANEL_A]
    return _kept("a", np.array(rows), rng)


def _levels(
    mdp: LinearMDP, episodes: list[OfflineStatistics], rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Return panel (c)."""
    last = np.array([1.0])
    rows = [
        [_values(mdp, episodes, name, x, last)[:, 0] for x in published.FIG_1C_LEVELS]
        for name in PANEL_C
    ]
    return _kept("c", np.array(rows).transpose(0, 2, 1), rng)


def _values(
    mdp: LinearMDP,
    episodes: list[OfflineStatistics],
    name: str,
    level: float,
    shifts: FloatArray,
) -> FloatArray:
    """Return the values (data sets, shifts) of what one learner learns."""
    learn = learner(name, float(level))
    return target_values(mdp, [learn(data, mdp.known).policy for data in episodes], shifts)


def _kept(panel: str, values: FloatArray, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Return means (lines, m) of values (lines, replications, m), and their intervals."""
    ends = np.array([bootstrap(line, rng) for line in values])
    return {f"{panel}_mean": values.mean(axis=1), f"{panel}_ends": ends}


def _put(config: Config) -> dict[str, Any]:
    """Return payoffs (levels, replications, probabilities) by algorithm, and the oracle's."""
    put = AmericanPut()
    goal, p_up = tested(put), np.array(published.FIG_1D_UP)
    data: dict[str, Any] = {"oracle": np.array([put_value(goal, p) for p in published.FIG_1D_UP])}
    paths = [published_paths(put, k) for k in range(config.put_replications)]
    for name, levels in PANEL_D:
        fits = [[learner(name, x, beta=0.1, ridge=1.0)(d, put) for d in paths] for x in levels]
        data[f"d_{name}"] = np.array([[payoffs(goal, fit, p_up) for fit in row] for row in fits])
    return data
