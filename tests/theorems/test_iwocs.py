"""The chains about iwocs: their enumeration against known values, stalls, and false claims."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mdptheory import Discounted, FiniteSet
from mdptheory.algorithms import IWOCSOptions, IWOCSStatus, iwocs
from mdptheory.environments import windy_walk_family
from mdptheory.errors import StallWarning
from mdptheory.theory import draw_case, load_case, replay, run_case, verify_chain
from mdptheory.theory.counterexample import link_check
from proofs_checks import iwocs_coupled, iwocs_errors, iwocs_hull, iwocs_nature_greedy
from proofs_checks._cases import build
from proofs_checks._iwocs_families import (
    RULES,
    are_family,
    board_of,
    in_fields,
    promised,
    random_family,
    run_iwocs,
    spoiled,
)
from proofs_checks._iwocs_strategies import CASES
from proofs_checks._robust_games import Pair
from proofs_checks.registry import CHAINS
from proofs_checks.robust_saddle import guess
from proofs_checks.robust_static_dynamic import two_states

from hypothesis import HealthCheck, Phase, find, settings  # isort: skip
from hypothesis.errors import NoSuchExample  # isort: skip

pytestmark = pytest.mark.theorem
BY_ID = {chain.id: chain for chain in CHAINS if chain.id.startswith("iwocs.")}
PINNED = sorted((Path(__file__).parent / "data" / "iwocs").glob("*.json"))
FINDINGS = Path(__file__).parents[2] / "FINDINGS.md"


# ---- the second route ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_enumeration_agrees_with_plain_robust_value_iteration(seed):
    rng = np.random.default_rng(seed)
    models = random_family(rng)
    board = board_of(*models)
    v = np.zeros(models[0].n_states)
    for _ in range(800):  # 0.95^800 of at most 20 is below 1e-16
        v = board.top(board.pair.worth(v).min(axis=0))
    np.testing.assert_allclose(board.robust(board.everything), v, atol=1e-11)
    np.testing.assert_allclose(
        board.q_robust(board.everything), board.pair.worth(v).min(axis=0), atol=1e-11
    )


def test_the_board_of_example_a():
    board = board_of(*promised())
    assert board.values.shape == (2, 16, 3)
    np.testing.assert_allclose(board.robust(board.everything), [31.0, 30.0, 40.0])
    first = board.index(np.zeros(4, dtype=int))
    np.testing.assert_allclose(board.optimal[first], [37.0, 30.0, 40.0])
    np.testing.assert_allclose(board.robust(board.found([first])), board.optimal[first])
    np.testing.assert_allclose(board.least(np.array([1, 2, 3]), board.everything)[0], 10.0)
    assert board.rows_of(np.array([1, 0, 0])).tolist() == [1, 2, 3]
    assert board.reply(np.array([10.0, 30.0, 40.0])).tolist() == [1, 1, 0, 0]


def test_hulls_grow_with_the_kernels():
    board = board_of(*promised())
    one, two = board.index(np.array([0, 1, 0, 0])), board.index(np.array([1, 0, 0, 0]))
    assert board.members(board.found([one])).sum() == 1
    assert board.members(board.found([one, two])).sum() == 4
    assert board.members(board.everything).all()


def test_families_of_one_model_fill_two_fields():
    (model,) = random_family(np.random.default_rng(0), 1)
    assert in_fields([model]) == (model, model, None)
    first, second = promised()
    assert in_fields([first, second]) == (first, second, None)


def test_models_that_do_not_belong_together_are_no_family():
    first, second = promised()
    assert are_family(first, second)
    assert not are_family(first, second.with_objective(Discounted(0.5)))
    assert not are_family(first, spoiled()[0])
    assert not are_family(first, second, extra=6)  # 8^4 kernels


# ---- stalls -------------------------------------------------------------------------------------


def test_the_published_rule_stalls_on_example_a():
    """It is promised 40 - 3 for ever, earns 10, and 31 can be had for certain."""
    models = promised()
    kernels = np.array([model.to_dense()[0] for model in models])
    with pytest.warns(StallWarning, match="stalled"):
        iwocs(models[0], FiniteSet(kernels, coupled=False), start=0)
    result = run_iwocs(models, RULES[0], 0)
    assert result.status is IWOCSStatus.STALLED
    assert (result.upper, result.lower) == (pytest.approx(37.0), pytest.approx(10.0))
    board = board_of(*models)
    assert board.robust(board.everything)[0] == pytest.approx(31.0)


@pytest.mark.parametrize(
    "options",
    [
        IWOCSOptions(selection="hull"),
        IWOCSOptions(selection="nature_greedy"),
        IWOCSOptions(completion="nominal"),
    ],
    ids=lambda options: f"{options.selection}-{options.completion}",
)
def test_the_repaired_rules_certify_example_a(options):
    result = run_iwocs(promised(), options, 0)
    assert result.status is IWOCSStatus.CERTIFIED
    assert len(result.history) == 2
    assert result.lower == pytest.approx(31.0)


def test_nominal_completion_stalls_on_example_b():
    """Each kernel spoils one of the two ways to 1 for ever, so that the other looks open."""
    models = spoiled()
    result = run_iwocs(models, IWOCSOptions(completion="nominal"), 0)
    assert result.status is IWOCSStatus.STALLED
    assert (result.upper, result.lower) == (pytest.approx(8.1), pytest.approx(0.0))
    board = board_of(*models)
    assert board.robust(board.everything)[0] == pytest.approx(0.5)
    greedy = run_iwocs(models, RULES[0], 0)
    assert greedy.status is IWOCSStatus.CERTIFIED
    assert len(greedy.history) == 2
    assert greedy.lower == pytest.approx(0.5)


def test_the_least_of_the_optimal_values_is_not_the_robust_value_of_the_kernels_found():
    """Example A: 37 in state 0, where the hull of both kernels is worth 31."""
    models = promised()
    board = board_of(*models)
    kernels = [board.index(np.full(4, k)) for k in (0, 1)]
    own = np.array([board.q_ordinary(k, board.optimal[k]) for k in kernels])
    least = board.top(own.min(axis=0))
    hull = board.robust(board.found(kernels))
    assert (least[0], hull[0]) == (pytest.approx(37.0), pytest.approx(31.0))


# ---- claims that are false ----------------------------------------------------------------------


def test_searching_only_the_winds_found_so_far_breaks_the_lower_bound():
    """Windy walk: the first policy is worth -4.52 without wind, and nobody can have -7.95."""
    family = windy_walk_family()
    robust, states = [], np.arange(36)
    for kernel in (family.kernels[0], family.kernels[-1]):
        v = np.zeros(36)
        for _ in range(600):
            v = (family.reward + 0.95 * kernel @ v).max(axis=1)
        robust.append(v)
    policy = (family.reward + 0.95 * family.kernels[0] @ robust[0]).argmax(axis=1)
    known = np.linalg.solve(
        np.eye(36) - 0.95 * family.kernels[0][states, policy], family.reward[states, policy]
    )
    assert known[0] == pytest.approx(-4.524381, abs=1e-6)
    assert robust[1][0] == pytest.approx(-7.952147489722, abs=1e-9)
    assert known[0] > robust[1][0] + 3.4


def test_a_coin_beats_the_upper_bound_of_coupled_kernels():
    """After both kernels the bound is 0; a fair coin guarantees half of 9."""
    rng = np.random.default_rng(0)
    while True:
        models = guess(rng)
        if models[0].gamma == 0.9:
            break
    result = run_iwocs(models, RULES[0], 0, coupled=True)
    assert result.upper == pytest.approx(0.0, abs=1e-12)
    assert result.upper_valid_for == "deterministic"
    pair = Pair.of(*models)
    coin = np.array([[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(pair.values(pair.options, coin)[:, 0], 4.5)
    optimal = np.max([pair.values(pair.options, p) for p in ([0, 0, 0], [1, 0, 0])], axis=0)
    np.testing.assert_allclose(optimal.min(axis=0)[0], 9.0)


def test_a_random_start_does_not_merely_replace_the_value_by_its_mean():
    """The only policy earns 1 on average in either kernel, and the mean of the least is 0."""
    models = two_states()
    start = np.array([0.5, 0.5])
    pair = Pair.of(*models)
    values = pair.values(pair.options, np.array([0, 0]))
    np.testing.assert_allclose(values, [[2.0, 0.0], [0.0, 2.0]], atol=1e-12)
    np.testing.assert_allclose(values @ start, 1.0)
    assert values.min(axis=0) @ start == pytest.approx(0.0, abs=1e-12)
    result = run_iwocs(models, RULES[0], start, coupled=True)
    assert result.upper >= 1.0 - 1e-12
    assert result.upper_valid_for == "all"


def test_how_often_the_form_for_pair_rewards_fails_with_rewards_of_transitions():
    chain, broken = BY_ID["iwocs.errors"], []
    for index in range(200):
        case = draw_case(chain, 5, index)
        if case.mdp.transition_reward is not None:
            trace = iwocs_errors.run(case)
            assert iwocs_errors.two_kernels(trace).holds
            broken.append(not iwocs_errors.two_kernels(trace, corrected=False).holds)
    assert len(broken) > 80
    assert np.mean(broken) > 0.2


def test_changing_only_the_used_rows_leaves_example_b_as_wrong_as_it_was():
    case = iwocs_nature_greedy.Case(*in_fields(spoiled()))
    partial = iwocs_nature_greedy.run(case, reply=iwocs_nature_greedy.improve_where_used)
    np.testing.assert_allclose(partial.errors[:2], [9.0, 9.0])
    full = iwocs_nature_greedy.run(case)
    np.testing.assert_allclose(full.errors, [9.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.stem)
def test_pinned_counterexample_still_breaks_its_twin_and_not_the_theorem(path):
    saved = load_case(path)
    again = replay(saved, CHAINS)
    assert again.check is not None
    assert not again.check.holds
    assert again.check.measured == pytest.approx(saved.check.measured, rel=1e-9)
    assert all(
        check.holds
        for checks in run_case(BY_ID[saved.chain], saved.case).links.values()
        for check in checks
    )


def test_every_pinned_file_is_written_up():
    text = FINDINGS.read_text(encoding="utf-8")
    assert len(PINNED) == 7
    assert [path.name for path in PINNED if f"iwocs/{path.name}" not in text] == []


# ---- how much of the bounds is used -------------------------------------------------------------


@cache
def report(chain_id):
    return verify_chain(BY_ID[chain_id], trials=150, seed=2)


@pytest.mark.parametrize(
    ("chain_id", "name"),
    [
        ("iwocs.nature_greedy", "contracts"),
        ("iwocs.nature_greedy", "rate"),
        ("iwocs.nature_greedy", "candidate"),
        ("iwocs.nature_greedy", "gap"),
        ("iwocs.hull", "count"),
        ("iwocs.errors", "stopped"),
        ("iwocs.errors", "two_kernels"),
        ("iwocs.errors", "pair_rewards"),
    ],
)
def test_the_constant_cannot_be_improved(chain_id, name):
    link = next(link for link in report(chain_id).links if link.name == name)
    assert link.violations == 0
    assert 0.97 < link.max_tightness < 1 + 1e-9


def test_the_trap_of_the_nature_greedy_rule():
    """The first policy stays for ever, and the gap is all but e/(1-gamma)."""
    models = iwocs_nature_greedy.trap(np.random.default_rng(0))
    trace = iwocs_nature_greedy.run(iwocs_nature_greedy.Case(*in_fields(models)))
    assert iwocs_nature_greedy.gap(trace).tightness == pytest.approx(0.9991, abs=1e-3)
    assert iwocs_nature_greedy.candidate(trace).tightness > 0.998
    np.testing.assert_allclose(trace.w[-1], trace.v)


@pytest.mark.parametrize("seed", range(3))
def test_bad_news_that_need_a_step_make_the_contraction_tight(seed):
    models = iwocs_nature_greedy.one_by_one(np.random.default_rng(seed))
    trace = iwocs_nature_greedy.run(iwocs_nature_greedy.Case(*in_fields(models)))
    gamma = models[0].gamma
    assert len(trace.kernels) == 3
    assert trace.errors[0] == pytest.approx(gamma / (1 - gamma))
    assert 0.997 * gamma < trace.errors[1] / trace.errors[0] < gamma


def test_one_row_with_a_choice_takes_the_hull_two_iterations():
    models = [build([[(row, 1.0)], [((0, 1), 0.0)]], Discounted(0.5)) for row in ((1, 0), (0, 1))]
    for inside, count in ((False, 2), (True, 3)):
        trace = iwocs_hull.run(iwocs_hull.Case(*models, inside))
        assert len(trace.planned) == 2
        assert iwocs_hull.count(trace.case) == count
        np.testing.assert_allclose(trace.v, [1.0, 0.0])


def test_equal_options_of_a_row_count_once():
    (model,) = random_family(np.random.default_rng(3), 1)
    assert iwocs_hull.count(iwocs_hull.Case(model, model, True)) == 1
    options = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])
    assert iwocs_hull.first_equal(options).tolist() == [[0, 0], [0, 1]]


def test_a_coupled_table_has_no_value_where_no_action_is():
    first, second = promised()
    pair = Pair.of(first, second)
    table = iwocs_coupled.tabled(pair, np.arange(8.0).reshape(2, 4))
    assert table.shape == (2, 3, 2)
    assert table[1].tolist() == [[4.0, 5.0], [6.0, -np.inf], [7.0, -np.inf]]


# ---- Hypothesis ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain_id", "twin", "link"),
    [
        ("iwocs.upper_bounds", "fixed_policy", "above_hull"),
        ("iwocs.bracket", "known_kernels_only", "lower"),
        ("iwocs.errors", "rewards_of_transitions", "two_kernels"),
        ("iwocs.coupled", "rewards_only", "first_action"),
        ("iwocs.nature_greedy", "helpful", "contracts"),
        ("iwocs.hull", "blind", "either"),
    ],
)
def test_strategy_reaches_what_breaks_a_twin(chain_id, twin, link):
    chain = BY_ID[chain_id]
    broken = chain.broken(chain.twin(twin))

    def violates(case):
        check = link_check(broken, link, case)
        return check is not None and not check.holds

    budget = settings(
        max_examples=400,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    try:
        find(CASES[chain_id](), violates, settings=budget)
    except NoSuchExample:
        pytest.fail(f"no case breaks {twin}")


def test_every_iwocs_chain_has_a_strategy():
    assert set(CASES) == set(BY_ID)
