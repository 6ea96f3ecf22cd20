"""Every chain holds on a small budget, and every broken twin is caught by its named links."""

from functools import cache

import numpy as np
import pytest

from mdptheory.theory import ChainReport, draw_case, run_case, verify_chain
from mdptheory.theory.codec import decode, encode
from proofs_checks.registry import CHAINS

TRIALS = 150  # the rarest twin fails on one case in twenty
SEED = 1

pytestmark = pytest.mark.theorem
BY_ID = {chain.id: chain for chain in CHAINS}
LINKS = [(chain.id, link.name) for chain in CHAINS for link in chain.links]
TWINS = [(chain.id, twin.name) for chain in CHAINS for twin in chain.twins]
VACUOUS = {("dr_rpo.one_hot_regret", "regret")}  # below the trivial bound from 2e4 episodes on only


@cache
def report(chain_id: str) -> ChainReport:
    return verify_chain(BY_ID[chain_id], trials=TRIALS, seed=SEED)


def test_the_first_chains_are_all_registered():
    assert {chain.id.removeprefix("planning.") for chain in CHAINS} >= {
        "contraction",
        "stopping",
        "policy_loss",
        "elimination",
        "policy_iteration",
        "modified_policy_iteration",
        "simulation",
        "performance_difference",
        "finite_horizon",
        "certificate",
        "absorption",
    }


def test_ids_are_unique():
    assert len(BY_ID) == len(CHAINS)


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.id)
def test_chain_says_where_it_comes_from_and_has_teeth(chain):
    assert chain.source
    assert chain.statement
    assert chain.second_route
    assert chain.twins
    assert all(twin.expect_link for twin in chain.twins)


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.id)
def test_every_link_must_catch_some_twin(chain):
    named = {name for twin in chain.twins for name in twin.expect_link}
    assert [link.name for link in chain.links if link.name not in named] == []


@pytest.mark.parametrize("chain_id", BY_ID)
def test_no_run_raises(chain_id):
    assert report(chain_id).errors == ()
    assert [twin.errors for twin in report(chain_id).twins] == [0] * len(BY_ID[chain_id].twins)


@pytest.mark.parametrize(("chain_id", "name"), LINKS)
def test_link_holds_and_is_conclusive_on_half_of_its_cases(chain_id, name):
    link = next(link for link in report(chain_id).links if link.name == name)
    assert link.violations == 0
    applied = link.trials - link.skipped
    assert applied >= TRIALS / 4
    if (chain_id, name) in VACUOUS:
        assert link.vacuous >= applied / 2
    else:
        assert link.conclusive >= applied / 2


@pytest.mark.parametrize(("chain_id", "name"), TWINS)
def test_twin_is_caught_by_every_link_that_it_names(chain_id, name):
    twin = next(twin for twin in report(chain_id).twins if twin.name == name)
    assert set(twin.expected) <= set(twin.caught_by)


@pytest.mark.parametrize(
    ("chain_id", "name"),
    [
        ("planning.contraction", "contraction"),
        ("planning.contraction", "span"),
        ("planning.stopping", "midpoint"),
        ("planning.stopping", "sup_norm"),
        ("planning.policy_loss", "span"),
        ("planning.policy_loss", "residual"),
        ("planning.policy_loss", "error"),
        ("planning.elimination", "advantage"),
        ("planning.policy_iteration", "contracted"),
        ("planning.policy_iteration", "terminates"),
        ("planning.modified_policy_iteration", "rate"),
        ("planning.simulation", "centred"),
        ("planning.simulation", "lemma"),
        ("planning.simulation", "transfer"),
        ("planning.performance_difference", "worst"),
        ("robust_core.stopping", "contraction"),
        ("robust_core.stopping", "midpoint"),
        ("robust_core.stopping", "sup_norm"),
        ("robust_core.policy_loss", "span"),
        ("robust_core.policy_loss", "residual"),
        ("robust_core.partial_policy_iteration", "evaluated"),
        ("robust_core.partial_policy_iteration", "step"),
        ("robust_core.residual_contraction", "contracts"),
        ("robust_core.residual_contraction", "rate"),
        ("r2pvi.range_shrinkage", "ball"),
        ("r2pvi.range_shrinkage", "penalty"),
        ("r2pvi.structured", "convexity"),
        ("ofs.constants", "contracts"),
        ("ofs.constants", "stays"),
        ("ofs.constants", "within"),
        ("ofs.constants", "lipschitz"),
        ("ofs.transient", "segment"),
        ("ofs.transient", "count"),
        ("ofs.epochs", "biased"),
        ("ofs.epochs", "rooted"),
        ("ofs.epochs", "counted"),
        ("ofs.epochs", "drifted"),
    ],
)
def test_the_constant_cannot_be_improved(chain_id, name):
    link = next(link for link in report(chain_id).links if link.name == name)
    assert link.max_tightness > 0.97


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.id)
def test_a_case_determines_its_checks_and_survives_a_file(chain):
    case = draw_case(chain, SEED, 0)
    again = run_case(chain, decode(encode(case)))
    assert repr(again) == repr(run_case(chain, case))


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.id)
def test_sampled_cases_are_admissible(chain):
    assert all(chain.admissible(draw_case(chain, 3, index)) for index in range(50))


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.id)
def test_another_seed_draws_other_cases(chain):
    drawn = [repr(encode(draw_case(chain, seed, 0))) for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_a_run_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    run_case(CHAINS[0], draw_case(CHAINS[0], 0, 0))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
