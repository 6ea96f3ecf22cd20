"""Run the planning table: every contender on every row, interleaved, with true errors."""

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import truth
from benchmarks.contenders import BY_NAME, CONTENDERS, TARGET, Contender
from benchmarks.crew import LostError, Member
from benchmarks.problems import Floats, Problem, Row
from benchmarks.truth import Truth

REFERENCE = "modified_policy_iteration"
REFERENCE_RADIUS = 1e-7


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to take.

    Attributes
    ----------
    rounds : int
        Times that each contender has its turn, A B A B.
    turn : float
        Seconds a turn lasts at least, so that short solves repeat within it.
    patience : float
        Seconds that one contender may take to load and to find its setting; three times as many
        for more than 5 million transitions.
    spread : float
        A contender slower than this many times the fastest is timed once, not in rounds, and not
        with more threads; 5 times where the fastest takes more than 0.1 s.
    threads : tuple of int
        Thread counts to run.
    """

    rounds: int = 7
    turn: float = 0.1
    patience: float = 60.0
    spread: float = 20.0
    threads: tuple[int, ...] = (1, 2)


QUICK = Plan(rounds=2, turn=0.01, patience=30.0)


def say(text: str) -> None:
    """Report progress on standard error."""
    print(text, file=sys.stderr, flush=True)


def reference(problem: Problem, path: Path, folder: Path, plan: Plan) -> tuple[Truth, str]:
    """Enclose the optimal value: our certified solve, then an independent NumPy enclosure.

    Only the enclosure is used; our value is where it starts. Our own certificate is verified by
    `mdptheory.certificates.check` too, and the text says with which gap.
    """
    member = Member(BY_NAME[REFERENCE], path, threads=1, patience=max(600.0, plan.patience))
    try:
        member.ask("load", setting=1e-9)
        out = folder / "reference.npy"
        member.ask("solve", out=str(out))
        v = np.load(out, allow_pickle=False)
        checked = member.ask("verify")["gap"]
        note = f"certificate checked, gap {checked:.1e}"
    finally:
        member.dismiss()
    return truth.refine(problem, v, radius=REFERENCE_RADIUS), note


class Heat:
    """All contenders on one row at one discount."""

    def __init__(self, problem: Problem, folder: Path, plan: Plan) -> None:
        self.problem, self.folder, self.plan = problem, folder, plan
        self.path = folder / "problem.npz"
        problem.save(self.path)
        self.truth, self.note = reference(problem, self.path, folder, plan)
        self.patience = plan.patience * (3.0 if problem.n_transitions > 5_000_000 else 1.0)
        self.results: list[dict[str, Any]] = []
        self.racing: list[tuple[Member, dict[str, Any]]] = []

    def value_error(self, out: Path) -> float:
        """Return the true error of a saved value."""
        v: Floats = np.load(out, allow_pickle=False)
        return truth.error_of(v, self.truth)

    def slow(self) -> float:
        """Return the seconds from which on a contender is out of the race."""
        times = [r["seconds"][0] for r in self.results if r["reached"]]
        if not times:
            return float("inf")
        fastest = max(min(times), 1e-3)
        return fastest * (self.plan.spread if fastest < 0.1 else min(5.0, self.plan.spread))

    def scout(self, contender: Contender, threads: int) -> bool:
        """Load, show the default's error, then find the loosest setting that reaches the target.

        Returns whether the contender is in the race.
        """
        result: dict[str, Any] = {
            "contender": contender.name, "package": contender.package, "ours": contender.ours,
            "threads": threads, "seconds": [], "reached": False,
        }  # fmt: skip
        self.results.append(result)
        member = None
        try:
            member = Member(contender, self.path, threads=threads, patience=self.patience)
            member.ask("warm")
            if not contender.ours:
                self.default(member, result)
            self.tune(member, result)
            if result["reached"] and result["seconds"][0] <= self.slow():
                self.racing.append((member, result))
                return True
        except LostError as lost:
            result.setdefault("failure", str(lost))
        if member is not None:
            member.dismiss()
        return False

    def default(self, member: Member, result: dict[str, Any]) -> None:
        """Solve once at the peer's default settings and record the true error."""
        result.update(member.ask("load", setting=None))
        out = self.folder / "value.npy"
        first = member.ask("solve", out=str(out))
        result["default_seconds"] = first["seconds"]
        result["peak_bytes"] = first["peak_bytes"]
        result["default_error"] = self.value_error(out)

    def tune(self, member: Member, result: dict[str, Any]) -> None:
        """Choose the setting to race with: the defaults where they do, or a rung that is faster."""
        default = dict(result)
        climbed = self.climb(member, result)
        if not truth.reached(default.get("default_error", float("inf")), self.truth, TARGET):
            return
        turn = self.plan.turn
        tuned = min(member.ask("time", budget=turn)["seconds"]) if climbed else float("inf")
        member.ask("load", setting=None)
        plain = min(member.ask("time", budget=turn)["seconds"])
        if plain <= tuned:
            result.update(
                seconds=[plain], reached=True, setting=None, error=default["default_error"]
            )
            result.pop("failure", None)
        else:
            member.ask("load", setting=result["setting"])

    def climb(self, member: Member, result: dict[str, Any]) -> bool:
        """Tighten the setting until the true error is within the target."""
        out = self.folder / "value.npy"
        begin = time.perf_counter()
        for setting in member.contender.ladder:
            spent = time.perf_counter() - begin
            if spent > self.patience:
                result["failure"] = f"above 1e-6 after {spent:.0f} s of trying"
                return False
            loaded = member.ask("load", setting=setting)
            first = member.ask("solve", out=str(out))
            error = self.value_error(out)
            if "load_seconds" in loaded or "load_seconds" not in result:
                result.update(loaded)
            result.update(first, setting=setting, error=error)
            result["seconds"] = [first["seconds"]]
            if truth.reached(error, self.truth, TARGET):
                result["reached"] = True
                return True
        return False

    def race(self) -> None:
        """Time those that reach the target in turn, A B A B, so that drift cancels."""
        slow = self.slow()
        swift = [pair for pair in self.racing if pair[1]["seconds"][0] <= slow]
        for member, result in self.racing:
            if result["seconds"][0] > slow:
                member.dismiss()
        for _, result in swift:
            result["seconds"] = []
        for turn in range(self.plan.rounds):
            for member, result in swift:
                costly = member.contender.fresh and result["load_seconds"] > 2.0
                if "failure" in result or (costly and turn >= 2):
                    continue
                try:
                    result["seconds"] += member.ask("time", budget=self.plan.turn)["seconds"]
                except LostError as lost:
                    result["failure"] = str(lost)
        for member, _ in swift:
            member.dismiss()

    def limits(self) -> dict[str, Any]:
        """Time our sweep beside the machine's limits for each number of threads."""
        found: dict[str, Any] = {}
        for threads in self.plan.threads:
            member = Member(BY_NAME["solve"], self.path, threads=threads, patience=300.0)
            try:
                found[str(threads)] = member.ask("limits", threads=threads, rounds=self.plan.rounds)
            except LostError as lost:
                found[str(threads)] = {"failure": str(lost)}
            finally:
                member.dismiss()
        return found


