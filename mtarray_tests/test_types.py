"""The public surface as a type checker sees it: every function has a type of its own, and using it gives what it says.

Public functions are made from declarations by decorators, so that the package's own strict check does not yet show what a user's
editor sees; this asks the checker itself, name by name.
"""

import importlib.util
import re
from pathlib import Path

import pytest

import mtarray

pytestmark = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")

ROOT = Path(__file__).resolve().parent.parent

USE = """
from typing import assert_type
import mtarray as xp

x = xp.asarray([1.0, 2.0])
assert_type(x, xp.Array)
assert_type(x + 1, xp.Array)
assert_type(2 * x, xp.Array)
assert_type(x @ x, xp.Array)
assert_type(-x, xp.Array)
assert_type(x.T, xp.Array)
assert_type(x.shape, tuple[int, ...])
assert_type(x.ndim, int)
assert_type(float(x[0]), float)
assert_type(len(x), int)
assert_type(xp.sin(x), xp.Array)
assert_type(xp.add(x, 1), xp.Array)
assert_type(xp.sum(x, axis=0), xp.Array)
assert_type(xp.cumulative_sum(x), xp.Array)
assert_type(xp.sin.source("derivative"), str)
assert_type(xp.sum.source(), str)
assert_type(xp.where(x > 0, x, 0.0), xp.Array)
assert_type(xp.matmul(x, x), xp.Array)
assert_type(xp.linalg.inv(x), xp.Array)
assert_type(xp.fft.fft(x), xp.Array)
assert_type(xp.random.default_rng(0), xp.random.Generator)
"""

# Whether these give one array or several depends on the arguments (of `load`, on the file; of `fromfunction`, on the function).
DEPENDS = set("load atleast_1d atleast_2d atleast_3d average fromfunction gradient indices intersect1d unique".split())

# Each must be refused, or the surface is typed in name only.
MISUSE = {
    "xp.sin()": "call-arg|Too few|Missing",
    "xp.add(x)": "call-arg|Too few|Missing",
    "xp.sin(x).no_such_method()": "attr-defined",
    "xp.no_such_function(x)": "attr-defined",
    "xp.sum(x, no_such_argument=1)": "call-arg|Unexpected",
    "x.shape = 'wide'": "assignment|misc",
}


def check(path: Path, source: str) -> str:
    """What mypy says of a program in strict mode, with the repository's package on its path."""
    from mypy import api

    path.write_text(source, encoding="utf-8")
    config = path.with_name("mypy.ini")
    config.write_text(f"[mypy]\nstrict = true\nmypy_path = {ROOT}\n[mypy-mtarray.*]\nfollow_imports = silent\n", encoding="utf-8")
    out, err, _ = api.run([str(path), "--config-file", str(config), "--no-error-summary", "--cache-dir", str(path.parent / "cache")])
    assert not err, err
    return out


def test_use_has_the_types_it_says(tmp_path: Path) -> None:
    assert check(tmp_path / "use.py", USE) == ""


def test_misuse_is_refused(tmp_path: Path) -> None:
    lines = check(tmp_path / "misuse.py", "import mtarray as xp\nx = xp.asarray(1)\n" + "\n".join(MISUSE)).splitlines()
    for number, (line, expected) in enumerate(MISUSE.items(), start=3):
        errors = [text for text in lines if f"misuse.py:{number}: error" in text]
        assert errors, f"accepted: {line}"
        assert any(re.search(expected, text) for text in errors), errors


def test_no_public_function_is_untyped(tmp_path: Path) -> None:
    """No `(*Any, **Any)`, and none that returns Any."""
    names = [name for name in mtarray.__all__ if callable(getattr(mtarray, name)) and not isinstance(getattr(mtarray, name), type)]
    out = check(tmp_path / "reveal.py", "import mtarray as xp\n" + "\n".join(f"reveal_type(xp.{name})" for name in names))
    revealed = dict(re.findall(r'reveal\.py:(\d+): note: Revealed type is "(.*)"', out))
    assert len(revealed) == len(names), out
    untyped = [
        f"{name}: {text}"
        for number, name in enumerate(names, start=2)
        if re.search(r"^def \(\*Any, \*\*Any\)|-> Any$|^Any$", text := revealed[str(number)]) and name not in DEPENDS
    ]
    assert not untyped, "\n".join(untyped)
