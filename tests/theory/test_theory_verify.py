"""The runner: what passes, what is caught, and that seeds decide everything."""

import dataclasses
import json
import math

import numpy as np
import pytest
from toy_chains import CONTRACTION, SQUARES, Number, draw_number, with_links

from mdptheory import theory
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.theory import ChainReport, Check, Event, Link, Twin, anytime_p_value, verify_chain

TRIALS = 200


def changed(**fields):
    return dataclasses.replace(SQUARES, **fields)


def test_true_claims_hold_and_all_kinds_of_twins_are_caught():
    report = verify_chain(SQUARES, trials=TRIALS)
    assert report.require_passed() is report
    assert report.verdict == "holds"
    (link,) = report.links
    assert (link.trials, link.conclusive, link.violations) == (TRIALS, TRIALS, 0)
    assert 0.9 < link.max_tightness < 1.0
    xs = [theory.draw_case(SQUARES, 0, i).x for i in range(TRIALS)]
    assert link.max_tightness == pytest.approx(max(xs))
    assert link.median_tightness == pytest.approx(float(np.median(xs)))
    assert link.worst_index == int(np.argmax(xs))
    assert report.events[0].occurrences == sum(x > 0.9 for x in xs)
    half, often, faster = report.twins
    assert half.caught_by == ("square",)
    assert theory.draw_case(SQUARES, 0, half.index).x > 0.5
    assert half.trials == half.index + 1
    assert half.measured > half.bound
    assert often.caught_by == ("large",)
    assert faster.caught_by == ("root",)


def test_false_claim_is_refuted_with_its_worst_case():
    report = verify_chain(with_links(SQUARES, square=lambda n: Check(n.x, 0.5)), trials=TRIALS)
    (link,) = report.links
    xs = [theory.draw_case(SQUARES, 0, i).x for i in range(TRIALS)]
    assert report.verdict == "refuted"
    assert link.violations == sum(x > 0.5 + 1e-9 for x in xs)
    assert link.worst_index == int(np.argmax(xs))
    assert (link.worst_measured, link.worst_bound) == (max(xs), 0.5)
    assert link.min_room == 0.5 - max(xs)
    with pytest.raises(AssertionError, match=r"toy.squares \(seed 0\):\n  link 'square' violated"):
        report.require_passed()


def test_nan_is_a_violation_and_the_worst_one():
    def check(number):
        return Check(math.nan if number.x > 0.95 else number.x, 0.5)

    report = verify_chain(with_links(SQUARES, square=check), trials=TRIALS)
    assert math.isnan(report.links[0].worst_measured)
    assert report.verdict == "refuted"


def test_vacuous_on_all_cases_is_reported_as_that():
    report = verify_chain(
        with_links(SQUARES, square=lambda n: Check(n.x, 1e6, trivial=1.0)), trials=20
    )
    assert report.links[0].vacuous == 20
    assert report.links[0].all_vacuous
    assert report.vacuous
    assert report.verdict == "vacuous on all cases"
    assert report.require_passed().passed


def test_few_conclusive_cases_fail_the_test_helper_only():
    def check(number):
        return Check(number.x, 1.0 if number.x < 0.2 else 0.0 if number.x > 2 else 9.0, trivial=2.0)

    report = verify_chain(with_links(SQUARES, square=check), trials=TRIALS)
    assert report.passed
    with pytest.raises(AssertionError, match=r"cases conclusive .* expected a share of 0\.5"):
        report.require_passed()


def test_a_twin_that_survives_fails():
    toothless = Twin("same", "nothing really", links={"square": SQUARES.links[0].check})
    report = verify_chain(changed(twins=(toothless,)), trials=50)
    assert not report.passed
    assert report.verdict == "twin survives"
    assert (report.twins[0].caught_by, report.twins[0].index) == ((), -1)
    with pytest.raises(AssertionError, match=r"twin 'same' \(nothing really\) survived 50 cases"):
        report.require_passed()


