"""What `Module.summary` returns: the tree of a network with the shapes that an input takes in it, and its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import Array


@dataclass(frozen=True)
class Row:
    """One module. name: dotted, "" for the whole; kind: its class; depth: modules around it; shape: of its result (of the last call; nested
    for several; None if it was not called); parameters, trainable: numbers of elements, those inside it included, tied ones once."""

    name: str
    kind: str
    depth: int
    last: tuple[bool, ...]
    shape: Any
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Summary:
    """rows: of every module, in the order of the tree; parameters, trainable: numbers of elements; nbytes: of parameters and buffers."""

    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    nbytes: int

    def _cells(self) -> list[tuple[str, str, str]]:
        out = []
        for row in self.rows:
            lines = "".join("   " if last else "│  " for last in row.last[:-1]) + (("└─ " if row.last[-1] else "├─ ") if row.last else "")
            label = row.name.rpartition(".")[2]
            shape = "" if row.shape is None else str(row.shape)
            out.append((lines + (f"{label}: " if label else "") + row.kind, shape, f"{row.parameters:,}" if row.parameters else ""))
        return out

    def _foot(self) -> str:
        kept = f", {self.parameters - self.trainable:,} of them not learnt" if self.trainable != self.parameters else ""
        size = f"{self.nbytes / 2**20:,.1f} MiB" if self.nbytes >= 2**20 else f"{self.nbytes / 1024:,.1f} KiB"
        return f"{self.parameters:,} parameters{kept}; {size} with buffers"

    def __str__(self) -> str:
        cells = [("module", "result", "parameters"), *self._cells()]
        a, b, c = (max(len(row[i]) for row in cells) for i in range(3))
        lines = [f"{x:<{a}}  {y:<{b}}  {z:>{c}}".rstrip() for x, y, z in cells]
        return "\n".join([*lines, self._foot()])

    __repr__ = __str__

    def __rich__(self) -> Any:
        """The same as a table of `rich`, which calls this."""
        from rich.table import Table

        table = Table("module", "result", caption=self._foot(), box=None)
        table.add_column("parameters", justify="right")
        for cells in self._cells():
            table.add_row(*cells)
        return table


def shapes(y: Any) -> Any:
    """The shapes of a result, nested as it is."""
    if y.__class__ is Array:
        return y.shape
    if isinstance(y, (tuple, list)):
        return [shapes(v) for v in y]
    if isinstance(y, dict):
        return {k: shapes(v) for k, v in y.items()}
    return type(y).__name__


def summarise(model: Any, seen: dict[int, Any]) -> Summary:
    """The summary of a module whose parts, by identity, gave results of the shapes `seen`."""
    rows: list[Row] = []
    done: set[int] = set()

    def add(module: Any, name: str, last: tuple[bool, ...]) -> None:
        sizes = [(p.size, p.requires_grad) for p in module.parameters()]
        rows.append(
            Row(
                name,
                type(module).__name__,
                len(last),
                last,
                seen.get(id(module)),
                sum(n for n, _ in sizes),
                sum(n for n, learnt in sizes if learnt),
            )
        )
        if id(module) in done:
            return
        done.add(id(module))
        inside = [(k, m) for k, m in module._modules.items() if m is not None]
        for i, (k, m) in enumerate(inside):
            add(m, f"{name}.{k}" if name else k, (*last, i == len(inside) - 1))

    add(model, "", ())
    arrays = [*model.parameters(), *model.buffers()]
    return Summary(tuple(rows), rows[0].parameters, rows[0].trainable, sum(x.nbytes for x in arrays))
