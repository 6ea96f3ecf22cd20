"""Runs chains on many cases, the real ones and the broken ones, and counts."""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from mdptheory._validation import check_count, check_number
from mdptheory.errors import InvalidModelError
from mdptheory.theory.chain import Chain, Checks, Event, Twin
from mdptheory.theory.check import Check
from mdptheory.theory.rates import rate_report
from mdptheory.theory.report import ChainReport, RateReport, RunError, TwinReport
from mdptheory.theory.tally import CaseOutcome, event_report, link_report, representative

FALSE_ALARM_BUDGET = 1e-6  # probability that a whole run refutes some true claim by chance
BATCH = 16  # cases a worker takes at once; results do not depend on it

Progress: TypeAlias = Callable[[str, int, int], None]


def case_rng(chain_id: str, seed: int, index: int) -> np.random.Generator:
    """Return the generator of one case: it depends on nothing but these three.

    Parameters
    ----------
    chain_id : str
        Id of the chain.
    seed, index : int
        Seed of the run, and the case's number in it.

    Returns
    -------
    numpy.random.Generator
        A child stream, independent across chains, seeds and indices.
    """
    key = (zlib.crc32(chain_id.encode()), index)
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def draw_case(chain: Chain, seed: int, index: int) -> Any:
    """Return case ``index`` of a run of ``chain`` with ``seed``.

    Parameters
    ----------
    chain : Chain
        The chain, or ``chain.broken(twin)``.
    seed, index : int
        As in the report.

    Returns
    -------
    object
        The case, the same at every call.
    """
    return chain.sample(case_rng(chain.id, seed, index))


def checks_of(result: Checks) -> tuple[Check, ...]:
    """Return what a link gave as a tuple, or raise `TypeError` for anything but checks."""
    checks = (result,) if isinstance(result, Check) else tuple(result)
    for entry in checks:
        if not isinstance(entry, Check):
            raise TypeError(f"a link gave a {type(entry).__name__}; expected Check objects")
    return checks


def run_case(chain: Chain, case: Any) -> CaseOutcome:
    """Run one case and check every link and event on its trace.

    Parameters
    ----------
    chain : Chain
        The chain, or ``chain.broken(twin)``.
    case : object
        A case that ``chain.sample`` could have drawn.

    Returns
    -------
    CaseOutcome
        An exception is recorded with the place where it was raised, not propagated.
    """
    try:
        trace = chain.run(case)
    except Exception as error:
        return CaseOutcome(errors=(("run", _text(error)),))
    outcome: dict[str, tuple[Check, ...]] = {}
    events: dict[str, tuple[bool, bool]] = {}
    errors: list[tuple[str, str]] = []
    for event in chain.events:
        try:
            events[event.name] = _occurrence(event, trace)
        except Exception as error:
            errors.append((event.name, _text(error)))
    for link in chain.links:
        if any(events.get(name, (True, False))[0] for name in link.unless):
            outcome[link.name] = ()
            continue
        try:
            outcome[link.name] = checks_of(link.check(trace))
        except Exception as error:
            errors.append((link.name, _text(error)))
    return CaseOutcome(outcome, events, tuple(errors))


def _occurrence(event: Event, trace: Any) -> tuple[bool, bool]:
    result = event.occurs(trace)
    if isinstance(result, bool | np.bool_):
        return bool(result), True
    checks = checks_of(result)
    return any(not c.holds for c in checks), any(c.conclusive for c in checks)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _run_index(chain: Chain, seed: int, index: int) -> CaseOutcome:
    try:
        case = draw_case(chain, seed, index)
    except Exception as error:
        return CaseOutcome(errors=(("sample", _text(error)),))
    return run_case(chain, case)


def _run_range(chain: Chain, seed: int, first: int, last: int) -> list[CaseOutcome]:
    return [_run_index(chain, seed, index) for index in range(first, last)]


def _outcomes(
    chain: Chain, seed: int, trials: int, n_jobs: int, tick: Callable[[int], None]
) -> Iterator[CaseOutcome]:
    """Yield the outcomes in the order of the cases, whatever the number of workers."""
    if n_jobs == 1:
        for index in range(trials):
            yield _run_index(chain, seed, index)
            tick(index + 1)
        return
    from joblib import Parallel, delayed

    wave = BATCH * n_jobs  # a consumer that stops early loses at most one wave
    for start in range(0, trials, wave):
        stop = min(start + wave, trials)
        jobs = (
            delayed(_run_range)(chain, seed, first, min(first + BATCH, stop))
            for first in range(start, stop, BATCH)
        )
        for batch in Parallel(n_jobs=n_jobs)(jobs):
            yield from batch
        tick(stop)


