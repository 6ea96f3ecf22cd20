"""Compare planners on a grid of models and seeds; kill it, run it again, and it goes on."""

import sys
from typing import Any

import numpy as np

from mdptheory import modified_policy_iteration, policy_iteration, value_iteration
from mdptheory.environments import garnet
from mdptheory.experiments import run_grid

PLANNERS = {
    "value_iteration": value_iteration,
    "modified_policy_iteration": modified_policy_iteration,
    "policy_iteration": policy_iteration,
}


def sweeps(config: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Count the sweeps that one planner needs on one random model."""
    mdp = garnet(200, 4, 5, gamma=config["gamma"], rng=rng)
    solution = PLANNERS[config["planner"]](mdp, tol=1e-6).require_converged()
    return {"work": solution.convergence.work, "error": solution.convergence.error_bound}


def main() -> None:
    """Print the median work of each planner, in sweeps over the whole model."""
    out = sys.argv[1] if len(sys.argv) > 1 else "compare_planners_results"
    configs = [{"planner": name, "gamma": g} for name in PLANNERS for g in (0.9, 0.99, 0.999)]
    seeds = range(5)
    grid = run_grid(sweeps, configs, seeds, out=out)
    work = grid.stack("work").reshape(len(configs), len(seeds))
    for config, row in zip(configs, work, strict=True):
        low, middle, high = np.quantile(row, [0.0, 0.5, 1.0])
        name = f"{config['planner']}, gamma {config['gamma']}"
        print(f"{name:<40} {middle:7.1f} sweeps (all seeds: {low:.1f} to {high:.1f})")
    print(f"largest certified error: {grid.stack('error').max():.1e}")
    print(f"{grid.executed} of {len(grid.cells)} cells computed, the others were in {out}")


if __name__ == "__main__":
    main()
