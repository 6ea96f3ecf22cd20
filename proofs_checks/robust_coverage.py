"""Sets built from counts hold all true rows at once, as often as they claim."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations

import numpy as np

from mdptheory import WorstCase, worst_case
from mdptheory._typing import BoolArray, FloatArray
from mdptheory.estimation import DataSets, sets_from_data
from mdptheory.models.ambiguity import BurgBall, L1Ball, RowAmbiguity, Support
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._robust_cases import random_weights
from proofs_checks._robust_oracles import Game, relative_entropy, robust_value
from proofs_checks._robust_twins import friendly

DELTA = 0.1
GAMMA = 0.9
TRIALS = (5, 20, 100)
LISTED = 6_000  # vectors of counts that are listed, at most
LOOKS = np.unique(np.geomspace(1, 1e8, 200).astype(np.int64))  # when an adaptive learner looks
ROUNDING = 1e-12

Nature = Callable[..., WorstCase]


@case
class Case:
    """True rows, known rewards, and how they are sampled.

    Attributes
    ----------
    P : array of shape (n_states, n_actions, n_states)
        True transition probabilities.
    reward : array of shape (n_states, n_actions)
        In [0, 1].
    trials : int
        Of each pair, fixed in advance.
    seed : int
        Of the draws.
    """

    P: FloatArray
    reward: FloatArray
    trials: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What was counted, and the sets around it.

    Attributes
    ----------
    case : Case
        The instance.
    prob : array of shape (n_pairs, n_states)
        Observed frequencies.
    l1, burg : float
        Radii of the two sets, the same for all pairs.
    support : {"nominal", "all"}
        Of the Burg set.
    drifted : array of bool of shape (n_looks,)
        Looks at a growing sample at which a true row was outside its adaptive L1 set.
    """

    case: Case
    prob: FloatArray
    l1: float
    burg: float
    support: Support
    drifted: BoolArray

    @property
    def truth(self) -> FloatArray:
        """True rows, shape (n_pairs, n_states)."""
        return self.case.P.reshape(-1, self.case.P.shape[2])

    def outside(self, name: str, prob: FloatArray, q: FloatArray) -> BoolArray:
        """Tell which rows ``q`` are not in the sets around ``prob``; they broadcast."""
        if name == "l1":
            return np.asarray(np.abs(prob - q).sum(axis=-1) > self.l1 + ROUNDING)
        out = relative_entropy(prob, q) > self.burg + ROUNDING
        if self.support == "nominal":
            out |= ((prob == 0) & (q > 0)).any(axis=-1)
        return np.asarray(out)

    def ball(self, name: str) -> RowAmbiguity:
        """Return the set of every row."""
        return L1Ball(self.l1, "all") if name == "l1" else BurgBall(self.burg, self.support)


def sample(rng: np.random.Generator) -> Case:
    """Draw any rows, or even ones, where deviations are largest, or some with rare outcomes."""
    special = rng.integers(3)
    if special < 2:
        return coins(rng) if special else rare(rng)
    n = int(rng.integers(2, 4))
    return _case(rng, np.array([random_weights(rng, n) for _ in range(n * rng.integers(1, 4))]))


def coins(rng: np.random.Generator) -> Case:
    """Draw two states whose three actions all toss a coin."""
    return _case(rng, np.full((6, 2), 0.5))


def rare(rng: np.random.Generator) -> Case:
    """Draw rows with an outcome of probability 0.02, which few data show."""
    row = np.array([0.7, 0.2, 0.08, 0.02])
    return _case(rng, np.array([rng.permutation(row) for _ in range(4 * rng.integers(1, 3))]))


def _case(rng: np.random.Generator, rows: FloatArray) -> Case:
    n = rows.shape[1]
    reward = rng.integers(0, 9, (n, len(rows) // n)).astype(np.float64) / 8
    trials, seed = int(rng.choice(TRIALS)), int(rng.integers(2**31))
    return Case(rows.reshape(n, -1, n), reward, trials, seed)


def run(case: Case, *, adaptive: bool = True) -> Trace:
    """Sample every pair, once for sets of fixed counts and once looking all the time."""
    rng = np.random.default_rng(case.seed)
    n = case.P.shape[0]
    counts = rng.multinomial(case.trials, case.P)
    sets = {kind: sets_from_data(counts, delta=DELTA, kind=kind) for kind in (L1Ball, BurgBall)}
    steps = np.diff(LOOKS, prepend=0)[:, None, None]
    grown = np.cumsum(rng.multinomial(steps, case.P), axis=0)
    apart = np.abs(grown / LOOKS[:, None, None, None] - case.P).sum(axis=3).max(axis=(1, 2))
    return Trace(
        case,
        prob=sets[L1Ball].prob.reshape(-1, n),
        l1=_one_radius(sets[L1Ball]),
        burg=_one_radius(sets[BurgBall]),
        support="all",
        drifted=apart > look_radii(n, case.P.shape[1], adaptive),
    )


def _one_radius(sets: DataSets) -> float:
    radius = np.unique(sets.radius)
    if radius.size != 1:
        raise RuntimeError(f"radii are {radius}; expected one, as all pairs were tried as often")
    return float(radius[0])


@cache
def look_radii(n: int, actions: int, adaptive: bool) -> FloatArray:
    """Return the library's L1 radii at the sizes at which the learner looks."""
    counts = np.zeros((n, actions, n))
    radii = []
    for look in LOOKS:
        counts[..., 0] = look
        sets = sets_from_data(counts, delta=DELTA, kind=L1Ball, adaptive=adaptive)
        radii.append(_one_radius(sets))
    return np.array(radii)


def admissible(case: Case) -> bool:
    """Tell whether the model is small and its rows distributions without tiny entries."""
    n = case.P.shape[0]
    fits = case.P.ndim == 3 and case.P.shape[2] == n and case.reward.shape == case.P.shape[:2]
    proper = fits and bool((np.abs(case.P.sum(axis=2) - 1) <= 1e-12).all() and (case.P >= 0).all())
    small = proper and 2 <= n <= 4 and case.P.size <= 64 and 1 <= case.trials <= 1000
    return small and bool((case.P[case.P > 0] >= 1e-3).all() and (np.abs(case.reward) <= 10).all())


# ---- the failure events -------------------------------------------------------------------------


def missed(trace: Trace, name: str) -> bool:
    """Tell whether some true row is not in its set."""
    return bool(trace.outside(name, trace.prob, trace.truth).any())


def drifts_away(trace: Trace) -> bool:
    """Tell whether at some look some true row was not in its adaptive set."""
    return bool(trace.drifted.any())


# ---- links --------------------------------------------------------------------------------------


@cache
def all_counts(trials: int, n: int) -> FloatArray:
    """List every vector of n counts with the given sum."""
    bars = np.array(list(combinations(range(trials + n - 1), n - 1)))
    edges = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), trials + n - 1)])
    return np.asarray(np.diff(edges, axis=1) - 1, dtype=np.float64)


def row_is_missed(trace: Trace, name: str) -> Iterator[Check]:
    """Add up the probabilities of all counts whose set misses a row: delta/M at most."""
    from scipy.special import comb, gammaln

    trials, n = trace.case.trials, trace.truth.shape[1]
    if comb(trials + n - 1, n - 1) > LISTED:
        return
    counts = all_counts(trials, n)
    log_ways = gammaln(trials + 1) - gammaln(counts + 1).sum(axis=1)
    for q in np.unique(trace.truth, axis=0):
        chance = np.exp(log_ways) * np.prod(q**counts, axis=1)
        out = trace.outside(name, counts / trials, q)
        yield Check(chance[out].sum(), DELTA / len(trace.truth), trivial=1.0)


def lower_bound(trace: Trace, name: str, nature: Nature = worst_case) -> Checks:
    """Act by the robust optimum of the frequencies: its robust value is no more than its value."""
    reward, ball = trace.case.reward.ravel(), trace.ball(name)
    n, actions = trace.case.reward.shape
    seen = Game(trace.prob, reward, np.repeat(np.arange(n), actions), GAMMA)
    v = robust_value(seen, ball, nature)
    policy = seen.greedy(seen.worst(ball, seen.worth(v), nature)[0])
    return Check.nonpositive(v - seen.value(trace.truth, policy), scale=1 / (1 - GAMMA))