def verify_chain(
    chain: Chain,
    *,
    trials: int = 300,
    seed: int = 0,
    n_jobs: int = 1,
    level: float | None = None,
    progress: Progress | None = None,
) -> ChainReport:
    """Check one chain and its twins on seeded cases.

    Parameters
    ----------
    chain : Chain
        The theorem.
    trials : int
        Cases to draw; each twin gets at most as many.
    seed : int
        Case ``i`` is drawn by ``case_rng(chain.id, seed, i)``, whatever the other arguments.
    n_jobs : int
        Worker processes; the report is the same for any number.
    level : float, optional
        Level of each test of an event or a rate; by default 1e-6 divided by their number.
    progress : callable, optional
        ``progress(label, done, total)`` is called as cases finish.

    Returns
    -------
    ChainReport
        Violations and exceptions are findings in it; they are not raised.
    """
    trials = check_count("trials", trials)
    seed = check_count("seed", seed, low=0)
    n_jobs = check_count("n_jobs", n_jobs)
    if level is None:
        level = FALSE_ALARM_BUDGET / max(1, len(chain.events) + len(chain.rates))
    check_number("level", level, low=0.0, high=1.0, open_low=True)
    tick = _ticker(progress, chain.id, trials)
    outcomes = list(_outcomes(chain, seed, trials, n_jobs, tick))
    rates, rate_errors = _rates(chain, seed, level)
    twins = tuple(
        _verify_twin(chain, twin, seed, trials, n_jobs, level, progress) for twin in chain.twins
    )
    return ChainReport(
        id=chain.id,
        title=chain.title,
        source=chain.source,
        statement=chain.statement,
        provenance=chain.provenance.value,
        second_route=chain.second_route,
        trials=trials,
        seed=seed,
        links=tuple(link_report(x.name, x.statement, outcomes) for x in chain.links),
        events=tuple(event_report(event, outcomes, level) for event in chain.events),
        rates=rates,
        twins=twins,
        errors=(*_errors(outcomes), *rate_errors),
    )


def verify_chains(
    chains: Iterable[Chain],
    *,
    trials: int = 300,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[ChainReport, ...]:
    """Check several chains, so that all their tests together raise a false alarm below 1e-6.

    Parameters
    ----------
    chains : iterable of Chain
        The theorems; ids must differ.
    trials, seed, n_jobs, progress
        As in `verify_chain`.

    Returns
    -------
    tuple of ChainReport
        In the order given; the sum of their ``false_alarm`` is the probability, at most, that a
        run in which every claim is true refutes one of them.

    Raises
    ------
    InvalidModelError
        If two chains have the same id.
    """
    listed = tuple(chains)
    ids = [chain.id for chain in listed]
    for name in ids:
        if ids.count(name) > 1:
            raise InvalidModelError(f"chain id {name!r} is used twice")
    tests = sum(len(chain.events) + len(chain.rates) for chain in listed)
    level = FALSE_ALARM_BUDGET / max(1, tests)
    return tuple(
        verify_chain(chain, trials=trials, seed=seed, n_jobs=n_jobs, level=level, progress=progress)
        for chain in listed
    )


def _ticker(progress: Progress | None, label: str, total: int) -> Callable[[int], None]:
    return (lambda done: None) if progress is None else (lambda done: progress(label, done, total))


def _rates(
    chain: Chain, seed: int, level: float
) -> tuple[tuple[RateReport, ...], tuple[RunError, ...]]:
    reports, errors = [], []
    for rate in chain.rates:
        rng = case_rng(f"{chain.id}/{rate.name}", seed, 0)
        try:
            reports.append(rate_report(rate, rng, level))
        except Exception as error:
            errors.append(RunError(rate.name, -1, _text(error)))
    return tuple(reports), tuple(errors)


def _errors(outcomes: Sequence[CaseOutcome]) -> tuple[RunError, ...]:
    return tuple(
        RunError(where, index, message)
        for index, outcome in enumerate(outcomes)
        for where, message in outcome.errors
    )


def _verify_twin(
    chain: Chain,
    twin: Twin,
    seed: int,
    trials: int,
    n_jobs: int,
    level: float,
    progress: Progress | None,
) -> TwinReport:
    """Run the broken chain until every expected link has failed, or the budget is spent."""
    broken = chain.broken(twin)
    awaited = set(twin.expect_link)
    deterministic = awaited <= {link.name for link in chain.links}
    first: dict[str, tuple[int, Check]] = {}
    outcomes: list[CaseOutcome] = []
    tick = _ticker(progress, f"{chain.id} twin {twin.name}", trials)
    for index, outcome in enumerate(_outcomes(broken, seed, trials, n_jobs, tick)):
        outcomes.append(outcome)
        for name, checks in outcome.links.items():
            if name not in first and any(not c.holds for c in checks):
                first[name] = (index, representative(checks))
        if deterministic and first and awaited <= set(first):
            break
    caught = set(first)
    caught |= {e.name for e in broken.events if event_report(e, outcomes, level).refuted}
    if awaited & {rate.name for rate in chain.rates} or (not awaited and not caught):
        caught |= {rate.name for rate in _rates(broken, seed, level)[0] if rate.refuted}
    shown = min(
        (first[n] for n in (awaited or caught) if n in first), default=None, key=lambda x: x[0]
    )
    return TwinReport(
        name=twin.name,
        what_is_broken=twin.what_is_broken,
        expected=tuple(twin.expect_link),
        caught_by=tuple(name for name in chain.claims if name in caught),
        index=shown[0] if shown else -1,
        trials=len(outcomes),
        measured=shown[1].measured if shown else math.nan,
        bound=shown[1].bound if shown else math.nan,
        errors=sum(bool(outcome.errors) for outcome in outcomes),
    )
