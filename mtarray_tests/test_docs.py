"""The documentation: its examples run, it builds without a warning, and a browser shows its pages without an error."""

import doctest
import functools
import html
import http.server
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import mtarray

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(p for p in (ROOT / "docs").rglob("*.md"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

needs_mkdocs = pytest.mark.skipif(importlib.util.find_spec("mkdocstrings") is None, reason="the extra `docs` is not installed")


def fences(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT / "docs")))
def test_examples_of_pages(page: Path) -> None:
    """The `pycon` blocks of a page are one session."""
    source = "\n".join(fences(page.read_text(encoding="utf-8"), "pycon"))
    test = doctest.DocTestParser().get_doctest(source, {"__name__": "docs"}, page.name, str(page), 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    try:
        runner.run(test, out=report.append)
    finally:
        mtarray.config.cuda = "auto"  # a page that failed half way has not set it back
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("block", fences((ROOT / "README.md").read_text(encoding="utf-8"), "python"), ids=lambda b: b.split("\n")[-2][:40])
def test_examples_of_the_readme(block: str, tmp_path: Path) -> None:
    """Each `python` block of the README is a program (a file, since declarations are read from their source)."""
    program = tmp_path / "readme.py"
    program.write_text(block, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    done = subprocess.run([sys.executable, "-W", "error", str(program)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_readme_commands_are_single_lines() -> None:
    first, second = fences((ROOT / "README.md").read_text(encoding="utf-8"), "sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert "mtarray.examples.digits" in first
    assert "pytest" in second


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; any warning fails the build (unless `--quiet` hides it, even from --strict)."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    # Material's announcement of its successor is not a warning about this site.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@dataclass(frozen=True)
class Served:
    """The site on this machine: its address, and the paths that were asked for and not found."""

    address: str
    missing: list[str]


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[Served]:
    """The site behind a server that lets pages load from it alone: whatever else they want becomes an error on the console."""
    missing: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", "default-src 'self' 'unsafe-inline' data:")
            super().end_headers()

        def send_error(self, *args: Any, **options: Any) -> None:
            missing.append(self.path)
            super().send_error(*args, **options)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Served(f"http://127.0.0.1:{server.server_address[1]}", missing)
    server.shutdown()
    server.server_close()
    thread.join()


@needs_mkdocs
def test_every_public_name_has_an_entry(site: Path) -> None:
    """The reference has an anchor for each function and class, whichever module it stands in."""
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("*.html"))
    anchors = set(re.findall(r'<h\d id="(mtarray\.[\w.]+)"', text))
    nn = mtarray.nn
    for xp in (mtarray, mtarray.linalg, mtarray.fft, mtarray.random, mtarray.special, nn, nn.functional, nn.init):
        for name in xp.__all__:
            value = getattr(xp, name)
            if callable(value) and getattr(value, "__module__", "").startswith("mtarray"):
                declared = value if hasattr(value, "__qualname__") else type(value)
                assert f"{declared.__module__}.{declared.__qualname__}" in anchors, f"{xp.__name__}.{name} has no entry"


@needs_mkdocs
def test_examples_of_the_reference_are_code(site: Path) -> None:
    """No session of a docstring, a module's included, is read as quotations."""
    for page in (site / "reference").rglob("*.html"):
        assert "<blockquote>" not in page.read_text(encoding="utf-8"), page


@needs_mkdocs
def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """Scripts, styles, images and fonts come from the site itself."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]*"', text) == [], page.name
        assert re.findall(r'<link[^>]+rel="(?:stylesheet|preload|preconnect|icon)"[^>]+href="(?:https?:)?//[^"]*"', text) == [], page.name


def browse(served: Served, page: str, profile: Path) -> tuple[str, list[str]]:
    """What a browser makes of a page: the document after its scripts ran, and the errors on its console or of its requests."""
    assert CHROMIUM is not None
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    command = [CHROMIUM, *flags.split(), "--disable-sync", f"--user-data-dir={profile}", "--enable-logging=stderr", "--log-level=0"]
    command += ["--virtual-time-budget=4000", "--dump-dom", f"{served.address}/{page}"]
    served.missing.clear()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    errors = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, errors + [f"not found: {path}" for path in served.missing if path != "/favicon.ico"]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("<script>throw new Error('on purpose')</script>", "on purpose"),
        ("<script src='lacking.js'></script>", "lacking.js"),
        ("<script src='https://example.invalid/x.js'></script>", "example.invalid"),
        ("", ""),
    ],
    ids=["throws", "lacks a file", "asks elsewhere", "is sound"],
)
def test_the_browser_test_sees(served: Served, site: Path, tmp_path: Path, fault: str, sign: str) -> None:
    """Pages that have an error are told from a sound one; else the next test means nothing."""
    (site / "fault.html").write_text(f"<p></p>{fault}<script>document.querySelector('p').textContent = 1 + 1</script>", encoding="utf-8")
    dom, errors = browse(served, "fault.html", tmp_path)
    assert "<p>2</p>" in dom
    assert len(errors) == bool(fault)
    assert all(sign in error for error in errors)


@needs_mkdocs
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("", "At home among others"),
        ("quickstart/", "Views share storage"),
        ("how-an-op-works/", "One declaration"),
        ("performance/", "Measure it"),
        ("reference/elementwise/", "Sine of each element"),
        ("reference/array/", "tolist"),
    ],
)
def test_pages_in_a_browser(served: Served, tmp_path: Path, page: str, sentence: str) -> None:
    dom, errors = browse(served, page, tmp_path)
    assert errors == []
    assert 'class="js' in dom, "the page's own scripts did not run"
    assert sentence in html.unescape(re.sub(r"<[^>]+>", "", dom))
