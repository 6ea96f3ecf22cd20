"""What the commands print: tables for people, one JSON object for programs."""

import json
import math
import sys
from collections.abc import Collection, Sequence
from decimal import ROUND_CEILING, Context
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory.certificates import SaddleVerified, Verified
from mdptheory.cli.failures import printable
from mdptheory.models import (
    BoundsCertificate,
    Discounted,
    FiniteHorizon,
    Objective,
    RobustSolution,
    SaddleCertificate,
    Solution,
    TabularMDP,
    TotalReward,
)
from mdptheory.structure import Structure

SHOWN = 20
PIPE_WIDTH = 120  # of wide tables where no terminal has to hold them


def print_json(payload: dict[str, Any]) -> None:
    """Print one JSON object; infinite and undefined numbers become null."""
    print(json.dumps(plain(payload), allow_nan=False))


def plain(value: Any) -> Any:
    """Return what JSON can hold; infinite and undefined numbers become None."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def objective_fields(objective: Objective) -> dict[str, Any]:
    """Return an objective as plain fields."""
    match objective:
        case Discounted(gamma=gamma):
            return {"kind": "discounted", "gamma": gamma}
        case FiniteHorizon():
            return {
                "kind": "finite_horizon",
                "horizon": objective.horizon,
                "gamma": objective.gamma,
                "terminal": objective.terminal,
            }
        case TotalReward():
            return {"kind": "total_reward"}


def objective_text(objective: Objective) -> str:
    """Return an objective as words."""
    match objective:
        case Discounted(gamma=gamma):
            return f"discounted, gamma {gamma:g}"
        case FiniteHorizon(horizon=horizon, gamma=gamma):
            return f"finite horizon {horizon}, gamma {gamma:g}"
        case TotalReward():
            return "total reward until absorption"


def solution_fields(solution: Solution | RobustSolution, seconds: float) -> dict[str, Any]:
    """Return a solution as plain fields."""
    convergence = solution.convergence
    return {
        "objective": objective_fields(solution.certificate.objective),
        "status": convergence.status.name,
        "message": convergence.status.value,
        "iterations": convergence.iterations,
        "residual": convergence.residual,
        "error_bound": convergence.error_bound,
        "work": convergence.work,
        "seconds": seconds,
        "v": solution.v,
        "policy": solution.policy,
        "state_names": solution.state_names,
        "action_names": solution.action_names,
    }


def print_solution(solution: Solution, mdp: TabularMDP, source: str, seconds: float) -> None:
    """Print the verdict and the first states of a solution."""
    _print_head(solution, mdp, source, seconds)
    staged = solution.v.ndim == 2
    values = solution.v[0] if staged else solution.v
    actions = solution.policy[0] if staged else solution.policy
    rows = [
        (mdp.state_label(s), f"{values[s]:.10g}", mdp.action_label(int(actions[s])))
        for s in range(min(SHOWN, mdp.n_states))
    ]
    print_table(("state", "value", "action at step 0" if staged else "action"), rows)
    _print_rest(mdp)


def print_robust(
    solution: RobustSolution, nominal: FloatArray, mdp: TabularMDP, source: str, seconds: float
) -> None:
    """Print the verdict and the first states of a robust solution beside the nominal values."""
    _print_head(solution, mdp, source, seconds)
    staged = solution.v.ndim == 2
    values = solution.v[0] if staged else solution.v
    choices = solution.policy[0] if staged else solution.policy
    rows = [
        (mdp.state_label(s), f"{values[s]:.10g}", f"{nominal[s]:.10g}", _choice(mdp, choices[s]))
        for s in range(min(SHOWN, mdp.n_states))
    ]
    title = "action at step 0" if staged else "action"
    print_table(("state", "robust value", "nominal value", title), rows)
    _print_rest(mdp)


def _choice(mdp: TabularMDP, choice: Any) -> str:
    """Name an action, or the actions that a random choice is among."""
    if np.ndim(choice) == 0:
        return mdp.action_label(int(choice))
    played = np.flatnonzero(choice)
    if len(played) == 1:
        return mdp.action_label(int(played[0]))
    names = mdp.action_names
    return ", ".join(f"{choice[a]:.1%} {names[a] if names else a}" for a in played)


def _print_head(
    solution: Solution | RobustSolution, mdp: TabularMDP, source: str, seconds: float
) -> None:
    convergence = solution.convergence
    print(
        f"{source}: {mdp.n_states} states, {mdp.n_actions} actions,"
        f" {mdp.n_transitions} transitions; {objective_text(mdp.objective)}"
    )
    print(convergence.status.value)
    print(
        f"certified error {rounded_up(convergence.error_bound)} after"
        f" {convergence.iterations} iterations, {convergence.work:.4g} sweeps, {seconds:.3g} s"
    )


def _print_rest(mdp: TabularMDP) -> None:
    if mdp.n_states > SHOWN:
        print(f"{mdp.n_states - SHOWN} more states: --json or --out FILE give them all")


def print_table(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, right: Collection[str] = ()
) -> None:
    """Print columns under titles, those of values and of ``right`` to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for title in header:
        number = title.endswith("value") or title in right
        table.add_column(
            title, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    width = None if sys.stdout.isatty() or not right else PIPE_WIDTH
    Console(highlight=False, width=width).print(table)


def _escaped(cell: str) -> str:
    from rich.markup import escape

    return escape(printable(cell))


def verdict_fields(verified: Verified | SaddleVerified, objective: Objective) -> dict[str, Any]:
    """Return what a certificate's check proved as plain fields."""
    return {
        "valid": True,
        "exact": verified.exact,
        "objective": objective_fields(objective),
        "gap": verified.gap,
        "tolerance": verified.tolerance,
        "policy_loss": verified.policy_loss,
        "checked_rows": verified.checked_rows,
    }


def print_verdict(
    verified: Verified | SaddleVerified,
    certificate: BoundsCertificate | SaddleCertificate,
    claim: str,
    source: str,
) -> None:
    """Print what a certificate's check proved as one sentence; numbers are rounded up."""
    about, loses = "v*", "its policy loses at most"
    if isinstance(certificate, SaddleCertificate):
        about = f"v* against nature ({type(certificate.ambiguity).__name__})"
        if certificate.fixed:
            about = f"the policy's {about.replace('v*', 'value')}"
            loses = "that value is known within"
    objective = certificate.objective
    how = "in exact rational arithmetic" if verified.exact else "in floating point"
    rounding = f" + {rounded_up(verified.tolerance)}" if verified.tolerance > 0 else ""
    print(
        f"{claim} proves for {source} ({objective_text(objective)}), {how}:"
        f" lower <= {about} <= upper{rounding} with a gap of {rounded_up(verified.gap)};"
        f" {loses} {rounded_up(verified.policy_loss)} ({verified.checked_rows} rows checked)"
    )


def rounded_up(bound: float) -> str:
    """Return a bound with three digits, rounded so that it stays a bound."""
    if not math.isfinite(bound):
        return str(bound)
    return f"{float(Context(prec=3, rounding=ROUND_CEILING).create_decimal(bound)):.3g}"


def info_fields(mdp: TabularMDP, found: Structure) -> dict[str, Any]:
    """Return sizes and structure as plain fields."""
    return {
        "objective": objective_fields(mdp.objective),
        "states": mdp.n_states,
        "actions": mdp.n_actions,
        "rows": mdp.n_rows,
        "transitions": mdp.n_transitions,
        "stages": mdp.n_stages,
        "reward_min": float(mdp.reward.min()),
        "reward_max": float(mdp.reward.max()),
        "components": found.n_components,
        "closed_components": _sizes(found.component, found.closed),
        "end_components": _sizes(found.end_component),
        "communicating": found.communicating,
        "weakly_communicating": found.weakly_communicating,
        "absorbing": np.flatnonzero(found.absorbing),
        "unreachable": None if found.unreachable is None else np.flatnonzero(found.unreachable),
        "diameter": found.diameter,
        "state_names": mdp.state_names,
        "action_names": mdp.action_names,
    }


def _sizes(label: npt.NDArray[Any], wanted: npt.NDArray[np.bool_] | None = None) -> list[int]:
    sizes = np.bincount(label[label >= 0])
    return sorted((sizes if wanted is None else sizes[wanted]).tolist(), reverse=True)


def print_info(mdp: TabularMDP, fields: dict[str, Any], source: str) -> None:
    """Print sizes and structure for a person."""
    unreachable = fields["unreachable"]
    rows = [
        ("objective", objective_text(mdp.objective)),
        ("states", str(fields["states"])),
        ("actions", str(fields["actions"])),
        ("state-action rows", str(fields["rows"])),
        ("transitions", str(fields["transitions"])),
        ("stages", str(fields["stages"])),
        ("rewards", f"{fields['reward_min']:.10g} to {fields['reward_max']:.10g}"),
        ("structure", _structure_text(fields)),
        ("components", str(fields["components"])),
        ("closed components", _size_text(fields["closed_components"])),
        ("end components", _size_text(fields["end_components"])),
        ("absorbing states", _listed(mdp, fields["absorbing"])),
        (
            "unreachable states",
            "unknown (no initial distribution)"
            if unreachable is None
            else _listed(mdp, unreachable),
        ),
        ("diameter", _diameter_text(fields)),
    ]
    print(source)
    width = max(len(title) for title, _ in rows)
    for title, text in rows:
        print(f"  {title:<{width}}  {text}")


def _structure_text(fields: dict[str, Any]) -> str:
    if fields["communicating"]:
        return "communicating (every state can be reached from every other)"
    if fields["weakly_communicating"]:
        return "weakly communicating (what no run can stay in is transient)"
    return "multichain (where a run ends up depends on the policy or on chance)"


def _diameter_text(fields: dict[str, Any]) -> str:
    if not fields["communicating"]:
        return "infinite"
    fewest, expected = fields["diameter"], fields["expected_diameter"]
    shown = "" if expected is None else f", {expected:.6g} expected"
    return "too large a model to compute it" if fewest is None else f"{fewest} steps at best{shown}"


def _size_text(sizes: list[int]) -> str:
    shown = ", ".join(str(size) for size in sizes[:8])
    return f"{len(sizes)} (sizes {shown}{', ...' if len(sizes) > 8 else ''})"


def _listed(mdp: TabularMDP, states: npt.NDArray[Any]) -> str:
    if not len(states):
        return "none"
    shown = ", ".join(printable(mdp.state_label(int(s))) for s in states[:8])
    return f"{len(states)}: {shown}{', ...' if len(states) > 8 else ''}"
