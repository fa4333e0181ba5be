"""Random programs of views, index arrays and in-place writes, and their derivatives beside those of the same program without any.

A program is drawn while NumPy runs it. Then it is run
  by mtarray, as it stands: views, writes through them, in-place operators;
  by a `Twin`: a storage is a flat vector that never changes, a variable a table of positions in it, a write makes another vector. What
  runs the twin is mtarray or PyTorch, so that the first checks the tape against out-of-place programs, the second all of mtarray.

python -m mtarray_tests.autodiff_programs [first seed] [count] [--large] [--threads n] [--twin torch|mtarray|both]
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import mtarray as xp
from mtarray import autodiff

from .autodiff_drawing import Drawing, RejectedError
from .autodiff_machines import Direct, Ours, Program, Pure, Ref, Torch, Twin, run

# ---------------------------------------------------------------------- comparing


def total(m: Any, env: dict[int, Any], weights: dict[int, np.ndarray]) -> Any:
    """One real number from every variable as it is at the end."""
    out = None
    for i, w in weights.items():
        t = m.sum(m.binary("multiply", env[i], m.const(w)), None, False)
        t = m.part(t, "real") if w.dtype.kind == "c" else t
        out = t if out is None else m.binary("add", out, t)
    return m.binary("add", out, m.binary("multiply", m.const(np.array(0.1)), m.unary("sin", out)))


def inner(xs: Sequence[Any], ds: Sequence[Any]) -> Any:
    """sum of Re(conj(x) d)"""
    out: Any = 0.0
    for x, d in zip(xs, ds):
        out = out + xp.sum(xp.real(xp.conj(x) * d) if d.dtype.kind == "c" else x * d)
    return out


class Reference(NamedTuple):
    """value, gradient, Hessian times the directions"""

    value: float
    gradient: list[np.ndarray]
    product: list[np.ndarray]


def by_torch(pure: Torch, program: Program, leaves: list[np.ndarray], weights: Any, dirs: list[np.ndarray]) -> tuple[Reference, Any]:
    """What PyTorch has to say of the twin; and the twin's variables."""
    torch, m = pure.functions, Twin(pure)
    ts = [torch.tensor(x, requires_grad=True) for x in leaves]
    env = run(m, program, [m.fresh(t) for t in ts])
    y = m.read(total(m, env, weights))
    gs = torch.autograd.grad(y, ts, create_graph=True)
    dot = sum((g.conj() * torch.tensor(d)).real.sum() for g, d in zip(gs, dirs))
    hs = torch.autograd.grad(dot, ts, allow_unused=True) if dot.requires_grad else [None] * len(ts)
    numbers = [np.zeros_like(x) if h is None else pure.numpy(h) for h, x in zip(hs, leaves)]
    return Reference(float(y.detach()), [pure.numpy(g) for g in gs], numbers), {i: pure.numpy(m.read(x)) for i, x in env.items()}


def by_twin(program: Program, leaves: list[np.ndarray], weights: Any, dirs: list[np.ndarray]) -> tuple[Reference, Any]:
    """What mtarray has to say of the twin."""
    m = Twin(Pure())
    ds = [xp.asarray(d) for d in dirs]
    kept: dict[int, np.ndarray] = {}

    def f(ls: Any) -> Any:
        return m.read(total(m, run(m, program, [m.fresh(x) for x in ls]), weights))

    xs = tuple([xp.asarray(x) for x in leaves])
    env = run(m, program, [m.fresh(x) for x in xs])
    kept = {i: np.asarray(m.read(x)) for i, x in env.items()}
    y, gs = xp.value_and_grad(f)(xs)
    hs = xp.grad(lambda ls: inner(xp.grad(f)(ls), ds))(xs)
    return Reference(float(y), [np.asarray(g) for g in gs], [np.asarray(h) for h in hs]), kept


class WrongError(AssertionError):
    """A program whose results differ."""


class Comparison:
    """Compares with a tolerance relative to the largest number of its kind; what a tiny change of the arguments does is allowed as well."""

    def __init__(self, program: Program, reference: Callable[[list[np.ndarray]], tuple[Reference, Any]]) -> None:
        self.reference = reference
        self.leaves = program.leaves
        self.relative = 1e-12 if not program.single else 2e-5
        self.unit = 2e-15 if not program.single else 1e-6
        self.noise: tuple[Reference, Any] | None = None
        self.base = reference(program.leaves)

    def conditioning(self, of: Callable[[tuple[Reference, Any]], Any]) -> float:
        """How much the numbers change when the arguments change by a few units of their last place."""
        if self.noise is None:
            rng = np.random.default_rng(0)
            moved = [(x * (1 + self.unit * rng.choice([-1, 1], x.shape))).astype(x.dtype) for x in self.leaves]
            self.noise = self.reference(moved)
        return max([float(np.abs(a - b).max(initial=0)) for a, b in zip(of(self.noise), of(self.base))], default=0)

    def check(self, what: str, got: Sequence[Any], of: Callable[[tuple[Reference, Any]], Any]) -> None:
        expected = of(self.base)
        found = [np.asarray(a) for a in got]
        top = max([float(np.abs(b).max(initial=0)) for b in expected], default=0)
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            if a.shape != b.shape or a.dtype != b.dtype:
                raise WrongError(f"{what} {i}: {a.dtype}{a.shape}, expected {b.dtype}{b.shape}")
            error = float(np.abs(a - b).max(initial=0))
            if not error <= self.relative * (1 + top) and not error <= 100 * self.conditioning(of):
                raise WrongError(f"{what} {i}: differs by {error:.1e}, of numbers up to {top:.1e}")


