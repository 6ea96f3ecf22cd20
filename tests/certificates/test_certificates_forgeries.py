"""Robust claims that are false or malformed are refused; the message names place and value."""

import math
from dataclasses import replace

import numpy as np
import pytest
from saddle_cases import (
    COST,
    KERNELS,
    SETS,
    SHARED,
    P,
    certify,
    certify_shared,
    certify_stages,
    complete,
    is_rational,
    model,
    staged,
)

from mdptheory.certificates import check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import (
    Discounted,
    FiniteHorizon,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    SignedLpBall,
    TotalReward,
    TransportPlan,
    WassersteinBall,
    WeightedL1Ball,
)

MODES = pytest.mark.parametrize("exact", [False, True])
MDP = model()
L1 = certify(MDP, SETS["L1, nominal"])
PLANNED = certify(MDP, SETS["Wasserstein"])
PI = np.array([[0.25, 0.75], [0.5, 0.5], [0.6, 0.4]])
SPLIT = certify_shared(MDP, SHARED["L1"], PI)


def refused(claim, text, mdp=MDP, exact=False):
    with pytest.raises(InvalidCertificateError, match=text):
        check(claim, mdp, exact=exact)


def at(array, index, value):
    out = np.array(array)
    out[index] = value
    return out


def rows(claim, k, q):
    """The claim with row k of nature's model (three stored successors) replaced."""
    worst = claim.worst_case
    P_worst, r = worst.to_dense()
    table = P_worst.reshape(-1, 3).copy()
    table[k] = q
    built = model(P=table.reshape(P_worst.shape), r=r)
    return replace(claim, worst_case=built)


# ---- bounds that do not hold --------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_bounds_that_are_too_good_by_a_billionth(name):
    claim = certify(MDP, SETS[name])
    for exact in (False, True) if is_rational(SETS[name]) else (False,):
        for s in range(3):
            tight = claim.upper[s] - 1e-6 - 2e-9
            worse = replace(claim, upper=at(claim.upper, s, tight), lower=claim.lower - 1.0)
            shifted = replace(worse, lower=worse.lower, level=worse.level - 0.5)
            refused(shifted, rf"upper\[{s} .*\] is .*, less than one step with action", exact=exact)
            worse = replace(
                claim, lower=at(claim.lower, s, claim.lower[s] + 1e-6 + 2e-9),
                upper=claim.upper + 1.0,
            )  # fmt: skip
            text = rf"lower\[{s} .*\] is .*, more than one step with its policy's dual bound"
            refused(worse, text, exact=exact)


@MODES
def test_bounds_out_of_order_or_shape(exact):
    refused(
        replace(L1, lower=L1.upper + 1), r"lower\[0 \(inn\)\] is .* more than upper", MDP, exact
    )
    refused(replace(L1, lower=L1.lower[:2]), r"lower has shape \(2,\); expected \(3,\)", MDP, exact)
    refused(replace(L1, upper=L1.upper.astype(np.float32)), "upper has dtype float32", MDP, exact)
    for bad in (math.nan, math.inf, -math.inf):
        refused(replace(L1, upper=at(L1.upper, 1, bad)), r"upper\[1 \(road\)\] is", MDP, exact)
        refused(replace(L1, lower=at(L1.lower, 2, bad)), r"lower\[2 \(goal\)\] is", MDP, exact)


@MODES
def test_objectives(exact):
    refused(replace(L1, objective=Discounted(0.25)), "certificate is about", MDP, exact)
    worst = L1.worst_case.with_objective(Discounted(0.25))
    refused(replace(L1, worst_case=worst), "worst_case has 3 states and Discounted", MDP, exact)
    total = model(
        P=at(P, 2, [0.0, 0.0, 1.0]), r=np.zeros((3, 2)), gamma=None, objective=TotalReward()
    )
    claim = replace(L1, objective=TotalReward(), worst_case=total)
    refused(claim, "robust claims are about", total, exact)


def test_other_types():
    with pytest.raises(TypeError, match="certificate is of type dict"):
        check({}, MDP)
    refused(replace(L1, worst_case=None), "worst_case is of type NoneType")
    refused(replace(L1, ambiguity=SignedLpBall(0.1, 2.0)), "ambiguity is of type SignedLpBall")
    refused(replace(L1, ambiguity=0.3), "ambiguity is of type float")


