"""What a failed command says, in one sentence, and the exit code that goes with it."""

import linecache
import os
import sys
import traceback

import typer

from mdptheory.errors import InvalidCertificateError, MissingExtraError, NotConvergedError

OK, FAILS, BAD_INPUT, FAULT, INTERRUPTED = 0, 1, 2, 70, 130

# The usage errors' common base; typer ships it from click or from its own copy, by version.
_USAGE: type[Exception] = typer.BadParameter.__mro__[2]


class CommandError(ValueError):
    """A command was called with words that do not go together, or a plug-in is broken."""


def explain(error: BaseException) -> int:
    """Print one sentence about ``error`` on stderr and return the exit code."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return _say("interrupted", INTERRUPTED)
    if isinstance(error, InvalidCertificateError | NotConvergedError):
        return _say(str(error), FAILS)
    if isinstance(error, _USAGE):
        return _say(f"{_usage_text(error)} (--help shows the usage)", BAD_INPUT)
    if isinstance(error, ValueError | TypeError | MissingExtraError) and _is_refusal(error):
        return _say(str(error), BAD_INPUT)
    if isinstance(error, OSError):
        return _say(_file_text(error), BAD_INPUT)
    if isinstance(error, MemoryError):
        return _say("not enough memory for this input", BAD_INPUT)
    if os.environ.get("MDPTHEORY_TRACEBACK"):
        traceback.print_exception(error)
    return _say(
        f"internal error, {type(error).__name__}: {error}; MDPTHEORY_TRACEBACK=1 shows where",
        FAULT,
    )


def _say(text: str, code: int) -> int:
    print(f"mdptheory: {printable(' '.join(text.split()))}", file=sys.stderr)
    return code


def printable(text: str) -> str:
    """Escape what a terminal would obey instead of showing: names come from files."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _is_refusal(error: Exception) -> bool:
    """Tell a refusal raised by mdptheory on purpose from an accident deeper down."""
    if type(error) not in (ValueError, TypeError):
        return type(error).__module__.startswith("mdptheory.")
    frame, line = list(traceback.walk_tb(error.__traceback__))[-1]
    ours = frame.f_globals.get("__name__", "").startswith("mdptheory.")
    return ours and linecache.getline(frame.f_code.co_filename, line).lstrip().startswith("raise ")


def _usage_text(error: Exception) -> str:
    text = getattr(error, "format_message", error.__str__)()
    return str(text).strip().rstrip(".")


def _file_text(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason
