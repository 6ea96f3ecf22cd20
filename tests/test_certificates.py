"""The checker against optimal values in rational arithmetic, and against tampered claims."""

import ast
import itertools
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mdptheory import certificates
from mdptheory.certificates import Verified, _arithmetic, bounds, check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import (
    BoundsCertificate,
    Discounted,
    FiniteHorizon,
    TabularMDP,
    TotalReward,
    absorbing_states,
)

MODES = pytest.mark.parametrize("exact", [False, True])
READINGS = ("stored", "divided")


# ---- the second route: enumerate policies, solve each in Fractions ------------------------------


def row(mdp, k, reading):
    """Probabilities by successor and the expected reward of row k, as Fractions."""
    span = range(mdp.row_ptr[k], mdp.row_ptr[k + 1])
    p = {int(mdp.next_state[i]): Fraction(float(mdp.prob[i])) for i in span}
    total = sum(p.values()) if reading == "divided" else Fraction(1)
    p = {t: value / total for t, value in p.items()}
    if mdp.transition_reward is None:
        return p, Fraction(float(mdp.reward[k]))
    paid = {int(mdp.next_state[i]): Fraction(float(mdp.transition_reward[i])) for i in span}
    return p, sum(p[t] * paid[t] for t in p)


def solve_linear(A, b):
    """Gauss-Jordan in Fractions; None if singular."""
    rows, n = [[*a, c] for a, c in zip(A, b, strict=True)], len(b)
    for i in range(n):
        pivot = next((k for k in range(i, n) if rows[k][i] != 0), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for k in range(n):
            if k != i:
                factor = rows[k][i]
                rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    return [r[n] for r in rows]


def policy_value(mdp, rows, reading):
    """Exact value of the policy that picks ``rows``; None if it is not proper."""
    ends = absorbing_states(mdp) if isinstance(mdp.objective, TotalReward) else ()
    live = [s for s in range(mdp.n_states) if not (len(ends) and ends[s])]
    index = {s: i for i, s in enumerate(live)}
    A = [[Fraction(int(i == j)) for j in range(len(live))] for i in range(len(live))]
    b, successors = [], {}
    for s in live:
        p, r = row(mdp, rows[s], reading)
        b.append(r)
        successors[s] = p
        for t, probability in p.items():
            if t in index:
                A[index[s]][index[t]] -= Fraction(mdp.gamma) * probability
    if len(ends) and not reaches_end(successors):
        return None
    solved = solve_linear(A, b)
    return [solved[index[s]] if s in index else Fraction(0) for s in range(mdp.n_states)]


def reaches_end(successors):
    good = set()
    for _ in successors:
        good |= {
            s for s, p in successors.items() if any(t not in successors or t in good for t in p)
        }
    return len(good) == len(successors)


def all_policies(mdp):
    return itertools.product(
        *(range(mdp.choice_ptr[s], mdp.choice_ptr[s + 1]) for s in range(mdp.n_states))
    )


def exact_optimum(mdp, reading="stored"):
    """Return v* and an optimal policy's action ids by enumeration."""
    values = {rows: policy_value(mdp, rows, reading) for rows in all_policies(mdp)}
    values = {rows: v for rows, v in values.items() if v is not None}
    v_star = [max(v[s] for v in values.values()) for s in range(mdp.n_states)]
    best = next(rows for rows, v in values.items() if v == v_star)
    return v_star, np.array([mdp.action[k] for k in best])


def as_floats(fractions):
    return np.array([float(x) for x in fractions])


# ---- models and sound claims --------------------------------------------------------------------

P_DYADIC = [
    [[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]],
    [[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]],
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
]
R_DYADIC = [[1.0, 0.0], [0.5, 2.0], [0.0, 0.25]]


def discounted(**options):
    return TabularMDP.from_dense(
        P_DYADIC, R_DYADIC, 0.5, state_names=["inn", "road", "goal"], **options
    )


def claim_for(mdp, width=1e-6):
    v_star, policy = exact_optimum(mdp)
    v = as_floats(v_star)
    return BoundsCertificate(mdp.objective, v - width, v + width, policy)


def to_goal():
    """A walk to state 2; action 1 of state 0 stays for ever at a reward of 0."""
    return TabularMDP.from_dense(
        [
            [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]],
            [[0.25, 0.25, 0.5], [0.0, 0.5, 0.5]],
            [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]],
        ],
        [[-1.0, 0.0], [-1.0, -2.0], [0.0, 0.0]],
        objective=TotalReward(),
        state_names=["inn", "road", "goal"],
    )


