"""Command line: ``python -m benchmarks planning | levers | robust | linear | fair``."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import planning, report
from benchmarks.contenders import BY_NAME
from benchmarks.crew import Member
from benchmarks.planning import QUICK, Plan
from benchmarks.problems import GAMMAS, ROWS, Row, tiny

SCALING_SIZES = (2_000, 6_000, 20_000, 60_000, 200_000)
QUICK_SIZES = (200, 600, 2_000)


def parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, about in (
        ("planning", "our planners, the peers and the machine's limits"),
        ("levers", "variants of our own planners"),
    ):
        sub = commands.add_parser(name, help=about)
        sub.add_argument("--quick", action="store_true", help="small sizes, few repeats")
        sub.add_argument("--rows", nargs="+", metavar="NAME", help="NAME or NAME@GAMMA; 'scaling'")
        sub.add_argument("--out", type=Path, help="Markdown file to write (default: print)")
        sub.add_argument("--json", type=Path, help="file for all measurements")
        if name == "planning":
            sub.add_argument("--full", action="store_true", help="all discounts for S=1e6 too")
            sub.add_argument("--only", nargs="+", metavar="CONTENDER", help="contenders to run")
            sub.add_argument("--patience", type=float, help="seconds an order may take")
    sub = commands.add_parser("robust", help="robust operators and planners")
    sub.add_argument("--quick", action="store_true", help="small sizes, few repeats")
    sub.add_argument("--rows", nargs="+", metavar="NAME", help="cases; 'operators', 'sweeps'")
    sub.add_argument("--only", nargs="+", metavar="SET", help="ambiguity sets of the operators")
    sub.add_argument("--out", type=Path, help="Markdown file to write (default: print)")
    sub.add_argument("--json", type=Path, help="file for all measurements")
    sub = commands.add_parser("linear", help="learners on linear models")
    sub.add_argument("--quick", action="store_true", help="small sizes, few repeats")
    sub.add_argument("--rows", nargs="+", metavar="NAME", help="'offline', 'online', 'statistics'")
    sub.add_argument("--out", type=Path, help="Markdown file to write (default: print)")
    sub.add_argument("--json", type=Path, help="file for all measurements")
    sub = commands.add_parser("fair", help="threshold bandits in closed loops")
    sub.add_argument("--quick", action="store_true", help="short runs, few repeats")
    sub.add_argument("--rows", nargs="+", metavar="NAME", help="'rounds', 'sweep'")
    sub.add_argument("--out", type=Path, help="Markdown file to write (default: print)")
    sub.add_argument("--json", type=Path, help="file for all measurements")
    return top


def chosen(rows: list[str] | None, *, full: bool = False) -> list[tuple[Row, float]]:
    """Return the (row, gamma) pairs that ``--rows`` asks for.

    Raises
    ------
    SystemExit
        If a name matches no row.
    """
    every = [(row, g) for row in ROWS for g in (GAMMAS if full else row.gammas)]
    if rows is None:
        return every
    picked = []
    for name in rows:
        found = [(r, g) for r, g in every if name in (r.name, f"{r.name}@{g:g}")]
        if not found and name != "scaling":
            known = ", ".join(row.name for row in ROWS)
            raise SystemExit(f"--rows {name}: expected one of {known}, scaling, or NAME@GAMMA")
        picked += found
    return picked


def bandwidths(plan: Plan, folder: Path) -> dict[str, float]:
    """Measure the read bandwidth for each number of threads, in a process of its own."""
    path = folder / "tiny.npz"
    tiny()[0].save(path)
    found = {}
    for threads in plan.threads:
        member = Member(BY_NAME["solve"], path, threads=threads, patience=120.0)
        try:
            found[str(threads)] = member.ask("bandwidth", threads=threads)["gigabytes_per_second"]
        finally:
            member.dismiss()
    return found


def run_planning(options: argparse.Namespace) -> dict[str, Any]:
    """Measure what the options ask for."""
    import tempfile
    from dataclasses import replace

    plan = QUICK if options.quick else Plan()
    if options.patience is not None:
        plan = replace(plan, patience=options.patience)
    crew = planning.installed()
    if options.only:
        crew = tuple(c for c in crew if c.name in options.only or c.package in options.only)
    with tempfile.TemporaryDirectory() as folder:
        bandwidth = bandwidths(plan, Path(folder))
    measured: dict[str, Any] = {
        "command": "python -m benchmarks " + " ".join(sys.argv[1:]),
        "machine": report.machine(),
        "bandwidth": bandwidth,
        "rows": [],
        "failures": [],
        "scaling": None,
    }
    for row, gamma in chosen(options.rows, full=options.full):
        try:
            measured["rows"].append(
                planning.run_row(row, gamma, plan, quick=options.quick, contenders=crew)
            )
        except RuntimeError as error:  # no reference, no row; the others still run
            measured["failures"].append(f"{row.name} gamma {gamma:g}: {error}")
            planning.say(measured["failures"][-1])
        deliver(options, measured)
    if options.rows is None or "scaling" in options.rows:
        sizes = QUICK_SIZES if options.quick else SCALING_SIZES
        measured["scaling"] = planning.run_scaling(sizes, plan)
    return measured


def deliver(options: argparse.Namespace, measured: dict[str, Any]) -> None:
    """Write the files; what is measured so far survives an interruption."""
    if options.out is not None:
        options.out.write_text(report.markdown(measured), encoding="utf-8")
    if options.json is not None:
        options.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")


def run_levers(options: argparse.Namespace) -> str:
    """Measure the levers and return their tables."""
    from benchmarks.contenders import load_ours
    from benchmarks.levers import LEVERS, compare

    parts, data = [], []
    for row, gamma in chosen(options.rows):
        problem = (row.quick if options.quick else row.make)(gamma)
        found = compare(load_ours(problem), LEVERS, rounds=2 if options.quick else 5)
        parts.append(report.levers_table(found, f"{row.about}, gamma {gamma:g}"))
        data.append({"row": row.name, "gamma": gamma, "levers": found})
        planning.say(parts[-1])
    if options.json is not None:
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")
    text = "# Levers\n\n" + "\n\n".join(parts) + "\n"
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    return text


def main() -> None:
    """Run the command."""
    options = parser().parse_args()
    if options.command == "robust":
        from benchmarks import robust

        robust.run(options)
        return
    if options.command == "linear":
        from benchmarks import linear

        linear.run(options)
        return
    if options.command == "fair":
        from benchmarks import fair

        fair.run(options)
        return
    if options.command == "levers":
        text = run_levers(options)
    else:
        measured = run_planning(options)
        deliver(options, measured)
        text = report.markdown(measured)
    if options.out is None:
        report.show(text)


if __name__ == "__main__":
    main()
