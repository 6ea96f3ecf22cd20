"""The command line on toy chains: what it prints, saves and returns."""

import dataclasses
import json

import pytest
from toy_chains import CONTRACTION, SQUARES, with_links

import proofs_checks.registry as registry
from mdptheory.theory import Check, Event, Twin, load_case
from proofs_checks.__main__ import main
from proofs_checks.cli import select


@pytest.fixture
def chains(monkeypatch):
    def use(*listed):
        monkeypatch.setattr(registry, "CHAINS", tuple(listed))

    use(SQUARES, CONTRACTION)
    return use


FALSE = with_links(CONTRACTION, contraction=lambda pair: Check(float(pair.mdp.n_states), 2.0))


def test_verify_prints_every_link_twin_and_the_false_alarm(chains, capsys):
    assert main(["verify", "--trials", "200"]) == 0
    out = capsys.readouterr()
    assert out.err == ""  # no bar without a terminal
    for text in (
        "toy.squares  x^2 <= x  HOLDS",
        "toy.contraction  T contracts  HOLDS",
        "event large:",
        "rate root: slope 0.5",
        "twin half (bound halved): caught by square on case ",
        "twin often (threshold 0.5): caught by large in 200 runs",
        "2 chains: 2 holds; 4 of 4 twins caught",
        "Probability that chance refutes a true claim here: at most",
        "200 cases a chain, seed 0",
    ):
        assert text in out.out


def test_a_false_claim_exits_1_and_saves_a_small_counterexample(chains, capsys, tmp_path):
    chains(FALSE)
    assert main(["verify", "--trials", "60", "--out", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "REFUTED" in out
    path = tmp_path / "toy.contraction-contraction.json"
    assert f"counterexample saved: {path}" in out
    assert load_case(path).case.mdp.n_states == 3
    assert main(["replay", str(path)]) == 1
    out = capsys.readouterr().out
    assert "MDP, 3 states" in out
    assert "VIOLATED" in out
    assert "the same, bit for bit" in out
    chains(CONTRACTION)  # the claim is repaired: the case no longer violates it
    assert main(["replay", str(path)]) == 0
    assert "not the same" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"twins": (Twin("same", "nothing", run=lambda case: case),)}, "SURVIVED 30 cases"),
        (
            {"twins": (), "events": (Event("large", "", 1e-9, lambda n: n.x > 0.5),)},
            "claimed at most 1e-09: REFUTED",
        ),
        ({"twins": (), "run": lambda case: 1 / 0}, "error case 0 in run: ZeroDivisionError"),
    ],
)
def test_other_failures_exit_1(chains, capsys, change, text):
    chains(dataclasses.replace(SQUARES, **change))
    assert main(["verify", "--trials", "30"]) == 1
    assert text in capsys.readouterr().out


def test_json_is_strict_and_has_the_slack_of_every_link(chains, capsys, tmp_path):
    path = tmp_path / "deep" / "out.json"
    assert main(["verify", "toy.squares", "--trials", "5", "--seed", "5", "--json", str(path)]) == 1

    def refuse(name):
        raise AssertionError(name)

    data = json.loads(path.read_text(), parse_constant=refuse)
    assert data["format"] == "mdptheory-verify-1"
    assert data["passed"] is False  # 5 runs are too few for the event's twin
    assert 0 <= data["false_alarm"] <= 1e-6
    (chain,) = data["chains"]
    assert (chain["id"], chain["trials"], chain["seed"]) == ("toy.squares", 5, 5)
    assert chain["verdict"] == "twin survives"
    assert [twin["caught"] for twin in chain["twins"]] == [True, False, True]
    link = chain["links"][0]
    assert 0 < link["median_tightness"] <= link["max_tightness"] < 1
    assert chain["events"][0]["refuted"] is False


def test_jobs_do_not_change_the_findings(chains, capsys, tmp_path):
    texts = []
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.json"
        main(["verify", "--trials", "40", "--jobs", jobs, "--json", str(path)])
        texts.append(path.read_text())
    assert texts[0] == texts[1]


def test_list(chains, capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "toy.squares" in out
    assert "toy.contraction" in out
    assert "folklore" in out


def test_ids_and_prefixes(chains):
    assert [chain.id for chain in select(None)] == ["toy.squares", "toy.contraction"]
    assert [chain.id for chain in select(["toy.contraction"])] == ["toy.contraction"]
    assert [chain.id for chain in select(["toy.contraction", "toy"])] == [
        "toy.squares",
        "toy.contraction",
    ]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["verify", "typo"], "no chain has the id 'typo'; there are toy.squares"),
        (["verify", "to"], "no chain has the id 'to'"),
        (["tighten", "toy"], "no chain has the id 'toy'"),
        (["tighten", "toy.squares", "--link", "typo"], "has no link 'typo'"),
        (["verify", "--trials", "0"], "--trials"),
        (["verify", "--seed", "-1"], "--seed"),
        (["replay", "nowhere.json"], "nowhere.json"),
        (["nonsense"], "nonsense"),
    ],
)
def test_usage_errors_exit_2_in_one_sentence(chains, capsys, words, text):
    assert main(words) == 2
    out = capsys.readouterr()
    assert text in out.err
    assert len(out.err.splitlines()) == 1


def test_tighten_saves_what_replays(chains, capsys, tmp_path):
    path = tmp_path / "tight.json"
    words = ["tighten", "toy.contraction", "--budget", "100", "--out", str(path)]
    assert main(words) == 0
    assert "tightness 1" in capsys.readouterr().out
    saved = load_case(path)
    assert saved.check.tightness == pytest.approx(1.0, abs=1e-3)
    assert main(["replay", str(path)]) == 0


def test_tighten_exits_1_when_it_refutes(chains, tmp_path):
    chains(FALSE)
    assert main(["tighten", FALSE.id, "--budget", "50", "--out", str(tmp_path / "x.json")]) == 1


def test_the_installed_command_is_the_same_function():
    from mdptheory.cli.plugins import available
    from proofs_checks.cli import verify

    assert available()["verify"].load() is verify
