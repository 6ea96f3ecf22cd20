"""What the fair commands print and write: thresholds, runs, and what each word means."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mdptheory._typing import BoolArray, FloatArray
from mdptheory.cli import report
from mdptheory.cli.failures import printable
from mdptheory.cli.fair_source import Desk, limit_text
from mdptheory.models import BanditRun, BestArm, residual_rows
from mdptheory.tables import LAST_SHARE, PRICE, Table

FEASIBLE = 1e-9
OFTEN = 0.15  # share of the last rounds from which on a threshold is named
MEANS = {
    "ofs": "the best of those that may be feasible",
    "ofs-epochs": "as ofs, each for as long as so far: proved with feedback",
    "ucb": "the best, whatever it violates",
    "pessimistic": "the best of those that are surely feasible",
    "primal-dual": "violations have a price that follows them",
    "greedy": "the best average of those that may be feasible",
    "explore": "all in turn, then one for ever",
    "static": "best before anything moves, for ever",
    "best": "the best feasible one, for ever; nobody knows it in advance",
}
OPTIMISTIC = ("ofs", "ofs-epochs", "ucb")
LEGEND = {
    "reward": "mean of a round",
    "violation": "sum over the rounds of how far the worst limit was exceeded",
    "signed": "largest such sum of one limit if rounds below it may make up for rounds above",
    "oracle gap": "what the best feasible threshold earns once settled, less the mean reward of the"
    " last fifth; below 0, more was earned than a threshold earns that keeps the limits",
    "net": f"reward less {PRICE:g} times mean violation",
    "on best": "share of rounds at the best feasible threshold",
    "switches": "how often the threshold changed",
}


class Told(NamedTuple):
    """Runs, and what is to be said of them.

    Attributes
    ----------
    desk : Desk
        Where they took place.
    runs : list of BanditRun
        Method by method, seed by seed.
    table : Table
        One row each.
    notes : list of str
        What was warned of.
    delta, radius_scale : float
        Options.
    """

    desk: Desk
    runs: list[BanditRun]
    table: Table
    notes: list[str]
    delta: float
    radius_scale: float


def write_table(table: Table, path: Path) -> None:
    """Write columns as .csv, or as a .json list of records."""
    names = list(table)
    rows = list(zip(*(column.tolist() for column in table.values()), strict=True))
    if path.suffix == ".json":
        records = [report.plain(dict(zip(names, row, strict=True))) for row in rows]
        path.write_text(json.dumps(records, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def print_head(desk: Desk) -> None:
    """Say what there is to choose from, and what feasible means."""
    env = desk.env
    first, second = env.groups
    pairs = " pairs of" if env.thresholds.ndim == 2 else ""
    print(
        f"{printable(desk.title)}: {env.n_arms}{pairs} thresholds from {env.thresholds.min():g} to"
        f" {env.thresholds.max():g}; groups {printable(first)} ({env.p0:.3g} of the applicants) and"
        f" {printable(second)}"
    )
    print(
        "a threshold accepts who scores that much or more; it earns 1 for each with label 1 and"
        f" loses {env.cost:g} for each other, a mean of all applicants"
    )
    moved = "" if env.dynamics.is_open else ", once the applicants have settled under it"
    if desk.limits:
        print(f"feasible: {limit_text(desk.limits)}{moved}")
    else:
        print("feasible: every threshold, as there are no limits")


def label_of(desk: Desk, arm: int) -> str:
    """Return an arm's threshold, or its pair of thresholds."""
    return " / ".join(f"{value:g}" for value in np.atleast_1d(desk.env.thresholds[arm]))


def best_text(desk: Desk, best: BestArm) -> str:
    """Return the best threshold as words."""
    label = label_of(desk, best.arm)
    if not best.feasible:
        return (
            f"no threshold is feasible; {label} violates the limits least, by {best.violation:.4g}"
        )
    rates = _channels(desk, best.means[best.arm])
    accepted = ", ".join(f"{rates[f'rate_{g}']:.3f} of {printable(g)}" for g in desk.env.groups)
    return (
        f"best feasible threshold: {label}, earns {best.reward:.4f} a round and accepts"
        f" {accepted}, {rates['service']:.3f} of all"
    )


def _channels(desk: Desk, means: FloatArray) -> dict[str, FloatArray]:
    return {channel.name: means[..., c] for c, channel in enumerate(desk.env.channels)}


