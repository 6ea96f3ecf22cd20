"""``python -m mdptheory``: the versions and the Numba threading layer, for reports and timings."""

import importlib
import platform


def main() -> None:
    """Print one line a component."""
    from mdptheory._version import __version__

    print(f"mdptheory {__version__}")
    print(f"python {platform.python_version()} ({platform.machine()}, {platform.system()})")
    for name in ("numpy", "scipy", "numba", "llvmlite", "networkx"):
        print(f"{name} {importlib.import_module(name).__version__}")
    numba = importlib.import_module("numba")
    threads = numba.get_num_threads()  # starts the threads, which chooses the layer
    print(f"numba threading layer {numba.threading_layer()}, {threads} threads")


if __name__ == "__main__":
    main()