def goal_claim():
    # policy 0: w0 = 2 + w1 and w1 = (1 + w0 / 4) / 0.75, so w0 = 5, w1 = 3, and v = -w
    v = np.array([-5.0, -3.0, 0.0])
    return BoundsCertificate(
        TotalReward(), v, v.copy(), np.zeros(3, int), np.array([5.0, 3.0, 0.0])
    )


def three_stages(**options):
    return TabularMDP.from_dense(
        P_DYADIC,
        R_DYADIC,
        objective=FiniteHorizon(3, gamma=0.5, terminal=[0.0, 1.0, -1.0]),
        state_names=["inn", "road", "goal"],
        **options,
    )


def induction(mdp):
    """Backward induction with numpy on dyadic data, where every step is exact."""
    objective = mdp.objective
    P, r = mdp.to_dense()
    stage_data = [(P, r)] * objective.horizon if mdp.n_stages == 1 else list(zip(P, r, strict=True))
    v, policy = [np.zeros(mdp.n_states) if objective.terminal is None else objective.terminal], []
    for P_h, r_h in reversed(stage_data):
        q = r_h + objective.gamma * P_h @ v[0]
        v.insert(0, q.max(axis=1))
        policy.insert(0, q.argmax(axis=1))
    return BoundsCertificate(objective, np.array(v), np.array(v), np.array(policy))


# ---- sound claims are accepted ------------------------------------------------------------------


@MODES
def test_widened_optimum_is_accepted_and_described(exact):
    mdp = discounted()
    verified = check(claim_for(mdp), mdp, exact=exact)
    assert isinstance(verified, Verified)
    assert verified.exact is exact
    assert verified.checked_rows == mdp.n_rows
    assert verified.gap == pytest.approx(2e-6)
    assert verified.gap > 2e-6 - 1e-15
    assert verified.tolerance == 0.0  # the width leaves room for every rounding
    assert verified.policy_loss == verified.gap


def test_exact_optimum_of_dyadic_data_is_its_own_proof():
    mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.5], [0.5]], 0.5)
    v = np.array([7.0 / 3.0, 1.0])  # not a float: refused below
    claim = BoundsCertificate(
        mdp.objective, np.array([2.0, 1.0]), np.array([3.0, 1.0]), np.zeros(2, int)
    )
    assert check(claim, mdp, exact=True).gap == pytest.approx(1.0)
    assert check(replace(claim, lower=v, upper=v), mdp).tolerance > 0.0
    with pytest.raises(InvalidCertificateError, match=r"(upper|lower)\[0\] is 2\.33"):
        check(replace(claim, lower=v, upper=v), mdp, exact=True)
    mdp = TabularMDP.from_dense([[[0.0, 1.0]], [[0.0, 1.0]]], [[1.5], [0.5]], 0.5)
    v = np.array([2.0, 1.0])
    claim = BoundsCertificate(mdp.objective, v, v, np.zeros(2, int))
    assert check(claim, mdp, exact=True) == Verified(0.0, True, 2, 0.0)


def test_float_mode_reports_what_rounding_may_hide():
    mdp = discounted()
    v_star, policy = exact_optimum(mdp)
    v = as_floats(v_star)
    verified = check(BoundsCertificate(mdp.objective, v, v, policy), mdp)
    assert 0.0 < verified.tolerance < 1e-13
    assert verified.gap == 0.0
    assert verified.policy_loss >= 2 * verified.tolerance
    for s in range(3):
        assert abs(Fraction(float(v[s])) - v_star[s]) <= Fraction(verified.tolerance)


def test_gap_is_rounded_up():
    mdp = discounted()
    claim = claim_for(mdp, width=0.1)
    true_gap = max(
        Fraction(float(u)) - Fraction(float(w))
        for u, w in zip(claim.upper, claim.lower, strict=True)
    )
    assert Fraction(check(claim, mdp, exact=True).gap) >= true_gap


