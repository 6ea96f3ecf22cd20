"""Turn the robust measurements into a Markdown file."""

import math
from typing import Any

from benchmarks.report import MIB, duration, error_text, table, times
from benchmarks.robust_cases import BY_NAME, FLOOR
from benchmarks.robust_sets import ENTRIES
from benchmarks.robust_sweeps import ORDER, STEPS

AIM = 10.0  # what our best time is to be under craam2's, by the outside figures
SLIDES = {"robust_value_iteration": 2.46, "partial_policy_iteration": 0.27}


def best_of(row: dict[str, Any], *, threads: int, floor: bool = False) -> dict[str, Any] | None:
    """Return our fastest result that is right, or the floor's, with that many threads."""
    fit = [
        r
        for r in row["results"]
        if r["reached"]
        and "best" in r
        and r["threads"] == threads
        and (r["contender"] == FLOOR) == floor
    ]
    return min(fit, key=lambda r: r["best"]) if fit else None


def named(result: dict[str, Any] | None) -> str:
    """Write a time and whose it is."""
    return f"{duration(result['best'])} ({result['contender']})" if result else "–"


def over(a: dict[str, Any] | None, b: dict[str, Any] | None) -> float | None:
    """Return how many times as long ``a`` takes as ``b``."""
    return a["best"] / b["best"] if a and b else None


def outside(row: dict[str, Any]) -> float | None:
    """Return craam2's time over ours as the outside figure implies it, one thread."""
    ratio = over(best_of(row, threads=1, floor=True), best_of(row, threads=1))
    return None if ratio is None or row["outside"] is None else row["outside"] * ratio


def floors(rows: list[dict[str, Any]]) -> str:
    """Lay out our best planner against the plain floor and craam2's outside figure."""
    header = [
        "problem", "gamma", "plain floor", "our best, 1 thr.", "robust_solve, 1 thr.",
        "floor / our best", "craam2 / floor (outside)", f"craam2 / our best, aim {AIM:g}x",
    ]  # fmt: skip
    lines = []
    for row in rows:
        floor, ours = best_of(row, threads=1, floor=True), best_of(row, threads=1)
        if not BY_NAME[row["case"]].plain:
            continue
        default: dict[str, Any] = next(
            (r for r in row["results"] if (r["contender"], r["threads"]) == ("robust_solve", 1)), {}
        )
        implied = outside(row)
        mark = "" if implied is None else (" met" if implied >= AIM else " **missed**")
        lines.append(
            [
                row["about"], f"{row['gamma']:g}", duration((floor or {}).get("best")),
                named(ours), duration(default.get("best")), times(over(floor, ours)),
                times(row["outside"]), times(implied) + mark,
            ]
        )  # fmt: skip
    return table(header, lines)


def detail(row: dict[str, Any]) -> str:
    """Lay out every planner on one case."""
    header = [
        "planner", "threads", "best", "median", "runs", "speed-up over 1 thr.", "sweeps of work",
        "certified", "true error", "check", "verified gap", "best + check", "beyond model", "note",
    ]  # fmt: skip
    single = {r["contender"]: r.get("best") for r in row["results"] if r["threads"] == 1}
    lines = []
    for r in sorted(row["results"], key=lambda r: r.get("best", math.inf)):
        alone = single.get(r["contender"])
        both = r["best"] + r["check_seconds"] if "check_seconds" in r and "best" in r else None
        faster = alone / r["best"] if r["threads"] > 1 and alone and "best" in r else None
        note = r.get("failure", "" if r["reached"] else "misses 1e-6")
        if r.get("status", "CONVERGED") != "CONVERGED":
            note = f"{note} {r['status']}".strip()
        lines.append(
            [
                r["contender"], str(r["threads"]), duration(r.get("best")),
                duration(r.get("median")), str(r.get("repeats", 0)), times(faster),
                f"{r['work']:.1f}" if "work" in r else "–",
                f"{r['bound']:.1e}" if "bound" in r else "–", error_text(r.get("error")),
                duration(r.get("check_seconds")),
                f"{r['gap']:.1e}" if "gap" in r else "–", duration(both),
                f"{r['peak_bytes'] / MIB:.0f} MiB" if "peak_bytes" in r else "–",
                note.replace("|", "/"),
            ]
        )  # fmt: skip
    text = (
        f"### {row['about']}, gamma {row['gamma']:g}\n\n{row['n_states']} states, {row['n_rows']}"
        f" pairs, {row['n_transitions']} transitions. Reference known within"
        f" {row['reference_radius']:.0e}.\n\n"
    )
    if row["case"] == "s-l1-288":
        slides = ", ".join(f"{name} {seconds} s" for name, seconds in SLIDES.items())
        text += (
            "Published for an s-rectangular L1 inventory of 288 states (slides of HPW; other"
            f" machine and instance; not comparable to the digit): {slides}.\n\n"
        )
    return text + table(header, lines)


def sweep_counts(lines: list[dict[str, Any]]) -> str:
    """Lay out how many greedy sweeps each planner takes under both stops."""
    header = ["problem", "gamma", *[f"{name}: plain / span" for name in STEPS], "ordered"]
    rows = []
    for line in lines:
        cells = []
        for name in STEPS:
            found = line["counts"][name]
            cells.append(
                " / ".join(
                    f"{found[stop]['greedy']} ({found[stop]['work']:.0f})" if stop in found else "–"
                    for stop in ("plain", "span")
                )
            )
        order = {True: "yes", False: "**no**", None: "–"}[line["ordered"]]
        rows.append([line["about"], f"{line['gamma']:g}", *cells, order])
    return table(header, rows)