# ---- nature's rows ------------------------------------------------------------------------------


@MODES
def test_a_row_outside_the_ball(exact):
    """Even a row so good for the agent that upper would hold is refused: it is not nature's."""
    claim = rows(L1, 1, [0.125, 0.3, 0.575])
    refused(
        replace(claim, upper=claim.upper + 9.0),
        r"row of state 0 \(inn\) and action 1 is at distance 0\.3\d* from the nominal; the L1Ball"
        r" has radius 0\.3 \(1 of 6 fail\)",
        MDP, exact,
    )  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_rows_outside_every_set(name):
    claim = rows(certify(MDP, SETS[name]), 4, [1.0, 0.0, 0.0])
    if name in ("L1, without limit", "L1, per state", "KL, huge") or "Burg" in name:
        return  # the row is inside, or at an infinite distance: the next test
    refused(replace(claim, upper=claim.upper + 9.0), r"(worst_case|plan): .*state 2 \(goal\) and")


@pytest.mark.parametrize("name", ["Burg, nominal", "Burg, all"])
def test_a_row_at_an_infinite_distance(name):
    claim = rows(certify(MDP, SETS[name]), 4, [1.0, 0.0, 0.0])
    refused(replace(claim, upper=claim.upper + 9.0), "is at distance inf from the nominal")


@pytest.mark.parametrize("name", ["L1, nominal", "KL", "chi-square", "CVaR", "Burg, nominal"])
def test_mass_outside_the_support(name):
    claim = rows(certify(MDP, SETS[name]), 3, [0.5, 1e-12, 0.5 - 1e-12])
    refused(
        claim,
        r"row of state 1 \(road\) and action 1 gives 1e-12 to state 1, where the set has no mass",
    )


@MODES
def test_a_budget_that_only_the_sum_exceeds(exact):
    """Each row alone is within 0.5; nature has 0.5 for both."""
    worst, _ = SPLIT.worst_case.to_dense()
    first = P[0, 0] + [-0.2, 0.2, 0.0]  # at a distance of 0.4
    second = P[0, 1] + [0.2, 0.0, -0.2]
    table = worst.copy()
    table[0] = [first, second]
    claim = replace(SPLIT, worst_case=model(P=table), upper=SPLIT.upper + 9.0)
    refused(claim, r"rows of state 0 are together at distance 0\.8.*radius 0\.5", MDP, exact)
    alone = replace(claim, ambiguity=L1Ball(0.5, "nominal"), lower=SPLIT.lower - 9.0)
    check(alone, MDP, exact=exact)


def test_rows_of_a_list_are_whole_rows():
    claim = certify(MDP, SETS["list"])
    half = (KERNELS[0, 2, 0] + KERNELS[1, 2, 0]) / 2  # in the hull, but not in the list
    refused(rows(claim, 4, half), r"row of state 2 \(goal\) and action 0 is not in the FiniteSet")


@MODES
def test_changed_choices_and_rewards(exact):
    worst = L1.worst_case
    paid = replace(worst, reward=at(worst.reward, 3, 2.5))
    refused(
        replace(L1, worst_case=paid),
        r"worst_case pays 2\.5 in row 3; the model pays 2\.0",
        MDP, exact,
    )  # fmt: skip
    other = replace(worst, action=at(worst.action, 1, 2))
    refused(replace(L1, worst_case=other), "worst_case has other actions", MDP, exact)
    refused(
        replace(L1, worst_case=complete(model(r=np.ones((3, 2, 3))))),
        "worst_case has rewards per transition, the model has not", MDP, exact,
    )  # fmt: skip


@MODES
def test_changed_rewards_per_transition(exact):
    mdp = complete(model(r=np.arange(18.0).reshape(3, 2, 3)))
    claim = certify(mdp, SETS["L1, all"])
    worst = claim.worst_case
    paid = at(worst.transition_reward, 2, worst.transition_reward[2] + 1)
    forged = replace(
        worst, transition_reward=paid, reward=np.add.reduceat(paid * worst.prob, worst.row_ptr[:-1])
    )
    text = r"worst_case pays .* for going to state \d in row \d; the model pays"
    refused(replace(claim, worst_case=forged), text, mdp, exact)


