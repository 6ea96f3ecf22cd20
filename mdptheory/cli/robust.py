"""The command that solves a model against nature."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mdptheory.cli.failures import FAILS, CommandError
from mdptheory.models import RowAmbiguity

CERTIFICATES = (".json", ".npz")


class Kind(StrEnum):
    """The sets that one number describes."""

    L1 = "l1"
    LINF = "linf"
    L2 = "l2"
    KL = "kl"
    BURG = "burg"
    CHI_SQUARE = "chi2"
    CVAR = "cvar"
    EVAR = "evar"
    CONTAMINATION = "contamination"


class Reach(StrEnum):
    """Which successors nature may use."""

    NOMINAL = "nominal"
    ALL = "all"


class Rectangularity(StrEnum):
    """What nature's budget is for."""

    PAIR = "sa"
    STATE = "s"


FIXED_SUPPORT = {Kind.KL, Kind.CHI_SQUARE, Kind.CVAR, Kind.EVAR}
SHARED = {Kind.L1, Kind.KL, Kind.BURG, Kind.CHI_SQUARE}


def ambiguity_of(kind: Kind, radius: float, reach: Reach, rect: Rectangularity) -> RowAmbiguity:
    """Return the ambiguity set that the options describe, or refuse a pair that has none."""
    from mdptheory import models

    if kind in FIXED_SUPPORT and reach is Reach.ALL:
        raise CommandError(
            f"--set {kind.value} stays on the nominal successors: --support all goes with l1, linf,"
            " l2, burg and contamination"
        )
    if rect is Rectangularity.STATE and kind not in SHARED:
        raise CommandError(f"--rect s goes with l1, kl, burg and chi2, not with {kind.value}")
    support: models.ambiguity.Support = "all" if reach is Reach.ALL else "nominal"
    shared: models.ambiguity.Rectangularity = "s" if rect is Rectangularity.STATE else "sa"
    match kind:
        case Kind.L1:
            return models.L1Ball(radius, support, shared)
        case Kind.LINF:
            return models.LinfBall(radius, support)
        case Kind.L2:
            return models.L2Ball(radius, support)
        case Kind.KL:
            return models.KLBall(radius, shared)
        case Kind.BURG:
            return models.BurgBall(radius, support, shared)
        case Kind.CHI_SQUARE:
            return models.ChiSquareBall(radius, shared)
        case Kind.CVAR:
            return models.CVaRSet(radius)
        case Kind.EVAR:
            return models.EVaRSet(radius)
        case Kind.CONTAMINATION:
            return models.ContaminationSet(radius, support)


def robust(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="FILE, gym:NAME or env:NAME.")],
    kind: Annotated[Kind, typer.Option("--set", help="Where nature picks her rows from.")],
    radius: Annotated[
        float, typer.Option(help="Radius; tail probability (cvar, evar); share (contamination).")
    ],
    support: Annotated[
        Reach, typer.Option(help="Nature uses the listed successors only, or every state.")
    ] = Reach.NOMINAL,
    rect: Annotated[
        Rectangularity, typer.Option(help="A radius for each pair (sa), or a budget a state (s).")
    ] = Rectangularity.PAIR,
    new_reward: Annotated[
        float | None,
        typer.Option(help="What a move to a state that is not listed pays (--support all)."),
    ] = None,
    tol: Annotated[float, typer.Option(help="Certified error of the value to reach.")] = 1e-6,
    gamma: Annotated[
        float | None, typer.Option(help="Discount factor; the source's own if absent.")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Number of decisions of a finite horizon.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Write the proof to this .json or .npz file.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "--policy-out", help="Write values and policy: .csv, .json, .npz."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Find the policy that is best against the worst rows near the model's, with a proof.

    Exit code 1 if the certified error stays above --tol; the answer is printed all the same.
    """
    from mdptheory.cli import policy_file, report
    from mdptheory.cli.source import load_model, objective_of

    if certificate is not None:
        policy_file.check_target(certificate, "--certificate", CERTIFICATES)
    if out is not None:
        policy_file.check_target(out, "--out", policy_file.SUFFIXES)
    ambiguity = ambiguity_of(kind, radius, support, rect)
    mdp = load_model(source, objective_of(gamma, horizon, False))
    if new_reward is not None:
        mdp = mdp.completed(new_reward)
    from mdptheory import Status, solvers

    start = time.perf_counter()
    solution = solvers.robust_solve(mdp, ambiguity, tol=tol)
    seconds = time.perf_counter() - start
    nominal = solvers.solve(mdp, tol=tol).v
    if certificate is not None:
        from mdptheory.io import write_certificate

        write_certificate(solution.certificate, certificate)
    if out is not None:
        policy_file.write_policy(solution, out)
    written = {"certificate": certificate, "out": out}
    files = {key: None if path is None else str(path) for key, path in written.items()}
    chosen = {"set": kind.value, "radius": radius, "support": support.value, "rect": rect.value}
    if as_json:
        fields = report.solution_fields(solution, seconds)
        report.print_json(
            {"source": source, "tol": tol, **chosen, **fields, "nominal_v": nominal, **files}
        )
    else:
        where = "" if kind in FIXED_SUPPORT else f", support {support.value}"
        budget = "each pair" if rect is Rectangularity.PAIR else "each state"
        print(f"nature: {kind.value} set of {radius:g} for {budget}{where}")
        first = nominal if nominal.ndim == 1 else nominal[0]
        report.print_robust(solution, first, mdp, source, seconds)
        for key, name in files.items():
            if name is not None:
                print(f"{'values and policy' if key == 'out' else key} written to {name}")
    if solution.convergence.status is not Status.CONVERGED:
        raise typer.Exit(FAILS)
