"""The commands: each parses its words, calls one public function and prints what it returns."""

import io
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mdptheory.cli.failures import BAD_INPUT, FAILS, INTERRUPTED, OK, explain
from mdptheory.cli.fair import fair
from mdptheory.cli.offline import check_claim, offline_robust
from mdptheory.cli.plugins import PluginGroup
from mdptheory.cli.robust import robust

HELP = "\n\n".join(
    (
        "Solve Markov decision processes with proofs, and check the theory behind them.",
        "SOURCE is a file (.npz, .csv, PRISM .tra), gym:NAME (a Gymnasium table, as gym:Taxi-v4)"
        " or env:NAME (an environment of mdptheory, as env:riverswim).",
        "Exit codes: 0 done, and what was asked holds; 1 a claim, a certificate or the convergence"
        " fails; 2 bad usage or input; 70 a fault in mdptheory; 130 interrupted. Errors are one"
        " sentence on stderr.",
    )
)
CERTIFICATES = (".json", ".npz")

app = typer.Typer(cls=PluginGroup, help=HELP, add_completion=False, pretty_exceptions_enable=False)

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="FILE, gym:NAME or env:NAME.")]
Gamma = Annotated[float | None, typer.Option(help="Discount factor; the source's own if absent.")]
Horizon = Annotated[int | None, typer.Option(help="Number of decisions of a finite horizon.")]
Total = Annotated[
    bool, typer.Option("--total-reward", help="Undiscounted reward until absorption.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Print the version, or the help when no command is given."""
    if version:
        from mdptheory._version import __version__

        print(f"mdptheory {__version__}")
        raise typer.Exit(OK)
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(BAD_INPUT)


@app.command()
def solve(
    source: Source,
    tol: Annotated[float, typer.Option(help="Certified error of the value to reach.")] = 1e-6,
    gamma: Gamma = None,
    horizon: Horizon = None,
    total_reward: Total = False,
    certificate: Annotated[
        Path | None, typer.Option(help="Write the proof to this .json or .npz file.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "--policy-out", help="Write values and policy: .csv, .json, .npz."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the optimal value and policy, with a certified error.

    Exit code 1 if the certified error stays above --tol; the answer is printed all the same.
    """
    from mdptheory.cli import policy_file, report
    from mdptheory.cli.source import load_model, objective_of

    if certificate is not None:
        policy_file.check_target(certificate, "--certificate", CERTIFICATES)
    if out is not None:
        policy_file.check_target(out, "--out", policy_file.SUFFIXES)
    mdp = load_model(source, objective_of(gamma, horizon, total_reward))
    from mdptheory import Status, solvers

    start = time.perf_counter()
    solution = solvers.solve(mdp, tol=tol)
    seconds = time.perf_counter() - start
    if certificate is not None:
        from mdptheory.io import write_certificate

        write_certificate(solution.certificate, certificate)
    if out is not None:
        policy_file.write_policy(solution, out)
    written = {"certificate": certificate, "out": out}
    files = {key: None if path is None else str(path) for key, path in written.items()}
    if as_json:
        fields = report.solution_fields(solution, seconds)
        report.print_json({"source": source, "tol": tol, **fields, **files})
    else:
        report.print_solution(solution, mdp, source, seconds)
        for key, name in files.items():
            if name is not None:
                print(f"{'values and policy' if key == 'out' else key} written to {name}")
    if solution.convergence.status is not Status.CONVERGED:
        raise typer.Exit(FAILS)


@app.command()
def check(
    certificate: Annotated[Path, typer.Argument(metavar="CERT", help="A certificate's file.")],
    source: Source,
    exact: Annotated[bool, typer.Option("--exact", help="Use rational arithmetic.")] = False,
    as_json: Json = False,
) -> None:
    """Verify a certificate against the model, or against the data it was learnt from.

    No solver takes part. The certificate says which objective it is about, and whether SOURCE is a
    model or offline data. Exit code 1 if it does not prove its claim.
    """
    from mdptheory import certificates
    from mdptheory.cli import report
    from mdptheory.cli.source import load_model
    from mdptheory.errors import InvalidCertificateError
    from mdptheory.io import read_certificate
    from mdptheory.models import OfflineCertificate

    claim = read_certificate(certificate)
    if isinstance(claim, OfflineCertificate):
        check_claim(claim, str(certificate), source, exact=exact, as_json=as_json)
        return
    mdp = load_model(source, claim.objective)
    try:
        verified = certificates.check(claim, mdp, exact=exact)
    except InvalidCertificateError as error:
        if as_json:
            report.print_json({"valid": False, "exact": exact, "reason": str(error)})
        raise
    if verified.tolerance == math.inf:
        sentence = "rounding could hide a violation of any size; --exact decides"
        if as_json:
            report.print_json({"valid": False, "exact": exact, "reason": sentence})
        raise InvalidCertificateError(sentence)
    if as_json:
        report.print_json(report.verdict_fields(verified, claim.objective))
    else:
        report.print_verdict(verified, claim, str(certificate), source)


@app.command()
def info(
    source: Source,
    gamma: Gamma = None,
    horizon: Horizon = None,
    total_reward: Total = False,
    as_json: Json = False,
) -> None:
    """Show a model's size, rewards and communicating structure."""
    from mdptheory import structure
    from mdptheory.cli import report
    from mdptheory.cli.source import load_model, objective_of

    mdp = load_model(source, objective_of(gamma, horizon, total_reward))
    found = structure.analyse(mdp)
    small = mdp.n_states <= structure.EXPECTED_DIAMETER_STATES and mdp.n_stages == 1
    fields = report.info_fields(mdp, found)
    fields["expected_diameter"] = structure.expected_diameter(mdp) if small else None
    if as_json:
        report.print_json({"source": source, **fields})
    else:
        report.print_info(mdp, fields, source)


@app.command()
def convert(
    source: Source,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    gamma: Gamma = None,
    horizon: Horizon = None,
    total_reward: Total = False,
) -> None:
    """Write a model in another format, chosen by the name of OUT."""
    from mdptheory.cli.source import load_model, objective_of
    from mdptheory.io import write

    mdp = load_model(source, objective_of(gamma, horizon, total_reward))
    write(mdp, out)
    print(f"{source} written to {out}: {mdp.n_states} states, {mdp.n_transitions} transitions")


app.command()(robust)
app.command()(offline_robust)
app.add_typer(fair, name="fair")


def run(args: Sequence[str] | None = None) -> int:
    """Run the commands; every failure becomes one sentence and an exit code."""
    if args is None:  # this process is ours: a name that the terminal cannot show is no failure
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
    command = typer.main.get_command(app)
    try:
        result = command.main(
            args=None if args is None else list(args),
            prog_name="mdptheory",
            standalone_mode=False,
        )
    except SystemExit as stop:  # the parser's own way out when a pipe is closed
        return stop.code if isinstance(stop.code, int) else FAILS
    except BaseException as error:
        return explain(error)
    if result == INTERRUPTED:  # newer parsers turn Ctrl-C into this code themselves
        return explain(KeyboardInterrupt())
    return result if isinstance(result, int) else OK
