"""The constants that `certify` claims of a closed loop hold at every state that it can reach."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import GaussianBandit, LoopConstants
from mdptheory.operators import certify, loop_means, loop_step
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._loop_cases import (
    Loop,
    inside,
    is_moderate,
    moved,
    places,
    random_drift,
    random_loop,
    seen,
    settled,
)

Certifier = Callable[[Loop], LoopConstants]
ROUNDING = 1e-12


@case
class Case:
    """A closed loop and two places in its box.

    Attributes
    ----------
    env : GaussianBandit or ThresholdLoop
        The loop.
    where : array of shape (2, 3)
        Places in the unit cube, which stands for the box.
    arm : int
        What is played.
    """

    env: Loop
    where: FloatArray
    arm: int


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Where two states lead and what is seen there.

    Attributes
    ----------
    case : Case
        The instance.
    claimed : LoopConstants
        Under test.
    states, after : array of shape (2, d)
        The places, and the next states by the library.
    means : array of shape (2, C)
        Of the arm, by the library.
    """

    case: Case
    claimed: LoopConstants
    states: FloatArray
    after: FloatArray
    means: FloatArray

    @property
    def apart(self) -> float:
        """Distance of the two states, in the largest coordinate."""
        return float(np.abs(self.states[0] - self.states[1]).max())

    @property
    def rests(self) -> FloatArray:
        """Steady states of all arms, solved for."""
        return np.array([settled(self.case.env, k) for k in range(self.case.env.n_arms)])


def sample(rng: np.random.Generator) -> Case:
    """Draw a loop of a population, or in one case of four a drifting bandit."""
    env: Loop = random_loop(rng) if rng.integers(4) else random_drift(rng)
    ends = (0, env.n_arms - 1, int(rng.integers(env.n_arms)))
    arm = ends[int(rng.integers(3))]
    return Case(env, places(rng, 2), arm)


def run(case: Case, *, certifier: Certifier = certify) -> Trace:
    """Certify, move both states, and look."""
    claimed = certifier(case.env)
    states = inside(claimed, case.where)
    after = np.array([loop_step(case.env, z, case.arm) for z in states])
    means = np.array([loop_means(case.env, z)[case.arm] for z in states])
    return Trace(case, claimed, states, after, means)


def admissible(case: Case) -> bool:
    """Tell whether the loop contracts and the places are in the cube."""
    cube = bool(((case.where >= 0) & (case.where <= 1)).all()) and case.where.shape == (2, 3)
    return is_moderate(case.env) and cube and 0 <= case.arm < case.env.n_arms


# ---- links --------------------------------------------------------------------------------------


def defined(trace: Trace) -> Iterator[Check]:
    """Compare dynamics and means with the definitions."""
    env, arm = trace.case.env, trace.case.arm
    for z, after, means in zip(trace.states, trace.after, trace.means, strict=True):
        yield from Check.equal(after, moved(env, z, arm), slack=ROUNDING, scale=1.0)
        yield from Check.equal(means, seen(env, z, arm), slack=ROUNDING, scale=1.0)


def a_priori(trace: Trace, *, lever: float = 2.0) -> Checks:
    """Bound kappa by the strengths alone; the bound is below 1 if c1 + c0 < 1 and 2 c_p < 1."""
    env = trace.case.env
    if isinstance(env, GaussianBandit) or trace.claimed.is_open:
        return ()
    d = env.dynamics
    rows = [1 - d.eta_q * (1 - d.c1 - d.c0)] if d.eta_q else []
    rows += [1 - d.eta_p * (1 - lever * d.c_p)] if d.eta_p else []
    return Check(trace.claimed.kappa, max(rows), slack=ROUNDING, trivial=1.0)


def contracts(trace: Trace) -> Checks:
    """Bound |F(z) - F(z')| by kappa |z - z'|."""
    if trace.claimed.is_open:
        return ()
    distance = float(np.abs(trace.after[0] - trace.after[1]).max())
    return Check(distance, trace.claimed.kappa * trace.apart, slack=ROUNDING, trivial=trace.apart)


def stays(trace: Trace) -> Checks:
    """Keep the box: start, steady states, and where its points are moved to."""
    if trace.claimed.is_open:
        return ()
    points = np.vstack([trace.case.env.start_state[None], trace.rests, trace.after])
    low, high = trace.claimed.box.T
    return Check.nonpositive(
        np.maximum(low - points, points - high), scale=trace.claimed.diameter, slack=ROUNDING
    )


def within(trace: Trace) -> Checks:
    """Bound |z - z_inf(a)| by D for every arm."""
    if trace.claimed.is_open:
        return ()
    distance = np.abs(trace.states[:, None] - trace.rests).max(axis=-1)
    return Check.worst(distance, trace.claimed.diameter, slack=ROUNDING)