def sweeps(measured: dict[str, list[dict[str, Any]]]) -> str:
    """Lay out the cost of a row in a sweep, in nominal rows."""
    places = list(dict.fromkeys((f["shape"], f["n"]) for lines in measured.values() for f in lines))
    header = ["set", "target", *[f"{shape}, n={n}" for shape, n in places]]
    rows = []
    for name, lines in measured.items():
        found = {(f["shape"], f["n"]): f for f in lines}
        target = ENTRIES[name].target
        cells = [name, "–" if target is None else f"{target:g}x"]
        for place in places:
            f = found.get(place, {})
            if "robust" not in f:
                cells.append(f.get("failure", "–").replace("|", "/"))
                continue
            ratio = f["robust"] / f["nominal"]
            bold = "**" if target is not None and ratio > target else ""
            settled = f["settled"] / f["nominal"]
            cells.append(f"{bold}{ratio:.2f}x{bold}, {settled:.2f}x ({duration(f['robust'])})")
        rows.append(cells)
    return table(header, rows)


def nominal(measured: dict[str, list[dict[str, Any]]]) -> str:
    """Say what a nominal row costs at each size, the median over the sets."""
    import statistics

    seen: dict[tuple[str, int], list[float]] = {}
    for lines in measured.values():
        for f in lines:
            if "nominal" in f:
                seen.setdefault((f["shape"], f["n"]), []).append(f["nominal"])
    parts = [f"{s} n={n} {duration(statistics.median(t))}" for (s, n), t in seen.items()]
    return "A nominal row: " + ", ".join(parts) + "."


def programmes(measured: dict[str, list[dict[str, Any]]]) -> str:
    """Lay out a general programme for one row against ours."""
    header = [
        "set", "n", "programme", "its time", "row in our sweep", "ratio", "worst_case call",
        "ratio", "difference",
    ]  # fmt: skip
    rows = []
    for name, lines in measured.items():
        for f in lines:
            if "seconds" not in f:
                rows.append([name, str(f["n"]), f.get("failure", "–"), *["–"] * 6])
                continue
            ours = f.get("sweep")
            if ours is not None and ENTRIES[name].shared:
                ours *= 10  # a state
            call = f.get("call")
            rows.append(
                [
                    name, str(f["n"]), f["other"], duration(f["seconds"]), duration(ours),
                    _factor(f["seconds"], ours), duration(call), _factor(f["seconds"], call),
                    f"{f['difference']:.0e}",
                ]
            )  # fmt: skip
    return table(header, rows)


def _factor(a: float, b: float | None) -> str:
    return "–" if b is None else f"{a / b:.3g}x"


PLANNING = """\
*plain floor*: value iteration in some thirty lines of Numba that sorts each row in each sweep and
stops by the span. craam2 does not install here. That its best planner takes 2.5, 2.9 and 6.0 times
as long as the plain floor at 200, 1,000 and 10,000 states was measured once, elsewhere, on one
thread: an outside figure. The last column multiplies it with what is measured in this run, and is
no measurement of craam2."""

SWEEPS = """\
Greedy sweeps over every row until the error is proved within 1e-6, in brackets all work in such
sweeps (evaluating a policy counts its share). *plain* stops by
gamma/(1-gamma) max |L v - v|, *span* by half of the span of L v - v in its place. *ordered*:
whether {order} under the plain stop, which the literature claims for gamma of at least 0.99."""

OPERATORS = """\
Seconds a row in a sweep at consecutive iterates of robust value iteration, from 0 on, over those
of the nominal sweep at the same iterates (matrix product for dense models of 16 states or more);
buffers, orders and guesses start anew with each pass. **Bold** misses the target, which was set
for rows with an order at hand. Dense: every row stores all n states and all share the order of the
value; sparse: n random successors, each row in an order of its own. The second ratio is that of
the last iterate, where orders hardly change any more; in brackets the time of a row."""

PROGRAMMES = """\
A general solver for one row (built once where cvxpy builds it, only the objective changes), or for
one state of ten rows for s: L1, against the row in our dense sweep and against one call of
`mdptheory.operators.worst_case` with its checks. *difference*: of the values, over the span of
z."""


def markdown(measured: dict[str, Any]) -> str:
    """Return the whole report."""
    where = measured["machine"]
    packages = ", ".join(f"{name} {found}" for name, found in where["packages"].items())
    parts = [
        "# Robust planning: speed against plain loops, general programmes and published figures",
        f"Made by `{measured['command']}` on {where['cores']} cores of {where['processor']}"
        f" ({where['system']}, Python {where['python']}; {where['threading']}). Versions:"
        f" {packages}. L1 balls have radius 0.2 on the nominal support, s-rectangular ones 1 a"
        " state. All planners to an error of 1e-6; true errors against an enclosure by NumPy (for"
        " shared budgets: by the verified certificate of a tighter solve); *check* is"
        " `mdptheory.certificates.check`, which shares no code with the solvers.",
    ]
    parts += [f"Not measured: {failure}." for failure in measured.get("failures", [])]
    rows = measured.get("planners", [])
    if any(BY_NAME[row["case"]].plain for row in rows):
        parts += ["## Planners against the plain floor", PLANNING, floors(rows)]
    if measured.get("sweeps"):
        order = " <= ".join(ORDER)
        parts += ["## Sweeps until the stop", SWEEPS.format(order=order)]
        parts.append(sweep_counts(measured["sweeps"]))
    if measured.get("operators"):
        found = measured["operators"]
        parts += ["## A row against nature, in nominal rows", OPERATORS, sweeps(found["sweeps"])]
        parts.append(nominal(found["sweeps"]))
        if found["programmes"]:
            parts += ["## A row against a general programme", PROGRAMMES]
            parts.append(programmes(found["programmes"]))
    if rows:
        parts += ["## Every planner", *[detail(row) for row in rows]]
    return "\n\n".join(parts) + "\n"
