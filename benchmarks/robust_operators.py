"""Measure sweeps against nature: beside nominal sweeps, and beside general programmes."""

import math
from dataclasses import dataclass
from typing import Any

from benchmarks.crew import LostError, Process
from benchmarks.planning import say
from benchmarks.robust_sets import ENTRIES, model

WORKER = "benchmarks.robust_worker"
PROGRAMMES = tuple(
    name
    for name, entry in ENTRIES.items()
    if name == "s: L1" or not (entry.shared or name in ("finite, 5 rows", "L1, any outcome"))
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to take.

    Attributes
    ----------
    sizes : tuple of int
        Outcomes a row for the sweeps.
    programme_sizes : tuple of int
        Outcomes of the row that goes to a general programme.
    budget : float
        Seconds of timing for each number.
    longest : float
        A measurement foreseen to take longer than this many seconds is left out.
    patience : float
        Seconds after which a process is given up.
    """

    sizes: tuple[int, ...] = (10, 100, 1000)
    programme_sizes: tuple[int, ...] = (20, 100, 400, 1000)
    budget: float = 0.25
    longest: float = 4.0
    patience: float = 60.0


QUICK = Plan((10, 30), (8, 20), 0.0, 0.5)


def foreseen(done: dict[int, float], n: int) -> float:
    """Extrapolate to ``n`` from the sizes done, with the growth seen last; power 1.4 after one."""
    if not done:
        return 0.0
    last = max(done)
    power = 1.4
    if len(done) > 1:
        before = sorted(done)[-2]
        power = math.log(done[last] / done[before]) / math.log(last / before)
    return done[last] * (n / last) ** max(power, 1.0)


def shapes(name: str, plan: Plan) -> list[tuple[str, int]]:
    """Return what to sweep over.

    Ten outcomes and a shared budget need more than ten states; where mass may be transported to
    every state, a sparse row costs what a dense one does.
    """
    return [
        (shape, n)
        for shape in (("dense",) if name == "Wasserstein" else ("dense", "sparse"))
        for n in plan.sizes
        if not (ENTRIES[name].shared and shape == "dense" and n < 30)
    ]


def sweeps(name: str, plan: Plan) -> list[dict[str, Any]]:
    """Time sweeps of one set at every size, in one process."""
    entry, found, member = ENTRIES[name], [], None
    cost: dict[str, dict[int, float]] = {"dense": {}, "sparse": {}}
    for shape, n in shapes(name, plan):
        line: dict[str, Any] = {"shape": shape, "n": n}
        found.append(line)
        rows = model(shape, n, shared=entry.shared).n_rows if cost[shape] else 0
        if 6 * rows * foreseen(cost[shape], n) > plan.longest:
            line["failure"] = "too long"
            continue
        try:
            member = member or Process(WORKER, name, "", threads=1, patience=plan.patience)
            line.update(member.ask("sweep", shape=shape, n=n, budget=plan.budget))
            cost[shape][n] = line["robust"]
        except LostError as lost:
            line["failure"] = str(lost)
            _dismiss(member)
            member = None
    _dismiss(member)
    return found


def programmes(name: str, plan: Plan, known: dict[int, float]) -> list[dict[str, Any]]:
    """Time a general programme for one row at every size, in one process.

    ``known`` holds our seconds a row in dense sweeps that were measured before.
    """
    found: list[dict[str, Any]] = []
    cost: dict[int, float] = {}
    member = None
    for n in plan.programme_sizes:
        line: dict[str, Any] = {"n": n}
        found.append(line)
        if 3 * foreseen(cost, n) > plan.longest:
            line["failure"] = "too long"
            continue
        try:
            member = member or Process(WORKER, name, "", threads=1, patience=plan.patience)
            line.update(member.ask("programme", n=n, budget=plan.budget))
            cost[n] = line["seconds"]
            if n not in known and 4_000 * foreseen(known, n) <= plan.longest:
                ours = member.ask("sweep", shape="dense", n=n, budget=plan.budget)
                known[n] = ours["robust"]
            if n in known:
                line["sweep"] = known[n]
        except LostError as lost:
            line["failure"] = str(lost)
            _dismiss(member)
            member = None
    _dismiss(member)
    return found


def _dismiss(member: Process | None) -> None:
    if member is not None:
        member.dismiss()


def measure(plan: Plan, only: tuple[str, ...] = tuple(ENTRIES)) -> dict[str, Any]:
    """Measure every operator."""
    measured: dict[str, Any] = {"sweeps": {}, "programmes": {}}
    for name in only:
        say(f"operator {name}")
        found = measured["sweeps"][name] = sweeps(name, plan)
        known = {f["n"]: f["robust"] for f in found if f["shape"] == "dense" and "robust" in f}
        if name in PROGRAMMES:
            measured["programmes"][name] = programmes(name, plan, known)
    return measured
