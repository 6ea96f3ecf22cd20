"""Grids of (configuration, seed) cells: resumable, reproducible, parallel."""

from mdptheory.experiments.cells import Cell
from mdptheory.experiments.grid import Grid, GridError, one_thread, run_grid
from mdptheory.experiments.storage import read_arrays, write_arrays

__all__ = ["Cell", "Grid", "GridError", "one_thread", "read_arrays", "run_grid", "write_arrays"]
