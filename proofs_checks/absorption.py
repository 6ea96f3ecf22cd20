"""Total reward until absorption: the weights prove the policy proper, and then the bounds hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import TypeVar

import numpy as np

from mdptheory import BoundsCertificate, TabularMDP, TotalReward, solve
from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates import check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import absorbing_states
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import Arm, altered, build, is_small
from proofs_checks._oracles import (
    all_policies,
    as_floats,
    best_proper,
    chosen_rows,
    count_steps,
    exact_backup,
    exact_rows,
    exact_total,
    is_proper,
)

ONE = Fraction(1)
Checker = Callable[[BoundsCertificate, TabularMDP], float]
T = TypeVar("T")


@case
class Case:
    """A claim about a stochastic shortest path, true or forged; only the last state absorbs.

    Attributes
    ----------
    mdp : TabularMDP
        A model with total reward; none is positive, unless every policy ends.
    policy : array of int of shape (n_states,)
        The policy that the claim is about.
    lower, upper, weights : array of shape (n_states,)
        The claimed bounds, and the claimed proof that the policy is absorbed.
    """

    mdp: TabularMDP
    policy: IntArray
    lower: FloatArray
    upper: FloatArray
    weights: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The checker's verdict beside the truth.

    Attributes
    ----------
    case : Case
        The instance.
    accepted : bool
        Whether the checker accepted the claim.
    float_tolerance : float or None
        What the checker's float mode adds to the bounds, None if it refused the claim.
    proper : bool
        Whether the policy reaches the last state from everywhere.
    steps, v_policy : list of Fraction or None
        Expected steps to absorption, and value, of a proper policy.
    v_star : list of Fraction
        Best value of all proper policies.
    """

    case: Case
    accepted: bool
    float_tolerance: float | None
    proper: bool
    steps: list[Fraction] | None
    v_policy: list[Fraction] | None
    v_star: list[Fraction]

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return float(max(np.max(np.abs(self.case.upper - self.case.lower)), 1.0))


# ---- cases --------------------------------------------------------------------------------------


def sample(rng: np.random.Generator) -> Case:
    """Draw a claim: true with room, with one number moved, or about a walk in circles."""
    inner, leaky = int(rng.integers(1, 4)), bool(rng.integers(2))
    mdp = _random_path(rng, inner, leaky=leaky)
    policy = np.array(
        [
            rng.choice(mdp.action[i:j])
            for i, j in zip(mdp.choice_ptr, mdp.choice_ptr[1:], strict=False)
        ]
    )
    chosen = chosen_rows(mdp, policy)
    if not is_proper(chosen):
        room = float(rng.integers(1, 4))
        here = np.array([room] * inner + [0.0])
        lower = here if rng.integers(2) else -10.0 * here
        return Case(mdp, policy, lower, np.zeros(inner + 1), here * 4)
    v_star, longest = best_proper(mdp)
    steps, room = as_floats(count_steps(chosen)), float(rng.choice([1e-6, 0.25]))
    lower = as_floats(exact_total(chosen)) - room * steps
    upper = as_floats(v_star) + room * as_floats(longest) if leaky else np.zeros(inner + 1)
    if rng.integers(6) == 0:
        upper = lower + 2 * room * steps  # the policy's own value: not enough unless optimal
    state = int(rng.integers(inner + 1))
    excess = 2 * room * float(steps.max()) * (rng.integers(3) == 0)
    lower[state] += excess * int(rng.integers(2))
    upper[state] -= excess * int(rng.integers(2))
    return Case(mdp, policy, lower, upper, 2.0 * steps)


def _random_path(rng: np.random.Generator, inner: int, *, leaky: bool) -> TabularMDP:
    """Draw costs in quarters; each first action (all if leaky) may end in the last state.

    If all policies end, rewards may be positive too.
    """
    table: list[list[Arm]] = []
    for _ in range(inner):
        arms: list[Arm] = []
        for a in range(int(rng.integers(1, 4))):
            weights = rng.integers(0, 3, inner + 1)
            weights[-1] = 1 if leaky or a == 0 else 0
            weights[rng.integers(inner)] += 1
            cost = int(rng.integers(-4 if leaky else 0, 5) * rng.integers(0, 2))
            arms.append((weights.tolist(), 0.0 - cost / 4))
        table.append(arms)
    return build([*table, [([0] * inner + [1], 0.0)]], TotalReward())


def exactly(certificate: BoundsCertificate, mdp: TabularMDP) -> float:
    """Ask the library's checker in exact mode for its bound on the loss."""
    return check(certificate, mdp, exact=True).policy_loss


