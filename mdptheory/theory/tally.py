"""From the checks of many cases to one record a link and an event."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mdptheory.theory.chain import Event
from mdptheory.theory.check import Check
from mdptheory.theory.events import false_alarm
from mdptheory.theory.report import EventReport, LinkReport


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """What one case said: per link its checks, per event whether it occurred."""

    links: dict[str, tuple[Check, ...]] = field(default_factory=dict)
    events: dict[str, tuple[bool, bool]] = field(default_factory=dict)  # occurred, conclusive
    errors: tuple[tuple[str, str], ...] = ()


def representative(checks: tuple[Check, ...]) -> Check:
    """Return the check that speaks for the case: most violated, else tightest, else least room."""
    violated = [c for c in checks if not c.holds]
    if violated:
        return max(violated, key=lambda c: math.inf if math.isnan(c.room) else -c.room)
    conclusive = [c for c in checks if c.conclusive]
    if conclusive:
        return max(conclusive, key=lambda c: c.tightness)
    return max(checks, key=lambda c: -c.room)


def _rank(check: Check) -> tuple[int, float]:
    """Order cases by how telling they are: violated, then tight, then inconclusive."""
    if not check.holds:
        return 2, math.inf if math.isnan(check.room) else -check.room
    return (1, check.tightness) if check.conclusive else (0, -check.room)


def link_report(name: str, statement: str, outcomes: Sequence[CaseOutcome]) -> LinkReport:
    """Count one link over all cases.

    Parameters
    ----------
    name, statement : str
        The link's.
    outcomes : sequence of CaseOutcome
        All cases, in their order.

    Returns
    -------
    LinkReport
        The counts, the tightness and the worst case.
    """
    spoken = {
        index: representative(outcome.links[name])
        for index, outcome in enumerate(outcomes)
        if outcome.links.get(name)
    }
    kinds = [_kind(outcomes[index].links[name]) for index in spoken]
    tight = [c.tightness for c in spoken.values() if c.conclusive]
    rooms = [c.room for c in spoken.values()]
    worst = max(spoken, key=lambda index: _rank(spoken[index])) if spoken else -1
    return LinkReport(
        name=name,
        statement=statement,
        trials=len(outcomes),
        conclusive=kinds.count("conclusive"),
        vacuous=kinds.count("vacuous"),
        degenerate=kinds.count("degenerate"),
        skipped=len(outcomes) - len(spoken),
        violations=sum(not c.holds for c in spoken.values()),
        max_tightness=max(tight, default=math.nan),
        median_tightness=float(np.median(tight)) if tight else math.nan,
        min_room=min(rooms, default=math.nan),
        median_room=float(np.median(rooms)) if rooms else math.nan,
        worst_index=worst,
        worst_measured=spoken[worst].measured if spoken else math.nan,
        worst_bound=spoken[worst].bound if spoken else math.nan,
    )


def _kind(checks: tuple[Check, ...]) -> str:
    if any(c.conclusive for c in checks):
        return "conclusive"
    return "vacuous" if any(c.vacuous for c in checks) else "degenerate"


def event_report(event: Event, outcomes: Sequence[CaseOutcome], level: float) -> EventReport:
    """Count one event over all cases, and test its probability.

    Parameters
    ----------
    event : Event
        The claim.
    outcomes : sequence of CaseOutcome
        All cases, in their order.
    level : float
        Level of the test.

    Returns
    -------
    EventReport
        The counts and the verdict.
    """
    seen = [outcome.events[event.name] for outcome in outcomes if event.name in outcome.events]
    occurred = [happened for happened, _ in seen]
    return EventReport(
        name=event.name,
        statement=event.statement,
        delta=event.delta,
        trials=len(seen),
        occurrences=sum(occurred),
        conclusive=sum(said for _, said in seen),
        test=getattr(event.p_value, "__name__", "custom"),
        p_value=float(event.p_value(occurred, event.delta)),
        level=level,
        false_alarm=false_alarm(event.p_value, len(seen), event.delta, level),
    )
