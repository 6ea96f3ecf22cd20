"""How often optimistic feasible search plays each arm that it should not."""

from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms.fair_bounds import log_term, logarithmic_violation_bound, pull_bound
from mdptheory.models import GaussianBandit
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin
from mdptheory.theory.chain import Checks
from proofs_checks._bandit_runs import (
    DELTA,
    Game,
    Replay,
    erred,
    game_of,
    is_small,
    random_game,
    run_game,
    totals,
)

Case = Game
GOOD = ("missed",)


def sample(rng: np.random.Generator) -> Case:
    """Draw a problem with a feasible arm; half the best arms sit on a limit."""
    return random_game(rng)


def violator(rng: np.random.Generator) -> Case:
    """Draw the noise of an arm that earns more and violates, beside one on its limit."""
    bandit = GaussianBandit(np.array([0.9, 0.5]), np.array([[0.2], [0.0]]), 0.25, 0.25)
    return game_of(bandit, 50_000, int(rng.integers(2**31)))


def two_arms(rng: np.random.Generator) -> Case:
    """Draw the noise of two feasible arms that earn 0.5 and 0.6."""
    bandit = GaussianBandit(np.array([0.5, 0.6]), np.full((2, 1), -0.1), 0.25, 0.25)
    return game_of(bandit, 50_000, int(rng.integers(2**31)))


def admissible(case: Case) -> bool:
    """Tell whether some arm is feasible, and the game is small."""
    return is_small(case) and case.feasible


def log_of(game: Game) -> float:
    """L at the horizon."""
    k, c = game.bandit.n_arms, len(game.scales)
    return log_term(k, c, game.horizon, DELTA, anytime=game.anytime)


# ---- links --------------------------------------------------------------------------------------


def needed(trace: Replay, *, factor: float = 2.0) -> Checks:
    """Expect a gap of at most twice the radius whenever an arm is played again."""
    room = factor * trace.case.scales[0] * trace.chosen(trace.unit)
    lost = trace.case.gaps[trace.arms[trace.again]]
    return Check.nonpositive(lost - room, scale=room) if room.size else ()


def needed_of_each(trace: Replay, *, factor: float = 2.0) -> Checks:
    """Expect each residual to be at most twice its own radius whenever an arm is played again."""
    room = factor * trace.chosen(trace.unit)[:, None] * trace.case.widths
    found = trace.case.residuals[trace.arms[trace.again]]
    return Check.nonpositive(found - room, scale=room) if room.size else ()


def pulls(trace: Replay, *, log: bool = True) -> Checks:
    """Hold the number of pulls of each arm to 1 + 8 s^2 L min (scale / gap)^2."""
    game = trace.case
    bound = pull_bound(
        game.gaps,
        game.residuals,
        log_of(game) if log else 1.0,
        scale=float(game.scales[0]),
        scales=game.widths,
        radius_scale=game.radius_scale,
    )
    count: FloatArray = np.bincount(trace.arms, minlength=game.bandit.n_arms).astype(float)
    return Check.worst(count, bound, trivial=float(game.horizon - game.bandit.n_arms + 1))


def violation(trace: Replay, *, log: bool = True) -> Checks:
    """Hold the cumulative violation to what grows like a logarithm."""
    game = trace.case
    bound = logarithmic_violation_bound(
        game.violations,
        log_of(game) if log else 1.0,
        scale=float(game.widths.max(initial=0.0)),
        radius_scale=game.radius_scale,
    )
    worst = game.horizon * float(game.violations.max())
    return Check(float(totals(game, trace.arms)[1, -1]), bound, trivial=worst)


CHAIN = Chain(
    id="ofs.pulls",
    title="OFS-T2: arms that earn less or violate are played O(log T) times",
    source="derived here; the rule is that of Du, arXiv 2512.22313, of which the abstract was read",
    statement=(
        "Some arm is feasible, s >= 1: with probability 1 - delta every arm is played at most 1 + 8"
        " s^2 L min((sigma_r / Delta)^2, min_m (sigma_m / g_m)^2) times, so that the violations sum"
        " up to at most sum over v(a) > 0 of v(a) + 8 s^2 sigma_g^2 L / v(a)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run_game,
    admissible=admissible,
    second_route="counts of the arms; gaps and residuals from the means",
    links=(
        Link("needed", "Delta(a) <= 2 beta_r(n) at the next pull", needed, unless=GOOD),
        Link(
            "needed_of_each",
            "g_m(a) <= 2 beta_m(n) at the next pull, each m",
            needed_of_each,
            unless=GOOD,
        ),
        Link("pulls", "N(a) <= 1 + 8 s^2 L min (sigma / gap)^2", pulls, unless=GOOD),
        Link("violation", "V_T <= sum of v + 8 s^2 sigma_g^2 L / v", violation, unless=GOOD),
    ),
    events=(Event("missed", "some average is further off than its radius", DELTA, erred),),
    twins=(
        Twin(
            "ucb",
            "constraints are ignored, on an arm that earns more and violates",
            sample=violator,
            run=partial(run_game, rule="ucb"),
            expect_link=("needed_of_each", "pulls", "violation"),
        ),
        Twin(
            "greedy",
            "average rewards stand for upper bounds, on two arms",
            sample=two_arms,
            run=partial(run_game, rule="greedy"),
            expect_link=("needed", "pulls"),
        ),
        Twin(
            "once",
            "one radius is said to be enough, not two",
            links={
                "needed": partial(needed, factor=1.0),
                "needed_of_each": partial(needed_of_each, factor=1.0),
            },
            expect_link=("needed", "needed_of_each"),
        ),
        Twin(
            "no_log",
            "the bounds lack the logarithm",
            links={"pulls": partial(pulls, log=False), "violation": partial(violation, log=False)},
            expect_link=("pulls", "violation"),
        ),
    ),
)
"""The sharpest of them: some arm is played half as often as it may be, and more."""
