"""Theorems as programs: chains of checks on actual runs, with broken twins that must be caught.

A theorem of one's own, with its proof's step, a twin that drops a constant, and the search for a
counterexample to it:

>>> import numpy as np
>>> from mdptheory import TabularMDP, theory
>>> from mdptheory.theory import Check, Link, Twin, sampling
>>> @theory.case
... class Case:
...     mdp: TabularMDP
...     u: np.ndarray
...     v: np.ndarray
>>> def sample(rng):
...     mdp = sampling.random_mdp(rng)
...     return Case(mdp, *(sampling.random_values(rng, mdp.n_states) for _ in "uv"))
>>> def bellman(mdp, v):
...     P, r = mdp.to_dense()
...     return np.where(P.sum(axis=2) > 0, r + mdp.gamma * P @ v, -np.inf).max(axis=1)
>>> def contracts(case, power=1):
...     apart = abs(case.u - case.v).max()
...     moved = abs(bellman(case.mdp, case.u) - bellman(case.mdp, case.v)).max()
...     return Check(moved, case.mdp.gamma**power * apart, trivial=apart)
>>> square = Twin("square", "gamma is squared", links={"contraction": lambda c: contracts(c, 2)})
>>> mine = theory.Chain(
...     id="mine", title="T contracts", source="folklore", statement="|Tu - Tv| <= gamma |u - v|",
...     provenance=theory.Provenance.FOLKLORE, sample=sample, twins=[square],
...     links=[Link("contraction", "|Tu - Tv| <= gamma |u - v|", contracts)])
>>> report = theory.verify_chain(mine, trials=200, seed=0)
>>> report.verdict, report.links[0].violations, report.links[0].max_tightness
('holds', 0, 1.0)
>>> twin = report.twins[0]
>>> found = theory.find_counterexample(mine, "contraction", 0, twin.index, twin="square")
>>> found.case.mdp.n_states, found.case.mdp.gamma, found.check.measured, found.check.bound
(1, 0.5, 0.5, 0.25)
"""

from mdptheory.theory import sampling
from mdptheory.theory.chain import Chain, Checks, Event, Link, Provenance, RateClaim, Twin, same
from mdptheory.theory.check import Check
from mdptheory.theory.codec import case, register
from mdptheory.theory.counterexample import (
    Replay,
    SavedCase,
    find_counterexample,
    load_case,
    replay,
    save_case,
)
from mdptheory.theory.events import anytime_p_value, binomial_p_value
from mdptheory.theory.report import ChainReport
from mdptheory.theory.shrink import shrink
from mdptheory.theory.tighten import simplify, tighten
from mdptheory.theory.verify import case_rng, draw_case, run_case, verify_chain, verify_chains

__all__ = [
    "Chain",
    "ChainReport",
    "Check",
    "Checks",
    "Event",
    "Link",
    "Provenance",
    "RateClaim",
    "Replay",
    "SavedCase",
    "Twin",
    "anytime_p_value",
    "binomial_p_value",
    "case",
    "case_rng",
    "draw_case",
    "find_counterexample",
    "load_case",
    "register",
    "replay",
    "run_case",
    "same",
    "sampling",
    "save_case",
    "shrink",
    "simplify",
    "tighten",
    "verify_chain",
    "verify_chains",
]
