"""Run the robust benchmarks that the command line asks for."""

import argparse
import json
import sys
from typing import Any

from benchmarks import report, robust_operators, robust_planners, robust_report, robust_sweeps
from benchmarks.planning import say
from benchmarks.robust_cases import CASES, Case
from benchmarks.robust_sets import ENTRIES

PARTS = ("operators", "sweeps")  # beside the cases


def chosen(rows: list[str] | None) -> tuple[list[tuple[Case, float]], set[str]]:
    """Return the (case, gamma) pairs and the other parts that ``--rows`` asks for.

    Raises
    ------
    SystemExit
        If a name matches nothing.
    """
    every = [(case, gamma) for case in CASES for gamma in case.gammas]
    if rows is None:
        return every, set(PARTS)
    pairs, parts = [], set()
    for name in rows:
        found = [(c, g) for c, g in every if name in (c.name, f"{c.name}@{g:g}")]
        if name in PARTS:
            parts.add(name)
        elif not found:
            known = ", ".join([*(case.name for case in CASES), *PARTS])
            raise SystemExit(f"--rows {name}: expected one of {known}, or NAME@GAMMA")
        pairs += found
    return pairs, parts


def sets(only: list[str] | None) -> tuple[str, ...]:
    """Return the ambiguity sets that ``--only`` names.

    Raises
    ------
    SystemExit
        If a name is none of them.
    """
    for name in only or ():
        if name not in ENTRIES:
            raise SystemExit(f"--only {name}: expected one of {'; '.join(ENTRIES)}")
    return tuple(only or ENTRIES)


def versions(measured: dict[str, Any]) -> None:
    """Name the solvers of general programmes instead of the peers of the planning table."""
    from importlib.metadata import PackageNotFoundError, version

    packages = {k: v for k, v in measured["packages"].items() if k in ("numpy", "scipy", "numba")}
    for name in ("mdptheory", "cvxpy", "clarabel"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "absent"
    measured["packages"] = packages


def run(options: argparse.Namespace) -> None:
    """Measure what the options ask for, writing what is there after each part."""
    pairs, parts = chosen(options.rows)
    names = sets(options.only)
    plan = robust_planners.QUICK if options.quick else robust_planners.Plan()
    measured: dict[str, Any] = {
        "command": "python -m benchmarks " + " ".join(sys.argv[1:]),
        "machine": report.machine(),
        "failures": [], "planners": [], "operators": None, "sweeps": None,
    }  # fmt: skip
    versions(measured["machine"])
    for case, gamma in pairs:
        try:
            measured["planners"].append(
                robust_planners.run_case(case, gamma, plan, quick=options.quick)
            )
        except RuntimeError as error:  # no reference, no row; the others still run
            measured["failures"].append(f"{case.name} gamma {gamma:g}: {error}")
            say(measured["failures"][-1])
        deliver(options, measured)
    if "operators" in parts:
        how = robust_operators.QUICK if options.quick else robust_operators.Plan()
        measured["operators"] = robust_operators.measure(how, names)
        deliver(options, measured)
    if "sweeps" in parts:
        measured["sweeps"] = robust_sweeps.measure(quick=options.quick)
        deliver(options, measured)
    if options.out is None:
        report.show(robust_report.markdown(measured))


def deliver(options: argparse.Namespace, measured: dict[str, Any]) -> None:
    """Write the files; what is measured so far survives an interruption."""
    if options.out is not None:
        options.out.write_text(robust_report.markdown(measured), encoding="utf-8")
    if options.json is not None:
        options.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")
