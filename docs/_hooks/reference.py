"""MkDocs hook: the reference is written from the package itself, so that it can neither lack a function nor describe another.

Every public name of `mtarray` lands on the page of the module that declares it. Each page starts with the module's docstring and
a table of its names; mkdocstrings renders each name's signature and docstring, and for a declared op a line of facts from
the registry follows.
"""

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from docstrings import markdown

import mtarray


def _is_module(name: str) -> bool:
    return importlib.util.find_spec(f"mtarray.{name}") is not None


# Pages in the order of the standard's contents; a module not named here comes after these, by name.
TITLES = {
    "array": "The array",
    "creation": "Creation",
    "data_type": "Data types",
    "elementwise": "Elementwise functions",
    "indexing": "Indexing",
    "manipulation": "Manipulation",
    "searching": "Searching",
    "sets": "Sets",
    "sorting": "Sorting",
    "statistical": "Statistics",
    "utility": "Utilities",
    "ops": "Declaring ops",
    "config": "Settings",
    "files": "Files",
    "devices": "Devices",
    "linalg": "mtarray.linalg",
    "fft": "mtarray.fft",
    "random": "mtarray.random",
    "special": "mtarray.special",
    "convolution": "mtarray.convolution",
    "normalization": "mtarray.normalization",
    "recurrence": "mtarray.recurrence",
    "autodiff": "mtarray.autodiff",
    "diagnostics": "mtarray.diagnostics",
    "nn": "mtarray.nn",
    "nn.functional": "mtarray.nn.functional",
    "nn.init": "mtarray.nn.init",
    "nn.optim": "mtarray.nn.optim",
    "nn.optim.lr_scheduler": "mtarray.nn.optim.lr_scheduler",
    "nn.utils": "mtarray.nn.utils",
    "data": "mtarray.data",
    "numpy_names": "NumPy names beyond the standard",
}
SECTIONS = ("linalg", "fft", "random", "special", "convolution", "normalization", "recurrence", "autodiff", "diagnostics", "data")
NAMESPACES = [name for name in (*SECTIONS, *[page for page in TITLES if page.partition(".")[0] == "nn"]) if _is_module(name)]


def _public(module: ModuleType) -> list[str]:
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    return [name for name in names if not inspect.ismodule(getattr(module, name))]


def _first_sentence(text: str | None) -> str:
    paragraph = " ".join(line.strip() for line in inspect.cleandoc(text or "").split("\n\n")[0].split("\n"))
    # Outside backticks `**` is a power here, not emphasis; a bar would end the table's cell.
    parts = paragraph.replace("|", "\\|").split("`")
    return "`".join(part.replace("*", "\\*") if i % 2 == 0 else part for i, part in enumerate(parts))


def _page_of(value: Any) -> str:
    """The page for an object: its declaring module without underscores."""
    parts = value.__module__.split(".")
    return parts[1].strip("_") if len(parts) > 1 else "array"


def _described(value: Any) -> Any:
    """What has the docstring: a function or class itself, an object's class."""
    return value if hasattr(value, "__qualname__") else type(value)


def _identifier(value: Any) -> str:
    return f"{_described(value).__module__}.{_described(value).__qualname__}"


def _facts(value: Any) -> str:
    """What the registry knows of a declared op, as one line; nothing for composed functions."""
    op = getattr(value, "op", None)
    if op is None:
        return ""
    facts = [f"**Op** ({op.kind})"]
    dtypes = getattr(op, "dtypes", None)
    if dtypes:
        facts.append("computes in " + ", ".join(str(d) for d in dtypes))
    limit = getattr(op, "limit", None)
    twin = getattr(op, "twin", None)
    if twin is not None and limit:
        facts.append(f"below {limit:,} elements NumPy's `{getattr(twin, '__name__', twin)}` serves, from there on a parallel kernel")
    if getattr(op, "derivative", None) is not None:
        facts.append("has a derivative")
    return " · ".join(facts) + "\n"


def _entry(value: Any, entries: set[str]) -> str:
    members = ""
    if inspect.isclass(described := _described(value)):
        # What a base with an entry of its own declares stands there alone, not once more in each of its classes.
        bases = [base for base in described.__mro__[1:] if _identifier(base) in entries]
        public = [
            name
            for name in dir(described)
            if not name.startswith("_")
            and getattr(getattr(described, name), "__doc__", None)
            and not any(vars(base).get(name) is inspect.getattr_static(described, name) for base in bases)
        ]
        members = f"    options:\n      members: {public or False}\n      inherited_members: true\n"
    return f"::: {_identifier(value)}\n{members}\n{_facts(value)}\n"


def _pages() -> dict[str, tuple[str, str]]:
    """(title, Markdown) of every page, by its name."""
    members: dict[str, dict[str, Any]] = {}
    plain: list[tuple[str, Any]] = []
    for prefix in ("", *NAMESPACES):
        module = importlib.import_module(f"mtarray.{prefix}") if prefix else mtarray
        for name in _public(module):
            value = getattr(module, name)
            if not callable(value) or not getattr(value, "__module__", "").startswith("mtarray"):
                plain.append((f"{prefix}.{name}" if prefix else name, value))
            else:
                members.setdefault(prefix or _page_of(value), {}).setdefault(name, value)
    order = [page for page in TITLES if page in members] + sorted(set(members) - set(TITLES))
    pages = {}
    entries = {_identifier(value) for names in members.values() for value in names.values()}
    described: set[str] = set()  # a name that stands in two namespaces has one entry, and a line in each table
    for page in order:
        title = TITLES.get(page, page.replace("_", " ").capitalize())
        names = members[page]
        declaring = sys.modules.get(f"mtarray.{page}", sys.modules.get(f"mtarray._{page}"))
        text = [f"# {title}\n", markdown(inspect.cleandoc(getattr(declaring, "__doc__", None) or "")) + "\n"]
        text += ["| name | |", "|---|---|"]
        for name, value in names.items():
            text.append(f"| [`{name}`][{_identifier(value)}] | {_first_sentence(_described(value).__doc__)} |")
        text.append("")
        for value in names.values():
            if _identifier(value) not in described:
                described.add(_identifier(value))
                text.append(_entry(value, entries))
        pages[page] = (title, "\n".join(text))
    if plain:
        lines = ["# Constants and data types\n", "| name | value |", "|---|---|"]
        lines += [f"| `mtarray.{name}` | `{value!r}` |" for name, value in plain]
        pages["constants"] = ("Constants and data types", "\n".join(lines) + "\n")
    return pages


PAGES = _pages()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages to the navigation."""
    assert config.nav is not None
    config.nav.append({"Reference": [{title: f"reference/{page}.md"} for page, (title, _) in PAGES.items()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages themselves."""
    for page, (_, text) in PAGES.items():
        files.append(File.generated(config, f"reference/{page}.md", content=text))
    return files