def test_gap_is_rounded_up_where_the_difference_is_not_a_float():
    mdp = TabularMDP.from_dense([[[1.0]]], [[0.0]], 0.5)
    claim = BoundsCertificate(
        mdp.objective, np.array([-(2.0**-60)]), np.array([1.0]), np.zeros(1, int)
    )
    assert claim.upper - claim.lower == 1.0  # rounded down
    assert check(claim, mdp, exact=True).gap > 1.0


def test_what_rounding_hides_adds_up_over_the_stages():
    tolerances = []
    for horizon in (1, 50):
        mdp = TabularMDP.from_dense(
            [[[1.0]]], [[0.0]], objective=FiniteHorizon(horizon, 1.0, [1.0])
        )
        tolerances.append(check(induction(mdp), mdp).tolerance)
    assert 0.0 < 49 * tolerances[0] < tolerances[1] < 52 * tolerances[0]


@MODES
def test_finite_horizon_stationary_and_staged(exact):
    mdp = three_stages()
    verified = check(induction(mdp), mdp, exact=exact)
    assert verified.checked_rows == 3 * mdp.n_rows
    assert verified.tolerance < 1e-12
    staged = TabularMDP.from_dense(
        [P_DYADIC, P_DYADIC[::-1], P_DYADIC],
        [R_DYADIC, R_DYADIC, R_DYADIC[::-1]],
        objective=FiniteHorizon(3),
    )
    assert check(induction(staged), staged, exact=exact).checked_rows == staged.n_rows


@MODES
def test_total_reward(exact):
    mdp = to_goal()
    v_star, policy = exact_optimum(mdp)
    assert as_floats(v_star).tolist() == [-5.0, -3.0, 0.0]
    assert policy[:2].tolist() == [0, 0]
    verified = check(goal_claim(), mdp, exact=exact)
    assert verified.checked_rows == 4  # the absorbing state's rows need no inequality
    assert verified.tolerance == (0.0 if exact else math.inf)


def test_total_reward_in_floats_with_room_to_round():
    mdp = TabularMDP.from_dense(
        [[[0.5, 0.5], [0.9, 0.1]], [[0.0, 1.0], [0.0, 1.0]]],
        [[-1.0, -1.0], [0.0, 0.0]],
        objective=TotalReward(),
    )
    claim = BoundsCertificate(
        TotalReward(),
        np.array([-2.1, 0.0]),
        np.array([-1.9, 0.0]),
        np.zeros(2, int),
        np.array([2.1, 0.0]),
    )
    assert check(claim, mdp).tolerance == 0.0


@MODES
def test_ragged_actions_and_reward_per_transition(exact):
    mdp = TabularMDP(
        choice_ptr=[0, 1, 3],
        action=[4, 0, 7],
        row_ptr=[0, 2, 3, 5],
        next_state=[0, 1, 1, 0, 1],
        prob=[0.1, 0.9, 1.0, 0.3, 0.7],
        reward=[0.1 * 2.0 - 0.9, 0.5, 0.3 * -1.0 + 0.7 * 3.0],
        transition_reward=[2.0, -1.0, 0.5, -1.0, 3.0],
        objective=Discounted(0.9),
        n_states=2,
    )
    claim = claim_for(mdp, width=1e-9)
    assert claim.policy.tolist() == [4, 7]
    assert check(claim, mdp, exact=exact).tolerance == 0.0


def test_float_rounding_grows_with_the_magnitudes_and_huge_numbers_are_refused():
    mdp = TabularMDP.from_dense([[[1.0]]], [[1e300]], 0.999)
    v = np.array([1e303])
    claim = BoundsCertificate(mdp.objective, v * 0.999, v * 1.001, np.zeros(1, int))
    assert check(claim, mdp).tolerance == 0.0
    huge = BoundsCertificate(mdp.objective, v * 0.999, np.array([1.7e308]), np.zeros(1, int))
    check(huge, mdp, exact=True)
    mdp = TabularMDP.from_dense([[[1.0]]], [[1.7e308]], 0.999)
    for exact in (False, True):
        with pytest.raises(InvalidCertificateError, match=r"upper\[0\] is 1\.7e\+308, less than"):
            check(huge, mdp, exact=exact)


