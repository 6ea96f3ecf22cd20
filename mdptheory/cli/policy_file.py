"""Writing a solution's value and policy to a file that other programs read."""

import csv
import json
from pathlib import Path

import numpy as np

from mdptheory.cli.failures import CommandError
from mdptheory.models import Solution

SUFFIXES = (".csv", ".json", ".npz")


def check_target(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    """Refuse a file that cannot be written before the work is done for it."""
    if path.suffix not in suffixes:
        raise CommandError(f"{option} {path}: expected a name ending in {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise CommandError(f"{option} {path}: {path.parent} is no folder")


def write_policy(solution: Solution, path: Path) -> None:
    """Write one record a state (and stage): value, action and their names."""
    v, policy = np.atleast_2d(solution.v), np.atleast_2d(solution.policy)
    if path.suffix == ".npz":
        np.savez(path, v=solution.v, policy=solution.policy)
        return
    states, actions = solution.state_names, solution.action_names
    records = [
        {
            "stage": stage,
            "state": state,
            "state_name": states[state] if states else "",
            "action": int(action),
            "action_name": actions[action] if actions else "",
            "value": float(v[stage, state]),
        }
        for stage, row in enumerate(policy)
        for state, action in enumerate(row)
    ]
    if path.suffix == ".json":
        path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)