def check(program: Program, seed: int = 0, pures: Sequence[str] = ("torch",), third: bool = False) -> None:
    """WrongError if anything that mtarray computes of a program is not what its twin says."""
    rng = np.random.default_rng((seed, 1))
    leaves, numpy, ours = program.leaves, Direct(), Ours()
    plain = run(numpy, program, [x.copy() for x in leaves])
    weights = {i: _like(rng, x) for i, x in plain.items()}
    dirs = [_like(rng, x).astype(x.dtype) for x in leaves]

    def slope_of(r: Any) -> list[Any]:
        return [np.asarray(sum(float(np.sum((np.conj(g) * d).real)) for g, d in zip(r[0].gradient, dirs)))]

    def curve_of(r: Any) -> list[Any]:
        return [np.asarray(sum(float(np.sum((np.conj(h) * d).real)) for h, d in zip(r[0].product, dirs)))]

    comparisons = []
    for name in pures:
        if name == "torch":
            pure = Torch()
            comparisons.append(Comparison(program, lambda ls, p=pure: by_torch(p, program, ls, weights, dirs)))  # type: ignore[misc]
        else:
            comparisons.append(Comparison(program, lambda ls: by_twin(program, ls, weights, dirs)))
    names = list(plain)

    def compare(what: str, got: Sequence[Any], of: Callable[[Any], Any]) -> None:
        for c in comparisons:
            c.check(what, got, of)

    def f(ls: Any) -> Any:
        return total(ours, run(ours, program, ls), weights)

    def variables(r: Any) -> list[Any]:
        return [r[1][i] for i in names]

    def gradient(r: Any) -> list[Any]:
        return list(r[0].gradient)

    def product(r: Any) -> list[Any]:
        return list(r[0].product)

    compare("twin's value", [plain[i] for i in names], variables)
    xs, ds = tuple([xp.asarray(x.copy()) for x in leaves]), tuple([xp.asarray(d) for d in dirs])
    env = run(ours, program, [xp.asarray(x, copy=True) for x in xs])
    compare("value, untracked,", [env[i] for i in names], variables)

    seen: dict[int, Any] = {}

    def keeping(ls: Any) -> Any:
        seen.update(run(ours, program, ls))
        return total(ours, seen, weights)

    y, gs = xp.value_and_grad(keeping)(xs)
    compare("value, tracked,", [np.asarray(seen[i].detach()) for i in names], variables)
    seen.clear()
    compare("result", [np.asarray(float(y))], lambda r: [np.asarray(r[0].value)])
    compare("gradient, reverse,", gs, gradient)
    for x, start in zip(xs, leaves):
        if not np.array_equal(np.asarray(x), start):
            raise WrongError("an argument was written")
    y, dy = autodiff.jvp(lambda *ls: f(ls), xs, ds)
    compare("slope, forward", [dy], slope_of)

    def along(ls: Any) -> Any:
        return inner(xp.grad(f)(ls), ds)

    compare("product, reverse over reverse,", xp.grad(along)(xs), product)
    compare("product, forward over reverse,", autodiff.jvp(lambda *ls: xp.grad(f)(ls), xs, ds)[1], product)
    compare("product, reverse over forward,", xp.grad(lambda ls: autodiff.jvp(lambda *l2: f(l2), ls, ds)[1])(xs), product)
    twice = autodiff.jvp(lambda *ls: autodiff.jvp(lambda *l2: f(l2), ls, ds)[1], xs, ds)[1]
    compare("curvature, forward over forward", [twice], curve_of)
    pull = autodiff.vjp(lambda *ls: f(ls), *xs)[1]
    for _ in range(2):
        compare("gradient, vjp called again,", pull(xp.asarray(1.0)), gradient)
    imperative(program, weights, ds, compare, gradient, product)
    again = autodiff.checkpoint(lambda *ls: f(ls))
    compare("gradient, checkpoint,", xp.grad(lambda ls: again(*ls))(xs), gradient)
    if third:
        reverse = xp.grad(lambda ls: inner(xp.grad(along)(ls), ds))(xs)
        mixed = autodiff.jvp(lambda *l1: autodiff.jvp(lambda *l2: xp.grad(f)(l2), l1, ds)[1], xs, ds)[1]
        top = 1 + max(float(np.abs(np.asarray(b)).max(initial=0)) for b in mixed)
        for a, b in zip(reverse, mixed):
            if not np.abs(np.asarray(a) - np.asarray(b)).max(initial=0) <= (1e-9 if not program.single else 1e-3) * top:
                raise WrongError("third order")


