"""Python threads that share a sweep over a large model; the kernels release the GIL."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

PARALLEL_TRANSITIONS = 400_000  # below this a thread costs more than it saves


def thread_count() -> int:
    """Return how many threads a large sweep may use: Numba's setting, or the processors at hand."""
    setting = os.environ.get("NUMBA_NUM_THREADS", "")
    if setting.isdigit() and int(setting) > 0:
        return int(setting)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Crew:
    """The threads of one solver.

    Parameters
    ----------
    transitions : int
        What a sweep reads: a small model gets one thread.
    threads : int, optional
        How many to use for a large one; all that Numba may use if absent.
    """

    def __init__(self, transitions: int, threads: int | None) -> None:
        wanted = thread_count() if threads is None else threads
        self.threads = wanted if transitions >= PARALLEL_TRANSITIONS else 1
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Start the threads, if there are more than one."""
        if self.threads > 1:
            self._pool = ThreadPoolExecutor(self.threads)

    def stop(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def each(self, call: Callable[[T], R], parts: Sequence[T]) -> list[R]:
        """Call once a part, in the threads if they run."""
        if self._pool is None or len(parts) == 1:
            return [call(part) for part in parts]
        return list(self._pool.map(call, parts))