def test_a_set_that_reaches_where_no_reward_is_defined():
    bare = model(r=np.arange(18.0).reshape(3, 2, 3))
    claim = certify(complete(bare), SETS["L1, all"])
    refused(claim, "transition_reward is not defined for every state, but L1Ball", bare)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"prob": lambda p: at(p, 0, np.nan)}, r"worst_case: P\[0, 0, \d\] is nan"),
        ({"prob": lambda p: at(p, 0, -p[0])}, r"worst_case: P\[0, 0, \d\] is -0"),
        ({"prob": lambda p: p * 1.1}, r"worst_case: P\[0, 0\] sums to 1\.1"),
        ({"reward": lambda r: at(r, 0, np.inf)}, r"worst_case: r\[0, 0\] is inf"),
        ({"next_state": lambda t: at(t, 0, 7)}, r"worst_case: next_state\[0\] is 7"),
        ({"row_ptr": lambda t: at(t, 1, -3)}, r"worst_case: row_ptr\[1\] is -3"),
    ],
)
def test_a_worst_case_that_skipped_validation_is_looked_at_again(changes, text):
    worst = L1.worst_case
    forged = replace(
        worst, validate=False, **{name: f(getattr(worst, name)) for name, f in changes.items()}
    ) if "row_ptr" not in changes else None  # fmt: skip
    if forged is None:  # the constructor itself reads row_ptr
        forged = replace(worst)
        object.__setattr__(forged, "row_ptr", changes["row_ptr"](worst.row_ptr))
    refused(replace(L1, worst_case=forged), text)


def test_the_model_and_the_set_are_looked_at_again():
    bad = replace(MDP, validate=False, prob=at(MDP.prob, 0, np.nan))
    refused(L1, r"the model: P\[0, 0, 0\] is nan", bad)
    ball = L1Ball(0.3, "nominal")
    object.__setattr__(ball, "radius", math.nan)
    refused(replace(L1, ambiguity=ball), "ambiguity: radius is nan")
    object.__setattr__(ball, "radius", -0.5)
    refused(replace(L1, ambiguity=ball), r"ambiguity: radius is -0\.5")


# ---- dual variables and the policy --------------------------------------------------------------


@MODES
def test_multipliers(exact):
    refused(
        replace(L1, multiplier=-L1.multiplier - 1e-300),
        r"multiplier\[0\] is -.*; expected a number of at least 0", MDP, exact,
    )  # fmt: skip
    refused(replace(L1, multiplier=at(L1.multiplier, 4, np.nan)), r"multiplier\[4\] is nan")
    refused(replace(L1, level=at(L1.level, 2, np.inf)), r"level\[2\] is inf; expected a finite")
    refused(replace(L1, multiplier=L1.multiplier[:5]), r"multiplier has shape \(5,\)", MDP, exact)
    refused(replace(L1, level=L1.level.astype(int)), "level has shape .* and dtype int64")
    wrong = replace(L1, multiplier=np.full(6, 0.01), upper=L1.upper + 1)
    refused(wrong, "more than one step with its policy's dual bound", MDP, exact)
    row = int(L1.policy[0])
    endless = replace(L1, multiplier=at(L1.multiplier, row, np.inf))
    refused(endless, r"multiplier is inf in state 0 \(inn\) .*L1Ball has radius 0\.3", MDP, exact)


def test_an_infinite_multiplier_bounds_nothing_elsewhere():
    """Sets without a price ignore it; a claim that leans on the nominal value is refused."""
    for name in ("CVaR", "Linf, all", "intervals", "contamination, all", "list"):
        claim = certify(MDP, SETS[name])
        claim = replace(claim, multiplier=np.full(6, np.inf))
        check(claim, MDP, exact=True)
        better = replace(claim, lower=claim.lower + 1e-3, upper=claim.upper + 1.0)
        refused(better, "dual bound", exact=True)


@MODES
def test_rows_of_a_state_have_one_price(exact):
    claim = replace(SPLIT, multiplier=at(SPLIT.multiplier, 3, SPLIT.multiplier[3] + 1e-3))
    refused(
        claim, r"multiplier is .* in state 1 \(road\) and action 1 but .* one price", MDP, exact
    )