def imperative(program: Program, weights: Any, ds: Any, compare: Any, gradient: Any, product: Any) -> None:
    """backward(), and backward() of what it computed."""
    ours = Ours()
    ls = [xp.asarray(x.copy()) for x in program.leaves]
    for x in ls:
        x.requires_grad = True
    starts = [x._storage.node.static for x in ls]  # the program may write into its leaves: then they are leaves no more
    y = total(ours, run(ours, program, ls), weights)

    def grads(clear: bool) -> list[Any]:
        found = [leaf.grad for leaf in starts]
        if clear:
            for leaf in starts:
                leaf.grad = None
        return [xp.asarray(np.zeros_like(x)) if g is None else g for g, x in zip(found, program.leaves)]

    y.backward(retain_graph=True)
    compare("gradient, backward(),", grads(True), gradient)
    y.backward(create_graph=True)
    first = grads(True)
    compare("gradient, backward(create_graph=True),", [np.asarray(g.detach()) for g in first], gradient)
    d = inner(first, ds)
    if d.requires_grad:
        d.backward()
        compare("product, backward() twice,", grads(True), product)


def _like(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    w = rng.normal(size=x.shape)
    return np.asarray(w + 1j * rng.normal(size=x.shape) if x.dtype.kind == "c" else w)


def failure(program: Program, seed: int, pures: Sequence[str]) -> str | None:
    """What is wrong with a program, in words that a smaller one may share."""
    try:
        check(program, seed, pures, third=seed % 10 == 0)
    except WrongError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def shrunk(program: Program, seed: int, pures: Sequence[str]) -> Program:
    """The smallest program found, by leaving out steps, that fails in the same way."""
    kind = (failure(program, seed, pures) or "")[:20]
    smaller = True
    while smaller:
        smaller = False
        for i in reversed(range(len(program.steps))):
            gone = {program.steps[i].out} - {None}
            rest = program.steps[:i]
            for s in program.steps[i + 1 :]:
                if any(a.__class__ is Ref and a.name in gone for a in s.args):
                    gone |= {s.out} - {None}
                else:
                    rest.append(s)
            candidate = program._replace(steps=rest)
            try:
                run(Direct(), candidate, [x.copy() for x in candidate.leaves])
            except Exception:
                continue
            if (failure(candidate, seed, pures) or "").startswith(kind):
                program, smaller = candidate, True
                break
    return program


class Tally(NamedTuple):
    """checked programs, those rejected, and failures: {what: first seed}"""

    checked: int
    rejected: int
    failures: dict[str, int]
    steps: Counter[str]


def survey(first: int, count: int, pures: Sequence[str] = ("torch",), large: bool = False, stop: bool = False) -> Tally:
    """Check the programs of `count` seeds; stop: after the first that fails."""
    checked = rejected = 0
    failures: dict[str, int] = {}
    steps: Counter[str] = Counter()
    for seed in range(first, first + count):
        try:
            program = Drawing((seed, int(large)), large).program
        except RejectedError:
            rejected += 1
            continue
        wrong = failure(program, seed, pures)
        checked += 1
        steps.update(s.method for s in program.steps)
        if wrong:
            failures.setdefault(wrong, seed)
            if stop:
                break
    return Tally(checked, rejected, failures, steps)


def main() -> int:
    """Check a range of seeds and print a line for each kind of failure."""
    parser = argparse.ArgumentParser(prog="python -m mtarray_tests.autodiff_programs")
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--twin", choices=("torch", "mtarray", "both"), default="torch")
    options = parser.parse_args()
    pures = ("torch", "mtarray") if options.twin == "both" else (options.twin,)
    start = time.monotonic()
    tallies: list[Tally] = []
    share = options.count // options.threads
    workers = [
        threading.Thread(target=lambda k=k: tallies.append(survey(options.first + k * share, share, pures, options.large)))
        for k in range(options.threads)
    ]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    failed = {what: seed for t in tallies for what, seed in t.failures.items()}
    checked = sum(t.checked for t in tallies)
    print(f"{checked} programs, {sum(t.rejected for t in tallies)} rejected, {time.monotonic() - start:.0f} s", flush=True)
    print(dict(sum([t.steps for t in tallies], Counter()).most_common()))
    for what, seed in failed.items():
        program = Drawing((seed, int(options.large)), options.large).program
        print(f"seed {seed}: {what}", shrunk(program, seed, pures), sep="\n")
    print(f"{checked} random programs, {len(failed)} kinds of failure")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
