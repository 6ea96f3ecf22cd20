"""Which ambiguity sets contain which: what nature takes in the smaller she takes in the larger."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import log, log1p, sqrt
from typing import TypeAlias

import numpy as np

from mdptheory import WorstCase, worst_case
from mdptheory._typing import FloatArray
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    RowAmbiguity,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._robust_cases import is_row, random_weights, random_worth
from proofs_checks._robust_oracles import dual_bound, excess
from proofs_checks._robust_twins import without_halving

Nature = Callable[..., WorstCase]
RADII = (0.005, 0.02, 0.05, 0.1, 0.2, 0.4)


Sets: TypeAlias = tuple[RowAmbiguity, RowAmbiguity]


@case
class Case:
    """A row, what its outcomes are worth, and a radius.

    Attributes
    ----------
    p, z : array of shape (n,)
        Nominal row and worth.
    radius : float
        In (0, 1): a radius, a contaminated share, and 1 minus a tail probability.
    """

    p: FloatArray
    z: FloatArray
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The case and the operator in whose eyes the sets are compared.

    Attributes
    ----------
    case : Case
        The instance.
    nature : callable
        `worst_case`, or a broken one.
    """

    case: Case
    nature: Nature

    @property
    def most(self) -> float:
        """Largest loss on the support of p."""
        return float(self.case.p @ self.case.z - self.case.z[self.case.p > 0].min())

    def reply(self, ambiguity: RowAmbiguity) -> WorstCase:
        """Return nature's reply to the row."""
        return self.nature(self.case.p, self.case.z, ambiguity, nature="adversarial")

    def loss(self, ambiguity: RowAmbiguity) -> float:
        """Return what nature takes from the nominal worth."""
        return float(self.case.p @ self.case.z) - self.reply(ambiguity).value


def sample(rng: np.random.Generator) -> Case:
    """Draw a row and a radius, or one of the two instances that are tight."""
    special = rng.integers(8)
    if special < 2:
        return rare(rng) if special else balanced(rng)
    n = int(rng.integers(2, 6))
    return Case(random_weights(rng, n), random_worth(rng, n), float(rng.choice(RADII)))


def balanced(rng: np.random.Generator) -> Case:
    """Draw two outcomes of probability 1/2 and a small radius: Pinsker's constant is attained."""
    z = np.array([0.0, float(rng.integers(1, 9)) / 4])
    return Case(np.array([0.5, 0.5]), z, float(rng.choice([0.001, 0.005, 0.02])))


def rare(rng: np.random.Generator) -> Case:
    """Draw one bad outcome: a tail that holds little else, or a share that comes from elsewhere."""
    a = float(rng.integers(1, 8)) / 64
    rest = np.array([1.0, 2.0, 5.0]) / 8
    radius = float(rng.choice([1 - 1.02 * a, 0.05]))
    return Case(np.array([a, *(rest * (1 - a))]), np.array([-1.0, 1.0, 1.0, 1.0]), radius)


def run(case: Case, nature: Nature = worst_case) -> Trace:
    """Compare in the eyes of the library's operator."""
    return Trace(case, nature)


def admissible(case: Case) -> bool:
    """Tell whether the row is short, its numbers moderate and the radius in (0, 1)."""
    return is_row(case.p, case.z) and 1e-3 <= case.radius <= 0.99


# ---- pairs: the smaller set and the larger one --------------------------------------------------


def pinsker(case: Case, factor: float = 2.0) -> Sets:
    """KL(q, p) <= r gives |q - p|_1 <= sqrt(2 r)."""
    return KLBall(case.radius), L1Ball(sqrt(factor * case.radius), "nominal")


def pinsker_reversed(case: Case, factor: float = 2.0) -> Sets:
    """KL(p, q) <= r gives |q - p|_1 <= sqrt(2 r) too."""
    return BurgBall(case.radius, "nominal"), L1Ball(sqrt(factor * case.radius), "nominal")


def chi_square_in_kl(case: Case, *, second_order: bool = False) -> Sets:
    """KL <= log(1 + chi2), since the logarithm is concave."""
    r = case.radius
    return ChiSquareBall(r), KLBall(r / 2 if second_order else log1p(r))


def chi_square_in_l1(case: Case, factor: float = 1.0) -> Sets:
    """|q - p|_1 <= sqrt(chi2), by Cauchy and Schwarz."""
    return ChiSquareBall(case.radius), L1Ball(sqrt(factor * case.radius), "nominal")


