"""The parent's side: start a contender's process, give it orders, lose patience in time."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender

ROOT = Path(__file__).resolve().parent.parent


class LostError(RuntimeError):
    """The process ended, hung or refused; the text says which."""


class Process:
    """A worker in its own process with a fixed number of threads.

    Parameters
    ----------
    module : str
        What is run; it answers orders as `benchmarks.worker` does.
    contender, problem : str
        What it is told to start with.
    threads : int
        Numbers of threads of Numba and of BLAS.
    patience : float
        Seconds that an order may take.
    """

    def __init__(
        self, module: str, contender: str, problem: str, *, threads: int, patience: float
    ) -> None:
        self.threads, self.patience = threads, patience
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        count = str(threads)
        names = ("NUMBA", "OMP", "OPENBLAS", "MKL")
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env={**os.environ, "PYTHONPATH": path, **{f"{n}_NUM_THREADS": count for n in names}},
        )  # fmt: skip
        try:
            self.ask("start", contender=contender, problem=problem)
        except LostError:
            self.dismiss()
            raise

    def ask(self, verb: str, *, patience: float | None = None, **order: Any) -> dict[str, Any]:
        """Give one order and wait for its answer.

        Raises
        ------
        LostError
            If the process ends, answers with an error, or takes longer than ``patience`` seconds.
        """
        wait = self.patience if patience is None else patience
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": verb, **order}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise LostError(self.last_words()) from None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(wait):
                self.dismiss()
                raise LostError(f"no answer to '{verb}' in {wait:g} s")
        line = self.process.stdout.readline()
        if not line:
            raise LostError(self.last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise LostError(answer["error"])
        return answer

    def last_words(self) -> str:
        """Describe how the process ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        code = self.process.returncode
        return f"process ended with code {code}" + (f": {lines[-1][:120]}" if lines else "")

    def dismiss(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not sent is of no use any more
                    pipe.close()


class Member(Process):
    """One contender of the planning table on one problem."""

    def __init__(
        self, contender: Contender, problem: Path, *, threads: int, patience: float
    ) -> None:
        self.contender = contender
        super().__init__(
            "benchmarks.worker", contender.name, str(problem), threads=threads, patience=patience
        )