def in_float_mode(certificate: BoundsCertificate, mdp: TabularMDP) -> float:
    """Ask the library's checker in float mode for its tolerance."""
    return check(certificate, mdp).tolerance


def run(case: Case, *, checker: Checker = exactly, float_checker: Checker = in_float_mode) -> Trace:
    """Ask the checker, then compute the truth without it."""
    claim = BoundsCertificate(TotalReward(), case.lower, case.upper, case.policy, case.weights)
    chosen = chosen_rows(case.mdp, case.policy)
    proper = is_proper(chosen)
    return Trace(
        case,
        accepted=_ask(lambda: checker(claim, case.mdp)) is not None,
        float_tolerance=_ask(lambda: float_checker(claim, case.mdp)),
        proper=proper,
        steps=count_steps(chosen) if proper else None,
        v_policy=exact_total(chosen) if proper else None,
        v_star=best_proper(case.mdp)[0],
    )


def _ask(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except InvalidCertificateError:
        return None


def admissible(case: Case) -> bool:
    """Tell whether only the last state absorbs, no circle pays, and enumeration is affordable."""
    mdp, ends = case.mdp, absorbing_states(case.mdp)
    if not isinstance(mdp.objective, TotalReward) or not ends[-1] or ends.sum() != 1:
        return False
    leaves = np.add.reduceat(mdp.prob * (mdp.next_state == mdp.n_states - 1), mdp.row_ptr[:-1]) > 0
    return bool((mdp.reward <= 0).all() or leaves.all()) and is_small(mdp, case.lower, case.upper)


# ---- links --------------------------------------------------------------------------------------


def _order(trace: Trace, low: Sequence[Fraction], high: Sequence[Fraction]) -> Check:
    excess = [float(a - b) for a, b in zip(low, high, strict=True)]
    return Check.nonpositive(excess, scale=trace.width, slack=0.0)


def _fractions(values: FloatArray) -> list[Fraction]:
    return [Fraction(x) for x in values.tolist()]


def proper_policy(trace: Trace) -> Checks:
    """Accept no policy that may walk for ever: w >= 1 + Q 1 + .. + Q^n 1 for every n."""
    return Check(float(not trace.proper), 0.0, slack=0.0, scale=1.0) if trace.accepted else ()


def counts_steps(trace: Trace) -> Checks:
    """Bound the expected steps to absorption by the weights."""
    if not trace.accepted or trace.steps is None:
        return ()
    return _order(trace, trace.steps, _fractions(trace.case.weights))


def lower_bound(trace: Trace) -> Checks:
    """Iterate T_policy from below: lower <= v_policy."""
    if not trace.accepted or trace.v_policy is None:
        return ()
    return _order(trace, _fractions(trace.case.lower), trace.v_policy)


def feasible(trace: Trace) -> Checks:
    """No proper policy beats the optimum: v_policy <= v*."""
    return () if trace.v_policy is None else _order(trace, trace.v_policy, trace.v_star)


def upper_bound(trace: Trace) -> Checks:
    """Iterate T from above: v* <= upper."""
    if not trace.accepted:
        return ()
    return _order(trace, trace.v_star, _fractions(trace.case.upper))


def in_floats(trace: Trace) -> Checks:
    """Float mode: lower - tolerance <= v_policy and v* <= upper + tolerance, where it is finite."""
    if trace.float_tolerance is None or not np.isfinite(trace.float_tolerance):
        return ()
    if trace.v_policy is None:
        return Check(1.0, 0.0, slack=0.0, scale=1.0)  # a finite tolerance for an improper policy
    extra = Fraction(trace.float_tolerance)
    return (
        _order(trace, [x - extra for x in _fractions(trace.case.lower)], trace.v_policy),
        _order(trace, trace.v_star, [x + extra for x in _fractions(trace.case.upper)]),
    )


def library(trace: Trace, *, count: bool = True) -> Checks:
    """Hold the library's value to the best proper policy, and its certificate to the truth."""
    solution = solve(trace.case.mdp, tol=1e-6)
    claim, v_star = solution.certificate, as_floats(trace.v_star)
    equal = Check.equal(solution.v, v_star, slack=1e-8, scale=trace.width)
    if claim.absorption is None:
        return equal
    if not count:
        claim = replace(claim, absorption=np.ones_like(claim.absorption))
    refused = _ask(lambda: exactly(claim, trace.case.mdp)) is None
    own = exact_total(chosen_rows(trace.case.mdp, claim.policy))
    return (
        *equal,
        Check(float(refused), 0.0, slack=0.0, scale=1.0),
        _order(trace, _fractions(claim.lower), own),
        _order(trace, trace.v_star, _fractions(claim.upper)),
    )


# ---- broken checkers ----------------------------------------------------------------------------


def broken_check(
    certificate: BoundsCertificate,
    mdp: TabularMDP,
    *,
    weights: bool = True,
    end: bool = True,
    every_row: bool = True,
) -> float:
    """Check in fractions, but without the weights, the absorbing state, or some rows of T."""
    assert certificate.absorption is not None
    lower, upper = _fractions(certificate.lower), _fractions(certificate.upper)
    w, chosen = _fractions(certificate.absorption), chosen_rows(mdp, certificate.policy)
    fails = end and (lower[-1] > 0 or upper[-1] < 0)
    for s, rows in enumerate(exact_rows(mdp)[:-1]):
        own = chosen[s]
        fails |= lower[s] > exact_backup(own, ONE, lower)
        asked = rows if every_row else [own]
        fails |= any(upper[s] < exact_backup(row, ONE, upper) for row in asked)
        fails |= weights and (w[s] < 0 or w[s] < exact_backup(own._replace(reward=ONE), ONE, w))
    if fails:
        raise InvalidCertificateError("some inequality fails")
    return certificate.gap


def run_halved(case: Case) -> Trace:
    """Claim a quarter of the weights, before a checker that does not look at them."""
    weak = replace(case, weights=case.weights / 4)
    return run(weak, checker=partial(broken_check, weights=False))


def worst_proper(trace: Trace) -> list[Fraction]:
    """Value of the worst proper policy: a wrong reference for the optimum."""
    mdp = trace.case.mdp
    every = [chosen_rows(mdp, policy) for policy in all_policies(mdp)]
    values = [exact_total(chosen) for chosen in every if is_proper(chosen)]
    return [min(x) for x in zip(*values, strict=True)]


def no_end_in_floats(certificate: BoundsCertificate, mdp: TabularMDP) -> float:
    """Do not look at the absorbing state, and report no tolerance."""
    broken_check(certificate, mdp, end=False)
    return 0.0


CHAIN = Chain(
    id="planning.absorption",
    title="Absorption weights make the bounds of a total reward sound",
    source="after Bertsekas and Tsitsiklis 1991; proof in mdptheory.certificates",
    statement=(
        "If w >= 1 + P_policy w, w >= 0 off the absorbing states, the policy is absorbed within w"
        " expected steps; then lower <= T_policy lower and upper >= T upper there, with lower <= 0"
        " <= upper on the absorbing states, give lower <= v_policy <= v* <= upper, v* the best"
        " value of a policy that is absorbed."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="every policy: absorbed or not by search, its value and steps by elimination",
    links=(
        Link("proper", "an accepted policy is absorbed from everywhere", proper_policy),
        Link("steps", "expected steps <= w", counts_steps),
        Link("lower", "lower <= v_policy", lower_bound),
        Link("feasible", "v_policy <= v*", feasible),
        Link("upper", "v* <= upper", upper_bound),
        Link("in_floats", "float mode: true up to its reported tolerance", in_floats),
        Link("library", "solve finds v*, and its certificate is true", library),
    ),
    twins=(
        Twin(
            "no_weights",
            "the checker does not ask for the weights",
            run=partial(run, checker=partial(broken_check, weights=False)),
            expect_link="proper",
        ),
        Twin(
            "no_end",
            "the checker does not look at the absorbing state",
            run=partial(run, checker=partial(broken_check, end=False)),
            expect_link="lower",
        ),
        Twin(
            "policy_rows_only",
            "the upper bound is checked on the policy's rows only",
            run=partial(run, checker=partial(broken_check, every_row=False)),
            expect_link="upper",
        ),
        Twin(
            "quarter_weights",
            "half of the expected steps pass for weights",
            run=run_halved,
            expect_link="steps",
        ),
        Twin(
            "no_end_in_floats",
            "float mode does not look at the absorbing state",
            run=partial(run, float_checker=no_end_in_floats),
            expect_link="in_floats",
        ),
        Twin(
            "wrong_reference",
            "the value of the worst proper policy stands for the optimum",
            run=altered(run, v_star=worst_proper),
            expect_link="feasible",
        ),
        Twin(
            "one_step",
            "the solver's certificate claims absorption in one step",
            links={"library": partial(library, count=False)},
            expect_link="library",
        ),
    ),
)
"""Tight: bounds 1e-6 steps from the truth; weights are twice the expected steps."""