def test_float_row_sums_are_bounded_from_above():
    rng = np.random.default_rng(0)
    for n in range(1, 12):
        P = rng.random((n, 20, n))
        mdp = TabularMDP.from_dense(P, np.zeros((n, 20)), 0.5, normalize=True)
        exact = _arithmetic.Exact(mdp).largest_row_sum()
        assert exact <= _arithmetic.Float(mdp).largest_row_sum() <= exact + Fraction(1, 2**46)
    # 1 + 3 * 2**-54 is not a float: the computed sum is lower
    mdp = TabularMDP.from_dense([[[1.0, 3 * 2.0**-55]], [[0.0, 1.0]]], [[0.0], [0.0]], 0.5)
    assert _arithmetic.Float(mdp).largest_row_sum() > _arithmetic.Exact(mdp).largest_row_sum() > 1


def test_many_blocks_of_rows(monkeypatch):
    mdp = discounted()
    v = as_floats(exact_optimum(mdp)[0])
    tight = replace(claim_for(mdp), lower=v, upper=v)
    whole = check(tight, mdp).tolerance
    monkeypatch.setattr(bounds, "BLOCK", 1)
    assert check(tight, mdp).tolerance == whole > 0.0
    assert check(claim_for(mdp), mdp).checked_rows == mdp.n_rows
    tampered = replace(claim_for(mdp), upper=claim_for(mdp).upper - [0.0, 0.0, 1e-4])
    with pytest.raises(InvalidCertificateError, match=r"upper\[\d \("):
        check(replace(tampered, lower=tampered.lower - 1.0), mdp)


# ---- tampered claims are refused, with the place ------------------------------------------------


def refused(claim, mdp, exact, text):
    with pytest.raises(InvalidCertificateError, match=text):
        check(claim, mdp, exact=exact)


def changed(array, index, value):
    copy = np.array(array)
    copy[index] = value
    return copy


@MODES
@pytest.mark.parametrize("state", [0, 1, 2])
def test_one_bound_moved_at_one_state(exact, state):
    mdp = discounted()
    claim = claim_for(mdp)
    label = rf"\[{state} \({mdp.state_names[state]}\)\]"
    high = changed(claim.lower, state, claim.lower[state] + 1.9e-6)
    refused(
        replace(claim, lower=high),
        mdp,
        exact,
        rf"lower{label} is [\d.]+, more than one Bellman step with action \d, [\d.]+, by \d",
    )
    low = changed(claim.upper, state, claim.upper[state] - 1.9e-6)
    refused(
        replace(claim, upper=low),
        mdp,
        exact,
        rf"upper{label} is [\d.]+, less than one Bellman step with action \d, [\d.]+, by \d",
    )


@MODES
def test_suboptimal_action_at_one_state(exact):
    mdp = discounted()
    claim = claim_for(mdp)
    for s in range(3):
        worse = changed(claim.policy, s, 1 - claim.policy[s])
        label = rf"lower\[{s} \({mdp.state_names[s]}\)\]"
        refused(
            replace(claim, policy=worse), mdp, exact, label + r".* with action " + str(worse[s])
        )


@MODES
def test_malformed_claims(exact):
    mdp = discounted()
    claim = claim_for(mdp)
    nan = changed(claim.upper, 1, np.nan)
    refused(replace(claim, upper=nan), mdp, exact, r"upper\[1 \(road\)\] is nan; expected a finite")
    inf = changed(claim.lower, 2, -np.inf)
    refused(
        replace(claim, lower=inf), mdp, exact, r"lower\[2 \(goal\)\] is -inf; expected a finite"
    )
    refused(
        replace(claim, lower=claim.upper, upper=claim.lower),
        mdp,
        exact,
        r"lower\[0 \(inn\)\] is [\d.]+, more than upper, [\d.]+ \(3 of 3 states fail\)",
    )
    refused(
        replace(claim, lower=claim.lower[:2]),
        mdp,
        exact,
        r"lower has shape \(2,\); expected \(3,\)",
    )
    refused(
        replace(claim, upper=claim.upper.astype(np.float32)), mdp, exact, r"upper has dtype float32"
    )
    refused(
        replace(claim, objective=Discounted(0.25)),
        mdp,
        exact,
        r"gamma=0\.25.*objective is.*gamma=0\.5",
    )
    refused(replace(claim, objective=TotalReward()), mdp, exact, "TotalReward.*Discounted")