@MODES
def test_the_budget_is_paid(exact):
    """Without its cost the same variables would prove more."""
    for claim in (L1, SPLIT):
        cost = 0.3 * claim.multiplier.min()
        assert cost > 0
        better = replace(claim, lower=claim.lower + cost, upper=claim.upper + 1)
        refused(better, "dual bound", MDP, exact)


@MODES
def test_policies(exact):
    refused(
        replace(L1, policy=np.array([0, 2, 0])),
        r"policy\[1\] is 2: action 2 is not available in state 1 \(road\)", MDP, exact,
    )  # fmt: skip
    refused(replace(L1, policy=np.zeros((3, 1))), r"policy has shape \(3, 1\)", MDP, exact)
    refused(replace(L1, policy=np.zeros(3)), r"policy has shape \(3,\) and dtype float64", MDP)
    for bad, text in (
        (-0.25, r"policy\[0 \(inn\), 0\] is -0\.25: expected a probability"),
        (np.nan, r"policy\[0 \(inn\), 0\] is nan"),
        (0.5, r"policy\[0 \(inn\)\] sums to 1\.25"),
    ):
        refused(replace(SPLIT, policy=at(PI, (0, 0), bad)), text, MDP, exact)
    worse = replace(L1, policy=1 - L1.policy)
    refused(worse, "dual bound", MDP, exact)


