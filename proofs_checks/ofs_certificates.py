"""What a run of optimistic feasible search certifies of itself."""

from dataclasses import replace
from functools import partial

import numpy as np

from mdptheory import algorithms
from mdptheory._typing import FloatArray
from mdptheory.algorithms.fair_bounds import log_term, stationary_bound
from mdptheory.models import GaussianBandit
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin
from mdptheory.theory.chain import Checks
from proofs_checks._bandit_oracle import ranges, rows_of
from proofs_checks._bandit_runs import (
    DELTA,
    Game,
    Replay,
    earlier,
    erred,
    game_of,
    is_small,
    named_game,
    random_game,
    run_game,
)
from proofs_checks._cases import altered

Case = Game
GOOD = ("missed",)


def sample(rng: np.random.Generator) -> Case:
    """Draw a problem; one in four has no feasible arm."""
    return random_game(rng, feasible=bool(rng.integers(4)))


def many_arms(rng: np.random.Generator) -> Case:
    """Draw the noise of fifty arms, of which one is feasible and earns less; radii a tenth."""
    reward, residual = np.full(50, 0.9), np.full((50, 1), 0.1)
    reward[0], residual[0] = 0.6, 0.0
    bandit = GaussianBandit(reward, residual, 0.25, 0.25)
    return game_of(bandit, 20_000, int(rng.integers(2**31)), radius_scale=0.1)


def hopeless(rng: np.random.Generator) -> Case:
    """Draw the noise of eight arms that all violate."""
    return named_game(int(rng.integers(2**31)), shift=0.1)


def trap(rng: np.random.Generator) -> Case:
    """Draw the noise of two arms, the better of which looks bad until it has been played."""
    bandit = GaussianBandit(
        np.array([0.8, 0.5]),
        sigma_reward=0.1,
        reward_slope=np.array([-0.6, 0.0]),
        target=np.array([0.0, 1.0]),
        inertia=0.95,
        start=1.0,
    )
    return game_of(bandit, 1_000_000, int(rng.integers(2**31)))


# ---- the sums, from counts ----------------------------------------------------------------------


def spans(game: Game) -> tuple[float, float]:
    """Return the range of rewards and the largest violation that there may be."""
    return ranges(game.bandit, rows_of(game.bandit, game.setup))


def certificates(trace: Replay, *, least: bool = True) -> FloatArray:
    """Add up min(range, 2 beta_r), and min(cap, v_lo + 2 max beta), over the rounds."""
    game = trace.case
    span, cap = spans(game)
    units = trace.unit[trace.rounds, trace.arms]
    first = np.isinf(units)
    shown = trace.least()[trace.rounds, trace.arms] if least and len(game.level) else 0.0
    width = np.where(first, np.inf, game.widths.max(initial=0.0) * np.where(first, 0.0, units))
    lost = np.minimum(span, 2 * game.scales[0] * units)
    return np.array([lost.sum(), np.minimum(cap, shown + 2 * width).sum()])


def certified(case: Case, *, least: bool = True) -> Replay:
    """Run, and certify by the sums whether or not the library would."""
    trace = run_game(case)
    return replace(trace, certificates=certificates(trace, least=least))


def in_the_loop(case: Case) -> Replay:
    """Run where arms move the state, and certify as if they did not."""
    run = algorithms.ofs(case.bandit, case.horizon, rng=case.seed)
    arms = np.asarray(run.arms, dtype=np.int64)
    counts = earlier(arms, case.bandit.n_arms)
    mean = np.zeros((*counts.shape, 1))
    account = np.array([run.regret[-1], run.violation[-1]])
    trace = Replay(
        case, arms, run.fallback_rounds, account, np.zeros(2), counts, mean, case.unit(counts)
    )
    return replace(trace, certificates=certificates(trace))


# ---- links --------------------------------------------------------------------------------------


def withheld(trace: Replay) -> Checks:
    """Expect no certificate of the regret after a fallback, and both certificates otherwise."""
    given = np.isfinite(trace.certificates).astype(float)
    wanted = np.array([float(trace.fallbacks == 0), 1.0])
    return Check.equal(given, wanted, scale=1.0)


def tracked(trace: Replay) -> Checks:
    """Compare the certificates with sums of radii by count."""
    given = np.isfinite(trace.certificates)
    mine, size = certificates(trace)[given], float(trace.case.horizon)
    return Check.equal(trace.certificates[given], mine, slack=1e-9 * size, scale=size)


def regret(trace: Replay) -> Checks:
    """Hold the regret to its certificate."""
    game, claim = trace.case, float(trace.certificates[0])
    return Check(trace.account[0], claim, trivial=game.horizon * spans(game)[0])


def when_certified(trace: Replay) -> Checks:
    """Hold the regret to its certificate where there are both: some arm must be feasible."""
    there = trace.case.feasible and np.isfinite(trace.certificates[0])
    return regret(trace) if there else ()


def violation(trace: Replay) -> Checks:
    """Hold the violation to its certificate."""
    game, claim = trace.case, float(trace.certificates[1])
    return Check(trace.account[1], claim, trivial=game.horizon * spans(game)[1])


def not_said(trace: Replay) -> Checks:
    """Claim nothing, where no bound is known in advance."""
    return ()


def never(trace: Replay) -> bool:
    """Overlook the event."""
    return False


def below(trace: Replay, *, factor: float = 1.0) -> Checks:
    """Hold certificates to the bounds known in advance, with the ranges for the worst round."""
    game = trace.case
    k, t = game.bandit.n_arms, game.horizon
    log = log_term(k, len(game.scales), t, DELTA, anytime=game.anytime)
    least = t * float(game.violations.min())
    found = []
    for claim, scale, worst, more in zip(
        trace.certificates,
        (float(game.scales[0]), float(game.widths.max(initial=0.0))),
        spans(game),
        (0.0, least),
        strict=True,
    ):
        bound = stationary_bound(
            k, t, log, scale=scale, worst=worst, radius_scale=game.radius_scale
        )
        if np.isfinite(claim):
            found.append(Check(factor * claim, bound + more, trivial=t * worst))
    return found


CHAIN = Chain(
    id="ofs.certificates",
    title="OFS-T4: a run certifies its regret and its violation, without knowing the means",
    source="derived here; the rule is that of Du, arXiv 2512.22313, of which the abstract was read",
    statement=(
        "Nothing moves, s >= 1: with probability 1 - delta, V_T <= sum of min(cap, v_lo(a_t) + 2"
        " max_m beta_m), and R_T <= sum of min(range, 2 beta_r) unless in some round nothing"
        " looked feasible (none is given then). With ranges for the worst round, neither exceeds"
        " the bound known in advance (plus T min_a v(a))."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run_game,
    admissible=is_small,
    second_route="radii of all rounds from the counts of the arms; sums of exact means",
    links=(
        Link("withheld", "no certificate of regret after a fallback, else both", withheld),
        Link("tracked", "certificates are sums of radii", tracked),
        Link("regret", "R_T <= its certificate", when_certified, unless=GOOD),
        Link("violation", "V_T <= its certificate", violation, unless=GOOD),
        Link("below", "certificate <= the bound with ranges", below, unless=GOOD),
    ),
    events=(Event("missed", "some average is further off than its radius", DELTA, erred),),
    twins=(
        Twin(
            "always",
            "the regret is certified where no arm is feasible, too",
            sample=hopeless,
            run=certified,
            expect_link="withheld",
        ),
        Twin(
            "half",
            "certificates are half of what they should be",
            run=altered(run_game, certificates=lambda trace: trace.certificates / 2),
            expect_link="tracked",
        ),
        Twin(
            "tenth",
            "radii are a tenth, on fifty arms",
            sample=many_arms,
            run=certified,
            links={"below": not_said},
            events={"missed": never},
            expect_link="violation",
        ),
        Twin(
            "no_least",
            "what an arm violates for sure is left out, on eight arms that all violate",
            sample=hopeless,
            run=partial(certified, least=False),
            expect_link="violation",
        ),
        Twin(
            "loop",
            "means move with the arm that is played",
            sample=trap,
            run=in_the_loop,
            events={"missed": never},
            expect_link="regret",
        ),
        Twin(
            "twice",
            "the bound known in advance is said to hold twice the certificate",
            links={"below": partial(below, factor=2.0)},
            expect_link="below",
        ),
    ),
)
"""Certificates are mostly a fifth to two thirds of the bound, and ten times the truth."""
