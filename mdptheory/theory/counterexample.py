"""A case worth keeping, as a small file that replays: a counterexample, or a tight instance."""

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.theory.chain import Chain
from mdptheory.theory.check import Check
from mdptheory.theory.codec import decode, encode, register
from mdptheory.theory.shrink import shrink
from mdptheory.theory.tally import CaseOutcome, representative
from mdptheory.theory.verify import draw_case, run_case

FORMAT = "mdptheory-case-1"
MAX_BYTES = 64 * 2**20


@register
@dataclass(frozen=True, slots=True, eq=False)
class SavedCase:
    """One case of one link, with the check it gave.

    Attributes
    ----------
    chain, link : str
        Id of the chain, and the link.
    twin : str, optional
        Name of the broken version that ran; None for the theorem itself.
    case : object
        The case, whole.
    check : Check
        The link's worst check on it.
    seed, index : int
        Where the search for it started: ``draw_case(chain, seed, index)``.
    """

    chain: str
    link: str
    twin: str | None
    case: Any
    check: Check
    seed: int
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A saved case run again.

    Attributes
    ----------
    saved : SavedCase
        What the file holds.
    outcome : CaseOutcome
        Every link on the case, now.
    check : Check, optional
        The saved link's worst check, now; None if it no longer applies or raised.
    """

    saved: SavedCase
    outcome: CaseOutcome
    check: Check | None

    @property
    def same(self) -> bool:
        """Whether both sides are what the file says, bit for bit."""
        return self.check is not None and _bits(self.check) == _bits(self.saved.check)


register(Check)


def _bits(check: Check) -> tuple[str, ...]:
    return tuple(repr(x) for x in (check.measured, check.bound, check.trivial, check.scale))


def link_check(chain: Chain, link: str, case: Any) -> Check | None:
    """Return a link's worst check on a case, or None if it does not apply or raises.

    Parameters
    ----------
    chain : Chain
        The chain, or ``chain.broken(twin)``.
    link : str
        Name of the link.
    case : object
        An admissible case.
    """
    checks = run_case(chain, case).links.get(link, ())
    return representative(checks) if checks else None


def version(chain: Chain, twin: str | None) -> Chain:
    """Return the chain itself, or its broken version of that name."""
    return chain if twin is None else chain.broken(chain.twin(twin))


def find_counterexample(
    chain: Chain, link: str, seed: int, index: int, *, twin: str | None = None, max_runs: int = 2000
) -> SavedCase:
    """Shrink a violating case to the simplest that still violates the same link.

    Parameters
    ----------
    chain : Chain
        The theorem.
    link : str
        The violated link.
    seed, index : int
        The violating case, as reported (``worst_index`` of a link, ``index`` of a twin).
    twin : str, optional
        The broken version that violates it; None for the theorem itself.
    max_runs : int
        Runs spent on shrinking, at most.

    Returns
    -------
    SavedCase
        The shrunk case and its check.

    Raises
    ------
    InvalidModelError
        If that case does not violate the link.
    """
    subject = version(chain, twin)
    case = draw_case(subject, seed, index)
    start = link_check(subject, link, case)
    if start is None or start.holds:
        raise InvalidModelError(f"case {index} of seed {seed} does not violate link {link!r}")
    least = _least_excess(start)

    def still_broken(candidate: Any) -> bool:
        if subject.admissible is not None and not subject.admissible(candidate):
            return False
        check = link_check(subject, link, candidate)
        return check is not None and not check.holds and _excess(check) >= least

    small = shrink(case, still_broken, max_runs=max_runs)
    check = link_check(subject, link, small)
    assert check is not None
    return SavedCase(chain.id, link, twin, small, check, seed, index)


def _excess(check: Check) -> float:
    return math.inf if math.isnan(check.room) else -check.room


def _least_excess(check: Check) -> float:
    """Keep clear of rounding: a candidate's excess is a hundred slacks, if the first one's was."""
    return min(_excess(check), max(100 * check.slack, 1e-6 * _excess(check)))


def save_case(saved: SavedCase, path: str | os.PathLike[str]) -> Path:
    """Write a case as JSON; floats survive bit for bit.

    Parameters
    ----------
    saved : SavedCase
        The case.
    path : path-like
        Where to; folders are made.

    Returns
    -------
    Path
        The path.
    """
    target = Path(path)
    text = json.dumps({"format": FORMAT, "saved": encode(saved)}, indent=1, allow_nan=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")
    return target


def load_case(path: str | os.PathLike[str]) -> SavedCase:
    """Read what `save_case` wrote; the module that defines the case's type must be imported.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    SavedCase
        The case, and what is known about it.

    Raises
    ------
    InvalidFileError
        If it is not such a file; nothing in it is executed or imported.
    """
    source = Path(path)
    try:
        if source.stat().st_size > MAX_BYTES:
            raise InvalidFileError(f"{source} has more than {MAX_BYTES} bytes")
        data = json.loads(source.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFileError(f"{source} is not a JSON file: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InvalidFileError(f"{source} is not of the format {FORMAT!r}")
    try:
        saved = decode(data.get("saved"))
    except RecursionError:
        raise InvalidFileError(f"{source} is nested too deeply") from None
    if not isinstance(saved, SavedCase) or not isinstance(saved.check, Check):
        raise InvalidFileError(f"{source} holds no saved case")
    return saved


def replay(saved: SavedCase, chains: Iterable[Chain]) -> Replay:
    """Run a saved case again.

    Parameters
    ----------
    saved : SavedCase
        The case.
    chains : iterable of Chain
        Where to look its chain up.

    Returns
    -------
    Replay
        The link's check now, beside the saved one.

    Raises
    ------
    InvalidModelError
        If no chain has that id, or the chain has no such link or twin.
    """
    for chain in chains:
        if chain.id == saved.chain:
            subject = version(chain, saved.twin)
            if saved.link not in {link.name for link in subject.links}:
                raise InvalidModelError(f"chain {saved.chain!r} has no link {saved.link!r}")
            outcome = run_case(subject, saved.case)
            checks = outcome.links.get(saved.link, ())
            return Replay(saved, outcome, representative(checks) if checks else None)
    raise InvalidModelError(f"no chain has the id {saved.chain!r}")
