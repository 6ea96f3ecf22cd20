"""Turn the measurements into a Markdown file, ratios first."""

import math
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.contenders import TARGET

PACKAGES = (
    "numpy", "scipy", "numba", "quantecon", "pymdptoolbox", "mdpsolver", "mdplib", "stormpy",
)  # fmt: skip
MIB = 2.0**20


def duration(seconds: float | None) -> str:
    """Write seconds with a fitting unit and three digits."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def table(header: list[str], lines: list[list[str]]) -> str:
    """Lay out a Markdown table; the first column is text, the others are numbers."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, rule, *lines])


def best_time(result: dict[str, Any] | None) -> float:
    """Return the best seconds of a contender that reached the target, else inf."""
    return result["best"] if result and result["reached"] and "best" in result else math.inf


def ours_of(row: dict[str, Any], threads: int, name: str = "solve") -> dict[str, Any] | None:
    """Return our result with that many threads, or None if it was not run."""
    for result in row["results"]:
        if result["ours"] and result["contender"] == name and result["threads"] == threads:
            return result
    return None


def fastest_peer(row: dict[str, Any], threads: int) -> dict[str, Any] | None:
    """Return the fastest peer that may use up to ``threads`` threads and reaches the target."""
    peers = [r for r in row["results"] if not r["ours"] and r["threads"] <= threads]
    peers = [r for r in peers if math.isfinite(best_time(r))]
    return min(peers, key=best_time) if peers else None


def ratio(row: dict[str, Any], threads: int) -> float | None:
    """Return the fastest peer's time over ours, or None where one of them is missing."""
    peer = fastest_peer(row, threads)
    mine = best_time(ours_of(row, threads))
    if peer is None or not math.isfinite(mine):
        return None
    return best_time(peer) / mine


def times(value: float | None) -> str:
    """Write a ratio."""
    return "–" if value is None else f"{value:.2f}x"


def error_text(error: float | None) -> str:
    """Write a true error; bold where it misses the target."""
    if error is None:
        return "–"
    return f"{error:.1e}" if error <= TARGET else f"**{error:.1e}**"


def setting_text(result: dict[str, Any]) -> str:
    """Write the setting raced with."""
    if "setting" not in result:
        return "–"
    return "default" if result["setting"] is None else f"{result['setting']:g}"


def ratios(rows: list[dict[str, Any]]) -> str:
    """Lay out the first table: our solve against the fastest peer and the machine."""
    threads = sorted({int(t) for row in rows for t in row["limits"]})
    header = ["problem", "gamma"]
    for t in threads:
        header += [f"speed-up, {t} thr.", f"solve, {t} thr.", f"fastest peer, {t} thr."]
    header += [f"sweep / limit, {t} thr." for t in threads]
    header += ["certified", "true error", "beyond model"]
    lines = []
    for row in rows:
        line = [row["about"], f"{row['gamma']:g}"]
        for t in threads:
            peer = fastest_peer(row, t)
            named = f"{duration(best_time(peer))} ({peer['contender']})" if peer else "–"
            mine = best_time(ours_of(row, t))
            line += [times(ratio(row, t)), duration(mine), named]
        line += [times(row["limits"][str(t)].get("ratio")) for t in threads]
        result = ours_of(row, threads[0]) or {}
        beyond = result.get("peak_bytes")
        line += [
            f"{result['bound']:.1e}" if result.get("bound") is not None else "–",
            error_text(result.get("error")),
            "–" if beyond is None else f"{beyond / MIB:.0f} MiB",
        ]
        lines.append(line)
    return table(header, lines)


def limit_lines(rows: list[dict[str, Any]]) -> str:
    """Lay out the limits per transition of each problem."""
    seen: dict[str, list[str]] = {}
    for row in rows:
        for threads, found in row["limits"].items():
            if "failure" in found or f"{row['row']} {threads}" in seen:
                continue
            per = [f"{found[k] / row['n_transitions'] * 1e9:.2f}" for k in ("stream", "gather")]
            own = f"{found['sweep'] / row['n_transitions'] * 1e9:.2f}"
            seen[f"{row['row']} {threads}"] = [
                row["about"], threads, f"{row['n_transitions']}", *per, own, times(found["ratio"]),
            ]  # fmt: skip
    header = ["problem", "threads", "transitions", "stream ns", "gather ns", "sweep ns", "ratio"]
    return table(header, list(seen.values()))


def detail(row: dict[str, Any]) -> str:
    """Lay out every contender on one row."""
    header = [
        "contender", "threads", "to 1e-6: best", "median", "runs", "over solve", "setting",
        "true error", "at defaults: time", "true error", "load", "model", "beyond model", "note",
    ]  # fmt: skip
    lines = []
    for result in sorted(row["results"], key=lambda r: (not r["ours"], best_time(r))):
        mine = best_time(ours_of(row, result["threads"]) or ours_of(row, 1))
        done = result["reached"] and "best" in result
        size = [
            f"{result[k] / MIB:.0f}" if k in result else "–" for k in ("model_bytes", "peak_bytes")
        ]
        note = result.get("failure", "")
        if not note and not result["reached"]:
            note = "no setting tried reaches 1e-6"
        if result.get("status") not in (None, "CONVERGED"):
            note = f"{note} {result['status']}".strip()
        lines.append(
            [
                result["contender"],
                str(result["threads"]),
                duration(result["best"]) if done else "–",
                duration(result["median"]) if done else "–",
                str(result.get("repeats", 0)),
                times(result["best"] / mine if done and math.isfinite(mine) else None),
                setting_text(result),
                error_text(result.get("error")),
                duration(result.get("default_seconds")),
                error_text(result.get("default_error")),
                duration(result.get("load_seconds")),
                *size,
                note.replace("|", "/"),
            ]
        )
    title = f"### {row['about']}, gamma {row['gamma']:g}\n\n"
    proof = f"Reference known within {row['reference_radius']:.0e}; {row['reference']}.\n\n"
    return title + proof + table(header, lines)


def scaling(found: dict[str, Any]) -> str:
    """Lay out time against the number of transitions."""
    header = ["transitions", "solve", "ns a transition", "sweeps", "sweep ns", "limit ns", "MiB"]
    lines = []
    for p in found["points"]:
        n = p["n_transitions"]
        limit = max(p["stream"], p["gather"])
        lines.append(
            [
                str(n),
                duration(p["solve"]),
                f"{p['solve'] / n * 1e9:.1f}",
                f"{p['work']:.1f}",
                f"{p['sweep'] / n * 1e9:.2f}",
                f"{limit / n * 1e9:.2f}",
                f"{p['peak_bytes'] / MIB:.0f}",
            ]
        )
    text = table(header, lines)
    if "solve_slope" in found:
        text += (
            f"\n\nLog-log slope against transitions: solve {found['solve_slope']:.2f}, sweep"
            f" {found['sweep_slope']:.2f}, machine limit {found['limit_slope']:.2f} (1 is linear)."
        )
    return text


def origin(arguments: list[str], packages: tuple[str, ...]) -> str:
    """Say by which command and on what a table was made."""
    it = machine()
    versions = ", ".join(f"{k} {v}" for k, v in it["packages"].items() if k in packages)
    return (
        f"Made by `python -m benchmarks {' '.join(arguments)}`, on {it['processor']} (Python"
        f" {it['python']}). Versions: {versions}."
    )


def machine() -> dict[str, Any]:
    """Describe where and with what this was measured."""
    import os

    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model n")]
        model = names[0] if names else model
    except OSError:
        pass
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": model,
        "cores": cores,
        "system": platform.system(),
        "python": platform.python_version(),
        "threading": "Python threads over kernels that release the GIL; Numba layer "
        + threading_layer(),
        "packages": found,
    }


def threading_layer() -> str:
    """Name the layer that Numba's own parallel kernels use here."""
    import numba
    from numba import njit, prange

    @njit(parallel=True)
    def touch(n):  # type: ignore[no-untyped-def]
        total = 0
        for i in prange(n):
            total += i
        return total

    try:
        touch(8)
        return str(numba.threading_layer())
    except Exception as error:  # no layer could be loaded: that is the finding
        return f"none ({type(error).__name__})"


def markdown(measured: dict[str, Any]) -> str:
    """Return the whole report."""
    where = measured["machine"]
    packages = ", ".join(f"{name} {found}" for name, found in where["packages"].items())
    rows = measured["rows"]
    parts = ["# Planning: speed against peers and against the machine"]
    parts.append(
        f"Made by `{measured['command']}` on {where['cores']} cores of {where['processor']}"
        f" ({where['system']}, Python {where['python']}; {where['threading']})."
        f" Versions: {packages}."
    )
    if measured.get("bandwidth"):
        read = ", ".join(f"{gb:.1f} GB/s on {t} thr." for t, gb in measured["bandwidth"].items())
        parts.append(f"Read bandwidth: {read}. README.md beside this file explains every column.")
    parts += [f"Not measured: {failure}." for failure in measured.get("failures", [])]
    if rows:
        parts += ["## Ratios", ratios(rows), "## Limits, per transition", limit_lines(rows)]
    if measured.get("scaling"):
        parts += ["## Growth with the number of transitions", scaling(measured["scaling"])]
    if rows:
        parts += ["## Every contender", *[detail(row) for row in rows]]
    return "\n\n".join(parts) + "\n"


def levers_table(found: list[dict[str, Any]], about: str) -> str:
    """Lay out the levers on one problem."""
    lines = [
        [
            str(f["lever"]), f"{f['ratio']:.2f}x", duration(f["seconds"]), f"{f['work']:.1f}",
            f"{f['bound']:.1e}",
        ]
        for f in found
    ]  # fmt: skip
    header = ["lever", "time over baseline", "best", "sweeps", "certified"]
    return f"### {about}\n\n" + table(header, lines)


def show(text: str) -> None:
    """Print to standard output."""
    sys.stdout.write(text)
