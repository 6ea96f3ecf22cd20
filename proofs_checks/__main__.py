"""``python -m proofs_checks``: verify, list, replay, tighten."""

import sys
from collections.abc import Sequence

from mdptheory.cli.failures import INTERRUPTED, OK, explain


def main(args: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; every failure is one sentence on stderr.

    Parameters
    ----------
    args : sequence of str, optional
        The words after ``python -m proofs_checks``; those of the process by default.

    Returns
    -------
    int
        0, 1 (a claim fails), 2 (bad usage or input), 70 (a fault) or 130 (interrupted).
    """
    import typer

    from proofs_checks.cli import app

    command = typer.main.get_command(app)
    try:
        words = None if args is None else list(args)
        result = command.main(args=words, prog_name="proofs_checks", standalone_mode=False)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except BaseException as error:
        return explain(error)
    if result == INTERRUPTED:  # newer parsers turn Ctrl-C into this code themselves
        return explain(KeyboardInterrupt())
    return result if isinstance(result, int) else OK


if __name__ == "__main__":
    sys.exit(main())
