"""Every set of `worst_case`: the dual bound proves the row, and the row is in the set."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory import WorstCase, worst_case
from mdptheory._typing import FloatArray
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    RowAmbiguity,
    Support,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, span
from proofs_checks._robust_cases import RADII, is_row, random_weights, random_worth
from proofs_checks._robust_oracles import dual_bound, excess
from proofs_checks._robust_twins import (
    any_outcome,
    flipped,
    signed,
    without_bounce,
    without_halving,
)

MIXTURES = np.linspace(0.0, 1.0, 33)[1:]  # shares of the way from p to an outcome
SUPPORTS: tuple[Support, ...] = ("nominal", "all")


@case
class Case:
    """A row, what its outcomes are worth, and the data of all sets around it.

    Attributes
    ----------
    p, z : array of shape (n,)
        Nominal row and worth.
    radius : float
        At least 0; tail probabilities and shares follow from it.
    weights : array of shape (n,)
        Of the weighted L1 ball.
    cost : array of shape (n, n)
        Of the Wasserstein ball.
    rows : array of shape (k, n)
        Of the finite set, besides p; their bounding box is the interval set.
    """

    p: FloatArray
    z: FloatArray
    radius: float
    weights: FloatArray
    cost: FloatArray
    rows: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Nature's replies, set by set.

    Attributes
    ----------
    case : Case
        The instance.
    sets : dict
        The sets by name.
    low, high : dict
        Replies of the adversarial and of the cooperative nature.
    wide_low, wide_high : dict
        The same with a larger radius.
    """

    case: Case
    sets: dict[str, RowAmbiguity]
    low: dict[str, WorstCase]
    high: dict[str, WorstCase]
    wide_low: dict[str, WorstCase]
    wide_high: dict[str, WorstCase]

    @property
    def nominal(self) -> float:
        """Worth of the nominal row."""
        return float(self.case.p @ self.case.z)

    @property
    def width(self) -> float:
        """Span of the outcomes' worth, the scale of order checks."""
        return span(self.case.z)


def all_sets(case: Case, stretch: float = 1.0) -> dict[str, RowAmbiguity]:
    """Build every set of `worst_case` around the row; ``stretch`` multiplies the radius."""
    r = case.radius * stretch
    box = np.vstack([case.p, case.rows])
    if stretch > 1.0:
        box = np.vstack([box, np.eye(case.p.size)[:1]])
    sets: dict[str, RowAmbiguity] = {
        "weighted l1": WeightedL1Ball(r, case.weights, "all"),
        "kl": KLBall(r),
        "chi2": ChiSquareBall(r),
        "wasserstein": WassersteinBall(r, case.cost),
        "cvar": CVaRSet(1 / (1 + r)),
        "evar": EVaRSet(1 / (1 + r)),
        "interval": IntervalSet(box.min(axis=0), box.max(axis=0)),
        "finite": FiniteSet(box),
    }
    for support in SUPPORTS:
        sets |= {
            f"l1 {support}": L1Ball(r, support),
            f"linf {support}": LinfBall(r, support),
            f"l2 {support}": L2Ball(r, support),
            f"burg {support}": BurgBall(r, support),
            f"contamination {support}": ContaminationSet(min(r / 2, 1.0), support),
        }
    return sets


def sample(rng: np.random.Generator) -> Case:
    """Draw a row with all sets around it; one in eight needs bounce moves."""
    n = int(rng.integers(1, 6))
    radius = float(rng.choice(RADII))
    rows = np.array([random_weights(rng, n) for _ in range(rng.integers(1, 4))])
    cost = rng.integers(0, 5, (n, n)).astype(np.float64) / 4
    np.fill_diagonal(cost, 0.0)
    weights = rng.integers(1, 9, n).astype(np.float64) / 4
    drawn = Case(random_weights(rng, n), random_worth(rng, n), radius, weights, cost, rows)
    return bouncing(rng) if rng.integers(8) == 0 else drawn


