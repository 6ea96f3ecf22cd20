"""Measure the robust planners: in turn, with true errors, beside the plain loop."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import truth
from benchmarks.contenders import TARGET
from benchmarks.crew import LostError, Process
from benchmarks.planning import say
from benchmarks.problems import Floats
from benchmarks.robust_cases import FLOOR, OUTSIDE_GAMMA, PLANNERS, Case
from benchmarks.robust_operators import WORKER
from benchmarks.robust_truth import Reference
from benchmarks.truth import Truth
from mdptheory import TabularMDP
from mdptheory.models.ambiguity import L1Ball, is_s_rectangular
from mdptheory.operators.crew import PARALLEL_TRANSITIONS

RADIUS = 1e-7  # of the reference
LONG = 0.3  # seconds; four solves of that length are enough
SHORT = 2.0  # seconds; a first solve below is repeated at once


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to take.

    Attributes
    ----------
    rounds : int
        Times that each contender has its turn, A B A B.
    turn : float
        Seconds a turn lasts at least.
    spread : float
        A contender slower than this many times the fastest is timed once.
    patience : float
        Seconds that one order may take.
    threads : tuple of int
        Thread counts; more than one only for models large enough to share.
    """

    rounds: int = 5
    turn: float = 0.05
    spread: float = 6.0
    patience: float = 60.0
    threads: tuple[int, ...] = (1, 2)


QUICK = Plan(rounds=1, turn=0.0)


def reference(case: Case, mdp: TabularMDP, start: Floats, certified: float) -> Truth:
    """Enclose the robust value from a value that our solver certifies.

    For budgets of a row by NumPy alone; for shared ones the verified certificate is the enclosure.
    """
    around = case.ambiguity
    if isinstance(around, L1Ball) and not is_s_rectangular(around):
        return Reference(mdp, float(np.asarray(around.radius))).refine(start, RADIUS)
    return Truth(start, certified)


class Heat:
    """All contenders on one case at one discount."""

    def __init__(self, case: Case, gamma: float, folder: Path, plan: Plan, *, quick: bool) -> None:
        self.case, self.plan, self.out = case, plan, folder / "value.npy"
        self.key = f"{case.name}@{gamma:g}" + ("@quick" if quick else "")
        self.mdp = case.make(quick, gamma)
        self.truth = self._truth()
        self.results: list[dict[str, Any]] = []
        self.racing: list[tuple[Process, dict[str, Any]]] = []

    def _process(self, name: str, threads: int) -> Process:
        return Process(WORKER, name, self.key, threads=threads, patience=self.plan.patience)

    def _truth(self) -> Truth:
        member = self._process("rcpi", 1)
        try:
            member.ask("solve", out=str(self.out), tol=RADIUS / 10)
            gap = member.ask("verify")["gap"]
        finally:
            member.dismiss()
        start = np.load(self.out, allow_pickle=False)
        return reference(self.case, self.mdp, start, gap)

    def slow(self) -> float:
        """Return the seconds from which on a contender is timed once."""
        times = [min(r["seconds"]) for r in self.results if r["seconds"]]
        return self.plan.spread * max(min(times), 1e-3) if times else float("inf")

    def scout(self, name: str, threads: int) -> bool:
        """Solve once, take the true error, verify the certificate; tell whether it may race."""
        result: dict[str, Any] = {"contender": name, "threads": threads, "seconds": []}
        self.results.append(result)
        member = None
        try:
            member = self._process(name, threads)
            member.ask("warm")
            result.update(member.ask("solve", out=str(self.out)))
            if result["seconds"][0] < SHORT:  # one hiccup must not end a race
                result["seconds"] += member.ask("time", budget=0.0)["seconds"]
            value = np.load(self.out, allow_pickle=False)
            result["error"] = truth.error_of(value, self.truth)
            if name != FLOOR:
                result.update(member.ask("verify"))
        except LostError as lost:
            result["failure"] = str(lost)
        reached = truth.reached(result.get("error", float("inf")), self.truth, TARGET)
        result["reached"] = reached
        if member is None or not reached or "failure" in result:
            if member is not None:
                member.dismiss()
            return False
        self.racing.append((member, result))
        return True

    def race(self) -> None:
        """Time those that reach the target in turn, so that drift cancels."""
        slow = self.slow()
        for _ in range(self.plan.rounds):
            for member, result in self.racing:
                best = min(result["seconds"])
                enough = best > LONG and len(result["seconds"]) >= 4
                if enough or best > slow or "failure" in result:
                    continue
                try:
                    result["seconds"] += member.ask("time", budget=self.plan.turn)["seconds"]
                except LostError as lost:
                    result["failure"] = str(lost)
        for member, _ in self.racing:
            member.dismiss()


def run_case(case: Case, gamma: float, plan: Plan, *, quick: bool) -> dict[str, Any]:
    """Run one case at one discount."""
    say(f"{case.name} gamma={gamma:g}")
    with tempfile.TemporaryDirectory() as folder:
        heat = Heat(case, gamma, Path(folder), plan, quick=quick)
        large = heat.mdp.n_transitions >= PARALLEL_TRANSITIONS
        for name in (FLOOR, *PLANNERS) if case.plain else PLANNERS:
            for threads in plan.threads if large and name != FLOOR else plan.threads[:1]:
                say(f"  {name}, {threads} thread(s)")
                if not heat.scout(name, threads):
                    break
        heat.race()
    for result in heat.results:
        seconds = result.pop("seconds")
        if seconds:
            median = statistics.median(seconds)
            result.update(best=min(seconds), median=median, repeats=len(seconds))
    return {
        "case": case.name,
        "about": case.about + (f" (quick: S={heat.mdp.n_states})" if quick else ""),
        "gamma": gamma,
        "n_states": heat.mdp.n_states,
        "n_rows": heat.mdp.n_rows,
        "n_transitions": heat.mdp.n_transitions,
        "outside": case.outside if gamma == OUTSIDE_GAMMA else None,
        "reference_radius": heat.truth.radius,
        "results": heat.results,
    }
