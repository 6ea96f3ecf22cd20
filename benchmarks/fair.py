"""Speed of the threshold bandits against a plain NumPy transcription, in one run.

All contenders of a row run in turns in one process, warmed up; best of the rounds. Every round is
simulated: batches of both groups, exact means, the population's move.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import numpy_fair, report
from benchmarks.linear import Contenders, race, verdict
from benchmarks.planning import say
from mdptheory import algorithms
from mdptheory.algorithms import BanditLearner, BanditOptions
from mdptheory.environments import PRESETS, threshold_loop_from_scores, threshold_preset
from mdptheory.models import (
    DemographicParity,
    EqualOpportunity,
    FairConstraint,
    ServiceRate,
    ThresholdLoop,
)

PARTS = ("rounds", "sweep")
RULES: dict[str, Callable[..., BanditLearner]] = {
    "OFS": algorithms.ofs_learner,
    "UCB": algorithms.ucb_learner,
    "primal-dual": algorithms.primal_dual_ucb_learner,
}
ALL: dict[str, Callable[..., BanditLearner]] = {
    **RULES,
    "OFS in epochs": algorithms.ofs_epochs_learner,
    "OFS in epochs, no bias": partial(algorithms.ofs_epochs_learner, bias="none"),
    "pessimistic": algorithms.pessimistic_ucb_learner,
    "greedy": algorithms.greedy_feasible_learner,
    "explore then commit": algorithms.explore_then_commit_learner,
    "fixed": partial(algorithms.fixed_arm_learner, arm=0),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    horizon: int = 1_000_000
    plain_horizon: int = 20_000
    rounds: int = 5
    seeds: int = 20
    sweep_horizon: int = 100_000
    presets: tuple[str, ...] = PRESETS
    patience: float = 20.0  # seconds of one call after which it is not repeated


QUICK = Plan(20_000, 500, 2, 2, 2_000, PRESETS[-1:])


def fine_loop(n_arms: int = 100) -> ThresholdLoop:
    """Return a loop with many thresholds: normal scores, better ones for good applicants."""
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 2, 20_000), rng.integers(0, 2, 20_000)
    scores = 1 / (1 + np.exp(-rng.standard_normal(20_000) - labels - 0.3 * groups))
    return threshold_loop_from_scores(
        scores, labels, sensitive_features=groups, thresholds=np.linspace(0, 1, n_arms)
    )


def round_contenders(plan: Plan, rule: str) -> tuple[Contenders, dict[str, int]]:
    """Return one run of a rule with two and with three constraints, ours and plain."""
    loop = fine_loop()
    options = BanditOptions(record_every=1_000)
    two: tuple[FairConstraint, ...] = (DemographicParity(0.1), ServiceRate(0.3))
    entries: Contenders = {}
    lengths: dict[str, int] = {}
    for n, constraints in ((2, two), (3, (*two, EqualOpportunity(0.1)))):
        if rule == "primal-dual" and n == 3:
            continue  # the plain program has no third price
        limits = numpy_fair.Limits(0.1, 0.3, 0.1 if n == 3 else 1.0)
        learner = RULES[rule](loop, plan.horizon, constraints, options=options)
        entries[f"ours, {n}"] = partial(learner.run, 0, loop)
        name = rule.lower()
        entries[f"plain, {n}"] = lambda limits=limits, name=name: numpy_fair.play(
            loop, name, limits, plan.plain_horizon, np.random.default_rng(0)
        )
        lengths |= {f"ours, {n}": plan.horizon, f"plain, {n}": plan.plain_horizon}
    return entries, lengths


def sweep(preset: str, plan: Plan, threads: int) -> None:
    """Play all methods with all seeds on a preset."""
    loop, constraints = threshold_preset(preset)
    options = BanditOptions(record_every=100)
    for learner in ALL.values():
        made = learner(loop, plan.sweep_horizon, constraints, options=options)
        made.run_many(range(plan.seeds), loop, threads=threads)


def measure(plan: Plan, parts: set[str]) -> dict[str, Any]:
    """Time the parts."""
    found: dict[str, Any] = {"rounds": [], "sweep": None, "plan": plan}
    if "rounds" in parts:
        for rule in RULES:
            say(f"rounds, {rule}")
            entries, lengths = round_contenders(plan, rule)
            seconds = race(entries, plan.rounds, plan.patience)
            each = {name: time / lengths[name] for name, time in seconds.items()}
            found["rounds"].append({"rule": rule, "seconds": each})
    if "sweep" in parts:
        say("sweep")
        runs: Contenders = {
            f"{preset}, {threads}": partial(sweep, preset, plan, threads)
            for preset in plan.presets
            for threads in (1, 2)
        }
        found["sweep"] = race(runs, max(1, plan.rounds // 2), plan.patience)
    return found


def markdown(found: dict[str, Any]) -> str:
    """Lay out the tables, ratios first."""
    plan, parts = found["plan"], [f"# Threshold bandits\n\n{found['origin']}"]
    if found["rounds"]:
        parts += [rounds_table(found["rounds"], plan)]
    if found["sweep"]:
        parts += [sweep_table(found["sweep"], plan)]
    return "\n\n".join(parts) + "\n"


def rounds_table(rows: list[dict[str, Any]], plan: Plan) -> str:
    """Write how much longer plain NumPy takes, and rounds a second."""
    lines = []
    for row in rows:
        for n in (2, 3):
            if f"ours, {n}" in row["seconds"]:
                ours, plain = (row["seconds"][f"{who}, {n}"] for who in ("ours", "plain"))
                speed = verdict(1e-6 / ours, 1.0, at_most=False).replace("x", "")
                ratio = report.times(plain / ours)
                times = [report.duration(t) for t in (ours, plain)]
                lines.append([row["rule"], str(n), ratio, speed, *times])
    header = ["rule", "constraints", "plain NumPy / ours", "million rounds a second"]
    return (
        f"## Rounds: 100 thresholds, one run of {plan.horizon:,} rounds, one thread\n\n"
        "Demographic parity and a service rate, then equal opportunity too; batches of 100 of each"
        f" group. The plain program plays {plan.plain_horizon:,} rounds. Target: a million rounds a"
        " second; **bold** misses it.\n\n"
        + report.table([*header, "ours, a round", "plain, a round"], lines)
    )


def sweep_table(seconds: dict[str, float], plan: Plan) -> str:
    """Write what all methods take on each preset."""
    lines = []
    for preset in plan.presets:
        times = [seconds[f"{preset}, {threads}"] for threads in (1, 2)]
        texts = [report.duration(t) for t in times]
        lines.append(
            [preset, *(s if t <= 10 else f"**{s}**" for s, t in zip(texts, times, strict=True))]
        )
    return (
        f"## Sweep: {len(ALL)} methods, {plan.seeds} seeds, {plan.sweep_horizon:,} rounds\n\n"
        "Target: 10 s; **bold** misses it.\n\n"
        + report.table(["preset", "1 thread", "2 threads"], lines)
    )


def run(options: argparse.Namespace) -> None:
    """Measure what the options ask for."""
    for name in options.rows or ():
        if name not in PARTS:
            raise SystemExit(f"--rows {name}: expected one of {', '.join(PARTS)}")
    found = measure(QUICK if options.quick else Plan(), set(options.rows or PARTS))
    found["origin"] = report.origin(sys.argv[1:], ("numpy", "numba"))
    text = markdown(found)
    if options.json is not None:
        kept = {k: v for k, v in found.items() if k != "plan"}
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    if options.out is None:
        report.show(text)
    else:
        options.out.write_text(text, encoding="utf-8")
