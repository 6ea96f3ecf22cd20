"""Writing a solution's value and policy to a file that other programs read."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.cli.failures import CommandError
from mdptheory.models import RobustSolution, Solution

SUFFIXES = (".csv", ".json", ".npz")


class Plan(NamedTuple):
    """Values (H + 1, S) and actions (H, S) of a model without names."""

    v: FloatArray
    policy: IntArray
    state_names: None = None
    action_names: None = None


def check_target(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    """Refuse a file that cannot be written before the work is done for it."""
    if path.suffix not in suffixes:
        raise CommandError(f"{option} {path}: expected a name ending in {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise CommandError(f"{option} {path}: {path.parent} is no folder")


def write_policy(solution: Solution | RobustSolution | Plan, path: Path) -> None:
    """Write one record a state (and stage): value, action and their names.

    A policy that randomises has one record an action that it plays, with its probability.
    """
    if path.suffix == ".npz":
        np.savez(path, v=solution.v, policy=solution.policy)
        return
    records = list(_records(solution))
    if path.suffix == ".json":
        path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def _records(solution: Solution | RobustSolution | Plan) -> Iterator[dict[str, Any]]:
    v, policy = np.atleast_2d(solution.v), solution.policy
    states, actions = solution.state_names, solution.action_names
    random = policy.dtype.kind == "f"
    staged = policy.reshape(-1, v.shape[1], policy.shape[-1] if random else 1)
    for stage, row in enumerate(staged):
        for state, choice in enumerate(row):
            for action in np.flatnonzero(choice) if random else choice:
                record = {
                    "stage": stage,
                    "state": state,
                    "state_name": states[state] if states else "",
                    "action": int(action),
                    "action_name": actions[action] if actions else "",
                    "value": float(v[stage, state]),
                }
                if random:
                    record["probability"] = float(choice[action])
                yield record