def l1_in_l2(case: Case, factor: float = 0.5) -> Sets:
    """|c|_2^2 <= |c|_1 |c|_inf <= |c|_1^2 / 2 where the entries of c sum to 0."""
    return L1Ball(case.radius, "nominal"), L2Ball(sqrt(factor) * case.radius, "nominal")


def l2_in_linf(case: Case, n: int | None = None) -> Sets:
    """|c|_inf <= |c|_2 sqrt((n - 1) / n) where the n entries of c sum to 0."""
    size = int((case.p > 0).sum()) if n is None else n
    wide = case.radius * sqrt((size - 1) / size)
    return L2Ball(case.radius, "nominal"), LinfBall(wide, "nominal")


def contamination_in_l1(case: Case, factor: float = 2.0) -> Sets:
    """|R (u - p)|_1 <= 2 R."""
    r = case.radius
    return ContaminationSet(r, "nominal"), L1Ball(factor * r, "nominal")


def cvar_in_l1(case: Case, factor: float = 2.0) -> Sets:
    """Q <= p / alpha gives |q - p|_1 <= 2 (1 - alpha), since q - p <= (1 - alpha) q."""
    return CVaRSet(1 - case.radius), L1Ball(factor * case.radius, "nominal")


def cvar_in_chi_square(case: Case, power: float = 1.0) -> Sets:
    """Q <= p / alpha gives sum q^2 / p <= 1 / alpha."""
    alpha = 1 - case.radius
    return CVaRSet(alpha), ChiSquareBall(alpha**-power - 1)


def cvar_in_evar(case: Case, power: float = 1.0) -> Sets:
    """Q <= p / alpha gives KL(q, p) <= -log alpha: the entropic value at risk is lower."""
    alpha = 1 - case.radius
    return CVaRSet(alpha), EVaRSet(alpha**power)


PAIRS: tuple[Callable[[Case], Sets], ...] = (
    pinsker, pinsker_reversed, chi_square_in_kl, chi_square_in_l1, l1_in_l2, l2_in_linf,
    contamination_in_l1, cvar_in_l1, cvar_in_chi_square, cvar_in_evar,
)  # fmt: skip


# ---- links --------------------------------------------------------------------------------------


def takes_less(trace: Trace, pair: Callable[[Case], Sets]) -> Checks:
    """Compare what nature takes in the smaller set and in the larger one."""
    inner, outer = pair(trace.case)
    return Check(trace.loss(inner), trace.loss(outer), trivial=trace.most)


def contained(trace: Trace, pairs: tuple[Callable[[Case], Sets], ...] = PAIRS) -> Checks:
    """Measure the worst rows of the smaller sets by the distances of the larger ones."""
    p = trace.case.p
    beyond = [
        excess(p, trace.reply(inner).row[None], outer)[0]
        for inner, outer in (pair(trace.case) for pair in pairs)
    ]
    return Check.nonpositive(beyond, scale=1.0)


def written_twice(trace: Trace, *, halved: bool = True) -> Checks:
    """Write three sets in two ways: unit weights, unit transport costs, -log alpha."""
    n, r = trace.case.p.size, trace.case.radius
    ball = L1Ball(r, "all")
    pairs: tuple[Sets, ...] = (
        (ball, WeightedL1Ball(r, np.ones(n), "all")),
        (ball, WassersteinBall(r / 2 if halved else r, 1 - np.eye(n))),
        (EVaRSet(1 - r), KLBall(-log(1 - r))),
    )
    values = [[trace.reply(one).value for one in pair] for pair in pairs]
    return Check.equal(*np.transpose(values), scale=float(np.ptp(trace.case.z)))


def second_route(trace: Trace) -> Checks:
    """Compare the values with plain NumPy duals."""
    p, z = trace.case.p, trace.case.z
    sets = [one for pair in PAIRS for one in pair(trace.case)]
    values = [[trace.reply(one).value, dual_bound(p, z, one)] for one in sets]
    return Check.equal(*np.transpose(values), slack=1e-7, scale=float(np.ptp(z)))


def _less(pair: Callable[..., Sets], **changes: object) -> Callable[[Trace], Checks]:
    return partial(takes_less, pair=partial(pair, **changes))