def test_a_twin_caught_by_the_wrong_link_survives():
    chain = changed(
        links=(*SQUARES.links, Link("fine", "x <= 2", lambda n: Check(n.x, 2.0))),
        twins=(dataclasses.replace(SQUARES.twins[0], expect_link="fine"),),
    )
    report = verify_chain(chain, trials=50)
    assert report.twins[0].caught_by == ("square",)
    assert not report.twins[0].caught


def test_a_twin_that_only_raises_is_not_caught():
    def explode(case):
        raise ZeroDivisionError("planted")

    report = verify_chain(changed(twins=(Twin("bang", "raises", run=explode),)), trials=5)
    assert report.twins[0].errors == 5
    assert report.verdict == "twin survives"


def test_twins_replace_sample_and_run():
    chain = changed(
        twins=(
            Twin("outside", "x > 1", sample=lambda rng: Number(1.0 + rng.random())),
            Twin("shifted", "trace off by one", run=lambda case: Number(case.x + 1.0)),
        )
    )
    report = verify_chain(chain, trials=20)
    assert [twin.index for twin in report.twins] == [0, 0]
    assert report.passed


def test_an_exception_is_reported_with_its_case():
    def check(number):
        if number.x > 0.9:
            raise RuntimeError("too large")
        return Check(number.x, 1.0)

    report = verify_chain(with_links(SQUARES, square=check), trials=TRIALS)
    bad = [i for i in range(TRIALS) if theory.draw_case(SQUARES, 0, i).x > 0.9]
    assert [error.index for error in report.errors] == bad
    assert {error.where for error in report.errors} == {"square"}
    assert report.errors[0].message == "RuntimeError: too large"
    assert report.verdict == "error"
    with pytest.raises(AssertionError, match="raised in square: RuntimeError: too large"):
        report.require_passed()


def test_exceptions_in_sample_run_event_and_rate_are_reported():
    def explode(*args):
        raise OSError("x")

    for field in ("sample", "run"):
        report = verify_chain(changed(twins=(), **{field: explode}), trials=3)
        assert [error.where for error in report.errors] == [field] * 3
    event = dataclasses.replace(SQUARES.events[0], occurs=explode)
    rate = dataclasses.replace(SQUARES.rates[0], measure=explode)
    report = verify_chain(changed(twins=(), events=(event,), rates=(rate,)), trials=2)
    assert [(e.where, e.index) for e in report.errors] == [("large", 0), ("large", 1), ("root", -1)]


def test_a_link_that_gives_something_else_is_an_error():
    report = verify_chain(with_links(SQUARES, square=lambda n: [True]), trials=1)
    assert report.errors[0].message == "TypeError: a link gave a bool; expected Check objects"


def test_links_on_the_good_event_skip_the_bad_runs():
    chain = changed(
        links=(Link("bounded", "x <= 0.9", lambda n: Check(n.x, 0.9), unless=("large",)),),
        twins=(),
    )
    report = verify_chain(chain, trials=TRIALS)
    assert report.passed
    assert report.links[0].skipped == report.events[0].occurrences > 0


def test_an_event_may_be_given_by_checks():
    event = Event("far", "x > 0.99", 0.05, lambda n: Check(n.x, 0.99, trivial=1.0), anytime_p_value)
    report = verify_chain(changed(events=(event,), twins=()), trials=TRIALS)
    (found,) = report.events
    assert (found.conclusive, found.test) == (TRIALS, "anytime_p_value")
    assert not found.refuted
    event = dataclasses.replace(event, delta=1e-9)
    assert verify_chain(changed(events=(event,), twins=()), trials=TRIALS).events[0].refuted


