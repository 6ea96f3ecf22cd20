"""Functions that the grid tests send to worker processes; run as a script, one resumable grid."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Config:
    """A small configuration."""

    n: int = 4
    scale: float = 1.0
    pause: float = 0.0
    mark: str = ""


def draw(config: Config, rng: np.random.Generator) -> dict[str, object]:
    """Draw numbers; leave a line in GRID_LOG for every execution that got to its end."""
    time.sleep(config.pause)
    values = config.scale * rng.standard_normal(config.n)
    if log := os.environ.get("GRID_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{config.n}\n")
    return {"values": values, "mean": values.mean()}


def dot(config: Config, rng: np.random.Generator) -> dict[str, object]:
    """Sum in BLAS, whose last digits depend on its number of threads."""
    x = rng.standard_normal((3, config.n))
    return {"dot": np.array([x[0] @ x[1], x[1] @ x[2], x[0] @ x[2]])}


def fail_on_odd(config: Config, rng: np.random.Generator) -> dict[str, object]:
    """Raise for odd sizes."""
    if config.n % 2:
        raise ArithmeticError(f"{config.n} is odd")
    return draw(config, rng)


def die_once(config: Config, rng: np.random.Generator) -> dict[str, object]:
    """Kill the worker the first time that the largest cell runs."""
    mark = Path(config.mark)
    if config.n == 5 and not mark.exists():
        mark.write_text("died")
        os._exit(9)
    return draw(Config(n=config.n, pause=config.pause), rng)


def threads(config: Config, rng: np.random.Generator) -> dict[str, object]:
    """Report how many threads a cell may use."""
    import numba
    from threadpoolctl import threadpool_info

    pools = [pool["num_threads"] for pool in threadpool_info()]
    return {
        "numba": numba.get_num_threads(),
        "env": os.environ.get("NUMBA_NUM_THREADS", ""),
        "pools": np.array(pools, dtype=int),
    }


def eight_cells(folder: Path, n_jobs: int) -> int:
    """Run a grid that takes about a second."""
    from mdptheory.experiments import run_grid

    configs = [Config(n=n, pause=0.15) for n in range(1, 9)]
    return run_grid(draw, configs, [0], out=folder, n_jobs=n_jobs).executed


if __name__ == "__main__":
    print(eight_cells(Path(sys.argv[1]), int(sys.argv[2])))
