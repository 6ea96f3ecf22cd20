"""The chains of a verification as HTML: slack bars, counts, twins."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from paper_figures._text import symbols
from paper_figures._verify_file import as_number

_VERDICT_CLASS = {"holds": "good", "vacuous on all cases": "warn"}


def overview_table(chains: Sequence[dict[str, Any]]) -> str:
    """Return one row per chain: claim, verdict, and how tight its conclusion is.

    Parameters
    ----------
    chains : sequence of dict
        As in a ``verify --json`` file.
    """
    rows = []
    for chain in chains:
        name = f'<a href="#{escape(chain["id"])}">{escape(symbols(chain["title"]))}</a>'
        caught = sum(bool(twin["caught"]) for twin in chain["twins"])
        rows.append(
            f"<tr><td>{name}</td><td>{_verdict(chain)}</td>"
            f'<td class="num">{len(chain["links"])}</td>'
            f'<td class="num">{chain["trials"]:,}</td>'
            f'<td class="num">{caught} / {len(chain["twins"])}</td></tr>'
        )
    head = (
        '<tr><th>claim</th><th>verdict</th><th class="num">links</th><th class="num">cases</th>'
        '<th class="num">twins caught</th></tr>'
    )
    return _table(head, rows)


def chain_section(chain: dict[str, Any]) -> str:
    """Return a chain with its links, events, rates and twins.

    Parameters
    ----------
    chain : dict
        As in a ``verify --json`` file.
    """
    route = chain.get("second_route")
    about = [f"{chain['source']} ({chain.get('provenance', 'unknown')})."]
    about += [f"Reference values: {route}."] if route else []
    about += [f"<code>{escape(chain['id'])}</code>"]
    parts = [
        f'<section class="chain" id="{escape(chain["id"])}">',
        f"<h3>{escape(symbols(chain['title']))} {_verdict(chain)}</h3>",
        f'<p class="claim">{escape(symbols(chain["statement"]))}</p>',
        f'<p class="soft">{" ".join([*map(escape, about[:-1]), about[-1]])}</p>',
        _links(chain["links"]),
        _events(chain["events"]),
        _rates(chain["rates"]),
        _errors(chain.get("errors", [])),
        _twins(chain["twins"]),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def slack_bar(median: float, tightest: float, *, violated: bool) -> str:
    """Return an inline SVG: track from 0 to 1, mark at the median, dot at the tightest case.

    Parameters
    ----------
    median, tightest : float
        Of measured/bound over conclusive cases; NaN if there are none.
    violated : bool
        Whether some case violates the link.
    """
    track = '<rect x="0" y="4" width="200" height="4" rx="2" fill="var(--track)"/>'
    label = "no conclusive case"
    drawn = ""
    if not math.isnan(tightest):
        low, high = (200 * min(max(x, 0.0), 1.0) for x in (median, tightest))
        dot = "var(--bad)" if violated else "var(--dot)"
        label = f"median {median:.3g}, tightest {tightest:.3g}"
        drawn = (
            f'<rect x="{low:.1f}" y="4" width="{max(high - low, 0):.1f}" height="4"'
            ' fill="var(--bar)"/>'
            f'<rect x="{max(low - 1, 0):.1f}" y="1" width="2" height="10" fill="{dot}"/>'
            f'<circle cx="{high:.1f}" cy="6" r="4" fill="{dot}"/>'
        )
    return (
        f'<svg viewBox="-5 0 210 12" role="img"'
        f' aria-label="{label}"><title>{label}</title>{track}{drawn}</svg>'
    )


def _links(links: Sequence[dict[str, Any]]) -> str:
    if not links:
        return ""
    rows = []
    for link in links:
        median, tightest = as_number(link["median_tightness"]), as_number(link["max_tightness"])
        violated = int(link["violations"])
        state = f'<span class="bad">{violated:,}</span>' if violated else "0"
        bar = slack_bar(median, tightest, violated=bool(violated))
        rows.append(
            f"<tr><td>{escape(symbols(link['statement']))}</td>"
            f'<td class="slack">{bar}</td>'
            f'<td class="num">{_number(median)}</td><td class="num">{_number(tightest)}</td>'
            f'<td class="num">{link["conclusive"]:,}</td><td class="num">{link["vacuous"]:,}</td>'
            f'<td class="num">{state}</td></tr>'
        )
    head = (
        '<tr><th>link</th><th class="slack">measured / bound</th><th class="num">median</th>'
        '<th class="num">tightest</th><th class="num">conclusive</th>'
        '<th class="num">vacuous</th><th class="num">violated</th></tr>'
    )
    return _table(head, rows, kind="links")


def _events(events: Sequence[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td>{escape(symbols(event['statement']))}</td>"
        f'<td class="num">{as_number(event["delta"]):.3g}</td>'
        f'<td class="num">{event["occurrences"]:,} of {event["trials"]:,}</td>'
        f'<td class="num">{as_number(event["p_value"]):.2g}</td><td>{_state(event["refuted"])}</td>'
        "</tr>"
        for event in events
    ]
    head = (
        '<tr><th>event</th><th class="num">claimed at most</th><th class="num">occurred</th>'
        '<th class="num">p-value</th><th>verdict</th></tr>'
    )
    return _table(head, rows) if rows else ""


def _rates(rates: Sequence[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td>{escape(symbols(rate['statement']))}</td>"
        f'<td class="num">{as_number(rate["exponent"]):.3g}</td>'
        f'<td class="num">{as_number(rate["slope"]):.3f} in [{as_number(rate["low"]):.3f},'
        f" {as_number(rate['high']):.3f}]</td><td>{_state(rate['refuted'])}</td></tr>"
        for rate in rates
    ]
    head = (
        '<tr><th>rate</th><th class="num">claimed exponent</th>'
        '<th class="num">measured slope, 95 %</th><th>verdict</th></tr>'
    )
    return _table(head, rows) if rows else ""


def _errors(errors: Sequence[dict[str, Any]]) -> str:
    items = [
        f'<li class="bad">case {error["index"]} raised in {escape(str(error["where"]))}:'
        f" {escape(str(error['message']))}</li>"
        for error in errors[:5]
    ]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _twins(twins: Sequence[dict[str, Any]]) -> str:
    items = []
    for twin in twins:
        what = escape(symbols(twin["what_is_broken"]))
        if twin["caught"]:
            by = ", ".join(escape(str(name)) for name in twin["caught_by"])
            case = f" on case {twin['index']}" if twin["index"] >= 0 else ""
            items.append(
                f'<li><span class="good">✓</span> {what}'
                f' <span class="soft">caught by {by}{case}</span></li>'
            )
        else:
            items.append(
                f'<li><span class="bad">✗ survives:</span> {what}'
                f' <span class="soft">{twin["trials"]:,} cases</span></li>'
            )
    return f"<h4>Broken twins</h4><ul class='twins'>{''.join(items)}</ul>" if items else ""


def _verdict(chain: dict[str, Any]) -> str:
    kind = _VERDICT_CLASS.get(chain["verdict"], "bad")
    return f'<span class="badge {kind}">{escape(chain["verdict"])}</span>'


def _state(refuted: bool) -> str:
    return '<span class="bad">refuted</span>' if refuted else '<span class="good">holds</span>'


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _table(head: str, rows: Sequence[str], *, kind: str = "plain") -> str:
    body = "\n".join(rows)
    return (
        f'<div class="scroll"><table class="{kind}"><thead>{head}</thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )
