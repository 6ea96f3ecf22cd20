"""Learners as the published programs run them, by the names that the figures show."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mdptheory.algorithms import OfflineOptions, drpvi, drvi_l, pevi, r2pvi
from mdptheory.errors import FitWarning
from mdptheory.models import ChiSquarePenalty, KLBall, KLPenalty, TVBall, TVPenalty

Learner = Callable[[Any, Any], Any]
"""``learner(data, known)`` returns a fit."""

LEAST_WEIGHT = 1e-9  # stands for the published weight 0, which no penalty has


@contextmanager
def published_setting() -> Iterator[None]:
    """Silence warnings of data that miss factors and of features that are no weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        yield


def learner(name: str, level: float, **options: Any) -> Learner:
    """Return a learner with the published options, changed by ``options``.

    Parameters
    ----------
    name : str
        Of `COLOURS`; ``"R2PVI-χ², minimum"`` is the published program's, ``"DRPVI, exact"`` the one
        that searches all breakpoints.
    level : float
        Weight or radius; not read by PEVI.
    **options : Any
        Of `OfflineOptions`.
    """
    chosen = OfflineOptions.reproduction(**(_DETAILS.get(name, {}) | options))
    match name.partition(",")[0]:
        case "PEVI":
            return lambda data, known: pevi(data, known, options=chosen)
        case "R2PVI-TV":
            weight = TVPenalty(max(level, LEAST_WEIGHT))
            return lambda data, known: r2pvi(data, known, weight, options=chosen)
        case "R2PVI-KL":
            return lambda data, known: r2pvi(data, known, KLPenalty(level), options=chosen)
        case "R2PVI-χ²":
            return lambda data, known: r2pvi(data, known, ChiSquarePenalty(level), options=chosen)
        case "DRPVI":
            return lambda data, known: drpvi(data, known, TVBall(level), options=chosen)
        case "DRVI-L":
            return lambda data, known: drvi_l(data, known, KLBall(level), options=chosen)
        case _:
            raise ValueError(f"no learner is called {name!r}")


_DETAILS: dict[str, dict[str, Any]] = {
    "R2PVI-χ², minimum": {"chi_square_minimum": True},
    # published programs know that the least value is 0 where the dual subtracts it
    "DRPVI": {"optimizer": "nelder-mead", "vmin": "zero"},
    "DRPVI, exact": {"vmin": "zero"},
    "DRVI-L": {"optimizer": "nelder-mead"},
}
