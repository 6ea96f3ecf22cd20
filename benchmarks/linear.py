"""Speed of the learners on linear models against plain NumPy and generic optimisers.

All contenders of a row run in turns in one process, warmed up; best of the rounds. Linear algebra
is held to one thread; the online learners share their seeds among one or two.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import numpy_linear, numpy_offline, report
from benchmarks.planning import say
from mdptheory.algorithms import (
    OfflineOptions,
    OnlineOptions,
    dr_lsvi_ucb_learner,
    dr_rpo_learner,
    drpvi,
    drvi_l,
    lsvi_ucb_learner,
    pevi,
    r2pvi,
)
from mdptheory.environments import (
    AmericanPut,
    collect,
    collect_real,
    collect_statistics,
    simulated_linear_mdp,
)
from mdptheory.errors import CoverageWarning, FeatureWarning
from mdptheory.experiments import one_thread
from mdptheory.models import (
    ChiSquarePenalty,
    KLBall,
    KLPenalty,
    TVBall,
    TVPenalty,
)

Contenders = dict[str, Callable[[], Any]]
PARTS = ("offline", "online", "statistics")
SIZES = ((30, 1000), (60, 1000), (120, 1000), (30, 5000), (30, 10_000))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    sizes: tuple[tuple[int, int], ...] = SIZES
    horizon: int = 20
    rounds: int = 5
    seeds: int = 20
    episodes: int = 100
    trajectories: int = 1_000_000
    patience: float = 20.0  # seconds of one call after which it is not repeated


QUICK = Plan(sizes=((10, 100),), horizon=4, rounds=2, seeds=2, episodes=20, trajectories=1000)


def race(contenders: Contenders, rounds: int, patience: float) -> dict[str, float]:
    """Return the best seconds of each, in turns after a call to warm up; slow ones once."""
    best = dict.fromkeys(contenders, np.inf)
    for call in contenders.values():
        call()
    for _ in range(rounds):
        for name, call in contenders.items():
            if patience < best[name] < np.inf:
                continue
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def offline_contenders(d: int, n_episodes: int, horizon: int) -> Contenders:
    """Return the fits of one data set of the put, ours and plain."""
    put = AmericanPut(horizon, d, start=100.0)
    data = collect_real(put, 0, n_episodes, rng=0)
    ours = OfflineOptions(beta=0.1, ridge=1.0)
    search = OfflineOptions(beta=0.1, ridge=1.0, optimizer="nelder-mead")

    def plain(method: str, level: float = 0.0) -> numpy_offline.Floats:
        return numpy_offline.fit(method, put_episodes(put, data), level)

    return {
        "PEVI": lambda: pevi(data, put, options=ours),
        "R2PVI-TV": lambda: r2pvi(data, put, TVPenalty(3.0), options=ours),
        "R2PVI-KL": lambda: r2pvi(data, put, KLPenalty(3.0), options=ours),
        "R2PVI-chi2": lambda: r2pvi(data, put, ChiSquarePenalty(3.0), options=ours),
        "DRPVI": lambda: drpvi(data, put, TVBall(0.1), options=ours),
        "DRVI-L": lambda: drvi_l(data, put, KLBall(0.1), options=ours),
        "DRPVI, search": lambda: drpvi(data, put, TVBall(0.1), options=search),
        "DRVI-L, search": lambda: drvi_l(data, put, KLBall(0.1), options=search),
        "plain PEVI": lambda: plain("pevi"),
        "plain R2PVI-TV": lambda: plain("tv_penalty", 3.0),
        "plain R2PVI-KL": lambda: plain("kl_penalty", 3.0),
        "plain R2PVI-chi2": lambda: plain("chi2_penalty", 3.0),
        "plain DRPVI": lambda: plain("tv_ball", 0.1),
        "plain DRVI-L": lambda: plain("kl_ball", 0.1),
    }


def put_episodes(put: AmericanPut, data: Any) -> numpy_offline.Episodes:
    """Return the features that the plain programs read."""
    steps = range(put.horizon)
    return numpy_offline.Episodes(
        phi=np.stack([put.features(h, data.states[:, h])[:, 0] for h in steps]),
        phi_next=np.stack([put.features(h + 1, data.states[:, h + 1])[:, 0] for h in steps]),
        payoff_next=np.stack([put.rewards(h + 1, data.states[:, h + 1])[:, 1] for h in steps]),
    )


def online_contenders(seeds: int, episodes: int) -> Contenders:
    """Return experiment A: all seeds of one setting, ours and plain."""
    mdp = simulated_linear_mdp(0.2)
    radius = np.zeros((mdp.horizon, mdp.n_factors))
    radius[0, 3] = 0.5
    options = OnlineOptions(beta=1.0, ridge=0.1, bonus_last=True)
    draws = [np.random.default_rng(k).random((episodes, 1 + 2 * mdp.horizon)) for k in range(seeds)]
    ball, plain = TVBall(radius), numpy_linear

    learners = {
        "DR-RPO": dr_rpo_learner(mdp, episodes, ball, tau=0.05, options=options),
        "DR-LSVI-UCB": dr_lsvi_ucb_learner(mdp, episodes, ball, options=options),
        "LSVI-UCB": lsvi_ucb_learner(mdp, episodes, options=options),
    }
    ours: Contenders = {
        f"{name}, {threads}": partial(
            learner.run_many, range(seeds), mdp, episodes, threads=threads
        )
        for name, learner in learners.items()
        for threads in (1, 2)
    }

    def plain_robust(tau: float) -> None:
        for u in draws:
            plain.dr_rpo(mdp, u, plain.tv_ball, radius, tau=tau, bonus_last=True)

    def plain_nominal() -> None:
        for u in draws:
            plain.lsvi_ucb(mdp, u)

    return ours | {
        "plain DR-RPO": lambda: plain_robust(0.05),
        "plain DR-LSVI-UCB": lambda: plain_robust(0.0),
        "plain LSVI-UCB": plain_nominal,
    }


def statistics_contenders(n_episodes: int) -> Contenders:
    """Return drawing, counting and fitting many trajectories of the simulated model."""
    mdp = simulated_linear_mdp(0.3)
    data = collect(mdp, None, n_episodes, rng=0)
    counts = data.statistics(mdp.known)
    theory = OfflineOptions(beta="theory")
    return {
        "draw trajectories": lambda: collect(mdp, None, n_episodes, rng=0),
        "draw their counts": lambda: collect_statistics(mdp, None, n_episodes, rng=0),
        "count trajectories": lambda: data.statistics(mdp.known),
        "fit counts, R2PVI-TV": lambda: r2pvi(counts, mdp.known, TVPenalty(1.0), options=theory),
        "fit counts, R2PVI-chi2": lambda: r2pvi(
            counts, mdp.known, ChiSquarePenalty(1.0), options=theory
        ),
        "fit counts, DRPVI": lambda: drpvi(counts, mdp.known, TVBall(0.2), options=theory),
    }


def measure(plan: Plan, parts: set[str]) -> dict[str, Any]:
    """Time the parts."""
    found: dict[str, Any] = {"offline": [], "online": None, "statistics": None, "plan": plan}
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        warnings.simplefilter("ignore", FeatureWarning)
        if "offline" in parts:
            for d, n in plan.sizes:
                say(f"offline, {d} features, {n} episodes")
                entries = offline_contenders(d, n, plan.horizon)
                seconds = race(entries, plan.rounds, plan.patience)
                found["offline"].append({"d": d, "n": n, "seconds": seconds})
        if "online" in parts:
            say("online, experiment A")
            entries = online_contenders(plan.seeds, plan.episodes)
            found["online"] = race(entries, 6 * plan.rounds, plan.patience)  # milliseconds each
        if "statistics" in parts:
            say(f"{plan.trajectories:,} trajectories")
            entries = statistics_contenders(plan.trajectories)
            found["statistics"] = race(entries, 6 * plan.rounds, plan.patience)
    return found


def verdict(ratio: float, target: float, *, at_most: bool) -> str:
    """Write a ratio, bold where it misses its target."""
    text = report.times(ratio)
    return text if (ratio <= target) == at_most else f"**{text}**"


def markdown(found: dict[str, Any]) -> str:
    """Lay out the tables, ratios first."""
    plan, parts = found["plan"], [f"# Learners on linear models\n\n{found['origin']}"]
    if found["offline"]:
        parts += [offline_table(found["offline"], plan)]
    if found["online"]:
        parts += [online_table(found["online"], plan)]
    if found["statistics"]:
        header = [f"{plan.trajectories:,} trajectories, 5 states, 16 actions, 3 steps", "time"]
        lines = [[name, report.duration(t)] for name, t in found["statistics"].items()]
        parts += ["## Many trajectories through their counts\n\n" + report.table(header, lines)]
    return "\n\n".join(parts) + "\n"


def offline_table(rows: list[dict[str, Any]], plan: Plan) -> str:
    """Write the fits' times over that of PEVI, and over plain programs."""
    header = ["fit", *(f"d={row['d']}, N={row['n']:,}" for row in rows)]
    ratios, speedups = [], []
    for name in rows[0]["seconds"]:
        times = [row["seconds"][name] for row in rows]
        base = "plain PEVI" if name.startswith("plain") else "PEVI"
        over = [t / row["seconds"][base] for t, row in zip(times, rows, strict=True)]
        exact = name in ("R2PVI-TV", "R2PVI-KL", "R2PVI-chi2", "DRPVI")
        cells = [
            f"{verdict(x, 1.5, at_most=True) if exact else report.times(x)} ({report.duration(t)})"
            for x, t in zip(over, times, strict=True)
        ]
        ratios.append([name, *cells])
        if f"plain {name}" in rows[0]["seconds"]:
            plain = [row["seconds"][f"plain {name}"] for row in rows]
            fast = [report.times(p / t) for p, t in zip(plain, times, strict=True)]
            speedups.append([name, *fast])
    return (
        f"## Offline: American put, {plan.horizon} steps\n\n"
        "Time over that of PEVI of the same kind, ours or plain, in brackets seconds. Target for"
        " R2PVI and the exact DRPVI: 1.5x; **bold** misses it. *search*: our fit with the"
        " optimiser that published programs use. All start from prices: features are computed on"
        " the way.\n\n"
        + report.table(header, ratios)
        + "\n\nTime of the plain NumPy program over ours (plain balls and chi2 by the generic"
        " optimiser):\n\n" + report.table(header, speedups)
    )