CHAIN = Chain(
    id="robust_core.nesting",
    title="Which ambiguity sets contain which",
    source="Pinsker's inequality; the other inclusions and the constants derived",
    statement=(
        "KL(r) and Burg(r) are in L1(sqrt(2r)); chi2(r) is in KL(log(1+r)) and in L1(sqrt(r));"
        " L1(r) is in L2(r/sqrt(2)), L2(r) in Linf(r sqrt((n-1)/n)); contamination R and the CVaR"
        " set of 1-R are in L1(2R); CVaR of alpha is in chi2(1/alpha - 1), and so in the KL ball"
        " of EVaR. Worst cases are ordered accordingly (n outcomes of positive probability)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="distances by definition and duals in plain NumPy",
    links=(
        Link("pinsker", "KL(r) takes no more than L1(sqrt(2r))", _less(pinsker)),
        Link("burg", "Burg(r) takes no more than L1(sqrt(2r))", _less(pinsker_reversed)),
        Link("chi2_kl", "chi2(r) takes no more than KL(log(1+r))", _less(chi_square_in_kl)),
        Link("chi2_l1", "chi2(r) takes no more than L1(sqrt(r))", _less(chi_square_in_l1)),
        Link("l1_l2", "L1(r) takes no more than L2(r/sqrt(2))", _less(l1_in_l2)),
        Link("l2_linf", "L2(r) takes no more than Linf(r sqrt((n-1)/n))", _less(l2_in_linf)),
        Link("contamination", "a share R takes no more than L1(2R)", _less(contamination_in_l1)),
        Link("cvar_l1", "CVaR of 1-R takes no more than L1(2R)", _less(cvar_in_l1)),
        Link("cvar_chi2", "CVaR takes no more than chi2(1/alpha - 1)", _less(cvar_in_chi_square)),
        Link("cvar_evar", "CVaR takes no more than EVaR", _less(cvar_in_evar)),
        Link("contained", "the smaller sets' worst rows are in the larger sets", contained),
        Link("same", "L1 = weighted L1 = Wasserstein(r/2), EVaR = KL(-log alpha)", written_twice),
        Link("second_route", "value = max of the dual problem", second_route),
    ),
    twins=(
        Twin(
            "sqrt_r",
            "Pinsker's sqrt(2r) becomes sqrt(r)",
            links={
                "pinsker": _less(pinsker, factor=1.0),
                "burg": _less(pinsker_reversed, factor=1.0),
                "contained": partial(contained, pairs=(partial(pinsker, factor=1.0),)),
            },
            expect_link=("pinsker", "burg", "contained"),
        ),
        Twin(
            "second_order",
            "log(1+r) becomes r/2, its size for rows close to p",
            links={"chi2_kl": _less(chi_square_in_kl, second_order=True)},
            expect_link="chi2_kl",
        ),
        Twin(
            "chi2_halved",
            "chi2 is given Pinsker's factor: L1(sqrt(r/2))",
            links={"chi2_l1": _less(chi_square_in_l1, factor=0.5)},
            expect_link="chi2_l1",
        ),
        Twin(
            "norms_of_pairs",
            "the norms are compared as if L1 were halved twice, and n were 2",
            links={"l1_l2": _less(l1_in_l2, factor=0.25), "l2_linf": _less(l2_in_linf, n=2)},
            expect_link=("l1_l2", "l2_linf"),
        ),
        Twin(
            "total_variation",
            "L1(2R) becomes L1(R), as when the radius is a total variation",
            links={
                "contamination": _less(contamination_in_l1, factor=1.0),
                "cvar_l1": _less(cvar_in_l1, factor=1.0),
            },
            expect_link=("contamination", "cvar_l1"),
        ),
        Twin(
            "root_of_alpha",
            "the tail probability alpha becomes its square root in the larger set",
            links={
                "cvar_chi2": _less(cvar_in_chi_square, power=0.5),
                "cvar_evar": _less(cvar_in_evar, power=0.5),
            },
            expect_link=("cvar_chi2", "cvar_evar"),
        ),
        Twin(
            "full_transport",
            "transport at unit cost is taken for the L1 distance instead of half of it",
            links={"same": partial(written_twice, halved=False)},
            expect_link="same",
        ),
        Twin(
            "without_halving",
            "an L1 ball of radius xi moves the mass xi instead of xi/2",
            run=partial(run, nature=without_halving),
            expect_link=("same", "second_route"),
        ),
    ),
)
"""Tight: Pinsker and chi2 in L1 at `balanced`, as r falls to 0; the norms for one pair of outcomes;
contamination and the sets of CVaR at `rare`, as the bad outcome's probability falls to 0 and the
tail's to it."""