# ---- broken versions ----------------------------------------------------------------------------


def _without_log(trace: Trace) -> tuple[float, float]:
    """Forget log(M/delta): the radii at M/delta = 1."""
    trials, n = trace.case.trials, trace.truth.shape[1]
    return float(np.sqrt(2 / trials * np.log(2.0**n - 2))), (n - 1) / trials


L1_ROW, BURG_ROW = (partial(row_is_missed, name=name) for name in ("l1", "burg"))
L1_MISSED, BURG_MISSED = (partial(missed, name=name) for name in ("l1", "burg"))

CHAIN = Chain(
    id="robust_core.coverage",
    title="Sets from data hold the true rows",
    source=(
        "Weissman et al. 2003 (L1, re-derived: Hoeffding and 2^n - 2 events); the Burg radius is"
        " Chernoff's bound from the moment bound in the abstract of Agrawal, arXiv 1904.02291"
    ),
    statement=(
        "With N draws of each of M pairs, n outcomes and L = log(M/delta): all true rows are in the"
        " L1 balls of radius sqrt(2 (log(2^n - 2) + L)/N) around the frequencies, and all are in"
        " the Burg balls {q: KL(frequencies, q) <= r}, N r - (n-1)(1 + log(N r/(n-1))) = L, each"
        " with probability 1 - delta; with log(N(N+1)) added to L, at all N at once. Then robust"
        " values are lower bounds on true ones."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="multinomial probabilities added up over all counts; distances by definition",
    links=(
        Link("l1_row", "P(a row is not in its L1 ball) <= delta/M", L1_ROW),
        Link(
            "burg_row",
            "P(a row is not in its Burg ball) <= delta/M",
            BURG_ROW,
        ),
        Link(
            "l1_value",
            "on the event, L1: v_robust(pi) <= v_true(pi)",
            partial(lower_bound, name="l1"),
            unless=("l1_missed",),
        ),
        Link(
            "burg_value",
            "on the event, Burg: v_robust(pi) <= v_true(pi)",
            partial(lower_bound, name="burg"),
            unless=("burg_missed",),
        ),
    ),
    events=(
        Event("l1_missed", "some true row is not in its L1 ball", DELTA, L1_MISSED),
        Event(
            "burg_missed",
            "some true row is not in its Burg ball",
            DELTA,
            BURG_MISSED,
        ),
        Event(
            "drifted", "at some look some true row is not in its adaptive ball", DELTA, drifts_away
        ),
    ),
    twins=(
        Twin(
            "half_radius",
            "xi/2 is taken for xi, as when the radius is a total variation",
            sample=coins,
            run=altered(run, l1=lambda trace: trace.l1 / 2),
            expect_link=("l1_row", "l1_missed"),
        ),
        Twin(
            "nominal_support",
            "the Burg ball stays on the outcomes that were seen",
            sample=rare,
            run=altered(run, support=lambda trace: "nominal"),
            expect_link=("burg_row", "burg_missed"),
        ),
        Twin(
            "without_log",
            "the term log(M/delta) is dropped",
            sample=coins,
            run=altered(
                run,
                l1=lambda trace: _without_log(trace)[0],
                burg=lambda trace: _without_log(trace)[1],
            ),
            expect_link=("l1_row", "burg_row", "l1_missed", "burg_missed"),
        ),
        Twin(
            "fixed_counts",
            "the radius for a number of trials fixed in advance is used at every look",
            sample=coins,
            run=partial(run, adaptive=False),
            expect_link="drifted",
        ),
        Twin(
            "friendly",
            "nature maximises",
            links={
                "l1_value": partial(lower_bound, name="l1", nature=friendly),
                "burg_value": partial(lower_bound, name="burg", nature=friendly),
            },
            expect_link=("l1_value", "burg_value"),
        ),
    ),
)
"""No link is tight: a sixth of delta is used at most, and less the more outcomes there are."""
