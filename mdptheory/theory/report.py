"""What a verification found: frozen records that print, compare and travel as JSON."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Self

from mdptheory.errors import InvalidFileError
from mdptheory.theory.codec import decode, encode, register


@register
@dataclass(frozen=True, slots=True)
class LinkReport:
    """One link over all cases; a case counts once, with its worst check.

    Attributes
    ----------
    name, statement : str
        As in the `Link`.
    trials : int
        Cases looked at; the sum of the next four.
    conclusive, vacuous, degenerate, skipped : int
        Cases whose bound said something; said nothing beyond the trivial; was too small to tell
        from rounding; and cases to which the link did not apply.
    violations : int
        Cases with a violated check (they are also counted above).
    max_tightness, median_tightness : float
        Of ``measured / bound`` (see `Check`) over conclusive cases; NaN if there are none.
    min_room, median_room : float
        Of ``bound - measured`` over cases that applied.
    worst_index : int
        Case that is violated most, else the tightest; -1 if the link never applied.
    worst_measured, worst_bound : float
        The two sides there.
    """

    name: str
    statement: str
    trials: int
    conclusive: int
    vacuous: int
    degenerate: int
    skipped: int
    violations: int
    max_tightness: float
    median_tightness: float
    min_room: float
    median_room: float
    worst_index: int
    worst_measured: float
    worst_bound: float

    @property
    def all_vacuous(self) -> bool:
        """Whether the link applied and no case was more than trivially true."""
        return self.vacuous > 0 and self.conclusive == 0 and self.degenerate == 0


@register
@dataclass(frozen=True, slots=True)
class EventReport:
    """How often an event occurred, and whether chance explains it.

    Attributes
    ----------
    name, statement : str
        As in the `Event`.
    delta : float
        Claimed probability, at most.
    trials, occurrences : int
        Independent runs, and how many of them had the event.
    conclusive : int
        Runs whose check was conclusive, when the event is given by checks (else all runs).
    test : str
        Name of the test.
    p_value, level : float
        The claim is refuted when the p-value is below the level.
    false_alarm : float
        Computed probability, at most, that a true claim is refuted.
    """

    name: str
    statement: str
    delta: float
    trials: int
    occurrences: int
    conclusive: int
    test: str
    p_value: float
    level: float
    false_alarm: float

    @property
    def refuted(self) -> bool:
        """Whether the event occurred more often than the claim allows."""
        return self.p_value < self.level


@register
@dataclass(frozen=True, slots=True)
class RateReport:
    """The log-log slope against the claimed exponent.

    Attributes
    ----------
    name, statement : str
        As in the `RateClaim`.
    exponent, tolerance : float
        The slope claimed, and what a finite grid may add.
    slope : float
        Mean of the replicates' slopes.
    low, high : float
        Its two-sided 95 % confidence interval.
    p_value, level : float
        The claim is refuted when the one-sided p-value is below the level.
    replicates : int
        Independent repetitions of the grid.
    sizes, medians : tuple of float
        The grid and the median measurement at each size.
    """

    name: str
    statement: str
    exponent: float
    tolerance: float
    slope: float
    low: float
    high: float
    p_value: float
    level: float
    replicates: int
    sizes: tuple[float, ...]
    medians: tuple[float, ...]

    @property
    def refuted(self) -> bool:
        """Whether the slope is above the claim beyond chance, or could not be fitted."""
        return self.p_value < self.level or math.isnan(self.slope)

    @property
    def supported(self) -> bool:
        """Whether the whole interval is within the claim."""
        return self.high <= self.exponent + self.tolerance


@register
@dataclass(frozen=True, slots=True)
class TwinReport:
    """Whether a broken version was caught.

    Attributes
    ----------
    name, what_is_broken : str
        As in the `Twin`.
    expected : tuple of str
        Links, events or rates that must catch it; empty means any.
    caught_by : tuple of str
        Those that did, in the order of the proof.
    index : int
        First case that an expected link caught; -1 if none did, or if an event or a rate did.
    trials : int
        Cases looked at; a twin is no longer run once caught.
    measured, bound : float
        The two sides at that case; NaN if no link caught it.
    errors : int
        Cases on which the broken version raised; that is not a catch.
    """

    name: str
    what_is_broken: str
    expected: tuple[str, ...]
    caught_by: tuple[str, ...]
    index: int
    trials: int
    measured: float
    bound: float
    errors: int

    @property
    def caught(self) -> bool:
        """Whether every expected claim caught it, or any if none is named."""
        return bool(self.caught_by) and set(self.expected) <= set(self.caught_by)


@register
@dataclass(frozen=True, slots=True)
class RunError:
    """An exception during one case.

    Attributes
    ----------
    where : str
        ``"sample"``, ``"run"``, or the name of the link, event or rate.
    index : int
        The case; -1 for a rate.
    message : str
        Type and text of the exception.
    """

    where: str
    index: int
    message: str


@register
@dataclass(frozen=True, slots=True)
class ChainReport:
    """What `verify_chain` found.

    Attributes
    ----------
    id, title, source, statement, provenance, second_route : str
        As in the `Chain`.
    trials, seed : int
        Cases drawn, and the seed; case ``i`` is ``draw_case(chain, seed, i)``.
    links, events, rates, twins, errors : tuple
        The findings.
    """

    id: str
    title: str
    source: str
    statement: str
    provenance: str
    second_route: str
    trials: int
    seed: int
    links: tuple[LinkReport, ...]
    events: tuple[EventReport, ...]
    rates: tuple[RateReport, ...]
    twins: tuple[TwinReport, ...]
    errors: tuple[RunError, ...]

    @property
    def violations(self) -> int:
        """Violated cases over all links, plus refuted events and rates."""
        refuted = [e.refuted for e in self.events] + [r.refuted for r in self.rates]
        return sum(link.violations for link in self.links) + sum(refuted)

    @property
    def passed(self) -> bool:
        """Whether nothing was violated, refuted or raised, and every twin was caught."""
        return not self.violations and not self.errors and all(t.caught for t in self.twins)

    @property
    def vacuous(self) -> bool:
        """Whether every claim that applied was vacuous on all cases, or the conclusion was."""
        applied = [link for link in self.links if link.skipped < link.trials]
        return bool(applied) and applied[-1].all_vacuous

    @property
    def false_alarm(self) -> float:
        """Probability, at most, that a true chain is refuted by chance."""
        return sum(e.false_alarm for e in self.events) + sum(r.level for r in self.rates)

    @property
    def verdict(self) -> str:
        """One phrase for a table."""
        if self.errors:
            return "error"
        if self.violations:
            return "refuted"
        if not all(twin.caught for twin in self.twins):
            return "twin survives"
        return "vacuous on all cases" if self.vacuous else "holds"

    def require_passed(self, *, min_conclusive: float = 0.5) -> Self:
        """Return self, or raise `AssertionError` with every reason: for tests.

        Parameters
        ----------
        min_conclusive : float
            Least share of conclusive cases among those to which a link applied; links that are
            vacuous on all cases are exempt, since they are reported as that.
        """
        problems = [*_problems(self)]
        for link in self.links:
            applied = link.trials - link.skipped
            if link.all_vacuous or link.conclusive >= min_conclusive * applied > 0:
                continue
            problems.append(
                f"link {link.name!r}: {link.conclusive} of {applied} cases conclusive"
                f" ({link.vacuous} vacuous, {link.degenerate} at rounding, {link.skipped} skipped);"
                f" expected a share of {min_conclusive:g}"
            )
        if problems:
            raise AssertionError(f"{self.id} (seed {self.seed}):\n  " + "\n  ".join(problems))
        return self

    def to_json(self) -> str:
        """Return the report as JSON text; floats survive bit for bit."""
        return json.dumps(encode(self), indent=1, allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested dicts with the verdicts included, for scripts and figures."""
        data = asdict(self)
        data.update(passed=self.passed, verdict=self.verdict, false_alarm=self.false_alarm)
        for group in ("events", "rates"):
            for entry, record in zip(data[group], getattr(self, group), strict=True):
                entry["refuted"] = record.refuted
        for entry, twin in zip(data["twins"], self.twins, strict=True):
            entry["caught"] = twin.caught
        return _finite(data)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the report that `to_json` wrote.

        Parameters
        ----------
        text : str
            JSON text.

        Returns
        -------
        ChainReport
            Equal to the one that was written.

        Raises
        ------
        InvalidFileError
            If the text is not such a report.
        """
        try:
            report = decode(json.loads(text))
        except json.JSONDecodeError as error:
            raise InvalidFileError(f"not JSON: {error}") from error
        if not isinstance(report, cls):
            raise InvalidFileError(f"holds a {type(report).__name__}; expected a ChainReport")
        return report


def _problems(report: ChainReport) -> list[str]:
    out = [f"case {e.index} raised in {e.where}: {e.message}" for e in report.errors[:3]]
    out += [
        f"link {x.name!r} violated on {x.violations} of {x.trials} cases, worst case"
        f" {x.worst_index}: {x.worst_measured!r} > {x.worst_bound!r}"
        for x in report.links
        if x.violations
    ]
    out += [
        f"event {x.name!r} occurred {x.occurrences} times in {x.trials} runs; claimed probability"
        f" {x.delta:g} (p = {x.p_value:.2g})"
        for x in report.events
        if x.refuted
    ]
    out += [
        f"rate {x.name!r}: slope {x.slope:.3f} in [{x.low:.3f}, {x.high:.3f}]; claimed"
        f" {x.exponent:g} + {x.tolerance:g}"
        for x in report.rates
        if x.refuted
    ]
    out += [
        f"twin {x.name!r} ({x.what_is_broken}) survived {x.trials} cases; caught by"
        f" {list(x.caught_by)}, expected {list(x.expected) or 'any'}; {x.errors} cases raised"
        for x in report.twins
        if not x.caught
    ]
    return out


def _finite(value: Any) -> Any:
    """Replace non-finite floats by None or a string: strict JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else repr(value)
    return value
