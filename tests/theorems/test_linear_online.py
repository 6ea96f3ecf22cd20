"""The DR-RPO chains: sizes of the bounds on longer runs, and how often broken versions fail."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mdptheory.environments import simulated_linear_mdp
from mdptheory.models import ChiSquarePenalty, FactorKind, KLPenalty, LinearMDP, TVBall, TVPenalty
from mdptheory.solvers import linear_plan
from mdptheory.theory import draw_case, load_case, replay, run_case
from mdptheory.theory.counterexample import link_check
from proofs_checks import dr_rpo_domination as domination
from proofs_checks import dr_rpo_one_hot_regret as one_hot
from proofs_checks import dr_rpo_optimism as optimism
from proofs_checks import dr_rpo_sandwich as sandwich
from proofs_checks import dr_rpo_soft_bellman as soft_bellman
from proofs_checks._one_hot import ball_values, is_one_hot, one_hot_model, regret_bound
from proofs_checks._soft_cases import random_mixtures, random_model
from proofs_checks._soft_oracles import Setting, nature, signed_worth, soft_value
from proofs_checks._soft_runs import learn, record
from proofs_checks.registry import CHAINS

pytestmark = pytest.mark.theorem
PINNED = sorted((Path(__file__).parent / "data" / "dr_rpo").glob("*.json"))
UNIFORM = np.full((3, 5, 16), 1 / 16)


# ---- planning -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leaky", "ambiguity", "tau", "value", "weight"),
    [
        (0.0, None, 0.05, 1.420477, 0.446927),
        (0.0, TVBall([[0, 0, 0, 0.5], [0] * 4, [0] * 4]), 0.05, 1.043266, 0.287761),
        (0.05, KLPenalty(0.2), 0.05, 0.777174, 0.251448),
        (0.05, ChiSquarePenalty(0.1), 0.05, 1.099604, 0.369754),
        (0.05, TVPenalty(1.0), 0.05, 0.984540, 0.290208),
    ],
    ids=["nominal", "tv_ball", "kl", "chi_square", "tv"],
)
def test_the_library_plans_the_values_known_to_six_digits(leaky, ambiguity, tau, value, weight):
    mdp = simulated_linear_mdp(0.2, leaky=leaky)
    plan = linear_plan(mdp, ambiguity, tau=tau)
    assert plan.v[0, 0] == pytest.approx(value, abs=1e-6)
    assert plan.pi[0, 0] @ mdp.phi[0, :, 3] == pytest.approx(weight, abs=1e-6)


def balls(module, count):
    """Draw cases of a chain whose nature has a TV ball of one radius of 0.1 to 0.5."""
    found, index = [], 0
    while len(found) < count:
        case = draw_case(module.CHAIN, 0, index)
        index += 1
        if isinstance(case.ambiguity, TVBall) and np.ndim(case.ambiguity.radius) == 0:
            found.append(case)
    return found


def caught(chain, twin, cases):
    broken = chain.broken(chain.twin(twin))
    outcomes = [run_case(broken, case) for case in cases]
    return np.mean(
        [any(not c.holds for x in one.links.values() for c in x) for one in outcomes]
    ).item()


@pytest.mark.parametrize("twin", [twin.name for twin in sandwich.CHAIN.twins])
def test_one_instance_in_ten_tells_a_broken_sandwich(twin):
    assert caught(sandwich.CHAIN, twin, balls(sandwich, 10)) >= 0.1


@pytest.mark.parametrize("twin", ["no_widths", "late", "no_price", "untempered"])
def test_one_instance_in_ten_tells_a_broken_learner(twin):
    assert caught(optimism.CHAIN, twin, balls(optimism, 10)) >= 0.1


def test_without_nature_the_sandwich_is_closed():
    rng = np.random.default_rng(0)
    for _ in range(20):
        mdp = random_model(rng)
        shape = mdp.reward.shape
        uniform, mixed = np.full(shape, 1 / shape[2]), random_mixtures(rng, mdp)
        case = sandwich.Case(mdp, TVBall(0.0), 0.3, uniform, rng.normal(size=shape), mixed)
        for low, gap, high in sandwich.sides(sandwich.run(case)):
            np.testing.assert_allclose(low, gap, atol=1e-10)
            np.testing.assert_allclose(high, gap, atol=1e-10)


def test_the_local_bound_is_attained_where_the_noise_is_small_for_the_temperature():
    mdp = one_hot_model(np.random.default_rng(0))
    shape = mdp.reward.shape
    uniform = np.full(shape, 1 / shape[2])
    noise = np.eye(shape[2])[np.zeros(shape[:2], dtype=int)]
    case = sandwich.Case(mdp, TVBall(0.2), 10.0, uniform, noise, uniform)
    check = sandwich.local(sandwich.run(case))
    assert check.holds
    assert 0.995 < check.tightness <= 1.0


def test_stairs_use_the_span_and_the_softness_up():
    mdp = soft_bellman.stairs(3)
    uniform = np.full((3, 2, 2), 0.5)
    trace = soft_bellman.run(soft_bellman.Case(mdp, TVBall(0.2), 0.1, uniform, 0))
    for link in (soft_bellman.shrinks, soft_bellman.soft):
        assert 0.8 < link(trace).tightness <= 1.0


# ---- learning -----------------------------------------------------------------------------------


@cache
def simulated(seed: int):
    mdp = simulated_linear_mdp(0.3)
    return mdp, record(mdp, Setting(TVBall(0.2), 0.1, UNIFORM, 3000), seed)


@pytest.mark.parametrize("seed", range(2))
def test_regret_and_certificates_on_the_simulated_model(seed):
    """The certificates are true, and two hundred times the regret."""
    _, kept = simulated(seed)
    assert kept.result.event.all()
    assert 50 < kept.result.regret.sum() < 60
    assert 1.05e4 < kept.result.certificate.sum() < 1.2e4
    assert (kept.result.regret <= kept.result.certificate).all()


def test_a_dual_without_its_price_hides_in_the_widths_of_a_learner():
    """Only at the true factors, or with far more data, is the difference seen."""
    mdp, kept = simulated(0)
    fit, last = kept.result.state.fit, kept.result.state
    worth = nature(mdp, TVBall(0.2), 0, fit.v[1]).nu
    told = (FactorKind.TV_BALL, 0.2)

    def without_price(rows):
        return np.array([signed_worth(*told, row, fit.v[1], 2.0, 0.0) for row in rows])

    wrong = without_price(last.gram_inverse[0] @ last.moments[0])
    error = np.abs(mdp.phi @ (worth - np.clip(wrong, 0, 2)))
    assert (error <= fit.width[0] + 1e-9)[np.arange(5) != 3].all()
    assert np.abs(without_price(mdp.mu[0]) - worth).max() > 0.1


def test_learned_policies_are_soft():
    """Whatever was fitted: pi >= ref exp(-(H - h)/tau)."""
    mdp = simulated_linear_mdp(0.3)
    told = Setting(TVBall(0.2), 0.5, UNIFORM, 200)
    for pi in learn(mdp, told, 0, keep=True).policies:
        assert (pi >= np.exp(-np.array([3, 2, 1]) / 0.5)[:, None, None] / 16 - 1e-15).all()


# ---- domination ---------------------------------------------------------------------------------


def test_how_often_the_fail_state_is_not_worth_least():
    """Sharp references make policies pay for leaving them; learned ones near uniform do not."""
    traces = [domination.run(draw_case(domination.CHAIN, 0, index)) for index in range(200)]
    assert 0.1 < np.mean([not trace.applies for trace in traces]) < 0.4
    plain = [x for x in traces if not x.case.noise.any() and np.ptp(x.case.reference) == 0]
    assert len(plain) > 10
    for trace in plain:
        v = trace.own.v
        assert (v[:, trace.sink] <= v.min(axis=1) + 1e-12).all()
    cases = [trace.case for trace in traces[:10]]
    assert caught(domination.CHAIN, "paid", cases) >= 0.1


# ---- one-hot features ---------------------------------------------------------------------------


def test_one_hot_values_of_all_policies_at_once():
    rng = np.random.default_rng(0)
    for _ in range(10):
        mdp = one_hot_model(rng)
        assert is_one_hot(mdp)
        policies = np.array([random_mixtures(rng, mdp) for _ in range(3)])
        v, worst = ball_values(mdp, 0.3, 0.2, policies)
        uniform = np.full(mdp.reward.shape, 0.5)
        for k, pi in enumerate(policies):
            one = soft_value(mdp, pi, TVBall(0.3), 0.2, uniform)
            np.testing.assert_allclose(v[k], one.v, atol=1e-12)
            np.testing.assert_allclose(worst[k] @ np.ones(4), 1.0)


@cache
def long_run(seed: int, episodes: int):
    mdp = one_hot_model(np.random.default_rng(seed))
    told = one_hot.Case(mdp, 0.2, 0.2, episodes, seed).told
    return mdp, learn(mdp, told, seed)


def explicit(mdp, result):
    visits = np.diagonal(np.asarray(result.state.gram), axis1=1, axis2=2)
    last = np.log(visits).sum(axis=1)
    rows = np.broadcast_to(last, (len(result.regret) + 1, 3))
    return regret_bound(mdp, rows, one_hot.DELTA)


@pytest.mark.parametrize("seed", range(3))
def test_regret_certificates_and_bound_of_one_hot_runs(seed):
    sizes = (1_000, 4_000, 16_000)
    sums, bounds = [], []
    for episodes in sizes:
        mdp, result = long_run(seed, episodes)
        assert result.event.all()
        sums.append(result.certificate.sum())
        bounds.append(explicit(mdp, result))
        assert result.regret.sum() <= sums[-1] <= bounds[-1]
    slopes = [np.polyfit(np.log(sizes), np.log(x), 1)[0] for x in (sums, bounds)]
    assert 0.45 <= slopes[0] <= 0.6
    assert 0.5 <= slopes[1] <= 0.68
    tenth = sizes[-1] // 10
    assert result.regret[-tenth:].mean() < 0.5 * result.regret[:tenth].mean()


def test_the_bound_says_something_from_some_2e4_episodes_on():
    mdp, short = long_run(0, 16_000)
    assert explicit(mdp, short) > 16_000 * mdp.horizon
    mdp, long = long_run(0, 64_000)
    assert long.regret.sum() <= explicit(mdp, long) < 0.7 * 64_000 * mdp.horizon


# ---- false statements, each with a small instance -----------------------------------------------


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.stem)
def test_pinned_counterexample_still_breaks_its_twin_and_not_the_theorem(path):
    saved = load_case(path)
    again = replay(saved, CHAINS)
    assert again.check is not None
    assert not again.check.holds
    assert again.check.measured == pytest.approx(saved.check.measured, rel=1e-9)
    chain = next(chain for chain in CHAINS if chain.id == saved.chain)
    true = link_check(chain, saved.link, saved.case)
    assert true is None or true.holds


def test_every_pinned_file_is_written_up():
    text = (Path(__file__).parents[2] / "FINDINGS.md").read_text(encoding="utf-8")
    assert len(PINNED) == 6
    assert [path.name for path in PINNED if f"dr_rpo/{path.name}" not in text] == []


def test_a_live_state_without_reward_is_worth_less_than_the_fail_state():
    """Ten episodes, the uniform reference: the policy pays KL for following its widths."""
    stairs = soft_bellman.stairs(3)
    mdp = LinearMDP(stairs.phi, np.zeros((3, 2)), stairs.mu, 0, 1)
    uniform, noise = np.full((3, 2, 2), 0.5), np.zeros((3, 2, 2))
    trace = domination.run(domination.Case(mdp, TVBall(0.5), 1.0, uniform, 10, noise, 0))
    np.testing.assert_allclose(trace.own.v[1], [-0.0453, 0.0], atol=1e-4)
    assert trace.own.worst[0, 1, 0] == pytest.approx(0.5)
    widths = (trace.own.pi * trace.bonus).sum(axis=2)
    robust, nominal = (trace.laws * widths).sum(axis=2)
    assert robust[1] > nominal[1] + 0.5
