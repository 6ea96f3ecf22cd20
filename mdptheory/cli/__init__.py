"""The command line: it parses, calls the library and prints."""

from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    args : sequence of str, optional
        The words after ``mdptheory``; those of the process by default.

    Returns
    -------
    int
        0: done, and what was asked holds. 1: a claim, a certificate or the convergence fails.
        2: bad usage or input. 70: a fault in mdptheory. 130: interrupted.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    mdptheory ...
    0
    """
    from mdptheory.cli.app import run

    return run(args)
