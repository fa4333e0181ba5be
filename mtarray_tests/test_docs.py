"""The documentation: its examples run, it builds without a warning, and a browser shows its pages without an error."""

import doctest
import functools
import html
import http.server
import importlib.util
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mtarray

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(p for p in (ROOT / "docs").glob("*.md"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

needs_mkdocs = pytest.mark.skipif(importlib.util.find_spec("mkdocstrings") is None, reason="the extra `docs` is not installed")


def fences(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_examples_of_pages(page: Path) -> None:
    """The `pycon` blocks of a page are one session."""
    source = "\n".join(fences(page.read_text(encoding="utf-8"), "pycon"))
    test = doctest.DocTestParser().get_doctest(source, {"__name__": "docs"}, page.name, str(page), 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("block", fences((ROOT / "README.md").read_text(encoding="utf-8"), "python"), ids=lambda b: b.split("\n")[-2][:40])
def test_examples_of_the_readme(block: str, tmp_path: Path) -> None:
    """Each `python` block of the README is a program (a file, since declarations are read from their source)."""
    program = tmp_path / "readme.py"
    program.write_text(block, encoding="utf-8")
    done = subprocess.run([sys.executable, "-W", "error", str(program)], capture_output=True, text=True, check=False, cwd=ROOT, env=None)
    assert done.returncode == 0, done.stderr


def test_readme_commands_are_single_lines() -> None:
    first, second = fences((ROOT / "README.md").read_text(encoding="utf-8"), "sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert "mtarray.examples.digits_pca" in first
    assert "pytest" in second


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; any warning fails the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    """Its address on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@needs_mkdocs
def test_every_public_name_has_an_entry(site: Path) -> None:
    """The reference has an anchor for each function and class, whichever module it stands in."""
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("*.html"))
    anchors = {anchor.split(".")[-1] for anchor in re.findall(r'<h\d id="(mtarray\.[\w.]+)"', text)}
    ours = {name for name in mtarray.__all__ if callable(v := getattr(mtarray, name)) and str(v.__module__).startswith("mtarray")}
    assert ours - anchors == set()


@needs_mkdocs
def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """Scripts, styles, images and fonts come from the site itself."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]*"', text) == [], page.name
        assert re.findall(r'<link[^>]+rel="(?:stylesheet|preload|preconnect|icon)"[^>]+href="(?:https?:)?//[^"]*"', text) == [], page.name


def browse(address: str, profile: Path) -> tuple[str, list[str]]:
    """What a browser makes of a page: the document after its scripts ran, and the errors on its console."""
    assert CHROMIUM is not None
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    command = [CHROMIUM, *flags.split(), "--disable-sync", f"--user-data-dir={profile}", "--enable-logging=stderr", "--log-level=0"]
    # Whatever a page wants from another machine fails at once, and so shows on the console.
    command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--virtual-time-budget=4000", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    errors = [line for line in done.stderr.splitlines() if ":CONSOLE" in line and re.search(r"error|failed|uncaught|refused", line, re.I)]
    return done.stdout, errors


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_browser_test_sees_errors(served: str, site: Path, tmp_path: Path) -> None:
    """A page that throws, and one that wants a missing script, are told from a sound one; else the next test means nothing."""
    (site / "throws.html").write_text("<script>throw new Error('on purpose')</script>", encoding="utf-8")
    (site / "lacks.html").write_text("<script src='https://example.invalid/x.js'></script>", encoding="utf-8")
    (site / "sound.html").write_text("<p></p><script>document.querySelector('p').textContent = 1 + 1</script>", encoding="utf-8")
    assert any("on purpose" in line for line in browse(f"{served}/throws.html", tmp_path / "1")[1])
    assert browse(f"{served}/lacks.html", tmp_path / "2")[1] != []
    dom, errors = browse(f"{served}/sound.html", tmp_path / "3")
    assert "<p>2</p>" in dom
    assert errors == []


@needs_mkdocs
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("", "mtarray"),
        ("quickstart/", "Quick start"),
        ("how-an-op-works/", "How an op works"),
        ("performance/", "Performance"),
        ("reference/elementwise/", "sin"),
    ],
)
def test_pages_in_a_browser(served: str, tmp_path: Path, page: str, sentence: str) -> None:
    dom, errors = browse(f"{served}/{page}", tmp_path)
    assert errors == []
    assert 'class="js' in dom, "the page's own scripts did not run"
    assert sentence in html.unescape(re.sub(r"<[^>]+>", " ", dom))