@MODES
def test_malformed_policies(exact):
    mdp = discounted(action_names=["stay", "go"])
    claim = claim_for(mdp)
    refused(
        replace(claim, policy=np.array([0, 5, 0])),
        mdp,
        exact,
        r"policy\[1\] is 5: action 5 is not available in state 1 \(road\)",
    )
    refused(
        replace(claim, policy=np.array([0, -1, 0])),
        mdp,
        exact,
        r"policy\[1\] is -1: action -1 is not",
    )
    refused(
        replace(claim, policy=np.zeros(3)), mdp, exact, r"policy has shape \(3,\) and dtype float64"
    )
    refused(replace(claim, policy=np.zeros((3, 1), int)), mdp, exact, r"policy has shape \(3, 1\)")


@MODES
def test_tampered_finite_horizon(exact):
    mdp = three_stages()
    claim = induction(mdp)
    refused(
        replace(
            claim,
            upper=changed(claim.upper, (1, 1), claim.upper[1, 1] - 1e-9) + 0.0,
            lower=claim.lower - 1.0,
        ),
        mdp,
        exact,
        r"upper\[1, 1 \(road\)\] is .*, less than one Bellman step",
    )
    refused(
        replace(
            claim,
            lower=changed(claim.lower, (0, 2), claim.lower[0, 2] + 1e-9),
            upper=claim.upper + 2.0,
        ),
        mdp,
        exact,
        r"lower\[0, 2 \(goal\)\] is .*, more than one Bellman step",
    )
    refused(
        replace(claim, upper=changed(claim.upper, (3, 1), 0.999), lower=claim.lower - 1.0),
        mdp,
        exact,
        r"upper\[3, 1 \(road\)\] is 0\.999, less than the terminal reward 1\.0",
    )
    refused(
        replace(claim, lower=changed(claim.lower, (3, 2), -0.999), upper=claim.upper + 1.0),
        mdp,
        exact,
        r"lower\[3, 2 \(goal\)\] is -0\.999, more than the terminal reward -1\.0",
    )
    refused(
        replace(claim, lower=claim.lower[:3]),
        mdp,
        exact,
        r"lower has shape \(3, 3\); expected \(4, 3\)",
    )
    refused(
        replace(claim, policy=changed(claim.policy, (2, 0), 9)),
        mdp,
        exact,
        r"policy\[0\] is 9: .* state 0 \(inn\) at stage 2",
    )
    worse = changed(claim.policy, (1, 1), 1 - claim.policy[1, 1])
    refused(replace(claim, policy=worse), mdp, exact, r"lower\[1, 1 \(road\)\]")
    other = replace(mdp, objective=FiniteHorizon(3, gamma=0.5))
    refused(claim, other, exact, "the certificate is about FiniteHorizon")


@MODES
def test_tampered_total_reward(exact):
    mdp = to_goal()
    claim = goal_claim()
    refused(replace(claim, absorption=None), mdp, exact, "absorption is missing")
    refused(
        replace(claim, policy=np.array([1, 0, 0])),
        mdp,
        exact,
        r"absorption\[0 \(inn\)\] is 5\.0, less than one Bellman step with action 1, 6\.0, by 1",
    )
    refused(
        replace(claim, absorption=np.array([4.999, 3.0, 0.0])),
        mdp,
        exact,
        r"absorption\[0 \(inn\)\]",
    )
    refused(
        replace(claim, absorption=np.array([5.0, 3.0, -1.0])),
        mdp,
        exact,
        r"absorption\[2 \(goal\)\] is -1\.0, less than 0\.0",
    )
    refused(
        replace(claim, upper=np.array([-5.0, -3.0, -0.001]), lower=claim.lower - 1.0),
        mdp,
        exact,
        r"upper\[2 \(goal\)\] is -0\.001, less than an absorbing state's 0\.0",
    )
    refused(
        replace(claim, lower=np.array([-5.0, -3.0, 0.001]), upper=claim.upper + 1.0),
        mdp,
        exact,
        r"lower\[2 \(goal\)\] is 0\.001, more than an absorbing state's 0\.0",
    )
    refused(
        replace(claim, upper=np.array([-5.0, -3.001, 0.0]), lower=claim.lower - 1.0),
        mdp,
        exact,
        r"upper\[1 \(road\)\]",
    )
    refused(
        replace(claim, lower=np.array([-4.0, -2.9, 0.0]), upper=claim.upper + 9.0),
        mdp,
        exact,
        r"lower\[0 \(inn\)\]",
    )


