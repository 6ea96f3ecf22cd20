"""The commands ``figures`` and ``reproduce``: they parse, call and print."""

from pathlib import Path
from typing import Annotated

import typer


def figures(
    name: Annotated[
        str | None, typer.Argument(metavar="[PAPER[/FIG]]", help="Which; all of them if absent.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small configurations.")] = False,
    replot: Annotated[
        bool, typer.Option("--replot", help="Plot from the data of an earlier run.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for data and pictures.")] = Path("figures"),
    report: Annotated[
        Path | None, typer.Option(help="A verify --json file, for figures that draw one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every figure.")] = 0,
    names: Annotated[bool, typer.Option("--list", help="Print the names and stop.")] = False,
) -> None:
    """Compute and draw the figures of the papers."""
    from paper_figures._runner import draw, progress_bar, select_figures

    chosen = select_figures(name)
    if names:
        for entry in chosen:
            print(f"{entry.name}  {entry.title}")
        return
    options = {} if report is None else {"report": str(report)}
    with progress_bar() as progress:
        for entry in chosen:
            drawn = draw(
                entry,
                out,
                quick=quick,
                replot=replot,
                seed=seed,
                options=options,
                progress=progress,
            )
            print(drawn.png)
            print(drawn.svg)


def reproduce(
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes instead of many.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the page and all data.")] = Path("out"),
    seed: Annotated[int, typer.Option(help="Seed of the chains and the figures.")] = 0,
) -> None:
    """Verify every chain, draw every figure, and write a page with the results.

    Exit code 1 if a claim is refuted or a broken twin survives; the page is written all the same.
    """
    from paper_figures._runner import progress_bar
    from paper_figures.report import reproduce_all

    with progress_bar() as progress:
        result = reproduce_all(out, quick=quick, seed=seed, progress=progress)
    print(result.page)
    if not result.passed:
        raise typer.Exit(1)
