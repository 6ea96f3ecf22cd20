"""Tables on stdout and a progress bar on stderr."""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mdptheory import TabularMDP
from mdptheory.theory import Chain, ChainReport, Check, Replay
from mdptheory.theory.report import EventReport, LinkReport, RateReport, TwinReport

PLAIN_WIDTH = 140  # columns when stdout is a file or a pipe
COLOURS = {"holds": "green", "vacuous on all cases": "yellow"}


def console() -> Console:
    """Return a console for stdout as it is now."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a progress callable that draws on stderr, and nothing without a terminal."""
    if not sys.stderr.isatty():
        yield lambda label, done, total: None
        return
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda label, done, total: bar.update(
            task, description=label, completed=done, total=total
        )


def number(value: float) -> str:
    """Return a short form; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.4g}"


def print_report(report: ChainReport) -> None:
    """Print one chain: its links with their slack, its events, rates and twins."""
    out = console()
    colour = COLOURS.get(report.verdict, "red")
    out.print(
        f"\n[bold]{escape(report.id)}[/bold]  {escape(report.title)}  "
        f"[{colour}]{report.verdict.upper()}[/{colour}]"
    )
    out.print(f"  {escape(report.statement)}", style="italic")
    out.print(f"  {escape(report.source)} ({report.provenance})", style="dim")
    if report.second_route:
        out.print(f"  second route: {escape(report.second_route)}", style="dim")
    out.print(_link_table(report.links))
    for event in report.events:
        out.print(f"  event {escape(_event_text(event))}")
    for rate in report.rates:
        out.print(f"  rate {escape(_rate_text(rate))}")
    for twin in report.twins:
        out.print(f"  twin {escape(_twin_text(twin))}")
    for error in report.errors[:3]:
        out.print(f"  [red]error[/red] case {error.index} in {escape(error.where)}: ", end="")
        out.print(escape(error.message))
    if len(report.errors) > 3:
        out.print(f"  [red]{len(report.errors)} errors in all[/red]")


def _link_table(links: Sequence[LinkReport]) -> Table:
    table = Table(box=None, padding=(0, 1), title_justify="left")
    table.add_column("link")
    table.add_column("claim", ratio=1)
    columns = ("cases", "conclusive", "vacuous", "violated", "tightest", "median", "least slack")
    for name in (*columns, "worst case"):
        table.add_column(name, justify="right")
    for link in links:
        applied = link.trials - link.skipped
        bad = f"[red]{link.violations}[/red]" if link.violations else "0"
        table.add_row(
            escape(link.name),
            escape(link.statement),
            str(applied),
            str(link.conclusive),
            f"{link.vacuous} (all)" if link.all_vacuous else str(link.vacuous),
            bad,
            number(link.max_tightness),
            number(link.median_tightness),
            number(link.min_room),
            "-" if link.worst_index < 0 else str(link.worst_index),
        )
    return table


def _event_text(event: EventReport) -> str:
    verdict = "REFUTED" if event.refuted else "not refuted"
    return (
        f"{event.name}: {event.occurrences} of {event.trials} runs, claimed at most"
        f" {event.delta:g}: {verdict} (p = {event.p_value:.2g}, level {event.level:.1g},"
        f" {event.test})"
    )


def _rate_text(rate: RateReport) -> str:
    verdict = "REFUTED" if rate.refuted else "supported" if rate.supported else "not refuted"
    return (
        f"{rate.name}: slope {rate.slope:.3f} in [{rate.low:.3f}, {rate.high:.3f}], claimed at"
        f" most {rate.exponent:g} + {rate.tolerance:g}: {verdict} (p = {rate.p_value:.2g})"
    )


def _twin_text(twin: TwinReport) -> str:
    head = f"{twin.name} ({twin.what_is_broken}): "
    if not twin.caught:
        also = f", only by {', '.join(twin.caught_by)}" if twin.caught_by else ""
        wanted = ", ".join(twin.expected) or "any link"
        return f"{head}SURVIVED {twin.trials} cases; expected {wanted} to catch it{also}"
    where = f" on case {twin.index}" if twin.index >= 0 else f" in {twin.trials} runs"
    sides = "" if math.isnan(twin.bound) else f" ({twin.measured:.4g} > {twin.bound:.4g})"
    return f"{head}caught by {', '.join(twin.caught_by)}{where}{sides}"


def print_summary(reports: Sequence[ChainReport]) -> None:
    """Print one line over all chains, and the computed false-alarm probability."""
    verdicts = [report.verdict for report in reports]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    twins = [twin.caught for report in reports for twin in report.twins]
    alarm = sum(report.false_alarm for report in reports)
    out = console()
    out.print(
        f"\n{len(reports)} chains: {counts}; {sum(twins)} of {len(twins)} twins caught."
        f" Probability that chance refutes a true claim here: at most {alarm:.2g}."
    )
    if reports:
        out.print(f"{reports[0].trials} cases a chain, seed {reports[0].seed}.", style="dim")


def print_chains(chains: Sequence[Chain]) -> None:
    """Print the registry."""
    table = Table(box=None, padding=(0, 1))
    for name in ("id", "title", "links", "events", "rates", "twins", "source"):
        table.add_column(name)
    for chain in chains:
        counts = (len(chain.links), len(chain.events), len(chain.rates), len(chain.twins))
        source = f"{chain.source} ({chain.provenance.value})"
        table.add_row(escape(chain.id), escape(chain.title), *map(str, counts), escape(source))
    console().print(table)


def print_replay(again: Replay) -> None:
    """Print a saved case, the link's two sides then and now, and the other links."""
    out, saved = console(), again.saved
    version = "the theorem" if saved.twin is None else f"the broken twin {saved.twin!r}"
    out.print(f"{escape(saved.chain)}, link {escape(saved.link)}, {escape(version)}")
    out.print(f"found from case {saved.index} of seed {saved.seed}; the case:")
    out.print(escape("\n".join(describe(saved.case))))
    out.print(f"saved: {_check_text(saved.check)}")
    now = "does not apply, or raises" if again.check is None else _check_text(again.check)
    verdict = "the same, bit for bit" if again.same else "[red]not the same[/red]"
    out.print(f"now:   {now} ({verdict})")
    for where, message in again.outcome.errors:
        out.print(f"[red]error[/red] in {escape(where)}: {escape(message)}")


