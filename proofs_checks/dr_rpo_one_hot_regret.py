"""An explicit regret bound of the online learner where each state and action has its factor."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms import OnlineResult
from mdptheory.models import LinearMDP, TVBall
from mdptheory.theory import Chain, Check, Event, Link, Provenance, RateClaim, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._one_hot import (
    Episodes,
    ball_widths,
    chance_room,
    is_one_hot,
    one_hot_model,
    regret_bound,
)
from proofs_checks._soft_oracles import Setting, soft_plan
from proofs_checks._soft_runs import learn

DELTA = 0.1
EPISODES = (50, 200, 500)
GRID = (1_000.0, 4_000.0, 16_000.0)
SLACK = 1e-8


@case
class Case:
    """A one-hot model with a fail state, and what the learner is told.

    Attributes
    ----------
    mdp : LinearMDP
        One factor a state and action; the last state fails.
    radius : float
        Of the TV ball around each factor.
    tau : float
        Temperature; the reference is uniform.
    episodes : int
        How long it learns.
    seed : int
        Of the run.
    """

    mdp: LinearMDP
    radius: float
    tau: float
    episodes: int
    seed: int

    @property
    def told(self) -> Setting:
        """What the learner is told; ridge 1."""
        uniform = np.full(self.mdp.reward.shape, 1.0 / self.mdp.n_actions)
        return Setting(TVBall(self.radius), self.tau, uniform, self.episodes, delta=DELTA)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A run of the library, and all its episodes by the slow route.

    Attributes
    ----------
    case : Case
        The instance.
    result : OnlineResult
        The library's, with all policies.
    seen : Episodes
        Values, laws and standard errors.
    optimum : float
        Best value at the start.
    bound : float
        The right side.
    """

    case: Case
    result: OnlineResult
    seen: Episodes
    optimum: float
    bound: float

    @property
    def beta(self) -> FloatArray:
        """Multipliers of the widths of each episode, shape (K, H)."""
        return ball_widths(self.case.mdp, self.seen.log_det[:-1], self.case.episodes, DELTA)

    @property
    def applies(self) -> bool:
        """Whether every policy values the fail state, and no other one, least at every step."""
        v = self.seen.v
        return bool((v[..., -1] <= v.min(axis=2)).all() and not self.seen.tied.any())


def sample(rng: np.random.Generator) -> Case:
    """Draw a model with two to four states and two or three steps."""
    n_states, horizon = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    mdp = one_hot_model(rng, n_states=n_states, horizon=horizon)
    radius, tau = float(rng.choice([0.1, 0.2, 0.5])), float(rng.choice([0.05, 0.2, 1.0]))
    return Case(mdp, radius, tau, int(rng.choice(EPISODES)), int(rng.integers(2**31)))


def brief(rng: np.random.Generator) -> Case:
    """Draw a run of two episodes, for twins that are not about runs."""
    return replace(sample(rng), episodes=2)


def run(case: Case, *, blind: bool = False) -> Trace:
    """Learn, and look at every episode; a twin has no widths."""
    mdp = case.mdp
    result = learn(mdp, case.told, case.seed, blind=blind, keep=True)
    states, actions = np.asarray(result.data.states), np.asarray(result.data.actions)
    seen = Episodes.of(mdp, case.radius, case.tau, result.policies, states, actions)
    truth = soft_plan(mdp, TVBall(case.radius), case.tau, case.told.reference)
    return Trace(case, result, seen, float(truth.v[0, 0]), regret_bound(mdp, seen.log_det, DELTA))


def admissible(case: Case) -> bool:
    """Tell whether the instance is one-hot, starts in state 0, and is small."""
    small = case.mdp.phi.size <= 400 and case.mdp.horizon <= 4 and 2 <= case.episodes <= 2000
    known = 0 < case.radius <= 1 and 0.02 <= case.tau <= 10
    return small and known and is_one_hot(case.mdp) and bool(case.mdp.start[0] == 1)


# ---- the failure events -------------------------------------------------------------------------


def missed(trace: Trace) -> bool:
    """Tell whether some estimate of some episode errs by more than its width."""
    return not bool(np.asarray(trace.result.event).all())


def unlucky(trace: Trace) -> bool:
    """Tell whether in some step the standard errors expected exceed those met by too much."""
    expected = trace.seen.expected(trace.result.policies)
    excess = (expected - trace.seen.met).sum(axis=0)[:-1]
    return bool((excess > chance_room(trace.case.mdp, trace.case.episodes, DELTA)).any())


def never(trace: Trace) -> bool:
    """Overlook the event."""
    return False


# ---- links --------------------------------------------------------------------------------------


def tracked(trace: Trace) -> Checks:
    """Compare regrets with the slow ones, and certificates of episodes where nature is not torn."""
    lost = trace.optimum - trace.seen.v[:, 0, 0]
    errors = trace.seen.expected(trace.result.policies, worst=True)
    claims = 2 * (trace.beta * errors).sum(axis=1)
    claims = np.where(trace.seen.tied, trace.result.certificate, claims)
    size = 1.0 + float(claims.max())
    return (
        *Check.equal(trace.result.regret, lost, slack=SLACK, scale=1.0),
        *Check.equal(trace.result.certificate, claims, slack=SLACK * size, scale=size),
    )


def potential(trace: Trace, *, factor: float = 2.0) -> Checks:
    """Hold the squared standard errors met to 2 log det(Lambda^{K+1})."""
    met = (trace.seen.met**2).sum(axis=0)
    live = np.maximum(trace.seen.log_det[-1], 1e-3)
    return Check.nonpositive(met - factor * trace.seen.log_det[-1], scale=live)


def dominated(trace: Trace, *, nominal: bool = True) -> Checks:
    """Certificate_k <= 2 sum_h beta^k_h E^{pi_k, P0}[standard error]."""
    if not trace.applies:
        return ()
    errors = trace.seen.expected(trace.result.policies, worst=False)
    claims = 2 * (trace.beta * (errors if nominal else trace.seen.met)).sum(axis=1)
    size = 1.0 + float(claims.max())
    room = SLACK * size
    return Check.nonpositive(trace.result.certificate - claims, scale=size, slack=room)


def certified(trace: Trace) -> Checks:
    """Regret <= sum of the certificates, at every number of episodes."""
    lost, claims = (np.cumsum(getattr(trace.result, x)) for x in ("regret", "certificate"))
    return Check.nonpositive(lost - claims, scale=np.maximum(claims, 1e-3), slack=1e-7)


def no_less(trace: Trace) -> Checks:
    """Expect at least 4 beta^1_1 (sqrt(K+1) - 1) of the certificates: k visits, at most, so far."""
    least = 4 * trace.beta[0, 0] * (np.sqrt(trace.case.episodes + 1.0) - 1)
    return Check.at_least(float(trace.result.certificate.sum()), least)


def bounded(trace: Trace, *, root: bool = True) -> Checks:
    """Hold the certificates to the explicit bound."""
    if not trace.applies:
        return ()
    bound = trace.bound if root else trace.bound / np.sqrt(trace.case.episodes)
    return Check(float(trace.result.certificate.sum()), bound)


def regret(trace: Trace, *, logarithmic: bool = False) -> Checks:
    """Hold the regret to the explicit bound; below some 2e4 episodes it says nothing."""
    if not trace.applies:
        return ()
    bound = np.log(trace.case.episodes) if logarithmic else trace.bound
    most = float(trace.case.episodes * trace.case.mdp.horizon)
    return Check(float(trace.result.regret.sum()), bound, trivial=most)


# ---- rates --------------------------------------------------------------------------------------


def run_of(rng: np.random.Generator, size: float, every: int) -> tuple[Case, OnlineResult]:
    """Run one instance: four states, three steps, radius and temperature 0.2."""
    mdp = one_hot_model(np.random.default_rng(0))
    case = Case(mdp, 0.2, 0.2, int(size), int(rng.integers(2**31)))
    return case, learn(mdp, case.told, case.seed, every=every)


def certificates(rng: np.random.Generator, size: float) -> float:
    """Sum the certificates of a run, from one episode in eight."""
    return float(8 * run_of(rng, size, 8)[1].certificate.sum())


def explicit(rng: np.random.Generator, size: float) -> float:
    """Compute the bound after a run."""
    case, result = run_of(rng, size, int(size))
    visits = np.diagonal(np.asarray(result.state.gram), axis1=1, axis2=2)
    last = np.log(visits).sum(axis=1)
    return regret_bound(case.mdp, np.broadcast_to(last, (int(size) + 1, len(last))), DELTA)


def linear(rng: np.random.Generator, size: float) -> float:
    """Lose as much in every episode."""
    return size


CHAIN = Chain(
    id="dr_rpo.one_hot_regret",
    title="DR-RPO (reconstruction): an explicit regret bound for one-hot features",
    source=(
        "derived here for the setting of Gu, He, Liu and Xu, arXiv 2510.14246, whose theorems were"
        " not seen; self-normalised inequality, elliptical potential, Azuma-Hoeffding"
    ),
    statement=(
        "One-hot features, ridge g >= 1, TV balls, a fail state that every V^{pi_k} values least:"
        " with probability 1 - 2 delta, Regret(K) <= sum of certificates <= 2 sum_h beta^K_h"
        " (sqrt(2 K log det(Lambda^{K+1}_h/g)) + sqrt(K log((H-1)/delta)/(2 g))), about K^0.6 on"
        " 1e3 to 1.6e4 episodes, logarithms included. With four states, three steps, delta = 0.1 it"
        " is below the trivial K H only beyond 2e4 episodes."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="all episodes at once: values, laws of the state and visits by the definitions",
    links=(
        Link("tracked", "regret and certificates are those of the slow route", tracked),
        Link("potential", "sum_k phi' Lambda^-1 phi <= 2 log det(Lambda^{K+1}/g)", potential),
        Link("dominated", "certificate <= 2 sum_h beta_h E^{pi, P0}[phi sqrt(D)]", dominated),
        Link("certified", "Regret <= sum of certificates", certified, unless=("missed",)),
        Link("no_less", "sum of certificates >= 4 beta^1_1 (sqrt(K+1) - 1)", no_less),
        Link("bounded", "sum of certificates <= bound", bounded, unless=("unlucky",)),
        Link("regret", "Regret <= bound", regret, unless=("missed", "unlucky")),
    ),
    events=(
        Event("missed", "some estimate errs by more than its width", DELTA, missed),
        Event(
            "unlucky", "standard errors expected exceed those met by Azuma's room", DELTA, unlucky
        ),
    ),
    rates=(
        RateClaim(
            "certificates",
            "sum of certificates ~ K^0.5, logs apart",
            0.5,
            GRID,
            certificates,
            6,
            0.1,
        ),
        RateClaim("bound", "the bound ~ K^0.5, logs apart", 0.5, GRID, explicit, 6, 0.18),
    ),
    twins=(
        Twin(
            "one",
            "log det is claimed, without the factor 2",
            links={"potential": partial(potential, factor=1.0)},
            expect_link="potential",
        ),
        Twin(
            "met",
            "the widths that were met stand for those expected",
            links={"dominated": partial(dominated, nominal=False)},
            expect_link="dominated",
        ),
        Twin(
            "blind",
            "beta = 0",
            run=partial(run, blind=True),
            events={"missed": never},
            expect_link=("certified", "no_less", "tracked"),
        ),
        Twin(
            "no_root",
            "the bound lacks sqrt(K)",
            links={"bounded": partial(bounded, root=False)},
            expect_link="bounded",
        ),
        Twin(
            "logarithmic",
            "log K is claimed to bound the regret",
            links={"regret": partial(regret, logarithmic=True)},
            expect_link="regret",
        ),
        Twin(
            "linear",
            "nothing is learned",
            sample=brief,
            rates={"certificates": linear, "bound": linear},
            expect_link=("certificates", "bound"),
        ),
        Twin(
            "another_optimum",
            "the regret is that against half the optimum",
            run=altered(run, optimum=lambda trace: trace.optimum / 2),
            expect_link="tracked",
        ),
    ),
)
"""Certificates use two fifths of the bound; the regret a hundredth or less."""