def online_table(seconds: dict[str, float], plan: Plan) -> str:
    """Write how much longer plain NumPy takes."""
    lines = []
    for name in ("DR-RPO", "DR-LSVI-UCB", "LSVI-UCB"):
        plain, ours = seconds[f"plain {name}"], [seconds[f"{name}, {k}"] for k in (1, 2)]
        ratios = [verdict(plain / mine, 50.0, at_most=False) for mine in ours]
        lines.append([name, *ratios, *map(report.duration, ours), report.duration(plain)])
    header = [
        "learner",
        "plain NumPy / ours, 1 thread",
        "2 threads",
        "ours, 1 thread",
        "2 threads",
        "plain NumPy",
    ]
    return (
        f"## Online: experiment A, {plan.seeds} seeds of {plan.episodes} episodes\n\n"
        "Simulated linear MDP, a radius of 0.5 on one factor; the policy is refitted before each"
        " episode. Target: 50x; **bold** misses it.\n\n" + report.table(header, lines)
    )


def run(options: argparse.Namespace) -> None:
    """Measure what the options ask for."""
    for name in options.rows or ():
        if name not in PARTS:
            raise SystemExit(f"--rows {name}: expected one of {', '.join(PARTS)}")
    found = measure(QUICK if options.quick else Plan(), set(options.rows or PARTS))
    found["origin"] = report.origin(sys.argv[1:], ("numpy", "scipy", "numba"))
    text = markdown(found)
    if options.json is not None:
        kept = {k: v for k, v in found.items() if k != "plan"}
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    if options.out is None:
        report.show(text)
    else:
        options.out.write_text(text, encoding="utf-8")
