"""What a theorem is made of: links in proof order, events, rates, and the broken twins."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

import numpy as np

from mdptheory._validation import check_count, check_number
from mdptheory.errors import InvalidModelError
from mdptheory.theory.check import Check
from mdptheory.theory.events import PValue, binomial_p_value

Checks: TypeAlias = Check | Iterable[Check]
Sampler: TypeAlias = Callable[[np.random.Generator], Any]
Runner: TypeAlias = Callable[[Any], Any]


class Provenance(Enum):
    """Where a statement comes from; the value is what a report prints."""

    PAPER = "paper"
    DERIVED = "derived"
    FOLKLORE = "folklore"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a proof: an inequality on the trace of an actual run.

    Parameters
    ----------
    name : str
        Short and unique within the chain.
    statement : str
        The inequality as a reader would write it.
    check : callable
        ``check(trace)`` returns a `Check` or several; no check at all means that the link does not
        apply to this run, which is counted as skipped.
    unless : tuple of str
        Names of the chain's events; on a run where one of them occurred the link claims nothing
        (a link "on the good event").
    """

    name: str
    statement: str
    check: Callable[[Any], Checks]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """A failure event that the theorem allows with probability at most ``delta``.

    Parameters
    ----------
    name : str
        Short and unique within the chain.
    statement : str
        What happens when the event occurs.
    delta : float
        Claimed upper bound on its probability in one run, whatever the case.
    occurs : callable
        ``occurs(trace)`` tells whether the event occurred. It may return a `Check` or several
        instead of a bool: the event then occurs when one of them is violated.
    p_value : callable
        The test, `binomial_p_value` or `anytime_p_value`.
    """

    name: str
    statement: str
    delta: float
    occurs: Callable[[Any], bool | Checks]
    p_value: PValue = binomial_p_value

    def __post_init__(self) -> None:
        """Refuse a probability outside [0, 1]."""
        object.__setattr__(self, "delta", check_number("delta", self.delta, low=0.0, high=1.0))


@dataclass(frozen=True, slots=True)
class RateClaim:
    """A claim that a quantity grows, or falls, at least as well as ``size ** exponent``.

    The log-log slope is fitted on independent replicates of the whole grid; the claim is refuted
    when the mean slope exceeds ``exponent + tolerance`` beyond what chance explains (a one-sided
    t test on the replicates' slopes, which takes these as normal).

    Parameters
    ----------
    name : str
        Short and unique within the chain.
    statement : str
        The claim as a reader would write it.
    exponent : float
        Claimed exponent, an upper bound on the slope: 0.5 for regret of order sqrt(T), -0.5 for an
        error of order 1/sqrt(n).
    grid : tuple of float
        At least three increasing, positive sizes.
    measure : callable
        ``measure(rng, size)`` returns a positive number.
    replicates : int
        Independent repetitions of the grid, at least 3.
    tolerance : float
        What a finite grid may add to the slope (logarithms, lower-order terms).
    """

    name: str
    statement: str
    exponent: float
    grid: tuple[float, ...]
    measure: Callable[[np.random.Generator, float], float]
    replicates: int = 10
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a grid on which no slope can be fitted."""
        object.__setattr__(self, "grid", tuple(self.grid))
        steps = zip(self.grid[:-1], self.grid[1:], strict=True)
        if len(self.grid) < 3 or self.grid[0] <= 0 or any(a >= b for a, b in steps):
            raise InvalidModelError(
                f"grid is {self.grid}; expected at least three increasing, positive sizes"
            )
        check_count("replicates", self.replicates, low=3)
        check_number("tolerance", self.tolerance, low=0.0)


@dataclass(frozen=True, slots=True)
class Twin:
    """A broken version of the theorem, which the same budget of cases must catch.

    Parameters
    ----------
    name : str
        Short and unique within the chain.
    what_is_broken : str
        The constant dropped, the assumption violated or the bug planted.
    run : callable, optional
        Replaces the chain's ``run``: a bug in the algorithm.
    sample : callable, optional
        Replaces the chain's ``sample``: an assumption that fails, or a pinned instance.
    links : mapping from link name to check, optional
        Replaces single links' checks: a constant dropped from a bound.
    events : mapping from event name to function, optional
        Replaces single events' ``occurs``.
    rates : mapping from rate name to measure, optional
        Replaces single rates' ``measure``.
    expect_link : str or tuple of str
        The links, events or rates that must catch it; empty means any one.
    """

    name: str
    what_is_broken: str
    run: Runner | None = None
    sample: Sampler | None = None
    links: Mapping[str, Callable[[Any], Checks]] = field(default_factory=dict)
    events: Mapping[str, Callable[[Any], bool | Checks]] = field(default_factory=dict)
    rates: Mapping[str, Callable[[np.random.Generator, float], float]] = field(default_factory=dict)
    expect_link: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a twin in which nothing is broken."""
        if isinstance(self.expect_link, str):
            object.__setattr__(self, "expect_link", (self.expect_link,))
        if not (self.run or self.sample or self.links or self.events or self.rates):
            raise InvalidModelError(
                f"twin {self.name!r} breaks nothing; give run, sample, links, events or rates"
            )


