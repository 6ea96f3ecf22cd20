"""Optional dependencies, imported by the one function that needs each."""

import importlib
from types import ModuleType

from mdptheory.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module or say which extra brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module} is not installed; pip install 'mdptheory[{extra}]' brings it"
        ) from error