def print_run(told: Told, files: Mapping[str, Path | None]) -> None:
    """Print one row a method, what the words mean, what is certified and what was warned of."""
    desk, table = told.desk, told.table
    print_head(desk)
    print(best_text(desk, told.runs[0].best))
    methods = list(dict.fromkeys(table["method"].tolist()))
    seeds = len(table["method"]) // len(methods)
    each = f", means of {seeds} runs (violation: +- standard deviation)" if seeds > 1 else ""
    print(f"{table['rounds'][0]} rounds{each}")
    rows = [
        _row(name, {k: v[table["method"] == name] for k, v in table.items()}) for name in methods
    ]
    header = ("method", *LEGEND)
    report.print_table(header, rows, right=header[1:])
    for word, meaning in LEGEND.items():
        print(f"  {word + ':':<12}{meaning}")
    for i, name in enumerate(methods):
        runs = told.runs[i * seeds : (i + 1) * seeds]
        print(
            f"{name} ({MEANS[name]}): {_played(desk, runs)}; {certificate_text(name, runs, told)}"
        )
    for note in told.notes:
        print(f"note: {note}")
    print_files(files)


def _row(name: str, part: Table) -> tuple[str, ...]:
    several = len(part["reward"]) > 1
    spread = f" +- {part['violation'].std(ddof=1):.1f}" if several else ""
    mean = {key: float(np.mean(values)) for key, values in part.items() if key not in ("method",)}
    return (
        name,
        f"{mean['reward'] / mean['rounds']:.4f}",
        f"{mean['violation']:.1f}{spread}",
        f"{mean['signed_violation']:.1f}",
        _fixed(mean["oracle_gap"]),
        _fixed(mean["net"]),
        f"{mean['best_share']:.1%}",
        f"{mean['switches']:.0f}",
    )


def _fixed(number: float) -> str:
    """Return four digits, and no minus before zeros."""
    return f"{round(number, 4) + 0.0:.4f}"


def worst_round(desk: Desk) -> tuple[float, float]:
    """Return the most that one round can lose of reward, and violate."""
    channels, rows = desk.env.channels, residual_rows(desk.limits, desk.env.channels)
    low, high = (np.array([getattr(c, end) for c in channels]) for end in ("low", "high"))
    caps = np.maximum(rows.matrix, 0) @ high + np.minimum(rows.matrix, 0) @ low - rows.level
    return channels[0].high - channels[0].low, float(caps.max(initial=0.0))


def bound_text(bound: float, rounds: int, worst: float) -> str:
    """Return an upper bound of a sum, rounded up, and what it is a round."""
    total = f"{math.ceil(bound):,}" if bound >= 100 else report.rounded_up(bound)
    each = f"{report.rounded_up(bound / rounds)} a round"
    if bound >= rounds * worst:
        return f"{total} ({each}, which says nothing: {worst:.3g} is the worst)"
    return f"{total} ({each}, where {worst:.3g} is the worst)"


def _played(desk: Desk, runs: Sequence[BanditRun]) -> str:
    """Name the thresholds that were played often at the end, and whether they are feasible."""
    horizon, best = len(runs[0].arms), runs[0].best
    last = np.concatenate([run.arms[int((1.0 - LAST_SHARE) * horizon) :] for run in runs])
    share = np.bincount(last, minlength=desk.env.n_arms) / len(last)
    often = [int(k) for k in np.argsort(-share, kind="stable") if share[k] >= OFTEN]
    if not often:
        return "no threshold was played often in the last fifth"
    words = []
    for arm in often:
        excess = best.violations[arm]
        verdict = "feasible" if excess <= FEASIBLE else f"violates by {excess:.3g}"
        words.append(f"{label_of(desk, arm)} ({share[arm]:.0%}, {verdict})")
    return f"played {', '.join(words)} in the last fifth"


def certificate_text(name: str, runs: Sequence[BanditRun], told: Told) -> str:
    """Say what is proved of the runs of one method, or why nothing is."""
    regrets = [run.certificate_regret for run in runs]
    violations = [run.certificate_violation for run in runs]
    excess = "" if runs[0].best.feasible else " if some threshold is feasible"
    fallbacks, rounds = max(run.fallback_rounds for run in runs), len(runs[0].arms)
    reach, cap = worst_round(told.desk)
    known = [v for v in violations if v is not None]
    if len(known) < len(runs):
        return f"no certificate: {_reason(name, told)}"
    sure = f"certificate, each run with probability {1.0 - told.delta:.10g}"
    proved = [r for r in regrets if r is not None]
    violation = bound_text(max(known), rounds, cap) if cap > 0.0 else "0, without limits"
    text = f"{sure}: violation at most {violation}"
    if len(proved) == len(runs):
        return f"{text}, regret at most {bound_text(max(proved), rounds, reach)}{excess}"
    if fallbacks and name in OPTIMISTIC:
        return f"{text}; none of regret, as no threshold looked feasible in {fallbacks} rounds"
    return f"{text}; none of regret, which {name} does not bound"


def _reason(name: str, told: Told) -> str:
    if told.radius_scale < 1.0:
        return f"--radius-scale {told.radius_scale:g} is below 1"
    if name == "ofs-epochs":
        return "its assumptions do not hold here"
    if name == "ofs":
        return (
            "decisions change the applicants, and ofs learns as if they did not; ofs-epochs has one"
        )
    return f"nothing is proved of {name} where decisions change the applicants"


