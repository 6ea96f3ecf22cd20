"""Learners by name, run over many seeds, and what the figures keep of the runs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms import (
    BanditOptions,
    explore_then_commit_learner,
    fixed_arm_learner,
    greedy_feasible_learner,
    ofs_epochs_learner,
    ofs_learner,
    pessimistic_ucb_learner,
    primal_dual_ucb_learner,
    ucb_learner,
)
from mdptheory.models import BanditRun, FairConstraint, GaussianBandit, ThresholdLoop

Env = ThresholdLoop | GaussianBandit
MAKERS: dict[str, Callable[..., Any]] = {
    "OFS": ofs_learner,
    "OFS-D": ofs_epochs_learner,
    "UCB": ucb_learner,
    "primal-dual": primal_dual_ucb_learner,
    "pessimistic": pessimistic_ucb_learner,
    "greedy": greedy_feasible_learner,
    "explore-commit": explore_then_commit_learner,
    "fixed": fixed_arm_learner,
}
"""Learners as they come; OFS-D is `ofs_epochs` without the bias term."""

KEPT = ("reward", "violation", "regret", "observed_violation")


def runs(
    name: str,
    env: Env,
    horizon: int,
    constraints: Sequence[FairConstraint],
    seeds: Sequence[int],
    *,
    every: int = 1,
    **numbers: Any,
) -> tuple[BanditRun, ...]:
    """Return one run a seed of a learner of `MAKERS`; ``numbers`` go to it."""
    if name == "OFS-D":
        numbers = {"bias": "none"} | numbers
    options = BanditOptions(record_every=every)
    learner = MAKERS[name](env, horizon, constraints, options=options, **numbers)
    found: tuple[BanditRun, ...] = learner.run_many(list(seeds), env)
    return found


def columns(found: Sequence[BanditRun]) -> dict[str, Any]:
    """Return what is kept of runs: sums (seeds, n), residuals (seeds, n, M), counts (seeds, K)."""
    data: dict[str, Any] = {key: np.array([getattr(r, key) for r in found]) for key in KEPT}
    data["signed"] = np.array([r.signed for r in found])
    data["counts"] = np.array([r.counts for r in found])
    data["fallbacks"] = np.array([r.fallback_rounds for r in found])
    data["switches"] = np.array([r.switches for r in found])
    return data


def seeds_of(rng: np.random.Generator, n: int) -> list[int]:
    """Draw seeds, the same for all learners of a figure."""
    return [int(seed) for seed in rng.integers(2**32, size=n)]


def last_part(total: FloatArray, rounds: FloatArray, share: float = 0.2) -> FloatArray:
    """Return means of the last ``share`` of the rounds from sums (seeds, n) recorded at rounds."""
    at = int(np.searchsorted(rounds, (1.0 - share) * rounds[-1]))
    return np.asarray((total[:, -1] - total[:, at]) / (rounds[-1] - rounds[at]))
