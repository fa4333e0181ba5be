"""The programs of `mtarray.examples`: their results, and that their generic parts do not care whose arrays they get."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mtarray

pytest.importorskip("sklearn")

from mtarray.examples import digits_pca


@pytest.fixture(scope="module")
def digits() -> digits_pca.Digits:
    return digits_pca.load(0)


@pytest.mark.parametrize("name", ["numpy", "torch", "jax.numpy", "mtarray"])
def test_nearest_digits_on_every_library(digits: digits_pca.Digits, name: str) -> None:
    pytest.importorskip(name.split(".")[0])
    asarray = importlib.import_module(name).asarray
    train, labels, test = (asarray(x) for x in (digits.train.astype(np.float32), digits.train_labels, digits.test.astype(np.float32)))
    predicted = digits_pca.nearest_digits(train, labels, test)
    assert type(predicted) is type(test)
    assert np.mean(np.asarray(predicted) == digits.test_labels) > 0.96


def test_nearest_digits_agrees_with_numpy(digits: digits_pca.Digits) -> None:
    ours = digits_pca.Digits(*(mtarray.asarray(x) for x in digits))
    expected = digits_pca.nearest_digits(digits.train, digits.train_labels, digits.test, components=10, neighbours=3)
    got = digits_pca.nearest_digits(ours.train, ours.train_labels, ours.test, components=10, neighbours=3)
    np.testing.assert_array_equal(np.asarray(got), expected)


def test_main_compares_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "deep" / "digits.png"
    results = digits_pca.main(["--repeats", "1", "--out", str(picture)])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [r.name for r in results] == list(digits_pca.steps(20, 5))
    for r in results:
        assert r.accuracy > 0.9
        assert r.accuracy == pytest.approx(r.numpy_accuracy, abs=0.01)
    printed = capsys.readouterr().out
    assert all(r.name in printed for r in results)
    assert str(picture) in printed


def test_a_step_that_leaves_mtarray_is_told(digits: digits_pca.Digits) -> None:
    ours = digits_pca.Digits(*(mtarray.asarray(x) for x in digits))
    with pytest.raises(TypeError, match=r"quits left mtarray: its result is a numpy\.ndarray"):
        digits_pca.compare(digits, ours, {"quits": lambda d: np.asarray(d.test_labels)}, repeats=1)


@pytest.mark.parametrize("arguments", [["--components", "1"], ["--components", "65"], ["--neighbours", "0"], ["--repeats", "0"]])
def test_bad_arguments_are_named(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "mtarray.examples.digits_pca", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert arguments[0] in done.stderr
