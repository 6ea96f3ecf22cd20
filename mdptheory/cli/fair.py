"""The commands about fair thresholds: learn one, list the best ones, say what is proved."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mdptheory._validation import check_number
from mdptheory.cli.failures import BAD_INPUT, FAILS, CommandError
from mdptheory.cli.fair_source import Desk, noted, with_desk

if TYPE_CHECKING:
    from mdptheory.algorithms import BanditLearner, BanditOptions
    from mdptheory.models import BanditRun

TABLES = (".csv", ".json")
PICTURES = (".png", ".svg", ".pdf")
RECORDED = 2000  # rounds of a run, about

HELP = (
    "Accept people whose score reaches a threshold: which threshold is fair, pays, and stays so?"
    "\n\nA threshold is feasible if it keeps the limits once the applicants have got used to it:"
    " decisions change who applies, and how many of them are good. The presets have limits of"
    " their own; options replace them."
)

fair = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


class Method(StrEnum):
    """Ways to choose thresholds, round after round."""

    OFS = "ofs"
    OFS_EPOCHS = "ofs-epochs"
    UCB = "ucb"
    PESSIMISTIC = "pessimistic"
    PRIMAL_DUAL = "primal-dual"
    GREEDY = "greedy"
    EXPLORE = "explore"
    STATIC = "static"
    BEST = "best"


@fair.callback(invoke_without_command=True, help=HELP)
def start(context: typer.Context) -> None:
    """Print the help when no command is given."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(BAD_INPUT)


@fair.command("run")
@with_desk
def run(
    desk: Desk,
    method: Annotated[
        list[Method] | None,
        typer.Option(help="May be given several times; ofs if absent."),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of a run.")] = 20_000,
    seeds: Annotated[int, typer.Option(help="Independent runs of each method.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first run; others count on.")] = 0,
    radius_scale: Annotated[
        float, typer.Option(help="Width of the bounds; below 1 (0.25 say) bold and unproved.")
    ] = 1.0,
    delta: Annotated[float, typer.Option(help="Probability with which bounds may fail.")] = 0.05,
    out: Annotated[Path | None, typer.Option(help="Write a row a run: .csv or .json.")] = None,
    curves: Annotated[
        Path | None, typer.Option(help="Write a row a recorded round: .csv or .json.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the first run of each method: .png, .svg, .pdf.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose thresholds round by round, learning from what each round shows.

    Methods: ofs plays the best of the thresholds that may be feasible; ofs-epochs does so for as
    long as each was played so far, which is proved with feedback; ucb ignores limits; pessimistic
    plays what is surely feasible; primal-dual lets violations cost a price that follows them;
    greedy trusts averages; explore tries all in turn, then keeps one; static keeps the one that is
    best before anything moves, and best the best feasible one, which nobody knows in advance.
    """
    from mdptheory.cli import fair_report
    from mdptheory.cli.policy_file import check_target
    from mdptheory.tables import round_table, run_table

    for path, option, suffixes in (
        (out, "--out", TABLES), (curves, "--curves", TABLES), (plot, "--plot", PICTURES),
    ):  # fmt: skip
        if path is not None:
            check_target(path, option, suffixes)
    methods = list(dict.fromkeys(method or [Method.OFS]))
    names = [str(m.value) for m in methods for _ in range(_at_least_one("--seeds", seeds))]
    if seed < 0:
        raise CommandError(f"--seed is {seed}; expected 0 or more")
    options = _options(delta, radius_scale, rounds)
    runs, notes = _runs(desk, methods, rounds, [seed + i for i in range(seeds)], options)
    labels: dict[str, list[Any]] = {
        "method": names,
        "seed": [seed + i % seeds for i in range(len(names))],
    }
    table = run_table(runs, labels)
    if out is not None:
        fair_report.write_table(table, out)
    if curves is not None:
        fair_report.write_table(round_table(runs, labels), curves)
    if plot is not None:
        _draw(desk, dict(zip(map(str, methods), runs[::seeds], strict=True)), plot)
    files = {"out": out, "curves": curves, "plot": plot}
    told = fair_report.Told(desk, runs, table, [*desk.notes, *notes], delta, radius_scale)
    (fair_report.print_json_run if as_json else fair_report.print_run)(told, files)


@fair.command("best")
@with_desk
def best(
    desk: Desk,
    out: Annotated[
        Path | None, typer.Option(help="Write a row a threshold: .csv or .json.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List every threshold: what it earns once settled, and whether it keeps the limits."""
    from mdptheory import solvers
    from mdptheory.cli import fair_report
    from mdptheory.cli.policy_file import check_target

    if out is not None:
        check_target(out, "--out", TABLES)
    with noted() as notes:
        found = solvers.best_arm(desk.env, desk.limits)
    with noted():  # what holds at first is a column of the table
        at_first = solvers.best_arm(desk.env.open(), desk.limits)
    table = fair_report.threshold_table(desk, found, at_first)
    if out is not None:
        fair_report.write_table(table, out)
    if as_json:
        fair_report.print_json_best(desk, found, table, [*desk.notes, *notes], out)
    else:
        fair_report.print_best(desk, found, table, out)


@fair.command("certify")
@with_desk
def certify(
    desk: Desk,
    rounds: Annotated[int, typer.Option(help="Rounds of a run.")] = 20_000,
    delta: Annotated[float, typer.Option(help="Probability with which bounds may fail.")] = 0.05,
    as_json: Json = False,
) -> None:
    """Say how fast the applicants forget a threshold, and what that proves of learning.

    Exit code 1 if they need not forget: then nothing is proved.
    """
    from mdptheory.cli import fair_claims
    from mdptheory.errors import NotContractiveError
    from mdptheory.operators import certify as constants_of

    _at_least_one("--rounds", rounds)
    try:
        constants = constants_of(desk.env)
    except NotContractiveError as error:
        fair_claims.print_refusal(desk, str(error), as_json=as_json)
        raise typer.Exit(FAILS) from None
    claims = fair_claims.claims(desk, constants, rounds, delta)
    fair_claims.print_constants(desk, constants, claims, as_json=as_json)


def _at_least_one(option: str, count: int) -> int:
    if count < 1:
        raise CommandError(f"{option} is {count}; expected 1 or more")
    return count


def _options(delta: float, radius_scale: float, rounds: int) -> "BanditOptions":
    from mdptheory.algorithms import BanditOptions

    check_number("--delta", delta, low=0.0, high=1.0, open_low=True, open_high=True)
    check_number("--radius-scale", radius_scale, low=0.0, open_low=True, open_high=True)
    every = max(1, _at_least_one("--rounds", rounds) // RECORDED)
    return BanditOptions(delta=delta, radius_scale=radius_scale, record_every=every)


def _runs(
    desk: Desk,
    methods: Sequence[Method],
    rounds: int,
    seeds: Sequence[int],
    options: "BanditOptions",
) -> tuple[list["BanditRun"], list[str]]:
    """Return the runs, method by method, and what they warned of."""
    runs: list[BanditRun] = []
    with noted() as notes, _progress(len(methods) * rounds) as shown:
        for i, method in enumerate(methods):

            def told(done: int, method: Method = method, before: int = i * rounds) -> None:
                shown(method.value, before + done)

            learner = _learner(method, desk, rounds, dataclasses.replace(options, progress=told))
            runs += learner.run_many(seeds, desk.env)
    return runs, notes


def _learner(method: Method, desk: Desk, rounds: int, options: "BanditOptions") -> "BanditLearner":
    from mdptheory import algorithms, solvers

    made = {
        Method.OFS: algorithms.ofs_learner,
        Method.OFS_EPOCHS: algorithms.ofs_epochs_learner,
        Method.UCB: algorithms.ucb_learner,
        Method.PESSIMISTIC: algorithms.pessimistic_ucb_learner,
        Method.PRIMAL_DUAL: algorithms.primal_dual_ucb_learner,
        Method.GREEDY: algorithms.greedy_feasible_learner,
        Method.EXPLORE: algorithms.explore_then_commit_learner,
    }
    words = (desk.env, rounds, desk.limits)
    if method in made:
        return made[method](*words, options=options)
    env = desk.env.open() if method is Method.STATIC else desk.env
    arm = solvers.best_arm(env, desk.limits).arm
    return algorithms.fixed_arm_learner(*words, arm=arm, options=options)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str, int], object]]:
    """Yield what draws a bar on stderr, and nothing without a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield lambda label, done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    columns = Progress.get_default_columns()[:2]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda label, done: bar.update(task, description=label, completed=done)


def _draw(desk: Desk, runs: dict[str, "BanditRun"], path: Path) -> None:
    from mdptheory.plotting import plot_thresholds

    plot_thresholds(desk.env, runs).savefig(path, dpi=150)
