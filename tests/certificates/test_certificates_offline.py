"""Claims about learnt policies: honest ones pass, altered ones are refused, and they are true."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from mdptheory import TabularMDP, certificates
from mdptheory.algorithms import OfflineOptions, drpvi, r2pvi
from mdptheory.certificates import check_offline
from mdptheory.certificates._offline_worth import Regression, worths
from mdptheory.environments import (
    collect,
    collect_statistics,
    random_simplex_mdp,
    simulated_linear_mdp,
)
from mdptheory.errors import InvalidCertificateError, InvalidModelError
from mdptheory.models import (
    ChiSquarePenalty,
    KLBall,
    KLPenalty,
    KnownModel,
    OfflineCertificate,
    OfflineData,
    TVBall,
    TVPenalty,
)
from mdptheory.models.factor_ambiguity import FactorKind
from mdptheory.solvers import linear_evaluate, linear_plan

pytestmark = pytest.mark.filterwarnings("ignore::mdptheory.errors.FitWarning")
KINDS = [TVPenalty(1.0), KLPenalty(2.0), ChiSquarePenalty(1.0), TVBall(0.2)]


def learn(data, known, ambiguity, **changes):
    learner = drpvi if isinstance(ambiguity, TVBall) else r2pvi
    return learner(data, known, ambiguity, options=OfflineOptions(beta="theory", **changes))


@pytest.fixture(scope="module")
def case():
    """Episodes of the simulated MDP, enough of them that no number is trivial."""
    mdp = simulated_linear_mdp(0.3)
    return mdp.known, collect(mdp, None, 20_000, rng=1)


@pytest.fixture(scope="module")
def claim(case):
    return learn(case[1], case[0], TVPenalty(1.0)).certificate


# ---- honest claims ------------------------------------------------------------------------------


@pytest.mark.parametrize("ambiguity", KINDS, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("shift", [False, True])
def test_honest_claims_pass(case, ambiguity, shift):
    known, data = case
    found = learn(data, known, ambiguity, kl_shift=shift).certificate
    verified = check_offline(found, data, known)
    assert verified.delta == 0.1
    assert verified.n_episodes == 20_000
    assert verified.gap == pytest.approx(found.gap, abs=1e-12)
    assert verified.gap == verified.upper - verified.lower
    assert verified.lower == found.start @ found.lower[0]
    assert 0.0 < verified.tolerance < 1e-8
    assert verified.policy_loss >= verified.gap + 2.0 * verified.tolerance


def test_statistics_do_as_well_as_episodes(case, claim):
    known, data = case
    one, two = (check_offline(claim, x, known) for x in (data, data.statistics(known)))
    assert (one.gap, one.lower, one.tolerance) == (two.gap, two.lower, two.tolerance)


@pytest.mark.parametrize("seed", range(40))
def test_honest_claims_of_any_model_pass(seed):
    rng = np.random.default_rng(seed)
    n_states, fail = int(rng.integers(1, 7)), bool(rng.integers(2))
    mdp = random_simplex_mdp(
        n_states + fail, int(rng.integers(1, 4)), int(rng.integers(1 + fail, 5)),
        int(rng.integers(1, 5)), fail=fail, rng=rng,
    )  # fmt: skip
    shape = (mdp.horizon, mdp.n_factors)
    weights = rng.choice([0.2, 1.0, 2.5, np.inf], size=shape)
    ball = TVBall(rng.choice([0.0, 0.3, 1.0], size=shape))
    data = collect_statistics(mdp, None, int(rng.integers(1, 3000)), rng=rng)
    for ambiguity in (TVPenalty(weights), KLPenalty(weights), ChiSquarePenalty(weights), ball):
        found = learn(
            data, mdp.known, ambiguity, ridge=float(rng.choice([1e-3, 0.1, 1.0, 10.0])),
            kl_shift=bool(rng.integers(2)),
        ).certificate  # fmt: skip
        assert check_offline(found, data, mdp.known).tolerance < 1e-7


def plain_claim(data, known, weight, beta):
    """Return a claim on a total variation penalty, episode by episode; ``beta`` has shape (H,)."""
    H, S, d, ridge = known.horizon, known.n_states, known.n_factors, 1.0
    v, w = np.zeros((2, H + 1, S)), np.zeros((2, H, d))
    policy = np.zeros((H, S), dtype=int)
    for h in reversed(range(H)):
        features = np.array(
            [known.phi_at(h)[e[h], a[h]] for e, a in zip(*_pairs(data), strict=True)]
        )
        gram = features.T @ features + ridge * np.eye(d)
        width = beta[h] * np.sqrt(np.linalg.inv(gram).diagonal())
        for side, sign in ((0, -1.0), (1, 1.0)):
            if h < H - 1:
                worth = np.minimum(v[side, h + 1], weight)[data.states[:, h + 1]]
                w[side, h] = np.linalg.solve(gram, features.T @ worth).clip(0.0, H - 1 - h)
            q = (known.phi_at(h) @ (known.theta[h] + w[side, h] + sign * width)).clip(0.0, H - h)
            q[known.fail_state] = 0.0
            v[side, h] = q.max(axis=1)
            policy[h] = q.argmax(axis=1) if side == 0 else policy[h]
    return OfflineCertificate(
        TVPenalty(weight), *v, policy, *w, np.repeat(beta[:, None], d, axis=1), ridge, 0.1, False,
        data.n_episodes, known.start,
    )  # fmt: skip


def _pairs(data):
    return data.states.tolist(), data.actions.tolist()


def test_a_plain_claim_passes_and_wider_widths_are_as_good(case, claim):
    known, data = case
    beta = claim.beta.max(axis=1)
    plain = plain_claim(data, known, 1.0, beta)
    assert check_offline(plain, data, known).gap == pytest.approx(claim.gap, abs=1e-9)
    wide = check_offline(plain_claim(data, known, 1.0, 1.5 * beta), data, known)
    assert wide.gap > claim.gap
    with pytest.raises(InvalidCertificateError, match=r"beta\[1, \d\] is .* needs at least"):
        check_offline(plain_claim(data, known, 1.0, 0.999 * beta), data, known)


def test_gaps_shrink_as_they_were_found_to():
    mdp = simulated_linear_mdp(0.3)
    for n_episodes, gap in ((1_000, 2.79), (100_000, 0.401), (1_000_000, 0.134)):
        data = collect_statistics(mdp, None, n_episodes, rng=0)
        found = learn(data, mdp.known, TVPenalty(3.0)).certificate
        assert check_offline(found, data, mdp.known).gap == pytest.approx(gap, rel=0.05)


@pytest.mark.parametrize("ambiguity", KINDS, ids=lambda x: type(x).__name__)
def test_what_is_proved_is_true(ambiguity):
    """Proved with probability 0.9; the constants leave so much room that no run fails."""
    for seed in range(25):
        rng = np.random.default_rng(seed)
        mdp = random_simplex_mdp(4, 2, 2, 3, fail=bool(seed % 2), rng=rng)
        data = collect_statistics(mdp, None, 10**5, rng=rng)
        found = learn(data, mdp.known, ambiguity).certificate
        proved = check_offline(found, data, mdp.known)
        best = mdp.start @ linear_plan(mdp, ambiguity).v[0]
        own = mdp.start @ linear_evaluate(mdp, found.policy, ambiguity).v[0]
        assert proved.lower - 1e-9 <= own <= best <= proved.upper + 1e-9
        assert best - own <= proved.policy_loss


# ---- estimated worths ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_worths_of_signed_estimates_are_the_best_of_a_fine_grid(seed):
    rng = np.random.default_rng(seed)
    n, cap = int(rng.integers(1, 7)), 3.0
    v, m = np.append(rng.uniform(0, cap, n - 1), 0.5), rng.normal(size=(1, n))
    zero = np.zeros((1, n))
    fit = Regression(np.eye(1), np.eye(1), m, zero, np.ones(1), np.zeros(1))
    grid = np.linspace(0.0, cap, 40_001)
    cut = np.minimum(v, grid[:, None]) @ m[0]
    square = np.minimum(v, grid[:, None]) ** 2 @ m[0]
    for level in (0.2, 1.0):
        chi = (cut + (cut**2 - square) / (4 * level)).max()
        ball = (cut - level * (grid - np.minimum(grid, v.min()))).max()
        for kind, best in ((FactorKind.CHI_SQUARE_PENALTY, chi), (FactorKind.TV_BALL, ball)):
            found = worths(kind, np.array([level]), fit, v, cap, False).value[0]
            assert found == pytest.approx(np.clip(best, 0.0, cap), abs=2e-3)
            assert found >= np.clip(best, 0.0, cap) - 1e-12


def test_both_moments_of_a_distribution_give_the_same_worth():
    v, m = np.array([0.3, 1.0, 2.0]), np.array([[0.2, 0.5, 0.3]])
    fit = Regression(np.eye(1), np.eye(1), m, 0 * m, np.ones(1), np.zeros(1))
    for level in (0.005, 0.5, 50.0):
        one, two = (
            worths(FactorKind.KL_PENALTY, np.array([level]), fit, v, 2.0, shift).value[0]
            for shift in (False, True)
        )
        exact = 0.3 - level * math.log(m[0] @ np.exp(-(v - 0.3) / level))
        assert one == pytest.approx(exact, rel=1e-12)
        assert two == pytest.approx(exact, abs=1e-9) or level < 0.1  # 1 - moment underflows


# ---- forgeries ----------------------------------------------------------------------------------


def bumped(array, index, by):
    out = np.array(array)
    out[index] += by
    return out


FORGERIES = [
    ("lower", (0, 0), 1e-6, r"lower\[0, 0\] is [\d.]+; the data give [\d.]+"),
    ("lower", (1, 1), -1e-6, r"lower\[1, 1\]|lower_w\[0, \d\]"),
    ("lower", (0, 3), 1e-6, r"lower\[0, 3\]"),
    ("lower", (3, 0), 1e-6, r"lower\[3, 0\] is 1e-06; nothing follows, so it is 0.0"),
    ("upper", (0, 0), -1e-6, r"upper\[0, 0\] is [\d.]+; the data give [\d.]+"),
    ("upper", (2, 4), 1e-6, r"upper\[2, 4\]"),
    ("upper", (3, 1), 1e-6, r"upper\[3, 1\]"),
    ("lower_w", (1, 3), 1e-6, r"lower_w\[1, 3\] is [\d.]+; the data give [\d.]+"),
    ("upper_w", (0, 0), -1e-6, r"upper_w\[0, 0\] is [\d.]+; the data give [\d.]+"),
    ("lower_w", (2, 0), 1e-6, r"lower_w\[2, 0\] is 1e-06; nothing follows"),
    ("upper_w", (2, 0), 1e-6, r"upper_w\[2, 0\]"),
    ("beta", (0, 0), -1e-3, r"beta\[0, 0\] is [\d.]+; the proof needs at least [\d.]+"),
    ("beta", (0, 3), 1e-3, r"(lower|upper)\[0, \d\]"),
    ("beta", (2, 3), 1e-3, r"beta\[2, 3\]"),
    ("policy", (1, 1), -1, r"policy\[1, 1\] is 14; the greedy action is 15"),
    ("policy", (0, 2), 99, r"policy\[0, 2\] is \d+; expected an action in \[0, 16\)"),
    ("start", (1,), 1e-9, r"start\[1\] is 1e-09; the model has 0.0"),
]


@pytest.mark.parametrize(("name", "index", "by", "message"), FORGERIES)
def test_one_altered_entry_is_refused(case, claim, name, index, by, message):
    forged = replace(claim, **{name: bumped(getattr(claim, name), index, by)})
    with pytest.raises(InvalidCertificateError, match=message):
        check_offline(forged, case[1], case[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delta": 0.01}, r"beta\[1, 0\] is [\d.]+; the proof needs at least"),
        ({"delta": 0.0}, r"delta is 0.0; expected a number in \(0, 1\)"),
        ({"delta": 1.0}, r"delta is 1.0; expected a number in \(0, 1\)"),
        ({"delta": math.nan}, "delta is nan"),
        ({"ridge": 0.5}, r"lower_w\[1, \d\]|beta\[1, 0\]"),
        ({"ridge": 2.0}, r"lower_w\[1, \d\]|beta\[1, 0\]"),
        ({"ridge": 0.0}, r"ridge is 0.0; expected a number in \(0, inf\)"),
        ({"ridge": math.inf}, "ridge is inf"),
        ({"ridge": 1e-320}, "singular in floats|rounding could hide|beta"),
        ({"n_episodes": 19_999}, "n_episodes is 19999; the data give 20000"),
        ({"n_episodes": 10**9}, "n_episodes is 1000000000"),
        ({"kl_shift": 0}, "kl_shift is 0; expected True or False"),
        ({"ambiguity": TVPenalty(0.9)}, r"_w\[1, \d\]"),
        ({"ambiguity": TVPenalty(math.inf)}, r"beta\[0, \d\] is"),
        ({"ambiguity": KLPenalty(1.0)}, r"beta\[1, \d\] is"),
        ({"ambiguity": ChiSquarePenalty(1.0)}, r"beta\[1, \d\] is"),
        ({"ambiguity": TVBall(0.1)}, r"beta\[0, \d\] is|_w"),
        ({"ambiguity": KLPenalty(1e-3)}, r"beta\[1, \d\] is .* needs at least inf"),
        ({"ambiguity": KLBall(0.1)}, "KLBall has no proof; expected TVBall, TVPenalty"),
        ({"ambiguity": None}, "NoneType has no proof"),
    ],
)
def test_altered_numbers_and_sets_are_refused(case, claim, change, message):
    with pytest.raises(InvalidCertificateError, match=message):
        check_offline(replace(claim, **change), case[1], case[0])


def test_every_field_is_forged_somewhere():
    named = {name for name, *_ in FORGERIES} | {"delta", "ridge", "n_episodes", "ambiguity"}
    assert {field.name for field in fields(OfflineCertificate)} == named | {"kl_shift"}


def test_the_shift_is_part_of_the_claim(case):
    known, data = case
    for shift in (False, True):
        found = learn(data, known, KLPenalty(2.0), kl_shift=shift).certificate
        with pytest.raises(InvalidCertificateError, match=r"beta\[1, \d\]|_w\[1, \d\]"):
            check_offline(replace(found, kl_shift=not shift), data, known)


def test_a_weaker_claim_is_no_forgery(case, claim):
    assert check_offline(replace(claim, delta=0.5), case[1], case[0]).delta == 0.5


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lower", np.zeros((3, 5)), r"lower has shape \(3, 5\); expected \(4, 5\)"),
        ("policy", np.zeros((3, 5)), "policy has dtype float64; expected action ids"),
        ("upper", np.zeros((4, 5), dtype=int), "upper has dtype int64; expected floats"),
        ("beta", np.full((3, 4), np.inf), r"beta\[0, 0\] is inf; expected a finite number"),
        ("upper_w", np.full((3, 4), np.nan), r"upper_w\[0, 0\] is nan; expected a finite number"),
    ],
)
def test_malformed_claims_are_refused(case, claim, name, value, message):
    with pytest.raises(InvalidCertificateError, match=message):
        check_offline(replace(claim, **{name: value}), case[1], case[0])


# ---- other data, other models -------------------------------------------------------------------


def test_a_claim_is_about_its_own_data_and_model(case, claim):
    known, data = case
    states = np.array(data.states)
    states[7] = [0, 4, 4, 4] if states[7, 1] != 4 else [0, 1, 4, 4]
    with pytest.raises(InvalidCertificateError, match=r"\[\d, \d\] is"):
        check_offline(claim, OfflineData(states, data.actions), known)
    cheaper = KnownModel(known.phi, 0.999 * known.theta, 0, 3)
    with pytest.raises(InvalidCertificateError, match=r"lower\[2, 0\] is"):
        check_offline(claim, data, cheaper)
    with pytest.raises(InvalidCertificateError, match=r"beta\[\d, \d\] is"):
        check_offline(claim, data, KnownModel(known.phi, known.theta, 0))  # no fail state known
    with pytest.raises(InvalidCertificateError, match="the proof needs simplex"):
        check_offline(claim, data, KnownModel(known.phi, known.theta, 0, 3, False))
    with pytest.raises(InvalidModelError, match="expected an index in"):
        check_offline(claim, OfflineData([[0, 1, 9, 1]], [[0, 0, 0]]), known)


def test_wrong_types_are_named(case, claim):
    known, data = case
    for words, arguments in (
        ("certificate is of type int; expected OfflineCertificate", (1, data, known)),
        ("data is of type list; expected OfflineData or OfflineStatistics", (claim, [], known)),
        ("known is of type int; expected KnownModel", (claim, data, 1)),
    ):
        with pytest.raises(TypeError, match=words):
            check_offline(*arguments)
    mdp = TabularMDP.from_dense([[[1.0]]], [[1.0]], gamma=0.5)
    with pytest.raises(TypeError, match="check_offline"):
        certificates.check(claim, mdp)


def test_one_step_needs_no_data():
    mdp = random_simplex_mdp(3, 2, 2, 1, rng=0)
    data = collect(mdp, None, 1, rng=0)
    verified = check_offline(learn(data, mdp.known, TVPenalty(1.0)).certificate, data, mdp.known)
    assert verified.gap == 0.0
    assert verified.lower == pytest.approx(mdp.start @ mdp.reward[0].max(axis=1))


def test_rounding_that_says_nothing_is_harmless():
    """Two features that floats hardly tell apart: widths are vast and every value is clipped."""
    phi = np.array([[[0.5, 0.5]], [[0.5 + 1e-12, 0.5 - 1e-12]]])
    known = KnownModel(phi, [[0.5, 0.5]] * 2)
    states = np.random.default_rng(0).integers(0, 2, size=(1000, 3)) * [0, 1, 1]
    data = OfflineData(states, np.zeros((1000, 2), dtype=int))
    found = learn(data, known, TVPenalty(1.0), ridge=1e-9).certificate
    verified = check_offline(found, data, known)
    assert (verified.lower, verified.upper) == (0.0, 2.0)


def test_rounding_that_could_hide_an_error_is_refused(case, claim, monkeypatch):
    monkeypatch.setattr("mdptheory.certificates.offline.COARSE", 1e-14)
    with pytest.raises(InvalidCertificateError, match=r"rounding could hide an error of [\d.e-]+"):
        check_offline(claim, case[1], case[0])
