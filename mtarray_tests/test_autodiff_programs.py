"""Random programs with views and writes have the values and derivatives of the same programs without; planted mistakes do not pass."""

import importlib
import inspect
import sys
import textwrap
import threading
from typing import Any

import pytest

import mtarray as xp
from mtarray.autodiff import tape
from mtarray.autodiff.rules import rules_of

from .autodiff_programs import survey

try:
    import torch  # noqa: F401
except ImportError:
    TWINS: tuple[str, ...] = ("mtarray",)
else:
    TWINS = ("torch", "mtarray")


def first(seed: int) -> int:
    """Where the programs of a rotating run begin."""
    return 100_000 * (seed % 10_000)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("small", [tape.SMALL, 0])
def test_programs(twin: str, small: int, seed: int, full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved windows copied at once (small ones), or all held; values, gradients and products with the Hessian of every program."""
    monkeypatch.setattr(tape, "SMALL", small)
    in_progress = tape.live()  # of tests whose error is still held by someone
    tally = survey(first(seed), 1000 if full else 100, (twin,))
    assert not tally.failures
    assert tally.checked > 90
    assert {"set", "iset", "iop", "swap", "view", "part", "permute"} <= set(tally.steps)
    assert not tape.live() & ~in_progress  # every differentiation is over


@pytest.mark.slow
def test_large_programs(seed: int) -> None:
    """Arrays beyond what NumPy's loops serve."""
    assert not survey(first(seed), 40, TWINS[:1], large=True).failures


def test_threads(seed: int) -> None:
    """Differentiations in several threads do not meet."""
    failures: list[Any] = []
    workers = [threading.Thread(target=lambda k=k: failures.append(survey(first(seed) + 10 * k, 10, TWINS[:1]).failures)) for k in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert failures == [{}] * 4


# ---------------------------------------------------------------------- does the suite see mistakes?

# Where, what is replaced, and by what.
MISTAKES: dict[str, tuple[str, str, str]] = {
    "no copy-on-write of what is held whole": (
        "mtarray._storage.loosen", "            if not _alone(storage):\n                storage.buffer = copied(storage.buffer)\n", "",
    ),
    "no copy-on-write of held windows": ("mtarray._storage.loosen", "met = list(ties.meeting(low, high))", "met = []"),
    "what is saved whole is not held": ("mtarray.autodiff.tape.record", "storage.ties = HELD", "pass"),
    "of values written to one place every one gets the cotangent": (
        "mtarray.autodiff.sweep._winners", "return g if won.all() else", "return g if True else",
    ),
    "what was overwritten keeps its cotangent": (
        "mtarray.autodiff.sweep._Sweep._pull_write", "_array.assign(target, 0.0, key)", "pass",
    ),
    "a cotangent that the sweep does not own is written": (
        "mtarray.autodiff.sweep._Sweep._pull_write", "g, owned = copy(g), True", "pass",
    ),
    "a shared cotangent counts as owned": (
        "mtarray.autodiff.sweep._Sweep.give", "owned and g._whole >= 0", "g._whole >= 0",
    ),
    "a permuted sum counts as whole": ("mtarray.autodiff.sweep._Sweep.give", "[g, g._whole >= 0]", "[g, True]"),
    "only the last cotangent counts": ("mtarray.autodiff.sweep._Sweep.give", "entry[0] += g", "entry[0] = g"),
    "broadcast elements are told apart": (
        "mtarray.autodiff.sweep._Sweep.give", "key is not None and strides is not None and _strides.overlaps(shape, strides)", "False",
    ),
    "a permuted window is taken for the whole in order": (
        "mtarray.autodiff.sweep._Sweep.give", "g, strides = _array.xp.permute_dims(g, order), None", "strides = None",
    ),
    "a write forgets the content before": (
        "mtarray.autodiff.tape.written", "ins = ((before, None, dtype, shape, None, 0), ", "ins = ((None, None, dtype, shape, None, 0), ",
    ),
    "a constant is written unseen": (
        "mtarray._selection.assign", "if x._storage.node is not None or (item", "if (item",
    ),
    "what was saved has lost its name": (
        "mtarray.autodiff.tape.restore", "storage.node = node\n        storage.ties", "storage.node = None\n        storage.ties",
    ),
    "a saved window has lost its name": (
        "mtarray.autodiff.tape._linked", "n = x._storage.node = Node(", "n = Node(",
    ),
    "a tangent records itself": ("mtarray.autodiff.forward.around", "return (T.outer | ~tape.live()) & active", "return active"),
    "the tangent of the content before is overwritten": (
        "mtarray.autodiff.forward.push_write", "if t is None else copy(t)", "if t is None else t",
    ),
    "a partial derivative is not conjugated": ("mtarray.autodiff.sweep.scaled", "_array.xp.conj(p)", "p"),
    "a cotangent keeps its own dtype": ("mtarray.autodiff.sweep.settled", "d = _array.xp.astype(d, dtype)", "pass"),
}  # fmt: skip


def plant(monkeypatch: pytest.MonkeyPatch, path: str, old: str, new: str) -> None:
    """Replace a function everywhere by itself with a piece of its text exchanged."""
    parts = path.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in sys.modules)
    module = importlib.import_module(".".join(parts[:depth]))
    owner: Any = module
    for name in parts[depth:-1]:
        owner = getattr(owner, name)
    original = getattr(owner, parts[-1])
    text = textwrap.dedent(inspect.getsource(original))
    assert text.count(old) >= 1, f"{path} no longer has the text {old!r}"
    made: dict[str, Any] = {}
    exec(compile(text.replace(old, new), f"<{path}>", "exec"), module.__dict__, made)
    if owner is not module:
        monkeypatch.setattr(owner, parts[-1], made[parts[-1]])
        return
    for name, m in list(sys.modules.items()):
        if name.startswith("mtarray"):
            for key, v in list(vars(m).items()):
                if v is original:
                    monkeypatch.setattr(m, key, made[parts[-1]])


def caught(limit: int = 600) -> bool:
    """Whether some program fails; both kinds of saving have their turn."""
    before = tape.SMALL
    try:
        for begin in range(0, limit, 20):
            tape.SMALL = 0 if begin % 40 else before
            if survey(begin, 20, TWINS[:1], stop=True).failures:
                return True
        return False
    finally:
        tape.SMALL = before


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_caught(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each planted mistake makes some program fail."""
    with monkeypatch.context() as patch:
        plant(patch, *MISTAKES[mistake])
        assert caught()


@pytest.mark.slow
def test_a_wrong_operand_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """multiply multiplies by the operand itself."""
    op = xp.multiply.op  # type: ignore[attr-defined]
    rules_of(op)
    with monkeypatch.context() as patch:
        patch.setattr(op, "derivative", (lambda x2: x2, lambda x2: x2))
        patch.setattr(op, "rules", None)
        assert caught()