def print_json_run(told: Told, files: Mapping[str, Path | None]) -> None:
    """Print everything about the runs as one JSON object."""
    names = list(told.table)
    rows = zip(*(column.tolist() for column in told.table.values()), strict=True)
    best = told.runs[0].best
    report.print_json(
        {
            "source": told.desk.title,
            "limits": [repr(limit) for limit in told.desk.limits],
            "thresholds": told.desk.env.thresholds,
            "best": best_fields(told.desk, best),
            "delta": told.delta,
            "radius_scale": told.radius_scale,
            "runs": [
                dict(zip(names, row, strict=True)) | {"counts": run.counts}
                for row, run in zip(rows, told.runs, strict=True)
            ],
            "notes": told.notes,
            **{key: None if path is None else str(path) for key, path in files.items()},
        }
    )


def best_fields(desk: Desk, best: BestArm) -> dict[str, object]:
    """Return the best threshold as plain fields."""
    return {
        "arm": best.arm,
        "threshold": desk.env.thresholds[best.arm],
        "feasible": best.feasible,
        "reward": best.reward,
        "violation": best.violation,
    }


def threshold_table(desk: Desk, best: BestArm, at_first: BestArm) -> Table:
    """Return one row a threshold: steady means, and whether the limits are kept."""
    env, means = desk.env, _channels(desk, best.means)
    first, second = (means[f"rate_{group}"] for group in env.groups)
    if env.thresholds.ndim == 1:
        table: Table = {"threshold": env.thresholds}
    else:
        table = {f"threshold_{g}": env.thresholds[:, i] for i, g in enumerate(env.groups)}
    table |= {"reward": means["reward"], "service": means["service"], "gap": first - second}
    table |= {name: means[name] for name in means if name.startswith(("rate_", "tpr_"))}
    return table | {
        "violation": best.violations,
        "feasible": best.violations <= FEASIBLE,
        "feasible_at_first": at_first.violations <= FEASIBLE,
        "reward_at_first": at_first.means[:, 0],
    }


def print_best(desk: Desk, best: BestArm, table: Table, out: Path | None) -> None:
    """Print one row a threshold; of many pairs, the best feasible ones."""
    print_head(desk)
    print(best_text(desk, best))
    shown = np.arange(desk.env.n_arms)
    if len(shown) > 2 * report.SHOWN:
        order = np.lexsort((-table["reward"], table["violation"].clip(min=FEASIBLE)))
        shown = order[: report.SHOWN]
    rows = [_threshold_row(desk, best, table, int(k)) for k in shown]
    header = ("threshold", "reward", "service", "gap", "violation", "verdict")
    report.print_table(header, rows, right=header[:-1])
    if len(shown) < desk.env.n_arms:
        print(f"{desk.env.n_arms - len(shown)} more pairs: --json or --out FILE give them all")
    print(
        f"reward of a round; service: share of all that is accepted; gap: acceptance rate of"
        f" {printable(desk.env.groups[0])} less that of {printable(desk.env.groups[1])}; violation:"
        " how far the worst limit is exceeded"
    )
    flipped = _flips(table)
    if flipped.any():
        print(
            f"{int(flipped.sum())} of {desk.env.n_arms} thresholds keep the limits at first but not"
            " once the applicants have settled"
        )
    for note in desk.notes:
        print(f"note: {note}")
    print_files({"out": out})


def _flips(table: Table) -> BoolArray:
    flipped: BoolArray = table["feasible_at_first"] & ~table["feasible"]
    return flipped


def _threshold_row(desk: Desk, best: BestArm, table: Table, k: int) -> tuple[str, ...]:
    if table["feasible"][k]:
        verdict = "feasible" if table["feasible_at_first"][k] else "feasible once settled"
    else:
        verdict = "feasible at first only" if _flips(table)[k] else "infeasible"
    if k == best.arm:
        verdict += ", best" if best.feasible else ", violates least"
    numbers = (f"{table[name][k]:.4f}" for name in ("reward", "service", "gap", "violation"))
    return (label_of(desk, k), *numbers, verdict)


def print_json_best(
    desk: Desk, best: BestArm, table: Table, notes: list[str], out: Path | None
) -> None:
    """Print all thresholds as one JSON object."""
    report.print_json(
        {
            "source": desk.title,
            "limits": [repr(limit) for limit in desk.limits],
            "best": best_fields(desk, best),
            "thresholds": table,
            "notes": notes,
            "out": None if out is None else str(out),
        }
    )


def print_files(files: Mapping[str, Path | None]) -> None:
    """Say which files were written."""
    what = {"out": "table", "curves": "curves", "plot": "picture"}
    for key, path in files.items():
        if path is not None:
            print(f"{what[key]} written to {path}")
