"""How loops over records of arrays are compiled: without reference counts.

Numba counts references to every array of a record wherever the record is read; in the bandit loops
that took nine tenths of the time. Functions decorated here must allocate nothing: no new arrays, no
assignment of one slice to another. Their divisions must be guarded.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def lean(function: F) -> F:
    """Compile a function that allocates nothing."""
    return cast(F, njit(**_OPTIONS)(function))


def lean_inline(function: F) -> F:
    """Compile one that is copied into its callers: passing a record costs more than its body."""
    return cast(F, njit(**_OPTIONS, inline="always")(function))
