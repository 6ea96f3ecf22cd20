"""Optimistic feasible search by doubling epochs, in a closed loop: the proof on actual runs."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mdptheory.models import DemographicParity, GaussianBandit, ServiceRate
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._epoch_proof import Proof
from proofs_checks._loop_cases import (
    Loop,
    is_moderate,
    lull,
    mild_drift,
    random_loop,
    trap,
)
from proofs_checks._loop_runs import Constraints, Story, Told

DELTA, SLACK = 0.1, 1e-9
ROOT = float(np.sqrt(2.0))


@case
class Case:
    """A closed loop and what the learner is told.

    Attributes
    ----------
    env : GaussianBandit or ThresholdLoop
        The loop; a bandit's residuals are its constraints.
    tol, least : float
        Parity tolerance and service rate of a population.
    horizon : int
        Rounds T.
    first, burn : int
        Recorded rounds m0 of a first epoch, and unrecorded ones b of each.
    seed : int
        Of the run.
    """

    env: Loop
    tol: float
    least: float
    horizon: int
    first: int
    burn: int
    seed: int

    @property
    def constraints(self) -> Constraints:
        """What arms must satisfy."""
        if isinstance(self.env, GaussianBandit):
            return self.env.constraints
        return DemographicParity(self.tol), ServiceRate(self.least)

    @property
    def told(self) -> Told:
        """What the learner knows."""
        return Told(self.horizon, DELTA, self.first, self.burn)


def sample(rng: np.random.Generator) -> Case:
    """Draw short runs and long ones; one case of ten is a population."""
    first = int(rng.choice([1, 4, 16, 64]))
    burn = int(rng.choice([0, first // 2, first]))
    numbers = float(rng.choice([0.0, 0.1, 0.3])), float(rng.choice([0.0, 0.3, 0.9]))
    seed = int(rng.integers(2**31))
    if not rng.integers(10):
        return Case(random_loop(rng), *numbers, int(rng.integers(10, 600)), first, burn, seed)
    sizes = (int(rng.integers(4, 60)), 1_000, 20_000, 60_000)
    horizon = int(rng.choice(sizes, p=(0.1, 0.1, 0.4, 0.4)))
    return Case(mild_drift(rng), *numbers, horizon, first, burn, seed)


def run(case: Case, **told: Any) -> Proof:
    """Run the library; a twin is told something else than it claims to be."""
    spoken = case.told._replace(**told)
    story = Story.of(case.env, case.constraints, spoken, case.seed)
    return Proof(replace(story, told=case.told))


def admissible(case: Case) -> bool:
    """Tell whether the loop contracts and the plan is one."""
    plan = 0 <= case.burn <= case.first and case.first >= 1
    size = case.env.n_arms <= case.horizon <= 300_000
    population = not isinstance(case.env, GaussianBandit)
    small = not population or case.horizon <= 1_000  # rounds are drawn one by one
    return is_moderate(case.env) and plan and size and small


def missed(proof: Proof, *, scale: float = 1.0) -> bool:
    """Tell whether some average's noise exceeds its radius at the end of a whole epoch."""
    noise = np.abs(proof.averages(proof.noises))[:, proof.story.used]
    radius = scale * proof.radius(proof.counts[proof.whole])
    return bool((noise > radius[:, proof.story.used]).any())


# ---- links --------------------------------------------------------------------------------------


def tracked(proof: Proof) -> Iterator[Check]:
    """Compare the library's sums and bound with those by definition."""
    story = proof.story
    size = SLACK * story.told.horizon
    yield from Check.equal(story.run.violation, np.cumsum(story.violated), slack=size, scale=1.0)
    if story.feasible:
        yield from Check.equal(story.run.regret, np.cumsum(story.lost), slack=size, scale=1.0)


def biased(proof: Proof, *, share: float = 1.0) -> Checks:
    """(1) Bound the recorded drift of each epoch by B, channel by channel."""
    if proof.story.loop.is_open:
        return ()
    used = proof.story.used
    return Check.worst(np.abs(proof.drifts[:, used]), share * proof.bias[used], slack=1e-8)


def averaged(proof: Proof, *, share: float = 1.0) -> Checks:
    """(1) Bound the error of averages after e epochs by beta(N) + B e / N."""
    if not proof.whole.any():
        return ()
    used, counts = proof.story.used, proof.counts[proof.whole]
    epochs = proof.table("number")[proof.whole] + 1
    width = proof.radius(counts) + share * proof.bias * (epochs / counts)[:, None]
    error = np.abs(proof.averages(proof.drifts + proof.noises))
    return Check.worst(error[:, used], width[:, used], slack=SLACK)


def trusted(proof: Proof) -> Checks:
    """(2) Never fall back if some arm is feasible."""
    if not proof.story.feasible:
        return ()
    return Check.nonpositive(proof.story.run.fallback_rounds, scale=proof.story.told.horizon)


def chosen(proof: Proof, *, share: float = 1.0) -> Iterator[Check]:
    """(2) Bound the steady gap, and violation, of chosen arms by 2 beta(n) + 2 B e / n."""
    known, widths = proof.widths(share * proof.bias)
    if not len(known):
        return
    story, arms = proof.story, proof.table("arm")[known]
    if story.feasible:
        gaps = story.gaps(story.steady)[arms]
        yield Check.worst(gaps, 2 * widths[:, 0], slack=SLACK, trivial=proof.most_lost[0])
    excess = story.violations(story.steady)[arms] - story.least
    bound = 2 * proof.of_rows(widths)
    yield Check.worst(excess, bound, slack=SLACK, trivial=proof.most_lost[1])


def rooted(proof: Proof, *, constant: float = 1 + ROOT) -> Iterator[Check]:
    """(3) Sum r / sqrt(n) and b / sqrt(n) over epochs, and sqrt(N) over arms."""
    root, told = np.sqrt(proof.recorded), proof.story.told
    yield Check.worst(proof.over_roots(proof.table("keep")), constant * root, slack=SLACK)
    share = told.burn / told.first * (1 + constant)
    yield Check.worst(proof.over_roots(proof.table("skip")), share * root, slack=SLACK)
    yield Check(float(root.sum()), float(np.sqrt(proof.n_arms * told.horizon)), slack=SLACK)


def counted(proof: Proof, *, fewer: int = 0) -> Iterator[Check]:
    """(4) Sum e (b + r) / n over at most E epochs an arm."""
    told, most = proof.story.told, proof.most - fewer
    yield Check.worst(proof.by_arm(np.ones(len(proof.epochs))), most, slack=SLACK)
    bound = (1 + told.burn / told.first) * most * (most - 1) / 2
    yield Check.worst(proof.over_counts, bound, slack=SLACK)


def started(proof: Proof, *, burns: bool = True) -> Checks:
    """(5) Give first epochs K (b + m0) rounds."""
    told = proof.story.told
    first = (proof.table("skip") + proof.table("keep"))[proof.table("number") == 0]
    bound = proof.n_arms * (told.first + (told.burn if burns else 0))
    return Check(float(first.sum()), bound, slack=SLACK, trivial=told.horizon + 1)


def drifted(proof: Proof, *, remembers: bool = True) -> Checks:
    """(6) Bound what means differ from steady ones by l D / (1 - kappa) an epoch."""
    story = proof.story
    if story.loop.is_open:
        return ()
    away = np.abs(story.run.means - story.steady[story.run.arms])
    bound = proof.rates * (1.0 if remembers else 1.0 - story.loop.kappa)
    sums = proof.sums_over_epochs(away)
    return Check.worst(sums[:, story.used], bound[story.used], slack=1e-8)


def certified(proof: Proof, *, drifts: bool = True) -> Iterator[Check]:
    """Hold certificates above what was lost; they are those of the definition."""
    story, run = proof.story, proof.story.run
    claims = proof.certificates(drifts=drifts)
    sums = (float(story.lost.sum()) if story.feasible else 0.0, float(story.violated.sum()))
    given = (run.certificate_regret, run.certificate_violation)
    for claim, mine, total in zip(given, claims, sums, strict=True):
        if claim is not None:
            if drifts:
                yield from Check.equal(claim, mine, slack=1e-8 * (1 + mine))
            yield Check(total, mine, slack=1e-7 * (1 + mine))


def regret(proof: Proof, *, biased: bool = True) -> Checks:
    """Hold the regret to the bound."""
    story = proof.story
    if not story.feasible:
        return ()
    most = proof.most_lost[0] * story.told.horizon
    if most <= 0:
        return ()
    bound = proof.bound(0, biased=biased)
    return Check(float(story.lost.sum()), bound, slack=1e-6, trivial=most)


def violation(proof: Proof, *, biased: bool = True) -> Checks:
    """Hold the violation to the bound if some arm is feasible."""
    return _excess(proof, 0.0, biased) if proof.story.feasible else ()


def excess(proof: Proof, *, plain: bool = False) -> Checks:
    """Hold the violation beyond the least possible to the bound if no arm is feasible."""
    if proof.story.feasible:
        return ()
    return _excess(proof, 0.0 if plain else proof.story.least, True)


def _excess(proof: Proof, least: float, biased: bool) -> Checks:
    story = proof.story
    horizon = story.told.horizon
    most = (proof.most_lost[1] - least) * horizon
    if most <= 0:
        return ()
    total = float(story.violated.sum()) - least * horizon
    return Check(total, proof.bound(1, biased=biased), slack=1e-6, trivial=most)


# ---- traps --------------------------------------------------------------------------------------


def trapped(
    rng: np.random.Generator, *, inertia: float = 0.95, sigma: float = 0.1, first: int = 1
) -> Case:
    """Draw a run where the better arm looks bad as long as the other one is played."""
    return Case(trap(inertia, sigma), 0.0, 0.0, 150_000, first, 0, int(rng.integers(2**31)))


def lulled(rng: np.random.Generator) -> Case:
    """Draw a run where the better arm is feasible at first only, for long."""
    return Case(lull(), 0.0, 0.0, 60_000, 1, 0, int(rng.integers(2**31)))


def brief(rng: np.random.Generator) -> Case:
    """Draw a run of 1000 rounds, for twins that are not about its length."""
    drawn = sample(rng)
    return drawn if drawn.horizon < 1_000 else replace(drawn, horizon=1_000)


def halved(case: Case) -> Proof:
    """Report half of what was lost."""
    proof = run(case)
    story = proof.story
    sums = replace(story.run, regret=story.run.regret / 2, violation=story.run.violation / 2)
    return Proof(replace(story, run=sums))


CHAIN = Chain(
    id="ofs.epochs",
    title="OFS-T8: regret and violation of doubling epochs in a closed loop",
    source=(
        "derived here for closed-loop thresholds in the setting of Du, arXiv 2512.22313, of which"
        " only the abstract was read; union bound over epochs, OFS-T7, Cauchy-Schwarz"
    ),
    statement=(
        "E = 2 + max(0, floor(log2(T / m0))), L = ln(2 K J E / delta), B = l D kappa^b / (1 -"
        " kappa): with probability 1 - delta, sum_t [mu_inf(a*) - mu(a_t, z_t)]_+ <= K (b + m0) w"
        " + 2 sqrt2 ((1 + sqrt2) + (2 + sqrt2) b / m0) sigma sqrt(L K T) + (1 + b / m0) K B E (E -"
        " 1) + K E l D / (1 - kappa), and so is the cumulative violation of the means, beyond the"
        " least steady one if nothing is feasible. Certificates bound both from counts alone."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="epochs cut out of the arms; steady states solved for; noise drawn again",
    links=(
        Link("tracked", "sums of the run are those of the definition", tracked),
        Link("biased", "|sum of mean - mean_inf over an epoch's recorded rounds| <= B", biased),
        Link("averaged", "|average - mean_inf| <= beta(N) + B e / N", averaged, unless=("missed",)),
        Link("trusted", "no fallback if some arm is feasible", trusted, unless=("missed",)),
        Link("chosen", "steady gap, violation <= 2 beta + 2 B e / n", chosen, unless=("missed",)),
        Link("rooted", "sum r / sqrt(n) <= (1 + sqrt2) sqrt(N), sum sqrt(N) <= sqrt(K T)", rooted),
        Link("counted", "sum e (b + r) / n <= (1 + b / m0) E (E - 1) / 2", counted),
        Link("started", "first epochs take K (b + m0) rounds", started),
        Link("drifted", "sum |mean - mean_inf| <= l D / (1 - kappa) an epoch", drifted),
        Link("certified", "regret, violation <= certificates", certified, unless=("missed",)),
        Link("violation", "violation <= bound, if feasible", violation, unless=("missed",)),
        Link("excess", "violation - T v* <= bound, if infeasible", excess, unless=("missed",)),
        Link("regret", "regret <= bound, if feasible", regret, unless=("missed",)),
    ),
    events=(Event("missed", "some average errs by more than beta + bias", DELTA, missed),),
    twins=(
        Twin(
            "per_round",
            "arms are chosen anew in every round, on the trap",
            sample=trapped,
            run=partial(run, first=0),
            expect_link="regret",
        ),
        Twin(
            "no_bias",
            "bounds of 64 rounds ignore that the state had not settled, on the slow trap",
            sample=partial(trapped, inertia=0.99, first=64),
            run=partial(run, bias="none"),
            expect_link=("chosen", "regret"),
        ),
        Twin(
            "settled",
            "no state is ever said to be unsettled: B = D = 0 on the trap",
            sample=partial(trapped, sigma=1e-3),
            links={
                "averaged": partial(averaged, share=0.0),
                "chosen": partial(chosen, share=0.0),
                "certified": partial(certified, drifts=False),
                "regret": partial(regret, biased=False),
            },
            expect_link=("averaged", "chosen", "certified", "regret"),
        ),
        Twin(
            "lull",
            "the same for the violation, where the better arm is feasible at first only",
            sample=lulled,
            links={"violation": partial(violation, biased=False)},
            expect_link="violation",
        ),
        Twin("unsummed", "sums are half of what they are", run=halved, expect_link="tracked"),
        Twin(
            "half_bias",
            "an epoch is claimed to err by B / 2",
            links={"biased": partial(biased, share=0.5)},
            expect_link="biased",
        ),
        Twin(
            "narrow",
            "radii are a twentieth",
            run=partial(run, radius_scale=0.05),
            expect_link="trusted",
        ),
        Twin(
            "quarter",
            "a quarter of the radius is claimed to be missed as rarely",
            sample=brief,
            events={"missed": partial(missed, scale=0.25)},
            expect_link="missed",
        ),
        Twin(
            "two",
            "the constant 1 + sqrt2 is claimed to be 2",
            links={"rooted": partial(rooted, constant=2.0)},
            expect_link="rooted",
        ),
        Twin(
            "whole_only",
            "E does not count the epoch that is cut",
            links={"counted": partial(counted, fewer=1)},
            expect_link="counted",
        ),
        Twin(
            "no_burn",
            "first epochs are claimed to take K m0 rounds",
            links={"started": partial(started, burns=False)},
            expect_link="started",
        ),
        Twin(
            "forgets",
            "leaving a steady state is claimed to cost one round",
            links={"drifted": partial(drifted, remembers=False)},
            expect_link="drifted",
        ),
        Twin(
            "absolute",
            "all violation is claimed to be bounded, feasible or not",
            links={"excess": partial(excess, plain=True)},
            expect_link="excess",
        ),
    ),
)
"""Bounds use a tenth or less; the steps before them are tight but for constants."""