def test_weights_too_large_for_floats():
    mdp = TabularMDP.from_dense(
        [[[1.0 - 2.0**-53, 2.0**-53]], [[0.0, 1.0]]], [[0.0], [0.0]], objective=TotalReward()
    )
    zero = np.zeros(2)
    claim = BoundsCertificate(TotalReward(), zero, zero, np.zeros(2, int), np.array([2.0**53, 0.0]))
    assert check(claim, mdp, exact=True).gap == 0.0
    with pytest.raises(InvalidCertificateError, match="floats are too coarse"):
        check(claim, mdp)


def test_an_absorbing_state_that_is_paid_is_not_worth_zero():
    """A reward below the model's tolerance on an absorbing transition still counts for ever."""
    mdp = TabularMDP(
        choice_ptr=[0, 1, 2, 3], action=[0, 0, 0], row_ptr=[0, 1, 2, 3], next_state=[1, 1, 2],
        prob=[1.0] * 3, reward=[0.0] * 3, transition_reward=[0.0, 1e-10, 0.0],
        objective=TotalReward(), n_states=3,
    )  # fmt: skip
    zero = np.zeros(3)
    claim = BoundsCertificate(TotalReward(), zero, zero, np.zeros(3, int), np.array([1.0, 0.0, 0]))
    refused(claim, mdp, True, r"absorption\[1\] is 0\.0, less than one Bellman step")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"prob": [1.5, -0.5, 1.0]}, r"prob\[1\] is -0\.5 in the model"),
        ({"prob": [np.nan, 0.5, 1.0]}, r"prob\[0\] is nan in the model"),
        ({"prob": [0.4, 0.5, 1.0]}, r"row 0 of the model sums to 1 only within 0\.1"),
        ({"reward": [np.inf, 0.0]}, r"reward\[0\] is inf in the model"),
    ],
)
@MODES
def test_a_model_that_skipped_validation_is_looked_at_again(exact, changes, text):
    good = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.5)
    bad = replace(good, validate=False, **{name: np.array(x) for name, x in changes.items()})
    claim = BoundsCertificate(good.objective, np.full(2, -9.0), np.full(2, 9.0), np.zeros(2, int))
    refused(claim, bad, exact, text)


# ---- rows that sum to 1 only up to rounding -----------------------------------------------------


