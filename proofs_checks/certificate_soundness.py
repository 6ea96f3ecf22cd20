"""What the independent checker accepts is true, in rational arithmetic, of this very model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np

from mdptheory import BoundsCertificate, TabularMDP, solve
from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates import check
from mdptheory.errors import InvalidCertificateError
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, is_plain, random_mdp, random_policy, reward_span
from proofs_checks._oracles import (
    as_floats,
    exact_backup,
    exact_policy_iteration,
    exact_policy_value,
    exact_rows,
)

Checker = Callable[[BoundsCertificate, TabularMDP], float]


@case
class Case:
    """A claim about a model, true or forged.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    policy : array of int of shape (n_states,)
        The policy that the claim is about.
    lower, upper : array of shape (n_states,)
        The claimed bounds.
    """

    mdp: TabularMDP
    policy: IntArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The checker's verdicts beside the truth.

    Attributes
    ----------
    case : Case
        The instance.
    accepted : bool
        Whether the checker (exact mode) accepted the claim.
    loss : float
        The bound on ``v* - v_policy`` that it then gave.
    float_tolerance : float or None
        What the checker's float mode adds to the bounds, None if it refused the claim.
    v_policy, v_star : list of Fraction
        The two values, exactly.
    """

    case: Case
    accepted: bool
    loss: float
    float_tolerance: float | None
    v_policy: list[Fraction]
    v_star: list[Fraction]

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return reward_span(self.case.mdp) / (1 - self.case.mdp.gamma) + 1.0

    @property
    def lower(self) -> list[Fraction]:
        """The claimed lower bound as fractions."""
        return [Fraction(x) for x in self.case.lower.tolist()]

    @property
    def upper(self) -> list[Fraction]:
        """The claimed upper bound as fractions."""
        return [Fraction(x) for x in self.case.upper.tolist()]


def sample(rng: np.random.Generator) -> Case:
    """Draw a claim: true with room; or a bound moved in one state, a lot or a hair; or both wrong.

    A third of the claims are about a policy that is not optimal, with the optimal policy's bounds.
    """
    mdp = random_mdp(rng)
    v_star, best, _ = exact_policy_iteration(mdp)
    policy = np.array(best) if rng.integers(3) else random_policy(rng, mdp)
    own = as_floats(v_star if rng.integers(4) == 0 else exact_policy_value(mdp, policy))
    room = float(rng.choice([1e-9, 1e-4, 0.25]))
    lower, upper = own - room, as_floats(v_star) + room
    if rng.integers(5) < 2:
        excess = room + room * float(rng.choice([1e-7, 0.5, 3.0]))
        state = rng.integers(mdp.n_states)
        if rng.integers(2):
            lower[state] += excess
        else:
            upper[state] -= excess
    return Case(mdp, policy, lower, upper)


def exactly(certificate: BoundsCertificate, mdp: TabularMDP) -> float:
    """Ask the library's checker in exact mode for its bound on the loss."""
    return check(certificate, mdp, exact=True).policy_loss


def in_float_mode(certificate: BoundsCertificate, mdp: TabularMDP) -> float:
    """Ask the library's checker in float mode for its tolerance."""
    return check(certificate, mdp).tolerance


def run(case: Case, *, checker: Checker = exactly, float_checker: Checker = in_float_mode) -> Trace:
    """Ask the checker, then compute the truth without it."""
    mdp = case.mdp
    claim = BoundsCertificate(mdp.objective, case.lower, case.upper, case.policy)
    loss = _ask(lambda: checker(claim, mdp))
    return Trace(
        case,
        accepted=loss is not None,
        loss=np.inf if loss is None else loss,
        float_tolerance=_ask(lambda: float_checker(claim, mdp)),
        v_policy=exact_policy_value(mdp, case.policy),
        v_star=exact_policy_iteration(mdp)[0],
    )


def _ask(question: Callable[[], float]) -> float | None:
    try:
        return question()
    except InvalidCertificateError:
        return None


def admissible(case: Case) -> bool:
    """Tell whether the case is small and moderate, whatever its numbers."""
    return is_plain(case.mdp, case.lower, case.upper)


# ---- links: about accepted claims, without any slack --------------------------------------------


def _order(trace: Trace, low: Sequence[Fraction], high: Sequence[Fraction]) -> Check:
    excess = [float(a - b) for a, b in zip(low, high, strict=True)]
    return Check.nonpositive(excess, scale=trace.width, slack=0.0)


def inequalities(trace: Trace) -> Checks:
    """Look again: lower <= T_policy lower and upper >= T upper, in fractions."""
    if not trace.accepted:
        return ()
    mdp, gamma = trace.case.mdp, Fraction(trace.case.mdp.gamma)
    table = exact_rows(mdp)
    own = [
        exact_backup(next(row for row in rows if row.action == int(a)), gamma, trace.lower)
        for rows, a in zip(table, trace.case.policy, strict=True)
    ]
    best = [max(exact_backup(row, gamma, trace.upper) for row in rows) for rows in table]
    return _order(trace, trace.lower, own), _order(trace, best, trace.upper)


def lower_bound(trace: Trace) -> Checks:
    """Iterate T_policy from below: lower <= v_policy."""
    return _order(trace, trace.lower, trace.v_policy) if trace.accepted else ()


def feasible(trace: Trace) -> Checks:
    """No policy beats the optimum: v_policy <= v*."""
    return _order(trace, trace.v_policy, trace.v_star)


def upper_bound(trace: Trace) -> Checks:
    """Iterate T from above: v* <= upper."""
    return _order(trace, trace.v_star, trace.upper) if trace.accepted else ()