def test_a_policy_that_uses_an_action_that_is_not_there():
    ragged = replace(
        MDP, choice_ptr=np.array([0, 1, 3, 5]), action=np.array([1, 0, 1, 0, 1]),
        row_ptr=MDP.row_ptr[:6], next_state=MDP.next_state[: MDP.row_ptr[5]],
        prob=MDP.prob[: MDP.row_ptr[5]], reward=MDP.reward[:5],
    )  # fmt: skip
    claim = certify(ragged, SETS["L1, nominal"])
    check(claim, ragged, exact=True)
    mixed = np.array([[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
    text = r"policy\[0 \(inn\), 0\] is 0\.5: action 0 is not available"
    refused(replace(claim, policy=mixed), text, ragged)


def test_a_claim_about_one_policy_is_no_claim_about_all():
    worse = 1 - L1.policy
    own = certify_shared(MDP, SHARED["L1"], np.eye(2)[worse])
    check(own, MDP)
    refused(replace(own, fixed=False), "less than one step with action", MDP)


# ---- plans --------------------------------------------------------------------------------------


def moved(**changes):
    plan = PLANNED.plan
    parts = {name: getattr(plan, name) for name in ("row_ptr", "source", "target", "mass")}
    return replace(PLANNED, plan=TransportPlan(**(parts | changes)))


@MODES
def test_plans(exact):
    check(PLANNED, MDP, exact=exact)
    plan = PLANNED.plan
    refused(replace(PLANNED, plan=None), "plan is missing", MDP, exact)
    refused(replace(L1, plan=plan), "plan is given, but L1Ball needs none", MDP, exact)
    refused(moved(mass=at(plan.mass, 1, -0.1)), r"plan.mass\[1\] is -0\.1", MDP, exact)
    refused(moved(mass=at(plan.mass, 1, np.nan)), r"plan.mass\[1\] is nan", MDP, exact)
    refused(moved(source=at(plan.source, 0, 3)), r"plan.source\[0\] is 3; expected a state")
    refused(moved(target=plan.target.astype(float)), "plan.target has .* dtype float64", MDP, exact)
    refused(moved(row_ptr=plan.row_ptr[:-1]), r"plan.row_ptr has shape \(6,\)", MDP, exact)
    refused(moved(row_ptr=at(plan.row_ptr, -1, 2)), "plan.row_ptr runs from 0 to 2", MDP, exact)
    text = r"plan: in the row of state 0 \(inn\) and action 0 it does not move the whole nominal"
    refused(moved(mass=at(plan.mass, 0, plan.mass[0] / 2)), text, MDP, exact)
    elsewhere = at(plan.target, 0, (plan.target[0] + 1) % 3)
    refused(moved(target=elsewhere), "makes another row than worst_case|cost|distance", MDP, exact)
    gone = np.flatnonzero(plan.source[: plan.row_ptr[1]] == 0)
    kept = np.setdiff1d(np.arange(len(plan.mass)), gone)
    claim = moved(
        row_ptr=np.concatenate([[0], plan.row_ptr[1:] - len(gone)]), source=plan.source[kept],
        target=plan.target[kept], mass=plan.mass[kept],
    )  # fmt: skip
    refused(claim, "says nothing of the mass of state 0", MDP, exact)


@MODES
def test_a_plan_that_costs_too_much(exact):
    dear = replace(PLANNED, ambiguity=WassersteinBall(0.19, COST), upper=PLANNED.upper + 9)
    refused(dear, r"is at distance 0\.2.* the WassersteinBall has radius 0\.19", MDP, exact)


def test_a_plan_that_takes_mass_from_nowhere():
    plan = PLANNED.plan
    first = int(plan.row_ptr[3])  # row 3 has no mass on state 1
    claim = moved(source=at(plan.source, first, 1))
    refused(claim, r"row of state 1 \(road\) and action 1 it takes mass from state 1")


# ---- sets that do not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ambiguity", "text"),
    [
        (L1Ball(np.full(4, 0.3), "nominal"), r"radius has shape \(4,\)"),
        (L1Ball(np.full((2, 3), 0.3), "nominal"), r"radius has shape \(2, 3\)"),
        (WeightedL1Ball(0.3, np.ones(4), "nominal"), r"weights has shape \(4,\)"),
        (IntervalSet(np.zeros(3), np.ones(3)), r"lower has shape \(3,\)"),
        (FiniteSet(np.eye(3)), r"rows has shape \(3, 3\)"),
        (FiniteSet(KERNELS, coupled=True), "couples its kernels"),
        (FiniteSet(KERNELS * (np.arange(2) < 1)[:, None], coupled=False), r"rows\[:, 0, 1\] is"),
        (IntervalSet(np.zeros(6), np.ones(6), np.arange(0, 7)), "lower has shape|row_ptr"),
    ],
)
def test_sets_that_do_not_fit(ambiguity, text):
    refused(replace(L1, ambiguity=ambiguity), text)


def test_a_cost_that_does_not_fit():
    refused(replace(PLANNED, ambiguity=WassersteinBall(0.2, np.zeros((4, 4)))), "cost has shape")


def test_factors_are_for_factor_sets():
    refused(replace(L1, factors=np.eye(3)), "factors are given, but the set is a L1Ball")


# ---- finite horizon -----------------------------------------------------------------------------


@MODES
def test_stages(exact):
    mdp = staged()
    claim = certify_stages(mdp, SETS["L1, all"])
    check(claim, mdp, exact=exact)
    high = replace(claim, lower=claim.lower - 1.0, level=claim.level)
    tight = replace(high, upper=at(high.upper, (1, 2), claim.upper[1, 2] - 1e-7))
    refused(tight, r"upper\[1, 2 \(goal\)\] is .* less than one step with action", mdp, exact)
    loose = replace(claim, upper=claim.upper + 1.0)
    forged = replace(loose, lower=at(claim.lower, (2, 0), claim.lower[2, 0] + 1e-7))
    refused(forged, r"lower\[2, 0 \(inn\)\] is .* more than one step", mdp, exact)
    end = replace(high, upper=at(high.upper, (3, 1), 0.5))
    refused(end, r"upper\[3, 1 \(road\)\] is 0\.5, less than the terminal reward 1\.0", mdp, exact)
    refused(replace(claim, policy=claim.policy[:2]), r"policy has shape \(2, 3\)", mdp, exact)
    one = mdp.with_objective(FiniteHorizon(3, 0.9))
    refused(claim, "certificate is about FiniteHorizon", one, exact)
    short = replace(L1, objective=mdp.objective, worst_case=L1.worst_case)
    refused(short, "worst_case has 3 states and Discounted", mdp, exact)


def test_the_kl_bound_is_below_the_kl_value_for_every_multiplier():
    """Wrong multipliers weaken the claim; they never make a false one pass."""
    mdp, ambiguity = MDP, KLBall(0.1)
    claim = certify(mdp, ambiguity)
    for factor in (1e-300, 1e-9, 0.5, 0.99, 1.01, 2.0, 1e6, 1e290):
        raised = replace(
            claim, multiplier=claim.multiplier * factor, lower=claim.lower + 1.1e-6,
            upper=claim.upper + 1.0,
        )  # fmt: skip
        refused(raised, r"lower\[\d .*\] is")
