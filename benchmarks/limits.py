"""What the machine can do at best with one problem's arrays, in seconds a sweep.

Stream: read every probability and every successor index once. Gather: read ``v[next_state]`` for
every transition. Both are measured with the kernel that proved fastest among two, because a plain
one-accumulator loop is bound by the latency of the addition, not by memory.
"""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from benchmarks.problems import Problem

REASSOCIATE = {"reassoc", "contract", "nsz"}  # lets the compiler keep many partial sums


@njit(cache=True, nogil=True, fastmath=REASSOCIATE)
def stream_floats(a):
    total = 0.0
    for i in range(a.size):
        total += a[i]
    return total


@njit(cache=True, nogil=True)
def stream_ints(a):
    total = np.uint32(0)
    for i in range(a.size):
        total ^= a[i]
    return float(total)


@njit(cache=True, nogil=True, fastmath=REASSOCIATE)
def gather_vector(v, index):
    total = 0.0
    for i in range(index.size):
        total += v[index[i]]
    return total


@njit(cache=True, nogil=True)
def gather_unrolled(v, index):
    a = b = c = d = 0.0
    whole = index.size - index.size % 4
    for i in range(0, whole, 4):
        a += v[index[i]]
        b += v[index[i + 1]]
        c += v[index[i + 2]]
        d += v[index[i + 3]]
    for i in range(whole, index.size):
        a += v[index[i]]
    return (a + b) + (c + d)


def best_of(jobs: dict[str, Callable[[], Any]], *, rounds: int, least: float) -> dict[str, float]:
    """Time the jobs in turn, A B C A B C, and return the best seconds of each."""
    for job in jobs.values():
        job()
    counts: dict[str, int] = {}
    for name, job in jobs.items():
        start = time.perf_counter()
        job()
        counts[name] = max(1, int(least / max(time.perf_counter() - start, 1e-7)))
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            for _ in range(counts[name]):
                job()
            best[name] = min(best[name], (time.perf_counter() - start) / counts[name])
    return best


def _parts(size: int, threads: int) -> list[slice]:
    cuts = np.linspace(0, size, threads + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(cuts)]


def measure(
    problem: Problem, sweep: Callable[[], Any], *, threads: int = 1, rounds: int = 7
) -> dict[str, float]:
    """Time one Bellman sweep beside the stream and the gather of the same problem.

    Returns
    -------
    dict
        Best seconds of ``sweep``, ``stream`` and ``gather``, and ``ratio``: the sweep over the
        larger of the two limits.
    """
    index = problem.next_state.view(np.uint32)
    v = np.random.default_rng(0).random(problem.n_states)
    whole = [slice(None)]

    with ThreadPoolExecutor(threads) as pool:

        def spread(kernel: Callable[[slice], Any], pieces: list[slice]) -> Callable[[], Any]:
            if len(pieces) == 1:
                return lambda: kernel(pieces[0])
            return lambda: list(pool.map(kernel, pieces))

        jobs: dict[str, Callable[[], Any]] = {"sweep": sweep}
        for pieces in [whole] if threads == 1 else [whole, _parts(len(index), threads)]:
            n = len(pieces)  # a small problem is read faster by one thread: the limit is the best
            jobs[f"stream {n}"] = spread(
                lambda p: stream_floats(problem.prob[p]) + stream_ints(index[p]), pieces
            )
            jobs[f"gather {n} vector"] = spread(lambda p: gather_vector(v, index[p]), pieces)
            jobs[f"gather {n} unrolled"] = spread(lambda p: gather_unrolled(v, index[p]), pieces)
        best = best_of(jobs, rounds=rounds, least=0.005)
    stream = min(seconds for name, seconds in best.items() if name.startswith("stream"))
    gather = min(seconds for name, seconds in best.items() if name.startswith("gather"))
    return {
        "sweep": best["sweep"],
        "stream": stream,
        "gather": gather,
        "ratio": best["sweep"] / max(stream, gather),
    }


def bandwidth(*, threads: int = 1, megabytes: int = 256, rounds: int = 5) -> float:
    """Return the read bandwidth in GB/s over an array too large for any cache."""
    a = np.ones(megabytes * 131_072)
    with ThreadPoolExecutor(threads) as pool:
        pieces = [a[p] for p in _parts(a.size, threads)]
        job = {"read": lambda: list(pool.map(stream_floats, pieces))}
        return a.nbytes / best_of(job, rounds=rounds, least=0.0)["read"] / 1e9
