"""One contender in a process of its own: reads orders as JSON lines, answers in kind.

A peer that prints, exits, crashes, hangs or eats memory hurts nobody else. Threads are set by the
environment before this process starts.
"""

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import contenders, limits
from benchmarks.contenders import Contender
from benchmarks.problems import Problem, tiny

MEMORY_CAP = 10 * 2**30  # a peer that wants more gets a MemoryError


def resident() -> int:
    """Return the bytes of memory in use."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> None:
    """Start a new high-water mark where the system allows it (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak() -> int:
    """Return the high-water mark of memory since `forget_peak`."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Worker:
    """Keeps one contender's model between orders."""

    def __init__(self, contender: Contender, problem: Problem) -> None:
        self.contender, self.problem = contender, problem
        self.setting: float | None = None
        self.model: Any = None
        self.last: Any = None
        self.solved = False

    def warm(self) -> dict[str, Any]:
        """Compile and import on a tiny problem, so that no timing sees it."""
        for small in tiny(self.problem.gamma):  # fast and slow mixing: every kernel is compiled
            for setting in (None, *self.contender.ladder[:1]):
                model = self.contender.load(small, setting)
                contenders.as_value(self.contender.solve(model, setting))
        return {}

    def load(self, setting: float | None) -> dict[str, Any]:
        """Convert the arrays; time it and the memory it keeps."""
        if self.model is not None and not self.contender.reload:
            self.setting = setting
            return {}
        self.model = None
        gc.collect()
        before, start = resident(), time.perf_counter()
        self.model = self.contender.load(self.problem, setting)
        seconds = time.perf_counter() - start
        self.setting = setting
        return {"load_seconds": seconds, "model_bytes": max(0, resident() - before)}

    def refresh(self) -> None:
        """Load anew where a solved model would start from its solution."""
        if self.contender.fresh and self.solved:
            self.model = None
            self.model = self.contender.load(self.problem, self.setting)

    def solve(self, out: str) -> dict[str, Any]:
        """Solve once; save the value; report time, evidence and the peak beyond the model."""
        self.last = None
        self.refresh()
        gc.collect()
        forget_peak()
        before, start = resident(), time.perf_counter()
        result = self.contender.solve(self.model, self.setting)
        seconds = time.perf_counter() - start
        self.solved = True
        beyond = max(0, peak() - before)
        np.save(out, contenders.as_value(result), allow_pickle=False)
        self.last = result
        return {"seconds": seconds, "peak_bytes": beyond, **contenders.evidence(result)}

    def verify(self) -> dict[str, Any]:
        """Let the independent checker verify the certificate of the last solution."""
        from mdptheory import certificates

        verified = certificates.check(self.last.certificate, self.model)
        return {"gap": float(verified.gap)}

    def time(self, budget: float) -> dict[str, Any]:
        """Solve again and again for about ``budget`` seconds, at least once."""
        seconds: list[float] = []
        begin = time.perf_counter()
        while not seconds or time.perf_counter() - begin < budget:
            self.refresh()
            start = time.perf_counter()
            self.contender.solve(self.model, self.setting)
            seconds.append(time.perf_counter() - start)
            self.solved = True
        return {"seconds": seconds}

    def limits(self, threads: int, rounds: int) -> dict[str, Any]:
        """Time one of our Bellman sweeps beside the machine's limits."""
        from mdptheory.operators.backup import Backup

        v = np.random.default_rng(0).random(self.problem.n_states)
        out = np.empty_like(v)
        with Backup(contenders.load_ours(self.problem), threads=threads) as sweeper:
            return limits.measure(
                self.problem, lambda: sweeper.greedy(v, out), threads=threads, rounds=rounds
            )

    def bandwidth(self, threads: int) -> dict[str, Any]:
        """Measure the machine's read bandwidth."""
        return {"gigabytes_per_second": limits.bandwidth(threads=threads)}


def hire(contender: str, problem: str) -> Worker:
    """Return the worker of a contender of the planning table."""
    return Worker(contenders.BY_NAME[contender], Problem.open(Path(problem)))


def serve(start: Callable[[str, str], Any] = hire) -> None:
    """Answer orders until standard input ends; the first names contender and problem."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a peer prints goes to standard error
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_CAP, resource.RLIM_INFINITY))
    worker: Any = None
    for line in sys.stdin:
        order = json.loads(line)
        verb = order.pop("do")
        try:
            if verb == "start":
                worker = start(order["contender"], order["problem"])
                answer: dict[str, Any] = {}
            else:
                answer = getattr(worker, verb)(**order)
        except (Exception, SystemExit) as error:
            text = str(error).strip().splitlines()
            answer = {"error": f"{type(error).__name__}: {text[0] if text else ''}"[:200]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