def loss(trace: Trace) -> Checks:
    """Bound v* - v_policy by the loss that the checker reports."""
    if not trace.accepted:
        return ()
    true = [float(a - b) for a, b in zip(trace.v_star, trace.v_policy, strict=True)]
    most = reward_span(trace.case.mdp) / (1 - trace.case.mdp.gamma)
    return Check(max(true), trace.loss, slack=0.0, trivial=max(most, 1e-12))


def in_floats(trace: Trace) -> Checks:
    """Float mode: lower - tolerance <= v_policy and v* <= upper + tolerance."""
    if trace.float_tolerance is None:
        return ()
    extra = Fraction(trace.float_tolerance)
    return (
        _order(trace, [x - extra for x in trace.lower], trace.v_policy),
        _order(trace, trace.v_star, [x + extra for x in trace.upper]),
    )


def library(trace: Trace, *, room: bool = True) -> Checks:
    """Prove the library's own certificate exactly, and find the truth within it."""
    solution = solve(trace.case.mdp, tol=1e-3)
    claim = solution.certificate
    if not room:
        claim = replace(claim, lower=solution.v, upper=solution.v)
    refused = _ask(lambda: exactly(claim, trace.case.mdp)) is None
    own = exact_policy_value(trace.case.mdp, claim.policy)
    return (
        _order(trace, [Fraction(x) for x in claim.lower.tolist()], own),
        _order(trace, trace.v_star, [Fraction(x) for x in claim.upper.tolist()]),
        Check(claim.gap, 2e-3),
        Check(float(refused), 0.0, slack=0.0, scale=1.0),
    )


# ---- broken checkers ----------------------------------------------------------------------------


def broken_check(
    certificate: BoundsCertificate,
    mdp: TabularMDP,
    *,
    skip: int = 0,
    best_action: bool = False,
    tolerance: Fraction = Fraction(0),
) -> float:
    """Check the two inequalities in fractions, but with something left out.

    ``skip`` states are not looked at, the lower bound may use any action instead of the policy's,
    and violations up to ``tolerance`` pass.
    """
    gamma = Fraction(mdp.gamma)
    lower = [Fraction(x) for x in certificate.lower.tolist()]
    upper = [Fraction(x) for x in certificate.upper.tolist()]
    for s, rows in enumerate(exact_rows(mdp)[skip:], start=skip):
        mine = [row for row in rows if best_action or row.action == int(certificate.policy[s])]
        if lower[s] > max(exact_backup(row, gamma, lower) for row in mine) + tolerance:
            raise InvalidCertificateError(f"lower[{s}] fails")
        if upper[s] < max(exact_backup(row, gamma, upper) for row in rows) - tolerance:
            raise InvalidCertificateError(f"upper[{s}] fails")
    return float(max(b - a for a, b in zip(lower, upper, strict=True)))


def broken_floats(certificate: BoundsCertificate, mdp: TabularMDP) -> float:
    """Let violations up to 1e-3 pass and report no tolerance."""
    broken_check(certificate, mdp, tolerance=Fraction(1, 1000))
    return 0.0


def first_actions(trace: Trace) -> list[Fraction]:
    """Value of the policy of first actions: a wrong reference for the optimum."""
    mdp = trace.case.mdp
    return exact_policy_value(mdp, mdp.action[mdp.choice_ptr[:-1]])


CHAIN = Chain(
    id="planning.certificate",
    title="What the certificate checker accepts is true",
    source="Puterman 1994, section 6.2 (monotone contractions); proof in mdptheory.certificates",
    statement=(
        "If lower <= T_policy lower and upper >= T upper, verified in rational arithmetic, then"
        " lower <= v_policy <= v* <= upper without any tolerance."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="both values by elimination and policy iteration in rational arithmetic",
    links=(
        Link("inequalities", "lower <= T_policy lower, upper >= T upper", inequalities),
        Link("lower", "lower <= v_policy", lower_bound),
        Link("feasible", "v_policy <= v*", feasible),
        Link("upper", "v* <= upper", upper_bound),
        Link("loss", "v* - v_policy <= the reported loss", loss),
        Link("in_floats", "float mode: true up to its reported tolerance", in_floats),
        Link("library", "solve's certificate is accepted and true", library),
    ),
    twins=(
        Twin(
            "skips_a_state",
            "the checker does not look at state 0",
            run=partial(run, checker=partial(broken_check, skip=1)),
            expect_link=("inequalities", "lower", "upper", "loss"),
        ),
        Twin(
            "any_action",
            "the lower bound is checked with the best action, not the policy's",
            run=partial(run, checker=partial(broken_check, best_action=True)),
            expect_link=("inequalities", "lower"),
        ),
        Twin(
            "tolerance",
            "violations up to 1e-3 pass",
            run=partial(run, checker=partial(broken_check, tolerance=Fraction(1, 1000))),
            expect_link=("inequalities", "lower", "upper"),
        ),
        Twin(
            "float_tolerance",
            "float mode lets 1e-3 pass and reports no tolerance",
            run=partial(run, float_checker=broken_floats),
            expect_link="in_floats",
        ),
        Twin(
            "wrong_reference",
            "the value of the first actions stands for the optimum",
            run=altered(run, v_star=first_actions),
            expect_link="feasible",
        ),
        Twin(
            "no_room",
            "the solver's certificate puts both bounds on its value",
            links={"library": partial(library, room=False)},
            expect_link="library",
        ),
    ),
)
"""Tight: bounds 1e-9 from the truth, and forged claims that are wrong by 1e-16."""
