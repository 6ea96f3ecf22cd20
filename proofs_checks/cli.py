"""The commands ``verify``, ``list``, ``replay`` and ``tighten``: they parse, call and print.

Exit codes: 0 every claim holds and every twin is caught; 1 a link is violated, an event or a rate
is refuted, a run raised or a twin survives; 2 bad usage or input; 130 interrupted.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mdptheory.theory import (
    Chain,
    ChainReport,
    find_counterexample,
    load_case,
    save_case,
    simplify,
    verify_chains,
)
from mdptheory.theory import replay as replay_case
from mdptheory.theory import tighten as tighten_link

REPORT_FORMAT = "mdptheory-verify-1"

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def verify(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Chains, or prefixes of ids; all if absent."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Cases per chain.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the cases.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the findings to this file.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for shrunk counterexamples, if there are any.")
    ] = Path("counterexamples"),
) -> None:
    """Check published results link by link, and that their broken twins are caught.

    Exit code 1 if a link is violated, an event is refuted, a run raises or a twin survives.
    """
    from proofs_checks import render

    chains = select(ids)
    with render.progress_bar() as progress:
        reports = verify_chains(chains, trials=trials, seed=seed, n_jobs=jobs, progress=progress)
    for report in reports:
        render.print_report(report)
    render.print_summary(reports)
    if json_file is not None:
        write_report(reports, json_file)
    for path in save_counterexamples(chains, reports, out):
        print(f"counterexample saved: {path} (python -m proofs_checks replay {path})")
    if not all(report.passed for report in reports):
        raise typer.Exit(1)


def list_chains() -> None:
    """List the chains: id, title, source and what each consists of."""
    from proofs_checks import render

    render.print_chains(select(None))


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A saved case.")],
) -> None:
    """Run a saved case again; exit code 1 if the link is violated on it, as saved or not."""
    from proofs_checks import render

    chains = select(None)
    again = replay_case(load_case(file), chains)
    render.print_replay(again)
    if again.check is None or not again.check.holds:
        raise typer.Exit(1)


def tighten(
    chain_id: Annotated[str, typer.Argument(metavar="ID", help="A chain.")],
    link: Annotated[str | None, typer.Option(help="A link; the conclusion if absent.")] = None,
    budget: Annotated[int, typer.Option(min=2, help="Cases to run.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.")] = 0,
    polish: Annotated[
        bool, typer.Option("--polish", help="Also CMA-ES on real numbers (extra 'search').")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="File for the case; tight/ID-LINK.json if absent.")
    ] = None,
) -> None:
    """Search for the case on which a link is tightest, and save it.

    Exit code 1 if the search finds a case that violates the link.
    """
    from proofs_checks import render

    (chain,) = select([chain_id], exact=True)
    if not chain.links:
        raise typer.BadParameter(f"chain {chain.id!r} has no link to tighten")
    name = chain.links[-1].name if link is None else link
    with render.progress_bar() as progress:
        found = tighten_link(
            chain, name, budget=budget, seed=seed, polish=polish, progress=progress
        )
    path = save_case(simplify(chain, found), out or Path("tight") / f"{chain.id}-{name}.json")
    again = replay_case(load_case(path), [chain])
    render.print_replay(again)
    print(f"saved: {path}")
    if not found.check.holds:
        raise typer.Exit(1)


app.command("verify")(verify)
app.command("list")(list_chains)
app.command("replay")(replay)
app.command("tighten")(tighten)


# ---- what the commands share --------------------------------------------------------------------


def select(ids: Sequence[str] | None, *, exact: bool = False) -> tuple[Chain, ...]:
    """Return the chains of these ids in the registry's order; a prefix up to a dot names several.

    Parameters
    ----------
    ids : sequence of str, optional
        Ids such as ``planning.contraction``, or prefixes such as ``planning``; all if None.
    exact : bool
        Whether prefixes are refused.
    """
    from proofs_checks.registry import CHAINS

    wanted = list(ids or [])
    if not wanted:
        return CHAINS
    chosen: set[str] = set()
    for word in wanted:
        fits = {c.id for c in CHAINS if c.id == word or (not exact and _under(c.id, word))}
        if not fits:
            known = ", ".join(chain.id for chain in CHAINS)
            raise typer.BadParameter(f"no chain has the id {word!r}; there are {known}")
        chosen |= fits
    return tuple(chain for chain in CHAINS if chain.id in chosen)


def _under(chain_id: str, prefix: str) -> bool:
    return chain_id.startswith(f"{prefix.rstrip('.')}.")


def report_data(reports: Sequence[ChainReport]) -> dict[str, Any]:
    """Return what ``verify --json`` writes: strict JSON, NaN as null.

    Parameters
    ----------
    reports : sequence of ChainReport
        The findings.
    """
    from mdptheory import __version__

    return {
        "format": REPORT_FORMAT,
        "version": __version__,
        "passed": all(report.passed for report in reports),
        "false_alarm": sum(report.false_alarm for report in reports),
        "chains": [report.to_dict() for report in reports],
    }


def write_report(reports: Sequence[ChainReport], path: Path) -> None:
    """Write the findings as JSON.

    Parameters
    ----------
    reports : sequence of ChainReport
        The findings.
    path : Path
        The file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report_data(reports), indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def save_counterexamples(
    chains: Sequence[Chain], reports: Sequence[ChainReport], folder: Path
) -> list[Path]:
    """Shrink the worst case of every violated link and save it.

    Parameters
    ----------
    chains, reports : sequences of the same length
        The theorems and the findings.
    folder : Path
        Where the files go; it is made if there is one.
    """
    paths = []
    for chain, report in zip(chains, reports, strict=True):
        for link in report.links:
            if link.violations:
                found = find_counterexample(chain, link.name, report.seed, link.worst_index)
                paths.append(save_case(found, folder / f"{chain.id}-{link.name}.json"))
    return paths
