"""The commands about data: learn a robust policy from episodes, and check what it claims."""

import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mdptheory.cli.failures import CommandError, printable
from mdptheory.models import (
    ChiSquarePenalty,
    FactorPenalty,
    KLPenalty,
    KnownModel,
    OfflineCertificate,
    OfflineData,
    TVBall,
    TVPenalty,
)

if TYPE_CHECKING:
    from mdptheory.algorithms import OfflineFit, OfflineOptions
    from mdptheory.certificates import OfflineVerified

CERTIFICATES = (".json", ".npz")
THEORY = "theory"
SHOWN_STEPS = 12
STEEP = 3.0  # of (H - 1) / lam: beyond, estimates less one standard error were seen to be too high


class Kind(StrEnum):
    """How nature is held back."""

    TV = "tv"
    KL = "kl"
    CHI_SQUARE = "chi2"
    TV_BALL = "tv-ball"


def ambiguity_of(kind: Kind, lam: float | None, radius: float | None) -> TVBall | FactorPenalty:
    """Return what the options describe, or refuse options that do not go together."""
    is_ball = kind is Kind.TV_BALL
    wanted, other = ("radius", "lam") if is_ball else ("lam", "radius")
    level, unwanted = (radius, lam) if is_ball else (lam, radius)
    if unwanted is not None:
        raise CommandError(f"--kind {kind.value} goes with --{wanted}, not with --{other}")
    if level is None:
        raise CommandError(f"--kind {kind.value} needs --{wanted}")
    match kind:
        case Kind.TV:
            return TVPenalty(level)
        case Kind.KL:
            return KLPenalty(level)
        case Kind.CHI_SQUARE:
            return ChiSquarePenalty(level)
        case Kind.TV_BALL:
            return TVBall(level)


def load_data(source: str) -> tuple[OfflineData, KnownModel]:
    """Load episodes and the features they are to be read with."""
    from mdptheory.io import read_offline

    if not Path(source).exists():
        raise CommandError(f"{source}: no such file; expected a .npz file of offline data")
    return read_offline(source)


