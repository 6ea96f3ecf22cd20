"""Verify, draw, and say it all on one page that needs nothing but itself."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from mdptheory.theory import verify_chains
from paper_figures._runner import Drawn, Progress, commit, draw, select_figures, versions
from paper_figures._slack import chain_section, overview_table
from paper_figures._text import markdown
from paper_figures._verify_file import read_report
from proofs_checks import cli as checks

QUICK_TRIALS, TRIALS = 200, 1000


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What `reproduce_all` left behind.

    Attributes
    ----------
    page : Path
        The page.
    report : Path
        The verification, as ``verify --json`` writes it.
    figures : tuple of Drawn
        Files of every figure.
    passed : bool
        Whether every claim held and every twin was caught.
    """

    page: Path
    report: Path
    figures: tuple[Drawn, ...]
    passed: bool


def reproduce_all(
    out: Path, *, quick: bool = False, seed: int = 0, progress: Progress | None = None
) -> Reproduced:
    """Verify every chain, draw every figure, write ``out/index.html``.

    Parameters
    ----------
    out : Path
        Folder; made if it is not there.
    quick : bool
        Fewer cases and small configurations.
    seed : int
        Seed of cases and figures.
    progress : callable, optional
        ``progress(label, done, total)``.

    Returns
    -------
    Reproduced
        A refuted claim is reported in it and on the page; it is not raised.
    """
    chains = checks.select(None)
    trials = QUICK_TRIALS if quick else TRIALS
    reports = verify_chains(chains, trials=trials, seed=seed, progress=progress)
    report = out / "verify.json"
    checks.write_report(reports, report)
    checks.save_counterexamples(chains, reports, out / "counterexamples")
    drawn = tuple(
        draw(
            entry,
            out / "figures",
            quick=quick,
            seed=seed,
            options={"report": str(report)},
            progress=progress,
        )
        for entry in select_figures(None)
    )
    content = read_report(report)
    page = out / "index.html"
    page.write_text(page_html(content, drawn, quick=quick, seed=seed), encoding="utf-8")
    return Reproduced(page, report, drawn, bool(content["passed"]))


def page_html(report: dict[str, Any], figures: Sequence[Drawn], *, quick: bool, seed: int) -> str:
    """Return the page.

    Parameters
    ----------
    report : dict
        What `read_report` returns.
    figures : sequence of Drawn
        In the order in which they are shown.
    quick, seed : bool, int
        As in `reproduce_all`; the page says them.
    """
    template = Template((resources.files("paper_figures") / "page.html").read_text("utf-8"))
    chains = report["chains"]
    return template.substitute(
        origin=_origin(quick, seed),
        summary=_summary(report),
        problems=_problems(chains),
        overview=overview_table(chains),
        chains="\n".join(chain_section(chain) for chain in chains),
        figures="\n".join(_figure(drawn) for drawn in figures),
        findings=_findings(),
        versions=_versions(quick, seed),
    )


def findings_text() -> str | None:
    """Return FINDINGS.md: of the installed package, else of the checkout, else None."""
    installed = resources.files("proofs_checks") / "FINDINGS.md"
    checkout = Path(__file__).parent.parent / "FINDINGS.md"
    for place in (installed, checkout):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    return None


def _summary(report: dict[str, Any]) -> str:
    chains = report["chains"]
    twins = [twin for chain in chains for twin in chain["twins"]]
    links = [link for chain in chains for link in chain["links"]]
    hold = sum(chain["verdict"] == "holds" for chain in chains)
    vacuous = sum(chain["verdict"] == "vacuous on all cases" for chain in chains)
    verb = "says" if vacuous == 1 else "say"
    silent = f", {vacuous} {verb} nothing at this scale" if vacuous else ""
    caught = sum(bool(twin["caught"]) for twin in twins)
    cases = sum(chain["trials"] for chain in chains)
    chance = _plain(report["false_alarm"])
    return (
        f"{hold} of {len(chains)} chains hold on {cases:,} sampled cases ({len(links)} links)"
        f"{silent}; {caught} of {len(twins)} broken twins are caught. The probability that chance"
        f" alone refutes a true claim here is at most {chance}."
    )


def _problems(chains: Sequence[dict[str, Any]]) -> str:
    failed = [chain for chain in chains if not chain["passed"]]
    if not failed:
        return ""
    items = "".join(
        f'<li><a href="#{escape(c["id"])}">{escape(c["title"])}</a>: {escape(c["verdict"])}</li>'
        for c in failed
    )
    return f'<div class="bad"><p>What does not hold:</p><ul>{items}</ul></div>'


def _figure(drawn: Drawn) -> str:
    picture = base64.b64encode(drawn.svg.read_bytes()).decode()
    title, caption = escape(drawn.entry.title), escape(drawn.entry.caption)
    return (
        f'<h3>{title}</h3>\n<figure class="wide">'
        f'<img alt="{title}" src="data:image/svg+xml;base64,{picture}">'
        f"<figcaption>{caption.replace('`', '')}</figcaption></figure>"
    )


def _findings() -> str:
    text = findings_text()
    if text is None:
        return ""
    body = markdown(text.strip(), shift=1)
    return body.replace("<h2>", '<h2 id="findings">', 1)


def _origin(quick: bool, seed: int) -> str:
    size = "quick run" if quick else "full run"
    found = commit()
    state = f", commit {found[:12]}" if found else ""
    return escape(f"mdptheory {versions()['mdptheory']}{state}, {size}, seed {seed}")


def _versions(quick: bool, seed: int) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
        for name, value in versions().items()
    )
    words = ["mdptheory reproduce", "--quick" if quick else "", f"--seed {seed}" if seed else ""]
    command = " ".join(word for word in words if word)
    return (
        f"<pre>{escape(command)}</pre><p>All numbers are in <code>verify.json</code> and in the"
        " <code>data</code> folders beside the figures, each with its configuration, seed and"
        f" versions.</p><table><tbody>{rows}</tbody></table>"
    )


def _plain(value: float) -> str:
    return "0 (no claim here is a matter of chance)" if value == 0 else f"{value:.1g}"
