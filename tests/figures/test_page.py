"""The page of ``mdptheory reproduce``."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from mdptheory import cli
from paper_figures import report as page_module
from paper_figures._slack import chain_section, slack_bar
from paper_figures._text import markdown, symbols
from paper_figures._verify_file import read_report
from paper_figures.report import findings_text, page_html, reproduce_all
from proofs_checks import cli as checks
from proofs_checks import policy_loss

VOID = {"meta", "img", "rect", "circle", "br"}


class Strict(HTMLParser):
    """Balances tags and collects what a page asks others for."""

    def __init__(self):
        super().__init__()
        self.open, self.external, self.ids, self.anchors, self.text = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        fields = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if fields.get("id"):
            self.ids.append(fields["id"])
        for name in ("src", "href"):
            value = fields.get(name) or ""
            if value.startswith("#"):
                self.anchors.append(value[1:])
            elif value and not value.startswith("data:") and tag != "a":
                self.external.append(value)
        if tag in ("script", "link", "iframe"):
            self.external.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_data(self, data):
        self.text.append(data)


def parse(text):
    parser = Strict()
    parser.feed(text)
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def small():
    """Two chains, few cases, the figures of one folder; test_runner draws each of the others."""
    planning = page_module.select_figures("planning")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "select_figures", lambda name: planning)
        patch.setattr(page_module, "QUICK_TRIALS", 40)
        patch.setattr(checks, "select", lambda ids: checks_chains)
        yield


checks_chains = checks.select(["planning.contraction", "planning.policy_loss"])


@pytest.fixture(scope="module")
def reproduced(small, tmp_path_factory):
    return reproduce_all(tmp_path_factory.mktemp("out"), quick=True)


def test_the_page_is_whole_and_needs_nothing_else(reproduced):
    text = reproduced.page.read_text(encoding="utf-8")
    page = parse(text)
    assert page.external == []
    assert "url(" not in text
    assert set(page.anchors) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert text.count("data:image/svg+xml;base64,") == len(reproduced.figures) >= 2
    assert reproduced.passed
    words = " ".join(page.text)
    for chain in checks_chains:
        assert symbols(chain.title) in words
    assert "2 of 2 chains hold on 80 sampled cases" in words
    assert "Findings" in words
    assert not re.search(r"\$\w", text)  # every placeholder is filled


def test_the_report_and_the_data_are_beside_the_page(reproduced):
    folder = reproduced.page.parent
    assert read_report(folder / "verify.json")["passed"] is True
    assert (folder / "figures/planning/data/fig2_slack.npz").exists()


def test_a_refuted_chain_is_on_the_page_and_in_the_exit_code(small, tmp_path, monkeypatch, capsys):
    chain = policy_loss.CHAIN
    wrong = chain.broken(chain.twin("half_of_it"))
    survivor = dataclasses.replace(
        chain,
        id="planning.survivor",
        twins=(
            dataclasses.replace(chain.twins[0], links=chain_links(chain), run=None, sample=None),
        ),
    )
    monkeypatch.setattr(checks, "select", lambda ids: (wrong, survivor))
    monkeypatch.setattr(page_module, "QUICK_TRIALS", 40)
    monkeypatch.setattr(page_module, "select_figures", lambda name: ())
    assert cli.main(["reproduce", "--quick", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().out.strip() == str(tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    parse(text)
    assert "What does not hold:" in text
    assert '<span class="badge bad">refuted</span>' in text
    assert '<span class="badge bad">twin survives</span>' in text
    assert "✗ survives:" in text
    assert list((tmp_path / "counterexamples").iterdir())


def chain_links(chain):
    """A twin in which nothing is really broken."""
    return {chain.links[0].name: chain.links[0].check}


def test_what_chains_say_is_escaped(reproduced):
    report = read_report(reproduced.report)
    evil = "<script>alert(1)</script>"
    chain = report["chains"][0]
    chain.update(title=evil, statement=evil, source=evil, second_route=evil, provenance=evil)
    chain["links"][0]["statement"] = evil
    chain["twins"][0]["what_is_broken"] = evil
    chain["errors"] = [{"where": evil, "index": 0, "message": evil}]
    page = parse(page_html(report, (), quick=True, seed=0))
    assert page.external == []
    assert "".join(page.text).count(evil) >= 8


def test_events_and_rates_are_shown(reproduced):
    chain = read_report(reproduced.report)["chains"][0]
    event = {
        "statement": "regret > bound",
        "delta": 0.1,
        "occurrences": 3,
        "trials": 40,
        "p_value": 0.7,
        "refuted": False,
    }
    rate = {
        "statement": "error ~ n^-1/2",
        "exponent": -0.5,
        "slope": -0.52,
        "low": -0.6,
        "high": -0.4,
        "refuted": True,
    }
    text = chain_section({**chain, "events": [event], "rates": [rate]})
    parse(text)
    assert "3 of 40" in text
    assert "-0.520 in [-0.600, -0.400]" in text
    assert '<span class="bad">refuted</span>' in text


@pytest.mark.parametrize(("silent", "words"), [(0, ";"), (1, ", 1 says"), (2, ", 2 say nothing")])
def test_a_vacuous_chain_is_not_counted_as_holding(silent, words):
    verdicts = ["vacuous on all cases"] * silent + ["holds"] * (3 - silent)
    chains = [
        {"verdict": verdict, "passed": True, "twins": [], "links": [], "trials": 5}
        for verdict in verdicts
    ]
    text = page_module._summary({"chains": chains, "false_alarm": 0.0})
    assert text.startswith(f"{3 - silent} of 3 chains hold on 15 sampled cases (0 links){words}")


def test_slack_bars_stay_inside_and_say_their_numbers():
    bar = slack_bar(-0.5, 1.2, violated=True)
    assert 'cx="200.0"' in bar
    assert 'x="0.0"' in bar
    assert "var(--bad)" in bar
    assert "median -0.5, tightest 1.2" in bar
    assert "no conclusive case" in slack_bar(float("nan"), float("nan"), violated=False)


def test_findings_come_from_the_package_or_the_checkout(monkeypatch, tmp_path):
    assert findings_text().startswith("# Findings")
    (tmp_path / "FINDINGS.md").write_text("# Packaged")
    monkeypatch.setattr(page_module.resources, "files", lambda package: tmp_path)
    assert findings_text() == "# Packaged"
    (tmp_path / "FINDINGS.md").unlink()
    monkeypatch.setattr(page_module, "__file__", str(tmp_path / "paper_figures" / "report.py"))
    assert findings_text() is None


def test_markdown():
    source = (
        "# A\n\nText with `a < b`,\n**bold** and [link](https://example.org).\n\n"
        "- one\n- two\n  more\n\n| h | k |\n|---|--:|\n| 1 \\| 2 | <b> |\n\n```\n# code\n\nx\n```\n"
    )
    text = markdown(source)
    parse(text)
    assert text == (
        "<h2>A</h2>\n<p>Text with <code>a &lt; b</code>, <strong>bold</strong> and "
        '<a href="https://example.org">link</a>.</p>\n<ul><li>one</li><li>two\n  more</li></ul>\n'
        "<table><thead><tr><th>h</th><th>k</th></tr></thead><tbody><tr><td>1 | 2</td>"
        "<td>&lt;b&gt;</td></tr></tbody></table>\n<pre># code\n\nx</pre>"
    )
    assert "javascript" not in markdown("[x](javascript:alert)").replace(
        "[x](javascript:alert)", ""
    )


@pytest.mark.parametrize(
    ("plain", "pretty"),
    [
        ("a <= gamma b", "a ≤ γ b"),
        ("u <= v => Tu >= Tv", "u ≤ v ⇒ Tu ≥ Tv"),
        ("eps_r and steps", "ε_r and steps"),
        ("E_pi[x], v^pi, pip", "E_π[x], v^π, pip"),
        ("gamma_half", "gamma_half"),
    ],
)
def test_symbols(plain, pretty):
    assert symbols(plain) == pretty
