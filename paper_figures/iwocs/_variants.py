"""The variants that the figures compare, with their names and colours."""

import warnings

from mdptheory import TabularMDP
from mdptheory.algorithms import IWOCSOptions, IWOCSResult, iwocs
from mdptheory.errors import StallWarning
from mdptheory.models import FiniteSet

VARIANTS: dict[str, IWOCSOptions] = {
    "published, others nominal": IWOCSOptions(completion="nominal"),
    "published, others kept": IWOCSOptions(completion="keep"),
    "published, others greedy": IWOCSOptions(completion="greedy"),
    "repaired, nature greedy": IWOCSOptions(selection="nature_greedy"),
    "repaired, hull": IWOCSOptions(selection="hull"),
}
COLOURS = {
    "published, others nominal": "#D55E00",
    "published, others kept": "#E69F00",
    "published, others greedy": "#CC79A7",
    "repaired, nature greedy": "#0072B2",
    "repaired, hull": "#009E73",
}


def run(mdp: TabularMDP, ambiguity: FiniteSet, variant: str, *, tol: float) -> IWOCSResult:
    """Run a variant from state 0; a stall is in the result's status, and is no surprise here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StallWarning)
        return iwocs(mdp, ambiguity, start=0, options=VARIANTS[variant], tol=tol)
