"""The import graph is one-way: a file imports only from rooms above its own."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("mdptheory", "proofs_checks", "paper_figures")

# One line a rank, from the ground up; rooms on one line do not see each other.
ORDER = (
    ("_version", "_typing", "errors"),
    ("_validation", "_extras"),
    ("models",),
    ("kernels",),
    ("certificates", "estimation", "metrics", "tables"),
    ("io",),
    ("environments",),
    ("operators",),
    ("iterate",),
    ("solvers",),
    ("algorithms",),
    ("_threshold_plot",),
    ("experiments", "plotting", "structure"),
    ("",),  # mdptheory/__init__.py: the public names
    ("theory",),
    ("cli",),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
# Rooms that see less than what lies below them.
GROUND = {"_version", "_typing", "errors", "_validation", "_extras"}
ONLY = {
    "models": GROUND,
    "kernels": GROUND,
    "certificates": GROUND | {"models"},
    "metrics": GROUND,
    "tables": GROUND | {"models"},
    "io": GROUND | {"models", "certificates"},
}
# Rooms whose files stand alone: only the room's private files and its door may be shared.
ALONE = {"solvers", "algorithms", "environments"}
DISPATCHERS = {
    "mdptheory.solvers.automatic",
    "mdptheory.solvers.robust_automatic",
    "mdptheory.environments.catalogue",
}
SEES = {
    "mdptheory": {"mdptheory"},
    "proofs_checks": {"mdptheory", "proofs_checks"},
    "paper_figures": {"mdptheory", "proofs_checks", "paper_figures"},
}


def modules(root: Path) -> dict[str, Path]:
    """Name every Python file of the three packages as it is imported."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, name: str, known: dict[str, Path]) -> set[str]:
    """List the modules of the three packages that a file imports, anywhere in it."""
    found: set[str] = set()
    is_package = path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = name.split(".")[: None if is_package and node.level == 1 else -node.level]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in known else base)
    return {module for module in found if module.split(".")[0] in PACKAGES}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def complaint(importer: str, target: str) -> str | None:
    """Say why an import is not allowed, or None."""
    here, there = importer.split(".")[0], target.split(".")[0]
    if there not in SEES[here]:
        return f"{importer} imports {target}: {here} does not see {there}"
    if here != "mdptheory" or there != "mdptheory" or importer == "mdptheory":
        return None
    mine, theirs = room(importer), room(target)
    if mine == theirs:
        return sideways(importer, target)
    if RANK[theirs] >= RANK[mine]:
        return f"{importer} imports {target}: {theirs or 'mdptheory'} is not below {mine}"
    if theirs not in ONLY.get(mine, set(RANK)):
        return f"{importer} imports {target}: {mine} may not see {theirs}"
    return None


def sideways(importer: str, target: str) -> str | None:
    mine = room(importer)
    door = f"mdptheory.{mine}"
    shared = target.rsplit(".", 1)[-1].startswith("_")
    if mine not in ALONE or importer == door or importer in DISPATCHERS or shared:
        return None
    return f"{importer} imports {target}: files of {mine} do not import each other"


def violations(root: Path) -> list[str]:
    """List every import under ``root`` that breaks the order."""
    known = modules(root)
    unknown = {room(m) for m in known if m.startswith("mdptheory")} - set(RANK)
    found = [f"mdptheory/{name} has no place in the order" for name in sorted(unknown)]
    for importer, path in known.items():
        if importer.startswith("mdptheory") and room(importer) in unknown:
            continue
        for target in sorted(imports(path, importer, known)):
            if target.startswith("mdptheory") and room(target) not in RANK:
                found.append(f"{importer} imports {target}, which has no place in the order")
            elif (reason := complaint(importer, target)) is not None:
                found.append(reason)
    return found


def test_the_import_graph_is_one_way():
    assert violations(ROOT) == []


def test_the_walk_reads_all_packages():
    known = modules(ROOT)
    assert {"mdptheory.models.tabular", "mdptheory.cli", "proofs_checks", "paper_figures"} <= set(
        known
    )
    targets = imports(known["mdptheory.models.tabular"], "mdptheory.models.tabular", known)
    assert {"mdptheory.errors", "mdptheory.models.rows"} <= targets


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("mdptheory/models/x.py", "from mdptheory.solvers import a", "is not below models"),
        ("mdptheory/models/x.py", "from mdptheory import Solution", "mdptheory is not below"),
        ("mdptheory/kernels/x.py", "import mdptheory.models", "kernels may not see models"),
        ("mdptheory/kernels/x.py", "from ..models import y", "kernels may not see models"),
        ("mdptheory/certificates.py", "from .kernels import b", "certificates may not see"),
        ("mdptheory/structure.py", "from mdptheory import plotting", "is not below structure"),
        ("mdptheory/solvers/x.py", "from mdptheory.solvers.a import b", "do not import each other"),
        ("mdptheory/algorithms/x.py", "from . import a", "do not import each other"),
        ("mdptheory/io/x.py", "def f():\n    import mdptheory.cli", "is not below io"),
        ("mdptheory/cli/x.py", "import proofs_checks.cli", "does not see proofs_checks"),
        ("proofs_checks/x.py", "from paper_figures import style", "does not see paper_figures"),
        ("mdptheory/utils.py", "x = 1", "mdptheory/utils has no place"),
        ("mdptheory/io/x.py", "import mdptheory.utils", "which has no place"),
    ],
)
def test_a_violating_file_is_caught(tmp_path, file, line, reason):
    for name in ("solvers/a", "algorithms/a", "plotting", "kernels/b", "io/__init__"):
        path = tmp_path / "mdptheory" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert violations(tmp_path) == []
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    found = violations(tmp_path)
    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("mdptheory/solvers/x.py", "from mdptheory.solvers._shared import run"),
        ("mdptheory/solvers/automatic.py", "from mdptheory.solvers.a import b"),
        ("mdptheory/solvers/__init__.py", "from mdptheory.solvers.a import b"),
        ("mdptheory/__init__.py", "from mdptheory.solvers import a"),
        ("mdptheory/models/x.py", "from mdptheory.models import rows"),
        ("paper_figures/x.py", "import proofs_checks.registry, mdptheory"),
    ],
)
def test_an_honest_file_passes(tmp_path, file, line):
    for name in ("solvers/a", "solvers/_shared", "models/rows"):
        path = tmp_path / "mdptheory" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    assert violations(tmp_path) == []