def same(case: Any) -> Any:
    """Return the case itself: the ``run`` of a theorem that is about no algorithm.

    Parameters
    ----------
    case : object
        Any case.

    Returns
    -------
    object
        The same one.
    """
    return case


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A published result as the chain of its proof's steps.

    Parameters
    ----------
    id : str
        Unique name, e.g. ``"planning.contraction"``.
    title : str
        One line.
    source : str
        Author, year, theorem number; or where the proof is written down.
    statement : str
        The claim with its constants.
    provenance : Provenance
        Read in the paper, derived by us, folklore, or from memory.
    sample : callable
        ``sample(rng)`` draws an admissible case: a frozen dataclass of models, arrays and numbers
        (see `mdptheory.theory.case`).
    run : callable
        ``run(case)`` returns the trace on which the links are checked; it takes its randomness
        from numbers in the case, so that a case determines its trace.
    links : tuple of Link
        The proof's steps, in its order; the last one is the conclusion.
    events, rates, twins : tuple of Event, RateClaim, Twin
        The probabilistic claims, the asymptotic claims, and the broken versions.
    second_route : str
        How the reference value is found without the algorithm under test.
    admissible : callable, optional
        Tells whether a case meets the theorem's assumptions; shrinking and the tightness search
        keep to admissible cases. A case that makes ``run`` raise is never kept.
    """

    id: str
    title: str
    source: str
    statement: str
    provenance: Provenance
    sample: Sampler
    links: tuple[Link, ...]
    run: Runner = same
    events: tuple[Event, ...] = ()
    rates: tuple[RateClaim, ...] = ()
    twins: tuple[Twin, ...] = ()
    second_route: str = ""
    admissible: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        """Refuse names that repeat or point nowhere."""
        for name in ("links", "events", "rates", "twins"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        claims = self.claims
        if not claims:
            raise InvalidModelError(f"chain {self.id!r} has no link, event or rate")
        _refuse_repeats(self.id, claims)
        _refuse_repeats(self.id, [twin.name for twin in self.twins])
        events = {event.name for event in self.events}
        for link in self.links:
            _refuse_unknown(f"link {link.name!r}: unless", link.unless, events)
        for twin in self.twins:
            place = f"twin {twin.name!r}"
            _refuse_unknown(f"{place}: links", twin.links, {link.name for link in self.links})
            _refuse_unknown(f"{place}: events", twin.events, events)
            _refuse_unknown(f"{place}: rates", twin.rates, {rate.name for rate in self.rates})
            _refuse_unknown(f"{place}: expect_link", twin.expect_link, set(claims))

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the links, the events and the rates, in this order."""
        links = tuple(link.name for link in self.links)
        return (
            *links,
            *(event.name for event in self.events),
            *(rate.name for rate in self.rates),
        )

    def broken(self, twin: Twin) -> "Chain":
        """Return the chain with a twin's replacements, under the same id, without twins."""
        return Chain(
            id=self.id,
            title=f"{self.title} [broken: {twin.what_is_broken}]",
            source=self.source,
            statement=self.statement,
            provenance=self.provenance,
            sample=twin.sample or self.sample,
            run=twin.run or self.run,
            links=tuple(_with(link, "check", twin.links) for link in self.links),
            events=tuple(_with(event, "occurs", twin.events) for event in self.events),
            rates=tuple(_with(rate, "measure", twin.rates) for rate in self.rates),
            second_route=self.second_route,
            admissible=None if twin.sample else self.admissible,
        )

    def twin(self, name: str) -> Twin:
        """Return the twin of that name."""
        for twin in self.twins:
            if twin.name == name:
                return twin
        known = ", ".join(repr(twin.name) for twin in self.twins) or "none"
        raise InvalidModelError(f"chain {self.id!r} has no twin {name!r}; it has {known}")


def _with(claim: Any, attribute: str, replacements: Mapping[str, Any]) -> Any:
    if claim.name not in replacements:
        return claim
    return replace(claim, **{attribute: replacements[claim.name]})


def _refuse_repeats(chain: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InvalidModelError(f"chain {chain!r} uses the name {name!r} twice")


def _refuse_unknown(place: str, names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            listed = ", ".join(sorted(map(repr, known))) or "none"
            raise InvalidModelError(f"{place} names {name!r}; the chain has {listed}")
