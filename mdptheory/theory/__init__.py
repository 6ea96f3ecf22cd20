"""Theorems as programs: chains of checks on actual runs, with broken twins that must be caught."""

from mdptheory.theory.chain import Chain, Event, Link, Provenance, RateClaim, Twin, same
from mdptheory.theory.check import Check
from mdptheory.theory.codec import case, register
from mdptheory.theory.events import anytime_p_value, binomial_p_value
from mdptheory.theory.report import ChainReport
from mdptheory.theory.verify import case_rng, draw_case, run_case, verify_chain, verify_chains

__all__ = [
    "Chain",
    "ChainReport",
    "Check",
    "Event",
    "Link",
    "Provenance",
    "RateClaim",
    "Twin",
    "anytime_p_value",
    "binomial_p_value",
    "case",
    "case_rng",
    "draw_case",
    "register",
    "run_case",
    "same",
    "verify_chain",
    "verify_chains",
]