def loop(prob, **options):
    return TabularMDP(
        choice_ptr=[0, 1], action=[0], row_ptr=[0, 1], next_state=[0], prob=[prob], n_states=1,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("off", [2.0**-52, -(2.0**-53), 2.0**-31, -(2.0**-31)])
def test_both_readings_are_required(off):
    """On a loop with gamma 0.5 and reward 1 the divided reading gives 2, the stored one not."""
    mdp = loop(1.0 + off, reward=[1.0], objective=Discounted(0.5))
    two = np.array([2.0])
    stored = 1 / (1 - Fraction(1, 2) * Fraction(1.0 + off))
    claim = BoundsCertificate(mdp.objective, two, two, np.zeros(1, int))
    wrong = "upper" if stored > 2 else "lower"
    refused(claim, mdp, True, rf"{wrong}\[0\] is 2\.0")
    low, high = two - 8 * abs(off), two + 8 * abs(off)
    assert check(replace(claim, lower=low, upper=high), mdp, exact=True).tolerance == 0.0
    one_sided = {"upper": high} if wrong == "lower" else {"lower": low}
    refused(replace(claim, **one_sided), mdp, True, rf"{wrong}\[0\] is 2\.0")


def test_the_divided_reading_is_required_too():
    """The exact fixed point of the stored rows does not bound the divided one's."""
    prob = 1.0 - 2.0**-31
    mdp = loop(prob, reward=[1.0], objective=Discounted(0.5))
    stored = 1 / (1 - Fraction(prob) / 2)
    v = np.array([float(stored)])
    up, down = np.nextafter(v, 9.0), np.nextafter(v, 0.0)
    for exact in (False, True):
        refused(
            BoundsCertificate(mdp.objective, down, up, np.zeros(1, int)),
            mdp,
            exact,
            r"upper\[0\] is 1\.99",
        )


def test_lower_bounds_the_lesser_reading():
    """Rows that sum to more than 1 are worth more as stored than divided."""
    prob = 1.0 + 2.0**-31
    mdp = loop(prob, reward=[1.0], objective=Discounted(0.5))
    stored = np.array([float(1 / (1 - Fraction(prob) / 2))])
    claim = BoundsCertificate(
        mdp.objective, np.nextafter(stored, 0.0), np.nextafter(stored, 9.0), np.zeros(1, int)
    )
    for exact in (False, True):
        refused(claim, mdp, exact, r"lower\[0\] is 2\.0")


def test_reward_per_transition_is_averaged_exactly_under_both_readings():
    prob = 1.0 - 2.0**-31
    mdp = loop(prob, reward=[prob], transition_reward=[1.0], objective=Discounted(0.0))
    one = np.array([1.0])
    claim = BoundsCertificate(mdp.objective, np.array([prob]), one, np.zeros(1, int))
    assert check(claim, mdp, exact=True).gap >= 2.0**-31
    refused(replace(claim, lower=one), mdp, True, r"lower\[0\] is 1\.0")
    refused(replace(claim, upper=claim.lower), mdp, True, r"upper\[0\] is 0\.99")


def test_stored_rows_that_do_not_contract_are_refused():
    mdp = loop(1.0 + 2.0**-31, reward=[0.0], objective=Discounted(1.0 - 2.0**-40))
    zero = np.zeros(1)
    for exact in (False, True):
        refused(
            BoundsCertificate(mdp.objective, zero, zero, np.zeros(1, int)),
            mdp,
            exact,
            r"gamma = 0\.99\d+ times the largest row sum, .*, is not below 1",
        )


# ---- soundness: what is accepted is true --------------------------------------------------------

WEIGHTS = st.integers(0, 3)
REWARDS = st.integers(-8, 8).map(lambda k: k / 4)
NUDGES = st.sampled_from(
    [0.0, 2.0**-52, 2.0**-40, 0.01, 0.5, 3.0, -(2.0**-52), -(2.0**-40), -0.01, -0.5]
)


@st.composite
def claims(draw, total_reward=False):
    """Small integer-weight models with claims near their optimum, many of them false."""
    n_states, n_actions = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    weights = draw(
        st.lists(
            st.lists(WEIGHTS, min_size=n_states, max_size=n_states).filter(any),
            min_size=n_states * n_actions,
            max_size=n_states * n_actions,
        )
    )
    P = np.array([np.array(w) / sum(w) for w in weights]).reshape(n_states, n_actions, n_states)
    shape = P.shape if draw(st.booleans()) else P.shape[:2]
    size = int(np.prod(shape))
    r = np.array(draw(st.lists(REWARDS, min_size=size, max_size=size))).reshape(shape)
    if total_reward:
        P[-1], r[-1] = 0.0, 0.0
        P[-1, :, -1] = 1.0
        mdp = TabularMDP.from_dense(P, r, objective=TotalReward())
    else:
        mdp = TabularMDP.from_dense(P, r, draw(st.sampled_from([0.0, 0.3, 0.5, 0.9, 0.99])))
    values = {rows: policy_value(mdp, rows, "stored") for rows in all_policies(mdp)}
    proper = [v for v in values.values() if v is not None]
    assume(proper)
    v = as_floats([max(w[s] for w in proper) for s in range(n_states)])
    policy = np.array(
        draw(st.lists(st.integers(0, n_actions - 1), min_size=n_states, max_size=n_states))
    )
    base = values[tuple(int(k) for k in mdp.policy_rows(policy))]
    low = v if base is None or draw(st.booleans()) else as_floats(base)
    nudge = st.lists(NUDGES, min_size=n_states, max_size=n_states) | NUDGES.map(
        lambda x: [x] * n_states
    )
    weight = None
    if total_reward:
        counting = replace(mdp, reward=np.where(absorbing_states(mdp)[mdp.row_state()], 0.0, 1.0),
                           transition_reward=None)  # fmt: skip
        time = policy_value(counting, tuple(mdp.policy_rows(policy)), "stored")
        steps = np.full(n_states, 8.0) if time is None else as_floats(time)
        weight = steps + np.array(draw(nudge))
    return mdp, BoundsCertificate(
        mdp.objective, low - np.array(draw(nudge)), v + np.array(draw(nudge)), policy, weight
    )


def enclosed(mdp, claim, tolerance):
    """Is lower - tolerance <= v_policy and v* <= upper + tolerance under both readings?"""
    t = Fraction(tolerance)
    for reading in READINGS:
        own = policy_value(mdp, tuple(mdp.policy_rows(claim.policy)), reading)
        best = exact_optimum_values(mdp, reading)
        if own is None:
            return False
        for s in range(mdp.n_states):
            if (
                Fraction(float(claim.lower[s])) - t > own[s]
                or best[s] > Fraction(float(claim.upper[s])) + t
            ):
                return False
    return True


def exact_optimum_values(mdp, reading):
    values = [policy_value(mdp, rows, reading) for rows in all_policies(mdp)]
    return [max(v[s] for v in values if v is not None) for s in range(mdp.n_states)]


def verdict(mdp, claim, exact):
    try:
        return check(claim, mdp, exact=exact)
    except InvalidCertificateError:
        return None


SOUND = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))


