"""Every public name says in numpydoc what it takes, returns, raises and where it comes from."""

import dataclasses
import enum
import importlib
import inspect
import pkgutil
import re
import types

import pytest

import mdptheory

SECTIONS = re.compile(r"^(\w[\w ]*)\n-+$", re.MULTILINE)
# Sub-packages whose __all__ is public besides mdptheory's own.
ROOMS = ("algorithms", "cli", "certificates", "environments", "experiments", "io", "kernels",
         "metrics", "models", "operators", "plotting", "solvers", "structure", "tables",
         "theory")  # fmt: skip


def rooms():
    present = {info.name for info in pkgutil.iter_modules(mdptheory.__path__)}
    return [importlib.import_module(f"mdptheory.{r}") for r in ROOMS if r in present]


def own(module, name):
    """Whether a public name is defined in this module or below it (not imported from elsewhere)."""
    home = getattr(getattr(module, name), "__module__", "") or ""
    return home.startswith(module.__name__)


def public():
    """Name and object of everything public, once."""
    found = {}
    for module in [mdptheory, *rooms()]:
        listed = getattr(module, "__all__", None)
        names = listed or [n for n in vars(module) if not n.startswith("_") and own(module, n)]
        for name in names:
            thing = getattr(module, name)
            if callable(thing) and (getattr(thing, "__module__", "") or "").startswith("mdptheory"):
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return found


def methods():
    found = {}
    for path, thing in public().items():
        if inspect.isclass(thing):
            for name, member in vars(thing).items():
                function = member.__func__ if isinstance(member, classmethod) else member
                if isinstance(function, types.FunctionType) and not name.startswith("_"):
                    found[f"{path}.{name}"] = function
    return found


def parameters(function):
    names = list(inspect.signature(function).parameters)
    is_method = "." in function.__qualname__ and "<locals>" not in function.__qualname__
    return [n for n in names[is_method:] if not n.startswith("_")]


def documented(doc, section):
    """Names on the unindented lines of a section."""
    parts = SECTIONS.split(inspect.cleandoc(doc or ""))
    body = dict(zip(parts[1::2], parts[2::2], strict=True)).get(section, "")
    heads = [line for line in body.splitlines() if line and not line.startswith(" ")]
    return [n.strip(" *") for line in heads for n in line.split(" : ")[0].split(",")]


def raises(function):
    """Whether the function's own body raises, or its signature is checked on the first lines."""
    source = inspect.getsource(function)
    return re.search(r"^\s+raise \w", source, re.MULTILINE) is not None


def problems(path, function):
    """What a function's docstring lacks."""
    doc = inspect.getdoc(function) or ""
    found = [] if doc.split("\n")[0].strip().endswith((".", ":", "``")) else ["a summary sentence"]
    wanted = set(parameters(function))
    listed = set(documented(doc, "Parameters"))
    if wanted - listed:
        found.append(f"Parameters {sorted(wanted - listed)}")
    if listed - wanted:
        found.append(f"no parameter called {sorted(listed - wanted)}")
    sections = SECTIONS.findall(doc)
    returned = inspect.signature(function).return_annotation
    if returned not in (None, "None", inspect.Signature.empty) and not (
        {"Returns", "Yields"} & set(sections)
    ):
        found.append("Returns")
    if raises(function) and "Raises" not in sections:
        found.append("Raises")
    return [f"{path} lacks {gap}" if " called " not in gap else f"{path}: {gap}" for gap in found]


def class_problems(path, kind):
    doc = inspect.getdoc(kind) or ""
    if not doc.split("\n")[0].strip().endswith("."):
        return [f"{path} lacks a summary sentence"]
    if not dataclasses.is_dataclass(kind):
        return []
    listed = {*documented(doc, "Parameters"), *documented(doc, "Attributes")}
    missing = [f.name for f in dataclasses.fields(kind) if f.name not in listed]
    return [f"{path} does not describe the fields {missing}"] if missing else []


def is_function(thing):
    return inspect.isfunction(thing) or hasattr(thing, "py_func")


FUNCTIONS = {p: getattr(t, "py_func", t) for p, t in public().items() if is_function(t)}
CLASSES = {p: t for p, t in public().items() if inspect.isclass(t)}


@pytest.mark.parametrize("path", sorted(FUNCTIONS))
def test_functions_are_documented(path):
    assert problems(path, FUNCTIONS[path]) == []


@pytest.mark.parametrize("path", sorted(CLASSES))
def test_classes_describe_their_fields(path):
    kind = CLASSES[path]
    if issubclass(kind, enum.Enum | Exception):
        assert inspect.getdoc(kind)
    else:
        assert class_problems(path, kind) == []


@pytest.mark.parametrize("path", sorted(methods()))
def test_methods_have_a_summary_and_constructors_everything(path):
    method = methods()[path]
    assert (inspect.getdoc(method) or "").split("\n")[0].strip().endswith((".", ":"))
    if path.rsplit(".", 1)[1].startswith("from_"):
        assert problems(path, method) == []


def test_solvers_cite_and_show_themselves():
    from mdptheory import solvers

    for name in solvers.__all__:
        sections = SECTIONS.findall(inspect.getdoc(getattr(solvers, name)) or "")
        assert "Examples" in sections, name
        if name not in ("solve", "backward_induction"):
            assert "References" in sections, name


def test_the_public_names_are_few_and_real():
    assert len(mdptheory.__all__) <= 40
    assert sorted(mdptheory.__all__) == list(mdptheory.__all__)
    for module in [mdptheory, *rooms()]:
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_the_contract_can_fail():
    def bad(mdp, tol: float) -> float:
        """Do a thing.

        Parameters
        ----------
        mdp : TabularMDP
            The model.
        tool : float
            Misspelt.
        """
        raise ValueError(tol)

    @dataclasses.dataclass
    class Bare:
        """A record."""

        x: int

    text = " ".join(problems("bad", bad))
    for gap in ("Parameters ['tol']", "no parameter called ['tool']", "Returns", "Raises"):
        assert gap in text
    assert class_problems("Bare", Bare) == ["Bare does not describe the fields ['x']"]