def summarise(result: dict[str, Any]) -> dict[str, Any]:
    """Add best and median to a result; round the raw times away."""
    seconds = result.pop("seconds")
    if seconds:
        result.update(best=min(seconds), median=statistics.median(seconds), repeats=len(seconds))
    return result


def run_row(
    row: Row, gamma: float, plan: Plan, *, quick: bool, contenders: tuple[Contender, ...]
) -> dict[str, Any]:
    """Run one line of the table."""
    problem = (row.quick if quick else row.make)(gamma)
    say(f"{row.name} gamma={gamma}: {problem.n_transitions} transitions")
    with tempfile.TemporaryDirectory() as folder:
        heat = Heat(problem, Path(folder), plan)
        for contender in contenders:
            if contender.suits(problem):
                for threads in plan.threads if contender.parallel else plan.threads[:1]:
                    say(f"  {contender.name}, {threads} thread(s)")
                    if not heat.scout(contender, threads):
                        break
        heat.race()
        limits = heat.limits()
    return {
        "row": row.name,
        "about": row.about if not quick else f"{row.about} (quick: S={problem.n_states})",
        "gamma": gamma,
        "n_states": problem.n_states,
        "n_actions": problem.n_actions,
        "n_transitions": problem.n_transitions,
        "reference_radius": heat.truth.radius,
        "reference": heat.note,
        "limits": limits,
        "results": [summarise(result) for result in heat.results],
    }


def run_scaling(sizes: tuple[int, ...], plan: Plan) -> dict[str, Any]:
    """Time ``solve`` with one thread on Garnets (A=5, b=10, gamma .95) of growing size."""
    from benchmarks.problems import garnet

    points = []
    for n_states in sizes:
        problem = garnet(n_states, 5, 10, 0.95)
        say(f"scaling: {problem.n_transitions} transitions")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "problem.npz"
            problem.save(path)
            member = Member(BY_NAME["solve"], path, threads=1, patience=600.0)
            try:
                member.ask("warm")
                member.ask("load", setting=TARGET)
                first = member.ask("solve", out=str(Path(folder) / "v.npy"))
                times = [
                    second
                    for _ in range(plan.rounds)
                    for second in member.ask("time", budget=plan.turn)["seconds"]
                ]
                limits = member.ask("limits", threads=1, rounds=plan.rounds)
            finally:
                member.dismiss()
        points.append(
            {
                "n_transitions": problem.n_transitions,
                "solve": min(times),
                "work": first["work"],
                "peak_bytes": first["peak_bytes"],
                **limits,
            }
        )
    return {"points": points, **slopes(points)}


def slopes(points: list[dict[str, Any]]) -> dict[str, float]:
    """Fit log-log slopes of the solve, of one sweep and of the limit against transitions."""
    if len(points) < 2:
        return {}
    size = np.log([p["n_transitions"] for p in points])
    fitted = {
        "solve": [p["solve"] for p in points],
        "sweep": [p["sweep"] for p in points],
        "limit": [max(p["stream"], p["gather"]) for p in points],
    }
    return {
        f"{name}_slope": float(np.polyfit(size, np.log(seconds), 1)[0])
        for name, seconds in fitted.items()
    }


def installed(contenders: tuple[Contender, ...] = CONTENDERS) -> tuple[Contender, ...]:
    """Keep the contenders whose package is installed."""
    from importlib.metadata import PackageNotFoundError, version

    def present(package: str) -> bool:
        try:
            version(package)
        except PackageNotFoundError:
            return False
        return True

    found = {contender.package: present(contender.package) for contender in contenders}
    missing = sorted(package for package, is_there in found.items() if not is_there)
    if missing:
        say(f"not installed, left out: {', '.join(missing)} (pip install 'mdptheory[peers]')")
    return tuple(contender for contender in contenders if found[contender.package])