@SOUND
@given(claims())
def test_discounted_acceptance_implies_the_enclosure(case):
    mdp, claim = case
    for exact in (False, True):
        verified = verdict(mdp, claim, exact)
        if verified is not None:
            assert enclosed(mdp, claim, verified.tolerance)
            assert exact <= (verified.tolerance == 0.0)


@SOUND
@given(claims(total_reward=True))
def test_total_reward_acceptance_implies_the_enclosure(case):
    mdp, claim = case
    for exact in (False, True):
        verified = verdict(mdp, claim, exact)
        if verified is not None and math.isfinite(verified.tolerance):
            assert enclosed(mdp, claim, verified.tolerance)


@SOUND
@given(claims())
def test_exact_acceptance_implies_float_acceptance(case):
    mdp, claim = case
    if verdict(mdp, claim, True) is not None:
        assert verdict(mdp, claim, False) is not None


@pytest.mark.parametrize("total_reward", [False, True])
def test_the_random_claims_reach_every_verdict(total_reward):
    """Meta-test: both verdicts occur, and false claims are among the refused."""
    seen = set()

    @settings(deadline=None, max_examples=150, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(claims(total_reward=total_reward))
    def collect(case):
        mdp, claim = case
        seen.add((verdict(mdp, claim, True) is not None, enclosed(mdp, claim, 0)))

    collect()
    assert {(True, True), (False, False), (False, True)} <= seen
    assert (True, False) not in seen


# ---- independence -------------------------------------------------------------------------------


def test_the_checker_imports_neither_solvers_nor_kernels():
    imported = set()
    for path in sorted(Path(certificates.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    imported = {name for name in imported if not name.startswith("mdptheory.certificates")}
    ours = {name for name in imported if name.startswith("mdptheory")}
    assert ours <= {
        f"mdptheory.{name}" for name in ("_typing", "_validation", "errors", "models")
    } | {"mdptheory.models.ambiguity", "mdptheory.models.factor_ambiguity"}
    others = {name.split(".")[0] for name in imported - ours}
    assert others <= {
        "collections",
        "dataclasses",
        "fractions",
        "itertools",
        "math",
        "numpy",
        "typing",
    }
