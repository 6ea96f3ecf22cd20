"""The chart of where a paper's proofs lose: slack of every link of its chains."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from mdptheory.theory import verify_chains
from paper_figures._runner import Progress
from paper_figures._text import symbols
from paper_figures._verify_file import as_number, read_report
from proofs_checks.cli import report_data
from proofs_checks.registry import CHAINS

FLOOR = 0.01  # smaller ratios are drawn at the left edge
TIGHT, LOOSE, BAD = "#0072B2", "#56B4E9", "#C1272D"


@dataclass(frozen=True, slots=True)
class Config:
    """What to draw.

    Attributes
    ----------
    report : str
        A ``verify --json`` file; empty to run the verification here.
    trials : int
        Cases per chain, when it is run here.
    """

    report: str = ""
    trials: int = 300

    @classmethod
    def quick(cls) -> Self:
        """Fewer cases."""
        return cls(trials=40)


def links_of(
    paper: str, config: Config, rng: np.random.Generator, progress: Progress
) -> dict[str, Any]:
    """Flatten the links of the chains whose id begins with ``paper`` into columns."""
    if config.report:
        report = read_report(Path(config.report))
    else:
        seed = int(rng.integers(2**31))
        report = report_data(
            verify_chains(
                [chain for chain in CHAINS if chain.id.startswith(f"{paper}.")],
                trials=config.trials,
                seed=seed,
                progress=progress,
            )
        )
    chains = [
        chain
        for chain in report["chains"]
        if chain["links"] and chain["id"].startswith(f"{paper}.")
    ]
    links = [(i, link) for i, chain in enumerate(chains) for link in chain["links"]]
    twins = [chain["twins"] for chain in chains]
    return {
        "chain": np.array([chain["id"] for chain in chains], dtype=str),
        "verdict": np.array([chain["verdict"] for chain in chains], dtype=str),
        "twins": np.array([len(t) for t in twins], dtype=int),
        "caught": np.array([sum(bool(twin["caught"]) for twin in t) for t in twins], dtype=int),
        "link_chain": np.array([i for i, _ in links], dtype=int),
        "link": np.array([link["statement"] for _, link in links], dtype=str),
        "tightest": np.array([as_number(link["max_tightness"]) for _, link in links]),
        "median": np.array([as_number(link["median_tightness"]) for _, link in links]),
        "conclusive": np.array([link["conclusive"] for _, link in links], dtype=int),
        "applied": np.array([link["trials"] - link["skipped"] for _, link in links], dtype=int),
        "violations": np.array([link["violations"] for _, link in links], dtype=int),
    }


def plot(data: dict[str, Any], fig: Any) -> None:
    """Two columns of panels, one panel a chain, as high as its number of links."""
    n_chains = len(data["chain"])
    if not n_chains:
        fig.text(0.5, 0.5, "the report has none of these chains", ha="center")
        return
    counts = [int((data["link_chain"] == i).sum()) for i in range(n_chains)]
    columns = _columns(counts)
    height = max(sum(counts[i] + 2.2 for i in column) for column in columns)
    fig.set_size_inches(6.6 * len(columns), 0.185 * height + 0.5)
    for part, column in zip(np.atleast_1d(fig.subfigures(1, len(columns))), columns, strict=True):
        rows = [counts[i] + 2.2 for i in column]
        spare = height - sum(rows)
        if spare > 0:
            rows.append(spare)  # the shorter column ends in white
        grid = part.add_gridspec(len(rows), 1, height_ratios=rows)
        for k, i in enumerate(column):
            _panel(part.add_subplot(grid[k]), data, i, last=k == len(column) - 1)


def _columns(counts: list[int]) -> list[list[int]]:
    """Split the chains, in order, into two columns of nearly equal height."""
    if len(counts) < 2:
        return [list(range(len(counts)))]
    total = np.cumsum(counts)
    cut = int(np.argmin(np.abs(total - total[-1] / 2))) + 1
    cut = min(cut, len(counts) - 1)
    return [list(range(cut)), list(range(cut, len(counts)))]


def _panel(ax: Any, data: dict[str, Any], i: int, *, last: bool) -> None:
    rows = np.flatnonzero(data["link_chain"] == i)
    for y, row in enumerate(rows):
        _row(ax, data, int(row), y)
    ax.set_xscale("log")
    ax.set_xlim(FLOOR * 0.9, 1.12)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [_short(symbols(str(data["link"][row]))) for row in rows])
    ax.tick_params(axis="y", length=0, labelsize=7.5)
    ax.set_xticks([0.01, 0.1, 1.0], ["≤ 0.01", "0.1", "1"] if last else ["", "", ""])
    ax.xaxis.minorticks_off()
    ax.tick_params(axis="x", length=0 if not last else 3)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_visible(last)
    if last:
        ax.set_xlabel("measured / bound (1 = no slack)")
    good = data["verdict"][i] == "holds" and data["caught"][i] == data["twins"][i]
    verdict = f"{data['verdict'][i]}; {data['caught'][i]} of {data['twins'][i]} twins caught"
    ax.set_title(
        verdict, loc="left", fontsize=7.5, fontweight="normal", color="#2E7D32" if good else BAD
    )
    name = str(data["chain"][i]).replace("_", " ")
    ax.annotate(
        name,
        (0, 1),
        xytext=(-4, 6),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        fontweight="bold",
        fontsize=9.5,
    )


def _row(ax: Any, data: dict[str, Any], row: int, y: int) -> None:
    tightest, median = float(data["tightest"][row]), float(data["median"][row])
    violated = int(data["violations"][row])
    ax.plot([FLOOR, 1.0], [y, y], color="#EEEEEE", linewidth=3.5, solid_capstyle="butt", zorder=1)
    text = f"{data['conclusive'][row]}/{data['applied'][row]}"
    if violated:
        text = f"violated {violated}/{data['applied'][row]}"
    colour = BAD if violated else "#777777"
    ax.text(1.17, y, text, fontsize=7, va="center", color=colour, clip_on=False)
    if math.isnan(tightest):
        ax.plot(FLOOR, y, "o", markerfacecolor="white", markeredgecolor="#999999", zorder=3)
        return
    high = min(max(tightest, FLOOR), 1.0)
    low = min(max(median, FLOOR), 1.0)
    colour = BAD if violated else TIGHT
    ax.plot([low, high], [y, y], color=LOOSE, linewidth=3.5, solid_capstyle="butt", zorder=2)
    ax.plot(low, y, "|", color=colour, markersize=6.5, markeredgewidth=1.4, zorder=3)
    ax.plot(high, y, "o", color=colour, markersize=4.2, zorder=4)


def _short(text: str, limit: int = 62) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
