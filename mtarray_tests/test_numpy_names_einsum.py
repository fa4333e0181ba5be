"""einsum against NumPy's, over dtypes, layouts and ways to contract; its views, paths and errors."""

from __future__ import annotations

import numpy as np
import pytest

import mtarray

from .numpy_names_calls import DTYPES, check, compare, layouts, sample

EINSUM = [
    ("ii->i", [(3, 3)]),
    ("ii", [(3, 3)]),
    ("ij->ji", [(3, 4)]),
    ("ij->", [(3, 4)]),
    ("ij->i", [(3, 4)]),
    ("ij", [(3, 4)]),
    ("ba", [(3, 4)]),
    ("iij->j", [(3, 3, 4)]),
    ("iii->i", [(3, 3, 3)]),
    ("i,i", [(4,), (4,)]),
    ("i,j", [(3,), (4,)]),
    ("i,j->ji", [(3,), (4,)]),
    ("i,i->i", [(4,), (4,)]),
    ("ij,jk", [(3, 4), (4, 5)]),
    ("ij,jk->ki", [(3, 4), (4, 5)]),
    ("ij,kj->ik", [(3, 4), (5, 4)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("bij,jk->bik", [(2, 3, 4), (4, 5)]),
    ("ij,ij->", [(3, 4), (3, 4)]),
    ("ij,ji->", [(3, 4), (4, 3)]),
    ("ijk,jil->kl", [(3, 4, 2), (4, 3, 5)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (4, 5)]),
    ("...ij,...jk", [(7, 1, 3, 4), (2, 4, 5)]),
    ("i...->...", [(3, 4, 2)]),
    ("...", [(3, 4)]),
    ("...i->i...", [(3, 4, 2)]),
    ("i...i->...", [(3, 4, 3)]),
    ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 2)]),
    ("ij,jk,kl,lm", [(3, 4), (4, 5), (5, 2), (2, 6)]),
    ("a,b,c->abc", [(2,), (3,), (4,)]),
    ("ij,ij,ij->ij", [(3, 4)] * 3),
    ("i,ij,j->", [(3,), (3, 4), (4,)]),
    ("ij,j->ij", [(3, 1), (4,)]),
    ("ij,jk->ik", [(3, 1), (4, 5)]),
    ("i,i->i", [(1,), (4,)]),
    (",ij->ij", [(), (3, 4)]),
    (",->", [(), ()]),
    ("", [()]),
    ("ij, jk -> ik", [(3, 4), (4, 5)]),
    ("ij,k->ijk", [(0, 4), (5,)]),
    ("ij,jk->ik", [(3, 0), (0, 5)]),
    ("Ab,bA->A", [(3, 4), (4, 3)]),
    ("...a,...a->...", [(2, 1, 4), (3, 4)]),
    ("ii,jj->ij", [(3, 3), (4, 4)]),
    ("ij,jj,j->ij", [(3, 4), (4, 4), (4,)]),
]
EINSUM_ERRORS = [
    ("ij->k", [(3, 4)]),
    ("ij", [(3,)]),
    ("i", [(3, 4)]),
    ("ij,jk", [(3, 4)]),
    ("ij,jk", [(3, 4), (5, 6)]),
    ("ij->ii", [(3, 4)]),
    ("i?", [(3, 4)]),
    ("ii", [(3, 4)]),
    ("...i->i", [(3, 4)]),
    ("...i...", [(3, 4)]),
    ("...i,...i->...", [(2, 4), (3, 4)]),
    ("->", [(3,)]),
]


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUM, ids=[e[0] or "scalar" for e in EINSUM])
def test_einsum(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    for dtype in DTYPES:
        for i in range(5):
            arrays = [(layouts(s, dtype) * 5)[i] for s in shapes]
            check("einsum", subscripts, *arrays)
            for optimize in (False, "greedy", "optimal"):
                check("einsum", subscripts, *arrays, optimize=optimize)


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUM_ERRORS, ids=[e[0] for e in EINSUM_ERRORS])
def test_einsum_errors(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [mtarray.ones(s) for s in shapes]
    with pytest.raises(ValueError, match="einsum"):
        mtarray.einsum(subscripts, *arrays)


def test_einsum_other_forms() -> None:
    a, b = sample((3, 4), "float64"), sample((4, 5), "float64", 1)
    check("einsum", a, [0, 1], b, [1, 2], [2, 0])
    check("einsum", a, [0, 1], b, [1, 2])
    check("einsum", a, [Ellipsis, 1], b, [1, 2], [2, Ellipsis])
    check("einsum", a, [0, 1], [0])
    check("einsum", "ij,jk", a.astype("int8"), b.astype("float32"))
    check("einsum", "ij,jk", a.astype("int8"), b.astype("int8"), dtype="float64")
    check("einsum")
    with pytest.raises(ValueError, match="no arrays"):
        mtarray.einsum("ij")
    check("einsum", "ij,jk,kl->il", a, b, b.T, optimize=["einsum_path", (1, 2), (0, 1)])
    check("einsum", "ij,jk,kl->il", a, b, b.T, optimize=["einsum_path", (0, 1, 2)])
    with pytest.raises(ValueError, match="path"):
        mtarray.einsum("ij,jk->ik", mtarray.asarray(a), mtarray.asarray(b), optimize=["einsum_path", (0, 7)])
    with pytest.raises(TypeError, match="optimize"):
        mtarray.einsum("ij->i", mtarray.asarray(a), optimize="fast")


def test_random_einsum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(150):
        lengths = dict(zip("abcde", rng.integers(0, 4, size=5).tolist()))
        dots = tuple(rng.integers(1, 4, size=rng.integers(0, 3)).tolist())
        terms, shapes = [], []
        for _ in range(rng.integers(1, 5)):
            labels = "".join(rng.choice(list("abcde"), size=rng.integers(0, 4)))
            once = [n if labels.count(c) > 1 or rng.random() < 0.8 else 1 for c, n in zip(labels, (lengths[c] for c in labels))]
            hidden = dots[rng.integers(0, len(dots) + 1) :]
            at = int(rng.integers(0, len(labels) + 1))
            terms.append(labels[:at] + "..." + labels[at:])
            shapes.append((*once[:at], *hidden, *once[at:]))
        used = sorted(set("".join(terms)) - {"."})
        kept = "".join(rng.permutation([c for c in used if rng.random() < 0.5]).tolist())
        subscripts = ",".join(terms) + (f"->{kept[:1]}...{kept[1:]}" if rng.random() < 0.7 else "")
        arrays = [sample(s, str(rng.choice(["int64", "float64", "complex64"])), i) for i, s in enumerate(shapes)]
        check("einsum", subscripts, *arrays, optimize=bool(rng.random() < 0.5))


def test_einsum_views() -> None:
    """A result that only moves axes or takes a diagonal is a window on the operand."""
    x = mtarray.zeros((3, 3))
    mtarray.einsum("ii->i", x)[...] = 1.0
    mtarray.einsum("ij->ji", x)[0, 1] = 5.0
    compare(x, np.eye(3) + 5.0 * np.eye(3, k=-1) * np.array([[0], [1], [0]]), "views")


def test_einsum_path_contracts_cheapest_first() -> None:
    shapes = [(2, 100), (100, 100), (100, 3)]
    path, text = mtarray.einsum_path("ij,jk,kl->il", *[mtarray.ones(s) for s in shapes])
    assert path == ["einsum_path", (0, 1), (0, 1)]
    assert "(2, 100)" in text
    compare(mtarray.einsum("ij,jk,kl->il", *[mtarray.ones(s) for s in shapes], optimize=path), np.full((2, 3), 1e4), "path")