def _check_text(check: Check) -> str:
    sign = "<=" if check.holds else ">"
    state = "holds" if check.holds else "[red]VIOLATED[/red]"
    tight = f", tightness {number(check.tightness)}" if check.conclusive else ""
    return f"{check.measured!r} {sign} {check.bound!r}: {state}{tight}"


def describe(value: Any, name: str = "", indent: str = "  ") -> list[str]:
    """Return lines that show a case: a model row by row, arrays and numbers as they are.

    Parameters
    ----------
    value : object
        The case, or a part of it.
    name : str
        Name of the part.
    indent : str
        Leading blanks.
    """
    head = f"{indent}{name}{' = ' if name else ''}"
    if isinstance(value, TabularMDP):
        lines = [f"{head}MDP, {value.n_states} states, {value.objective}"]
        states = value.row_state()
        for row in range(min(value.n_rows, 40)):
            cut = slice(value.row_ptr[row], value.row_ptr[row + 1])
            pairs = zip(value.prob[cut], value.next_state[cut], strict=True)
            law = " + ".join(f"{p:.6g} -> {t}" for p, t in pairs)
            lines.append(
                f"{indent}  state {states[row]}, action {value.action[row]}: reward"
                f" {value.reward[row]:.6g}; {law}"
            )
        return lines
    if is_dataclass(value) and not isinstance(value, type):
        lines = [f"{head}{type(value).__name__}"]
        for field in fields(value):
            lines += describe(getattr(value, field.name), field.name, indent + "  ")
        return lines
    if isinstance(value, np.ndarray):
        return [head + np.array2string(value, threshold=64, precision=6, separator=", ")]
    return [f"{head}{value!r}"]