def bouncing(rng: np.random.Generator) -> Case:
    """Draw a row in which mass goes to a cheap outcome first and on to a worse one later."""
    return Case(
        p=np.array([0.2, 0.3, 0.3, 0.2]),
        z=np.array([2.9, 0.9, 1.5, 0.0]),
        radius=float(rng.integers(4, 21)) / 10,
        weights=np.array([1.0, 1.0, 2.0, 2.0]),
        cost=np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))),
        rows=np.array([random_weights(rng, 4)]),
    )


Nature = Callable[..., WorstCase]


def run(case: Case, nature: Nature = worst_case) -> Trace:
    """Let both natures reply for every set, and for every set with a larger radius."""
    sets, wide = all_sets(case), all_sets(case, 2.0)

    def replies(family: dict[str, RowAmbiguity], kind: str) -> dict[str, WorstCase]:
        return {name: nature(case.p, case.z, one, nature=kind) for name, one in family.items()}

    return Trace(
        case,
        sets,
        low=replies(sets, "adversarial"),
        high=replies(sets, "cooperative"),
        wide_low=replies(wide, "adversarial"),
        wide_high=replies(wide, "cooperative"),
    )


def admissible(case: Case) -> bool:
    """Tell whether the row is short, the numbers moderate and the data of the sets in order."""
    n = case.p.size
    fine = is_row(case.p, case.z, case.weights) and 0.0 <= case.radius <= 10.0
    fine = fine and bool((case.weights >= 0.05).all()) and case.cost.shape == (n, n)
    fine = (
        fine and 0.0 <= case.cost.min() <= case.cost.max() <= 100 and not np.diag(case.cost).any()
    )
    tiny = 0 < case.radius < 1e-3 or bool(((case.cost > 0) & (case.cost < 0.05)).any())
    return (
        fine and not tiny and case.rows.ndim == 2 and all(is_row(row, case.p) for row in case.rows)
    )


def sides(trace: Trace) -> Iterator[tuple[RowAmbiguity, WorstCase, float]]:
    """Yield each set with each nature's reply, and 1 for the adversary or -1 for the friend."""
    for name, ambiguity in trace.sets.items():
        yield ambiguity, trace.low[name], 1.0
        yield ambiguity, trace.high[name], -1.0


# ---- links --------------------------------------------------------------------------------------


def weak_duality(trace: Trace) -> Checks:
    """No row of the set goes beyond the bound: rows on the way from p to each outcome."""
    p, z = trace.case.p, trace.case.z
    lost = [
        np.max(sign * (reply.bound - _rows_inside(p, ambiguity) @ z))
        for ambiguity, reply, sign in sides(trace)
    ]
    return Check.nonpositive(lost, scale=trace.width)


def _rows_inside(p: FloatArray, ambiguity: RowAmbiguity) -> FloatArray:
    """Return rows that are in the set by definition of its distance."""
    if isinstance(ambiguity, FiniteSet):
        return ambiguity.rows
    share = MIXTURES[:, None, None]
    rows = ((1 - share) * p + share * np.eye(p.size)).reshape(-1, p.size)
    if isinstance(ambiguity, WassersteinBall):  # the cost of one plan, not less than the least
        cost = (MIXTURES[:, None] * (p @ ambiguity.cost)).ravel()
        return np.vstack([p, rows[cost <= float(ambiguity.radius)]])
    return np.vstack([p, rows[excess(p, rows, ambiguity) <= 0.0]])


def strong_duality(trace: Trace) -> Checks:
    """Bound and value agree."""
    pairs = [(reply.value, reply.bound) for _, reply, _ in sides(trace)]
    return Check.equal(*np.transpose(pairs), scale=trace.width)


def second_route(trace: Trace) -> Checks:
    """Maximise the dual problem in plain NumPy: it has the same value."""
    p, z = trace.case.p, trace.case.z
    pairs = [
        (reply.value, sign * dual_bound(p, sign * z, ambiguity))
        for ambiguity, reply, sign in sides(trace)
    ]
    return Check.equal(*np.transpose(pairs), slack=1e-7, scale=trace.width)