def offline_robust(
    source: Annotated[
        str, typer.Argument(metavar="DATA", help="Episodes and features, in a .npz file.")
    ],
    kind: Annotated[Kind, typer.Option(help="What holds nature back: a penalty or a ball.")],
    lam: Annotated[
        float | None,
        typer.Option(help="Price of a unit of divergence (tv, kl, chi2); small is daring nature."),
    ] = None,
    radius: Annotated[float | None, typer.Option(help="Radius in [0, 1] (tv-ball).")] = None,
    beta: Annotated[
        str, typer.Option(help="Pessimism in standard errors, or theory: proved, and certified.")
    ] = "1.0",
    ridge: Annotated[float, typer.Option(help="Ridge of the regressions.")] = 1.0,
    delta: Annotated[
        float, typer.Option(help="Probability with which --beta theory may fail.")
    ] = 0.1,
    certificate: Annotated[
        Path | None, typer.Option(help="Write the claim to this .json or .npz file.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "--policy-out", help="Write values and policy: .csv, .json, .npz."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Learn from recorded episodes a policy that is good against nature.

    The value printed is pessimistic: estimates less --beta standard errors.
    """
    from mdptheory.cli import policy_file, report

    if certificate is not None:
        policy_file.check_target(certificate, "--certificate", CERTIFICATES)
        if beta != THEORY:
            raise CommandError(f"--certificate needs --beta theory; --beta {beta} proves nothing")
    if out is not None:
        policy_file.check_target(out, "--out", policy_file.SUFFIXES)
    ambiguity, options = ambiguity_of(kind, lam, radius), _options(beta, ridge, delta)
    data, known = load_data(source)
    fit, notes = _learn(data, known, ambiguity, options)
    if isinstance(ambiguity, KLPenalty) and beta != THEORY and lam is not None:
        notes += _steep(known.horizon, lam)
    if certificate is not None and fit.certificate is not None:
        from mdptheory.io import write_certificate

        write_certificate(fit.certificate, certificate)
    if out is not None:
        policy_file.write_policy(policy_file.Plan(fit.v, fit.policy), out)
    files = {"certificate": certificate, "out": out}
    if as_json:
        chosen = {"kind": kind.value, "lam": lam, "radius": radius, "beta": beta}
        names = {key: None if path is None else str(path) for key, path in files.items()}
        fields = fit_fields(fit, data, known)
        report.print_json({"source": source, **chosen, **fields, "notes": notes, **names})
        return
    level = f"price {lam:g}" if radius is None else f"radius {radius:g}"
    print_fit(fit, data, known, f"{source}: ", f"{kind.value}, {level}")
    for note in notes:
        print(f"note: {note}")
    for key, path in files.items():
        if path is not None:
            print(f"{'values and policy' if key == 'out' else key} written to {path}")


def _options(beta: str, ridge: float, delta: float) -> "OfflineOptions":
    from mdptheory.algorithms import OfflineOptions

    if beta == THEORY:
        return OfflineOptions(  # the shift, which only KL reads, never widens what is proved
            beta="theory", ridge=ridge, delta=delta, kl_shift=True
        )
    try:
        width = float(beta)
    except ValueError:
        raise CommandError(f"--beta is {beta!r}; expected a number or theory") from None
    return OfflineOptions(beta=width, ridge=ridge, delta=delta)


def _steep(horizon: int, lam: float) -> list[str]:
    """Say so where the logarithm of an estimated moment is worth little."""
    if (horizon - 1) / lam <= STEEP:
        return []
    return [
        f"with --lam {lam:g} small beside {horizon} steps, errors of KL moments grow by up to"
        f" exp({(horizon - 1) / lam:.3g}): the value may be far too high; --beta theory knows"
    ]


def _learn(
    data: OfflineData,
    known: KnownModel,
    ambiguity: TVBall | FactorPenalty,
    options: "OfflineOptions",
) -> tuple["OfflineFit", list[str]]:
    """Return the fit, and as sentences what it warned of."""
    from mdptheory import algorithms
    from mdptheory.errors import FitWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FitWarning)
        if isinstance(ambiguity, TVBall):
            fit = algorithms.drpvi(data, known, ambiguity, options=options)
        else:
            fit = algorithms.r2pvi(data, known, ambiguity, options=options)
    return fit, [str(one.message) for one in caught]


def fit_fields(fit: "OfflineFit", data: OfflineData, known: KnownModel) -> dict[str, Any]:
    """Return what was learnt as plain fields."""
    claim = fit.certificate
    return {
        "episodes": data.n_episodes,
        "horizon": known.horizon,
        "ridge": fit.options.ridge,
        "value": float(known.start @ fit.v[0]),
        "v": fit.v,
        "policy": fit.policy,
        "certified": claim is not None,
        "delta": None if claim is None else claim.delta,
        "upper": None if claim is None else float(known.start @ claim.upper[0]),
        "gap": None if claim is None else claim.gap,
    }


def print_fit(
    fit: "OfflineFit", data: OfflineData, known: KnownModel, source: str, nature: str
) -> None:
    """Print what was learnt and what it means, and the first states."""
    from mdptheory.cli import report

    print(
        f"{source}{data.n_episodes} episodes of {known.horizon} steps; {known.n_states} states,"
        f" {known.n_actions} actions, {known.n_factors} factors"
    )
    print(f"nature: {nature} for each factor and step")
    value = float(known.start @ fit.v[0])
    print(f"pessimistic value at the start: {value:.6g}")
    claim = fit.certificate
    if claim is None:
        print("an estimate: only --beta theory proves how far it may be off")
    else:
        sure = f"with probability at least {1.0 - claim.delta:.10g} over the episodes"
        print(
            f"certificate: {sure}, the policy earns at least {_down(value)} against nature and"
            f" loses at most {report.rounded_up(claim.gap)} to the best policy"
        )
        if claim.gap >= known.horizon or value <= 0.0:
            print("that is little: more episodes, or features that they cover, would say more")
    dots = " ..." if known.horizon > SHOWN_STEPS else ""
    rows = [
        (
            str(s),
            f"{fit.v[0, s]:.10g}",
            " ".join(str(a) for a in fit.policy[:SHOWN_STEPS, s]) + dots,
        )
        for s in range(min(report.SHOWN, known.n_states))
    ]
    report.print_table(("state", "pessimistic value", "actions, step by step"), rows)
    if known.n_states > report.SHOWN:
        print(f"{known.n_states - report.SHOWN} more states: --json or --out FILE give them all")


def check_claim(
    claim: OfflineCertificate, path: str, source: str, *, exact: bool, as_json: bool
) -> None:
    """Verify a claim about data, as `mdptheory check` does for models."""
    from mdptheory import certificates
    from mdptheory.cli import report
    from mdptheory.errors import InvalidCertificateError

    if exact:
        raise CommandError("--exact is for claims about models; one about data has logarithms")
    data, known = load_data(source)
    try:
        verified = certificates.check_offline(claim, data, known)
    except InvalidCertificateError as error:
        if as_json:
            report.print_json({"valid": False, "exact": False, "reason": str(error)})
        raise
    if as_json:
        report.print_json(verdict_fields(verified))
        return
    kind, low = type(claim.ambiguity).__name__, _down(verified.lower - verified.tolerance)
    print(
        f"{printable(path)} proves for the {verified.n_episodes} episodes of {printable(source)}"
        f" (independent, of one linear MDP with these features and rewards), with probability at"
        f" least {1.0 - verified.delta:.10g}: its policy earns at least {low} against"
        f" nature ({kind}) from the start and loses at most"
        f" {report.rounded_up(verified.policy_loss)} to the best policy"
    )


def _down(bound: float) -> str:
    """Return a lower bound of a value with three digits, rounded so that it stays one."""
    from mdptheory.cli.report import rounded_up

    return "0" if bound <= 0.0 else rounded_up(-bound).removeprefix("-")


def verdict_fields(verified: "OfflineVerified") -> dict[str, Any]:
    """Return what was proved as plain fields."""
    return {
        "valid": True,
        "exact": False,
        "delta": verified.delta,
        "lower": verified.lower,
        "upper": verified.upper,
        "gap": verified.gap,
        "tolerance": verified.tolerance,
        "policy_loss": verified.policy_loss,
        "n_episodes": verified.n_episodes,
    }
