"""The recorded graph, to be looked at: as text, as Graphviz source, as a picture; and whether a result depends on an argument."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

from .. import _strides
from .._array import Array
from .checks import floating
from .tape import INPUT, LEAF, WRITE, Node, Transform
from .transforms import _Arguments
from .trees import flatten


def draw(y: Any, limit: int = 100) -> Graph:
    """The recorded graph behind `y`, an array or a container of them: what a derivative of it goes through.

    limit: operations to show; of a larger graph the oldest and the newest are, and the others counted. Within a function that is being
    differentiated it shows the operations so far, and with `requires_grad` those that `backward` would go through. A leaf is what a
    gradient is collected for, an input what a transform differentiates by. An array behind which nothing is recorded is a constant.

    >>> import mtarray as xp
    >>> x = xp.asarray([1.0, 2.0, 3.0])
    >>> x.requires_grad = True
    >>> h = x * x
    >>> h[:2] /= 10.0
    >>> print(xp.autodiff.draw(xp.sum(h)))
    %0 = leaf                         float64 (3,)
    %1 = multiply(%0, %0)             float64 (3,)
    %2 = divide(%1[shape (2,)], 10.0) float64 (2,)
    %3 = write(%1, [shape (2,)] = %2) float64 (3,)
    %4 = sum(%3)                      float64 ()
    result: %4
    """
    return Graph([v for v in flatten(y)[0] if v.__class__ is Array], limit)


class Graph:
    """What `draw` returns: `str()` and `repr()` give text, `dot` Graphviz source, `svg()` a picture if Graphviz is installed."""

    def __init__(self, results: list[Array], limit: int) -> None:
        tops = [y._storage.node for y in results]
        nodes = sorted(reached([n for n in tops if n is not None]), key=lambda n: n.order)
        self.count = len(nodes)
        self.elided = max(0, self.count - limit)
        first = limit - limit // 2
        shown = nodes if not self.elided else nodes[:first] + nodes[self.count - limit // 2 :]
        names = {n: f"%{i}" for i, n in enumerate(nodes)}
        self._gap = first if self.elided else -1  # before which row the others are left out
        self._rows = [_Row(n, names) for n in shown]
        self._results = [_name(n, names) or f"constant {y.dtype} {y.shape}" for n, y in zip(tops, results)]

    def __str__(self) -> str:
        told = [f"{r.name} = {r.text}" for r in self._rows]
        width = min(60, max([len(t) for t in told], default=0))
        lines = [f"{t:{width}} {r.content}" for t, r in zip(told, self._rows)]
        if self.elided:
            lines.insert(self._gap, f"... {self.elided} more operations ...")
        return "\n".join([*lines, f"result: {', '.join(self._results)}"])

    __repr__ = __str__

    @property
    def dot(self) -> str:
        """Graphviz source: operations as boxes, leaves and inputs as ellipses, writes with a double border, data flowing down."""
        shown = {r.name for r in self._rows}
        lines = ["digraph {", '  node [shape=box, fontname="monospace"];']
        if self.elided:
            lines.append(f'  rest [label="{self.elided} more operations", style=dashed];')
        for r in self._rows:
            style = ", shape=ellipse" if r.kind in (LEAF, INPUT) else ", peripheries=2" if r.kind is WRITE else ""
            label = f"{r.text}\n{r.content}"
            lines.append(f"  {_id(r.name)} [label={_quoted(label)}{style}];")
        for source, target, window in sorted({(s if s in shown else "rest", r.name, w) for r in self._rows for s, w in r.edges}):
            lines.append(f"  {_id(source)} -> {_id(target)}{f' [label={_quoted(window)}]' if window else ''};")
        for i, name in enumerate(self._results):
            source, _, part = name.partition(".")
            constant = not name.startswith("%")
            lines.append(f"  result{i} [label={_quoted(name if constant else f'result {part}'.strip())}, shape=plain];")
            if not constant:
                lines.append(f"  {_id(source if source in shown else 'rest')} -> result{i};")
        return "\n".join([*lines, "}"])

    def svg(self) -> str:
        """The picture as SVG. RuntimeError where the program `dot` of Graphviz is not installed."""
        program = shutil.which("dot")
        if program is None:
            raise RuntimeError("svg: the program dot of Graphviz is not installed; str(graph) is text, graph.dot source for other tools")
        return subprocess.run([program, "-Tsvg"], input=self.dot, capture_output=True, text=True, check=True).stdout

    def _repr_svg_(self) -> str | None:
        return self.svg() if shutil.which("dot") else None


class _Row:
    """One operation as it is shown."""

    __slots__ = ("name", "text", "content", "kind", "edges")

    def __init__(self, node: Node, names: dict[Node, str]) -> None:
        self.name = names[node]
        self.kind = node.op
        self.edges: list[tuple[str, str]] = []
        if node.op is LEAF or node.op is INPUT:
            self.text = node.op.name
        elif node.ins is None:
            self.text = f"{node.op.name}(freed by an earlier backward pass)"
        else:
            told = [self._operand(e, names) for e in node.ins]
            if node.op is WRITE:
                dtype, shape, strides, offset, key, add = node.static
                target = _window((node, None, dtype, shape, strides, offset))
                place = f"{target or '[...]'}{'' if key is None else '[index arrays]'}"
                told = [told[0], f"{place} {'+=' if add else '='} {told[1]}"]
            elif isinstance(node.static, dict):
                told += [f"{k}={v}" for k, v in node.static.items() if v is not None and v is not False and len(repr(v)) < 40]
            self.text = f"{node.op.name}({', '.join(told)})"
        if node.parts is None:
            shape = node.view[0] if node.view is not None else node.shape
            self.content = f"{node.dtype} {shape}"
        else:
            self.content = ", ".join([f"{dtype} {shape}" for shape, dtype in node.parts])
        if node.where is not None:
            self.content += f"  {node.where}"

    def _operand(self, edge: Any, names: dict[Node, str]) -> str:
        """An input as written, and noted as an edge. One that is not followed is a constant."""
        if edge.__class__ is not tuple:
            return "constant" if edge is None else str(edge)
        node, window = edge[0], _window(edge)
        name = _name(node, names)
        if not name:
            return f"constant {edge[2]} {edge[3]}"
        self.edges.append((names[_main(node)], window))
        return f"{name}{window}"


def _name(node: Any, names: dict[Node, str]) -> str:
    """What a content is called: the operation that made it, and which of its results it is; "" if it is not followed."""
    name = names.get(_main(node), "")
    return name if not name or node.part is None else f"{name}.{node.part[1]}"


def _window(edge: Any) -> str:
    """How an edge's window differs from all of its storage, if it does."""
    node, _, dtype, shape, strides, offset = edge
    if strides is None or node is None:
        return ""
    whole = shape == node.shape and not offset and dtype == node.dtype and _strides.is_contiguous(shape, strides)
    return "" if whole else f"[shape {shape}{f' from {offset}' if offset else ''}]"


def _main(node: Any) -> Any:
    """Of the results of one call, the node of that call."""
    return node.part[0] if node is not None and node.part is not None else node


def reached(tops: Iterable[Node], bit: int = -1) -> set[Node]:
    """All nodes that these depend on, themselves included; `bit`: for the differentiation of this bit."""
    found: set[Node] = set()
    left = [_main(n) for n in tops]
    while left:
        node = left.pop()
        if node in found or not node.mask & bit:
            continue
        found.add(node)
        left += [_main(e[0]) for e in node.ins or () if e.__class__ is tuple and e[0] is not None]
    return found


def _id(name: str) -> str:
    return name.replace("%", "op")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def depends(f: Callable[..., Any], *args: Any) -> tuple[Any, ...]:
    """Whether any recorded operation leads from each argument to the result f(*args): a tuple of True and False, built like the arguments.

    False is why a gradient is zero throughout: f does not use the argument, or only where there is no derivative to follow (its shape, a
    comparison, rounding, an index, `detach`, `float()`). What is neither array nor float is None.

    >>> import mtarray as xp
    >>> xp.autodiff.depends(lambda x, y: xp.sum(x * xp.floor(y)), xp.ones(2), xp.ones(2))
    (True, False)
    """
    leaves, build = flatten(tuple(args))
    at = floating(leaves)
    T = Transform()
    given = _Arguments(tuple([leaves[i] for i in at]), tuple(range(len(at))), T, "depends")
    for i, x in zip(at, given.args):
        leaves[i] = x
    results = flatten(f(*build(leaves)))[0]
    behind = reached([y._storage.node for y in results if y.__class__ is Array and y._storage.node is not None], T.bit)
    out: list[Any] = [None] * len(leaves)
    for i, node in zip(at, given.nodes):
        out[i] = node in behind
    return tuple(build(out))
