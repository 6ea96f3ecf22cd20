"""One robust measurement in a process of its own; orders and answers as in `benchmarks.worker`."""

import itertools
import time
from typing import Any

import numpy as np

from benchmarks import robust_cases, robust_sets
from benchmarks.contenders import TARGET
from benchmarks.problems import Floats
from benchmarks.worker import forget_peak, peak, resident, serve
from mdptheory import TabularMDP, certificates
from mdptheory.models import AmbiguitySet
from mdptheory.operators.backup import Backup
from mdptheory.operators.dispatch import game
from mdptheory.operators.worst_case import worst_case

ITERATES = 20
SPAN = 1e-7  # where value iteration would have stopped


class Planner:
    """Solves one case with one contender."""

    def __init__(self, name: str, key: str) -> None:
        self.name = name
        self.case, self.gamma, self.quick = robust_cases.find(key)
        self.mdp = self.case.make(self.quick, self.gamma)
        self.last: Any = None

    def warm(self) -> dict[str, Any]:
        """Compile on a small model, so that no timing sees it."""
        small = self.case.make(True, self.gamma)
        found = robust_cases.solve(self.name, small, self.case)
        if self.name != robust_cases.FLOOR:
            certificates.check(found.certificate, small)
        return {"n_states": self.mdp.n_states, "n_transitions": self.mdp.n_transitions}

    def solve(self, out: str, tol: float = TARGET) -> dict[str, Any]:
        """Solve once; save the value; report time, evidence and the peak beyond the model."""
        forget_peak()
        before, start = resident(), time.perf_counter()
        found = robust_cases.solve(self.name, self.mdp, self.case, tol)
        seconds = time.perf_counter() - start
        beyond = max(0, peak() - before)
        if self.name == robust_cases.FLOOR:
            v, bound, work = found
            evidence = {"bound": bound, "work": float(work), "status": "CONVERGED"}
        else:
            v, told = found.v, found.convergence
            evidence = {"bound": told.error_bound, "work": told.work, "status": told.status.name}
            self.last = found
        np.save(out, v, allow_pickle=False)
        return {"seconds": [seconds], "peak_bytes": beyond, **evidence}

    def verify(self) -> dict[str, Any]:
        """Let the independent checker verify the certificate of the last solution."""
        start = time.perf_counter()
        verified = certificates.check(self.last.certificate, self.mdp)
        return {"check_seconds": time.perf_counter() - start, "gap": float(verified.gap)}

    def time(self, budget: float) -> dict[str, Any]:
        """Solve again and again for about ``budget`` seconds, at least once."""
        seconds: list[float] = []
        begin = time.perf_counter()
        while not seconds or time.perf_counter() - begin < budget:
            start = time.perf_counter()
            robust_cases.solve(self.name, self.mdp, self.case)
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}


class Sweeps:
    """Times sweeps of one set's operator, and its programme for one row."""

    def __init__(self, name: str, _: str) -> None:
        self.name, self.entry = name, robust_sets.ENTRIES[name]

    def sweep(self, shape: str, n: int, budget: float) -> dict[str, Any]:
        """Time a row in a sweep against nature beside one in a nominal sweep."""
        mdp = robust_sets.model(shape, n, shared=self.entry.shared)
        return compare(mdp, self.entry.make(mdp), budget)

    def programme(self, n: int, budget: float) -> dict[str, Any]:
        """Time one row (of an s-rectangular set: one state) beside a general programme."""
        if self.entry.shared:
            return self._state(n, budget)
        rng = np.random.default_rng(n)
        p, z = rng.dirichlet(np.ones(n)), rng.random(n)
        around = robust_sets.row_set(self.name, p)
        other = robust_sets.programme(self.name, p)
        difference = abs(other.solve(z) - worst_case(p, z, around).value) / float(np.ptp(z))
        return {
            "other": other.name,
            "difference": difference,
            "seconds": robust_sets.repeat(lambda: other.solve(rng.random(n)), budget),
            "call": robust_sets.repeat(lambda: worst_case(p, rng.random(n), around), budget / 5),
        }

    def _state(self, n: int, budget: float) -> dict[str, Any]:
        mdp = robust_sets.model("dense", n, shared=True)
        around, m = self.entry.make(mdp), mdp.n_actions
        v, out = np.random.default_rng(n).random(n), np.empty(n)
        other = robust_sets.shared_programme(
            np.asarray(mdp.prob).reshape(n, m, n)[0], np.asarray(mdp.reward)[:m], around.radius
        )
        with game(mdp, around, threads=1) as board:
            board.greedy(v, out)
        z = mdp.gamma * v
        return {
            "other": other.name,
            "seconds": robust_sets.repeat(lambda: other.solve(z), budget),
            "difference": abs(other.solve(z) - out[0]) / float(np.ptp(z)),
        }


def iterates(mdp: TabularMDP, around: AmbiguitySet, budget: float) -> list[Floats]:
    """Return what value iteration sweeps at, from 0 on; as many as the time allows, three or more.

    The first pass also warms up.
    """
    v, begin = np.zeros(mdp.n_states), time.perf_counter()
    values: list[Floats] = []
    with game(mdp, around, threads=1) as board:
        while len(values) < ITERATES:
            values.append(v)
            out = np.empty_like(v)
            low, high, _ = board.greedy(v, out)
            v = out
            if len(values) >= 3 and (
                high - low < SPAN or time.perf_counter() - begin > budget + 0.5
            ):
                break
    return values


def compare(mdp: TabularMDP, around: AmbiguitySet, budget: float) -> dict[str, Any]:
    """Time passes over the iterates in turn, nature and nominal, each pass with new buffers.

    ``robust`` and ``nominal`` are seconds a row, the mean over the iterates of the best of the
    passes; ``settled`` is that of the last iterate.

    What nature keeps between sweeps (orders, guesses) is thus found anew once a pass, as in a
    solve; making the buffers is not timed.
    """
    values = iterates(mdp, around, budget)
    out = np.empty(mdp.n_states)
    with Backup(mdp, threads=1) as nominal:
        nominal.greedy(values[0], out)
    begin = time.perf_counter()
    best = {kind: np.full(len(values), np.inf) for kind in ("robust", "nominal")}
    for turn in itertools.count():
        if turn >= 2 and time.perf_counter() - begin > budget:
            break
        for kind in best:
            board = game(mdp, around, threads=1) if kind == "robust" else Backup(mdp, threads=1)
            with board:
                marks = [time.perf_counter()]
                for v in values:
                    board.greedy(v, out)
                    marks.append(time.perf_counter())
            best[kind] = np.minimum(best[kind], np.diff(marks) / mdp.n_rows)
    found = {kind: float(seconds.mean()) for kind, seconds in best.items()}
    found["settled"] = float(best["robust"][-1])
    return {**found, "sweeps": len(values), "rows": mdp.n_rows, "states": mdp.n_states}


def hire(contender: str, problem: str) -> Planner | Sweeps:
    """Return the worker of a planner, or with an empty problem that of an operator."""
    return Planner(contender, problem) if problem else Sweeps(contender, problem)


if __name__ == "__main__":
    serve(hire)