def inside(trace: Trace) -> Checks:
    """Measure the row: a distribution on the admissible outcomes, within the radius."""
    p = trace.case.p
    beyond = [excess(p, reply.row[None], ambiguity)[0] for ambiguity, reply, _ in sides(trace)]
    return Check.nonpositive(beyond, scale=1.0)


def attained(trace: Trace) -> Checks:
    """Multiply out: the value is the row's."""
    pairs = [(reply.value, float(reply.row @ trace.case.z)) for _, reply, _ in sides(trace)]
    return Check.equal(*np.transpose(pairs), scale=trace.width)


def ordered(trace: Trace) -> Checks:
    """Adversarial <= nominal <= cooperative: p is in every set."""
    gain = [sign * (reply.value - trace.nominal) for _, reply, sign in sides(trace)]
    return Check.nonpositive(gain, scale=trace.width)


def monotone(trace: Trace) -> Checks:
    """Compare with a larger radius, which helps nature of either kind."""
    low = [trace.wide_low[name].value - trace.low[name].value for name in trace.sets]
    high = [trace.high[name].value - trace.wide_high[name].value for name in trace.sets]
    return Check.nonpositive([*low, *high], scale=trace.width)


# ---- broken versions ----------------------------------------------------------------------------


def _nominal_rows(trace: Trace) -> dict[str, WorstCase]:
    return {name: replace(reply, row=trace.case.p) for name, reply in trace.low.items()}


CHAIN = Chain(
    id="robust_core.weak_duality",
    title="Worst-case rows and the bounds that prove them",
    source="duals of each set, derived; the setting is that of Iyengar 2005",
    statement=(
        "For every ambiguity set D around p: any choice of the dual variables bounds q.z over D"
        " from below, the best choice attains min q.z, the row that is returned is in D and has"
        " this value; min <= p.z <= max, and both move apart as the radius grows."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="distances by definition (transport by linear programming), duals in plain NumPy",
    links=(
        Link("weak", "bound <= q.z for rows q that are in the set by definition", weak_duality),
        Link("strong", "bound = value", strong_duality),
        Link("second_route", "value = max of the dual problem", second_route),
        Link("inside", "q >= 0, sum q = 1, distance(q, p) <= radius", inside),
        Link("attained", "value = q.z", attained),
        Link("ordered", "min q.z <= p.z <= max q.z", ordered),
        Link("monotone", "min q.z falls and max q.z rises with the radius", monotone),
    ),
    twins=(
        Twin(
            "without_halving",
            "an L1 ball of radius xi moves the mass xi instead of xi/2",
            run=partial(run, nature=without_halving),
            expect_link=("second_route", "inside"),
        ),
        Twin(
            "kl_sign",
            "the term lam r of the KL dual is added instead of subtracted",
            run=partial(run, nature=flipped),
            expect_link=("weak", "strong"),
        ),
        Twin(
            "signed_rows",
            "the closed forms of chi2 and L2 balls are used where they need q < 0",
            run=partial(run, nature=signed),
            expect_link=("second_route", "inside"),
        ),
        Twin(
            "any_outcome",
            "the worst outcome is sought among all although the support is the nominal one",
            run=partial(run, nature=any_outcome),
            expect_link=("second_route", "inside"),
        ),
        Twin(
            "without_bounce",
            "in the weighted L1 ball received mass never moves on",
            run=partial(run, nature=without_bounce),
            expect_link=("strong", "second_route"),
        ),
        Twin(
            "nominal_row",
            "the row that is returned is the nominal one",
            run=altered(run, low=_nominal_rows),
            expect_link="attained",
        ),
        Twin(
            "natures_swapped",
            "the adversary and the friend change places",
            run=altered(run, low=lambda trace: trace.high, high=lambda trace: trace.low),
            expect_link="ordered",
        ),
        Twin(
            "shrinking",
            "the larger radius is taken for the smaller one",
            run=altered(
                run,
                low=lambda trace: trace.wide_low,
                wide_low=lambda trace: trace.low,
            ),
            expect_link="monotone",
        ),
    ),
)