def lipschitz(trace: Trace) -> Checks:
    """Bound |mean(z) - mean(z')| by lipschitz |z - z'|, channel by channel."""
    if trace.claimed.is_open:
        return ()
    change = np.abs(trace.means[0] - trace.means[1])
    return Check.worst(change, trace.claimed.lipschitz * trace.apart, slack=ROUNDING)


# ---- broken versions ----------------------------------------------------------------------------


def without_c0(env: Loop) -> LoopConstants:
    """Forget what accepting the bad does to kappa."""
    found = certify(env)
    if isinstance(env, GaussianBandit) or found.is_open:
        return found
    d, s = env.dynamics, env.survival
    spread = float(np.abs(s[:, 1] - s[:, 0]).sum(axis=0).max()) if d.eta_q else 0.0
    rows = [1 - d.eta_q * (1 - d.c1 * float(s[:, 1].max()))] if d.eta_q else []
    rows += [1 - d.eta_p * (1 - d.c_p * spread)] if d.eta_p else []
    return replace(found, kappa=max(rows))


def last_arm_only(env: Loop) -> LoopConstants:
    """Take the box of the last arm for that of all."""
    if isinstance(env, GaussianBandit):
        last = replace(env, target=np.full(env.n_arms, env.target[-1]))
        return certify(last)
    return replace(
        certify(env),
        box=certify(replace(env, survival=np.repeat(env.survival[..., -1:], env.n_arms, 2))).box,
    )


def half_as_wide(env: Loop) -> LoopConstants:
    """Take the distance to the middle of the box for D."""
    found = certify(env)
    return replace(found, diameter=found.diameter / 2)


def blind_to_shares(env: Loop) -> LoopConstants:
    """Forget that reward and service depend on p, or halve the slopes of a bandit."""
    found = certify(env)
    if isinstance(env, GaussianBandit):
        return replace(found, lipschitz=found.lipschitz / 2)
    if not env.dynamics.eta_q:
        return replace(found, lipschitz=0.0 * found.lipschitz)
    still = certify(replace(env, dynamics=replace(env.dynamics, eta_p=0.0)))
    return replace(found, lipschitz=still.lipschitz)


def astray(case: Case) -> Trace:
    """Move states by the arm after the one that is played."""
    trace = run(case)
    other = (case.arm + 1) % case.env.n_arms
    return replace(trace, after=np.array([moved(case.env, z, other) for z in trace.states]))


CHAIN = Chain(
    id="ofs.constants",
    title="OFS-T9: certified constants of a closed loop",
    source=(
        "derived here for closed-loop thresholds in the setting of Du, arXiv 2512.22313, of which"
        " only the abstract was read; the dynamics are ours"
    ),
    statement=(
        "In sup norm |F(z, a) - F(z', a)| <= kappa |z - z'| with kappa = max(1 - eta_q (1 - max(c1"
        " S1 + c0 S0)), 1 - eta_p + eta_p c_p max(|S1_A - S0_A| + |S1_B - S0_B|)), below 1 if c1 +"
        " c0 < 1 and 2 c_p < 1; the box of start, fixed points and corner targets is never left;"
        " its longest side is D; means are Lipschitz with the largest row sums at its corners."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="dynamics and means by the definitions, steady states solved for",
    links=(
        Link("defined", "one round is as defined", defined),
        Link("a_priori", "kappa <= max(1 - eta_q (1 - c1 - c0), 1 - eta_p (1 - 2 c_p))", a_priori),
        Link("contracts", "|F(z, a) - F(z', a)| <= kappa |z - z'|", contracts),
        Link("stays", "no arm leaves the box, and all steady states are in it", stays),
        Link("within", "|z - z_inf(a)| <= D", within),
        Link("lipschitz", "|mean(z, a) - mean(z', a)| <= lipschitz |z - z'|", lipschitz),
    ),
    twins=(
        Twin("astray", "the next arm's dynamics", run=astray, expect_link="defined"),
        Twin(
            "one_lever",
            "c_p < 1 is claimed to suffice: one group's rates count",
            links={"a_priori": partial(a_priori, lever=1.0)},
            expect_link="a_priori",
        ),
        Twin(
            "no_c0",
            "kappa lacks c0 S0",
            run=partial(run, certifier=without_c0),
            expect_link="contracts",
        ),
        Twin(
            "last_arm",
            "the box is that of the last arm",
            run=partial(run, certifier=last_arm_only),
            expect_link="stays",
        ),
        Twin(
            "half",
            "D is half the longest side",
            run=partial(run, certifier=half_as_wide),
            expect_link="within",
        ),
        Twin(
            "blind",
            "the reward's derivative in p is dropped",
            run=partial(run, certifier=blind_to_shares),
            expect_link="lipschitz",
        ),
    ),
)