def test_false_alarms_of_a_whole_run_add_up_below_one_in_a_million():
    chains = [dataclasses.replace(SQUARES, id=f"toy.{k}") for k in range(3)]
    reports = theory.verify_chains(chains, trials=30)
    assert 0.0 < sum(report.false_alarm for report in reports) <= 1e-6
    assert all(r.events[0].level == r.rates[0].level == 1e-6 / 6 for r in reports)
    with pytest.raises(InvalidModelError, match=r"chain id 'toy.0' is used twice"):
        theory.verify_chains([chains[0], chains[0]])


@pytest.mark.parametrize("chain", [SQUARES, CONTRACTION], ids=lambda chain: chain.id)
def test_one_worker_and_two_give_the_same_report(chain):
    one, two = (verify_chain(chain, trials=40, seed=3, n_jobs=n) for n in (1, 2))
    assert one.to_json() == two.to_json()


def test_a_seed_decides_and_another_seed_differs():
    def texts(seed):
        return verify_chain(CONTRACTION, trials=30, seed=seed).to_json()

    assert texts(0) == texts(0)
    assert json.loads(texts(0))["links"] != json.loads(texts(1))["links"]


def test_cases_differ_between_chains_and_indices_but_not_with_the_number_of_trials():
    other = dataclasses.replace(SQUARES, id="toy.other")
    drawn = {theory.draw_case(c, s, i).x for c in (SQUARES, other) for s in (0, 1) for i in (0, 1)}
    assert len(drawn) == 8
    again = draw_number(theory.case_rng("toy.squares", 1, 1)).x
    assert again == theory.draw_case(SQUARES, 1, 1).x


def test_report_survives_json_and_refuses_other_files():
    report = verify_chain(with_links(SQUARES, square=lambda n: []), trials=5)
    assert math.isnan(report.links[0].max_tightness)
    again = ChainReport.from_json(report.to_json())
    assert again.to_json() == report.to_json()
    assert again.verdict == report.verdict
    plain = json.dumps(report.to_dict(), allow_nan=False)
    assert json.loads(plain)["links"][0]["max_tightness"] is None
    for text in ("[1", "3", '{"$type": "os:system"}', '{"a": 1}'):
        with pytest.raises(InvalidFileError):
            ChainReport.from_json(text)


def test_progress_is_told():
    seen = []
    verify_chain(SQUARES, trials=3, progress=lambda *args: seen.append(args))
    assert seen[:3] == [("toy.squares", k, 3) for k in (1, 2, 3)]
    assert {label for label, _, _ in seen[3:]} == {
        f"toy.squares twin {t.name}" for t in SQUARES.twins
    }


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"links": (), "events": (), "rates": (), "twins": ()}, "has no link, event or rate"),
        ({"links": SQUARES.links * 2}, "uses the name 'square' twice"),
        ({"twins": SQUARES.twins[:1] * 2}, "uses the name 'half' twice"),
        (
            {"links": (Link("square", "", lambda t: [], unless=("typo",)),)},
            "link 'square': unless names 'typo'; the chain has 'large'",
        ),
        (
            {"twins": (Twin("t", "", links={"typo": print}),)},
            "twin 't': links names 'typo'; the chain has 'square'",
        ),
        (
            {"twins": (Twin("t", "", run=print, expect_link="typo"),)},
            "twin 't': expect_link names 'typo'",
        ),
    ],
)
def test_a_chain_that_points_nowhere_is_refused(fields, text):
    with pytest.raises(InvalidModelError, match=text):
        changed(**fields)


def test_bad_arguments_are_refused():
    with pytest.raises(InvalidModelError, match="twin 't' breaks nothing"):
        Twin("t", "nothing")
    with pytest.raises(InvalidModelError, match="trials is 0"):
        verify_chain(SQUARES, trials=0)
    with pytest.raises(InvalidModelError, match="n_jobs is 0"):
        verify_chain(SQUARES, trials=1, n_jobs=0)
    with pytest.raises(
        InvalidModelError, match="has no twin 'x'; it has 'half', 'often', 'faster'"
    ):
        SQUARES.twin("x")
