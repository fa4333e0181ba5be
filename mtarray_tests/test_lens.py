"""The pages of `mtarray lens`: what they compute, and the app driven in a headless browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mtarray as xp
from mtarray import _lens
from mtarray._lens import arrays, evaluating, functions, graphs, modules, training

for needed in ("streamlit", "matplotlib", "optree"):
    pytest.importorskip(needed)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# ---------------------------------------------------------------------- what the pages compute


@pytest.mark.parametrize("text", arrays.EXAMPLES.values())
def test_every_element_of_a_view_is_where_the_page_says(text: str):
    x = arrays.base((4, 6))
    v = arrays.view(x, evaluating.expression(text, x=x))
    if "x > 5" in text:
        assert v.places is None
    else:
        assert v.places is not None
        assert (v.places == v.values).all()  # the elements of x are their places
    assert arrays.figure(x, v).axes


def test_arrays_page_refuses_in_one_line():
    for typed in ("4, -1", "four", "1.5"):
        with pytest.raises(evaluating.Mistyped, match="shape"):
            evaluating.shape(typed)
    with pytest.raises(evaluating.Mistyped, match="400"):
        arrays.base((100, 100))
    with pytest.raises(evaluating.Mistyped, match="IndexError"):
        evaluating.expression("x[9]", x=arrays.base((4,)))
    with pytest.raises(evaluating.Mistyped, match="must give an array"):
        arrays.view(arrays.base((4,)), 3)


def test_graphs_have_the_values_and_gradients_of_the_expression():
    variables = graphs.read("w=0.5, x=2.0, b=-0.3")
    steps = graphs.steps(graphs.DEFAULT, variables)
    found = {s.text: s for s in steps}
    f = lambda w, x, b: xp.tanh(w * x + b) ** 2  # noqa: E731
    for name, g in zip("wxb", xp.grad(f, argnums=(0, 1, 2))(*variables.values())):
        np.testing.assert_allclose(found[name].gradient, g, rtol=1e-14)
    assert float(steps[-1].gradient) == 1.0
    assert steps[-1].text == "v5 ** 2"
    assert steps[-1].partials["v5"] == pytest.approx(2 * float(steps[-2].value))
    assert graphs.dot(steps, 0).count("gradient") == 0
    assert graphs.dot(steps, len(steps)).count("gradient") == len(steps)
    assert "%5 = tanh(%4)" in graphs.recorded(graphs.DEFAULT, variables)


def test_graphs_of_arrays_and_of_values_that_are_used_twice():
    variables = graphs.read("x=[1.0, 2.0, 3.0]")
    steps = graphs.steps("xp.sum(x * x) / 2 - xp.max(x)", variables)
    assert steps[0].gradient.tolist() == [1.0, 2.0, 2.0]
    assert steps[1].text == "x * x"


@pytest.mark.parametrize(
    ("text", "given", "why"),
    [("w +", "w=1", "SyntaxError"), ("w * z", "w=1", "none of the variables"), ("2 + 3", "w=1", "uses none"), ("w", "w", "given like"),
     ("xp.nothing(w)", "w=1", "no attribute"), ("w @ w", "w=1.0", "ValueError")],
)  # fmt: skip
def test_graphs_page_refuses_in_one_line(text: str, given: str, why: str):
    with pytest.raises(evaluating.Mistyped, match=why):
        graphs.steps(text, graphs.read(given))


@pytest.mark.parametrize("source", functions.EXAMPLES.values(), ids=list(functions.EXAMPLES))
def test_typed_functions_and_their_derivatives(source: str):
    op = functions.declared(source)
    found = functions.curves(op, -2.9, 2.9, 50)
    h = 1e-5
    x = xp.asarray(found["x"])
    np.testing.assert_allclose(found["f′"], (np.asarray(op(x + h)) - np.asarray(op(x - h))) / (2 * h), rtol=1e-4, atol=1e-7)
    assert "def " in op.source("derivative")
    assert functions.figure(found).axes


def test_functions_page_refuses_in_one_line():
    for source, why in [
        ("x = 1", "no function"),
        ("def f(x:", "line 1"),
        ("def f(x, y):\n    return x + y", "takes 2"),
        ("def f(x):\n    return open(x)", "open"),
    ]:
        with pytest.raises(evaluating.Mistyped, match=why):
            functions.declared(source)


@pytest.mark.parametrize("name", modules.PRESETS)
def test_modules_are_shown(name: str):
    model, x = modules.PRESETS[name]()
    rows = modules.parameters(model)
    assert sum(r["elements"] for r in rows) == sum(p.size for p in model.parameters())
    assert f"{sum(r['elements'] for r in rows):,}" in str(model.summary(x))


def test_training_learns():
    run = training.Run("diag", hidden=16)
    before = run.surface()
    run.epochs(150)
    assert run.losses[-1] < 0.5 * run.losses[0]
    assert run.correct[-1] > 90
    assert np.abs(run.surface() - before).max() > 0.2
    assert training.figure(run).axes


# ---------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the running app."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    log = (home / "log").open("wb")
    command = [
        sys.executable,
        "-c",
        "from mtarray._cli import main; main()",
        "lens",
        "--port",
        str(port),
        "--address",
        "127.0.0.1",
        "--no-browser",
    ]
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(Path(_lens.__file__).parents[2])}
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                    break
            except OSError:
                assert process.poll() is None, (home / "log").read_text()
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)
        log.close()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_pages_in_a_browser(address: str):
    """Pages load, a click trains, the picture changes, the console has no error."""
    playwright = pytest.importorskip("playwright.sync_api")
    told: list[str] = []
    with playwright.sync_playwright() as p:
        arguments = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        browser = p.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(60_000)
        page.on("console", lambda m: told.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: told.append(str(e)))

        page.goto(address)
        page.get_by_text("Arrays are windows on storage").wait_for()
        page.get_by_text("strides, in elements").wait_for()
        picture = page.locator("img").first
        before = picture.get_attribute("src")
        box = page.get_by_label("result")
        box.fill("x.T[::-1]")
        box.press("Enter")
        page.get_by_text("(-1, 6)").wait_for()
        assert picture.get_attribute("src") != before

        page.get_by_role("link", name="Graphs").click()
        page.get_by_text("A recorded graph").wait_for()
        page.get_by_role("button", name="Step back").click()
        page.locator("svg text", has_text="gradient 1").first.wait_for()

        page.get_by_role("link", name="Functions").click()
        page.get_by_text("Its derivative, as derived").wait_for()

        page.get_by_role("link", name="Modules").click()
        page.get_by_text("10,501", exact=False).first.wait_for()

        page.get_by_role("link", name="Training").click()
        page.get_by_text("A network learns").wait_for()
        epoch = page.get_by_test_id("stMetricValue").first
        picture = page.locator("img").first
        picture.wait_for()
        before = picture.get_attribute("src")
        page.get_by_role("button", name="Step", exact=True).click()
        playwright.expect(epoch).to_have_text("1")
        page.get_by_role("button", name="Start").click()
        page.get_by_role("button", name="Pause").wait_for()
        page.wait_for_function("n => Number(n.textContent) > 60", arg=epoch.element_handle())
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Start").wait_for()
        assert picture.get_attribute("src") != before
        browser.close()
    assert not told
