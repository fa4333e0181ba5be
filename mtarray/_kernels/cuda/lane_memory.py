"""Memory as the simulator's lanes see it: buffers behind addresses, shared and local arrays. Every access is checked.

Always: bounds (of the buffer, or of each axis of an array), and that an element of a shared or local array was written before it is read.
`thorough`: the same of elements of buffers, and races. An access races with an earlier one to the same element by another thread, if no
barrier of both lies between, one of the two writes, and they are not both atomic. Two threads that write the same value do no harm.
"""

import numpy as np

_UNSIGNED = np.dtype(np.uint64)
SEVERAL = -2


class Memory:
    """`size` elements of `shape` for each lane, block or launch; instance i begins at element i * pitch of `flat`, or (local arrays, where
    the elements of a lane are as far apart as there are lanes) at element i."""

    __slots__ = ("name", "flat", "shape", "size", "base", "step", "first", "known", "shadow", "granules", "dtype", "rows")

    def __init__(self, name, flat, shape, size, base=0, step=1, first=0, known=None, shadow=None, granules=1):
        self.name = name
        self.flat = flat
        self.dtype = flat.dtype
        self.shape = shape
        self.size = size
        self.base = base  # where the instance of each lane begins
        self.step = step  # between the elements of an instance
        self.first = first  # element that index 0 means: that of an address in its buffer
        self.known = known  # which elements were written; None: they are not watched
        self.shadow = shadow  # who used each element last; None: races are not looked for
        self.granules = granules  # elements of the shadow that an element is
        self.rows = flat.reshape(-1, step) if step > 1 else None

    # --- places

    def place(self, L, m, site, i, verb):
        """The index of an element in its instance, checked for the lanes of a mask and harmless for others."""
        if type(i) is tuple:
            if len(i) != len(self.shape):
                L.fault(IndexError, site, m, f"{verb} of {self.name} with {len(i)} indices, of which it takes {len(self.shape)}")
            j = 0
            for k, (index, length) in enumerate(zip(i, self.shape)):
                j = j * length + self._checked(L, m, site, index, length, verb, k, i)
            return j
        if len(self.shape) != 1:
            L.fault(IndexError, site, m, f"{verb} of {self.name} with one index, of which it takes {len(self.shape)}")
        return self._checked(L, m, site, i, self.size, verb, None, i)

    def _checked(self, L, m, site, i, length, verb, axis, whole):
        first = self.first
        if type(i) is not np.ndarray:
            j = int(i) + first
            if not 0 <= j < length:
                self._outside(L, m, site, length, verb, axis, whole)
            return j
        if i.dtype.char != "l":
            if i.dtype.kind not in "iub":
                L.fault(TypeError, site, m, f"{verb} of {self.name} at an index of {i.dtype}")
            i = i.astype(np.int64)
        j = i + first if first else i
        bad = j.view(_UNSIGNED) >= length
        if np.count_nonzero(bad):
            wrong = bad if m is True else bad & m
            if np.count_nonzero(wrong):
                self._outside(L, wrong, site, length, verb, axis, whole)
            j = np.where(bad, 0, j)
        return j

    def _outside(self, L, wrong, site, length, verb, axis, whole):
        lane = L.one_of(wrong)
        if axis is None:
            at = f"[{L.value_at(whole, lane)}]"
            where = f"which has {length} elements"
            if self.base is None:
                where = f"whose buffer has {length - self.first} elements from there on"
                where += f" and {self.first} before" if self.first else ""
        else:
            at = f"[{', '.join(str(L.value_at(w, lane)) for w in whole)}]"
            where = f"whose axis {axis} has {length} elements"
        L.fault(IndexError, site, lane, f"{verb} of {self.name}{at}, {where}")

    def flats(self, L, m, j):
        """(index into `flat` for each lane of a mask, those lanes)."""
        if self.step > 1:
            j = j * self.step + self.base
        elif type(self.base) is np.ndarray:
            j = j + self.base
        if type(j) is not np.ndarray:
            j = np.full(L.n, j)
        return (j, L.everyone) if m is True else (j[m], np.flatnonzero(m))

    # --- access

    def several(self, L, m, site, i, n):
        """The elements i, ..., i + n - 1, read by one instruction: their address must be a multiple of their size together."""
        self._together(L, m, site, i, n, "read")
        return tuple([self.get(L, m, site, i + k) for k in range(n)])

    def replace(self, L, m, site, i, values):
        """The same written."""
        self._together(L, m, site, i, len(values), "write")
        for k, v in enumerate(values):
            self.put(L, m, site, i + k, v)

    def _together(self, L, m, site, i, n, verb):
        bad = (self.place(L, m, site, i, verb) % n) != 0
        bad = bad if m is True else bad & m
        if np.count_nonzero(bad):
            lane = L.one_of(bad) if type(bad) is np.ndarray else L.one_of(m)
            L.fault(
                IndexError, site, lane, f"{verb} of {n} elements at once from {self.at(L, i, lane)}, which is no multiple of their size"
            )

    def get(self, L, m, site, i):
        j = self.place(L, m, site, i, "read")
        if self.shadow is not None or (self.known is not None and not self._is_known(m, j)):
            self.watch_read(L, m, site, i, j)
        if type(j) is not np.ndarray:
            if self.rows is not None:
                return self.rows[j].copy()
            if type(self.base) is not np.ndarray:
                return self.flat[j]
        if self.step > 1:
            j = j * self.step + self.base
        elif type(self.base) is np.ndarray:
            j = j + self.base
        return self.flat.take(j) if self.flat.size else np.zeros(L.n, self.dtype)

    def put(self, L, m, site, i, value):
        j = self.place(L, m, site, i, "write")
        if type(value) is int:
            value = wrapped(value, self.dtype)
        elif self.dtype.kind != "c" and (type(value) is complex or getattr(value, "dtype", self.dtype).kind == "c"):
            L.fault(TypeError, site, m, f"write of a complex number to {self.name}, which has elements of {self.dtype}")
        if type(j) is not np.ndarray:
            if self.rows is not None:
                if m is True:
                    self.rows[j] = value
                else:
                    np.copyto(self.rows[j], value, "unsafe", m)
                if self.known is not None:
                    self.known[j * self.step : (j + 1) * self.step][m] = True
                return
            if type(self.base) is not np.ndarray:
                if self.known is None and self.shadow is None and type(value) is not np.ndarray:
                    self.flat[j] = value
                    return
                j = np.full(L.n, j)
        if self.step > 1:
            j = j * self.step + self.base
        elif type(self.base) is np.ndarray:
            j = j + self.base
        if m is not True:
            j = j[m]
            if type(value) is np.ndarray:
                value = value[m]
        if self.shadow is not None:
            self.shadow.written(self, L, m, site, i, j, value)
        self.flat[j] = value
        if self.known is not None:
            self.known[j] = True
        if self.shadow is not None and type(value) is np.ndarray:
            self.shadow.agree(self, L, m, site, i, j, value)

    def _is_known(self, m, j):
        """Whether all elements were written, or those that the lanes read of a local array."""
        if self.rows is not None and type(j) is not np.ndarray:
            row = self.known[j * self.step : (j + 1) * self.step]
            return np.count_nonzero(row) == row.size or (m is not True and bool((row | ~m).all()))
        if np.count_nonzero(self.known) < self.known.size:
            return False
        self.known = None  # they stay so
        return True

    def watch_read(self, L, m, site, i, j):
        j, who = self.flats(L, m, j)
        if self.known is not None:
            known = self.known[j]
            if known.ndim == 2:
                known = known.all(1)
            if np.count_nonzero(known) < known.size:
                lane = int(np.arange(L.n)[who][~known][0])
                L.fault(RuntimeError, site, lane, f"read of {self.at(L, i, lane)}, which nobody has written")
        if self.shadow is not None:
            self.shadow.read(self, L, who, site, i, j)

    def at(self, L, i, lane):
        """An element as text."""
        i = i if type(i) is tuple else (i,)
        return f"{self.name}[{', '.join(str(L.value_at(k, lane)) for k in i)}]"


def wrapped(value, dtype):
    """A Python int as C casts it."""
    if dtype.kind in "iu":
        value &= (1 << 8 * dtype.itemsize) - 1
        if dtype.kind == "i" and value >> 8 * dtype.itemsize - 1:
            value -= 1 << 8 * dtype.itemsize
    return value


class Shadow:
    """Of each element (or byte) the last write, read and atomic operation: when, by which thread, where in the source.

    Time is the number of barriers so far. An earlier access comes before one of today if it is older than the last barrier of the block and
    by a thread of it, or older than the last `syncwarp` and by a thread of the warp.
    """

    __slots__ = ("columns",)

    def __init__(self, size):
        # (time, thread, its warp, its block, site) of each kind of access; SEVERAL threads (warps, blocks) may read.
        self.columns = {kind: tuple([np.zeros(size, np.int64) for _ in range(5)]) for kind in ("written", "read", "changed")}

    @staticmethod
    def _grained(memory, j, who, L):
        k = memory.granules
        ids = L.ids[who], L.warps[who], L.blocks[who], L.block_time[who], L.warp_time[who]
        if k == 1:
            return j, ids
        return (j[:, None] * k + np.arange(k)).reshape(-1), tuple([np.repeat(x, k) for x in ids])

    def _conflicts(self, kind, j, ids):
        """Which accesses of today race with the last one of a kind; None: none does."""
        when, thread, warp, block, _ = [column[j] for column in self.columns[kind]]
        bad = (when > 0) & (thread != ids[0])
        if not np.count_nonzero(bad):
            return None
        bad &= ~((block == ids[2]) & (when < ids[3])) & ~((warp == ids[1]) & (when < ids[4]))
        return bad if np.count_nonzero(bad) else None

    def _record(self, kind, j, ids, site, L, shared):
        """shared: others may do so at the same time, and then they all count."""
        when, thread, warp, block, where = self.columns[kind]
        if shared:
            fresh = (when[j] == 0) | ((block[j] == ids[2]) & (when[j] < ids[3]))
            same = [fresh | (column[j] == mine) for column, mine in zip((thread, warp, block), ids)]
        when[j] = L.clock
        where[j] = site
        for k, (column, mine) in enumerate(zip((thread, warp, block), ids)):
            if shared:
                column[j] = np.where(same[k], mine, SEVERAL)
                column[j[(column[j] != mine)]] = SEVERAL
            else:
                column[j] = mine

    def _report(self, memory, L, who, site, i, kind, verb, j, bad):
        k = int(np.flatnonzero(bad)[0])
        lane = int(np.arange(L.n)[who][k // memory.granules])
        _, thread, _, block, where = [int(column[j[k]]) for column in self.columns[kind]]
        other = "several threads" if thread == SEVERAL else L.name_of(thread)
        if block == SEVERAL:
            other += " of several blocks"
        L.fault(
            RuntimeError, site, lane,
            f"{verb} of {memory.at(L, i, lane)}, {PAST[kind]} by {other} with no barrier between ({L.source(where)})",
        )  # fmt: skip

    def _look(self, kinds, memory, L, who, site, i, j, verb):
        g, ids = self._grained(memory, j, who, L)
        for kind in kinds:
            bad = self._conflicts(kind, g, ids)
            if bad is not None:
                self._report(memory, L, who, site, i, kind, verb, g, bad)
        return g, ids

    def read(self, memory, L, who, site, i, j):
        g, ids = self._look(("written", "changed"), memory, L, who, site, i, j, "read")
        self._record("read", g, ids, site, L, True)

    def changed(self, memory, L, who, site, i, j):
        """An atomic operation."""
        g, ids = self._look(("written", "read"), memory, L, who, site, i, j, "atomic change")
        self._record("changed", g, ids, site, L, True)

    def written(self, memory, L, m, site, i, j, value):
        who = L.everyone if m is True else np.flatnonzero(m)
        g, ids = self._look(("read", "changed"), memory, L, who, site, i, j, "write")
        bad = self._conflicts("written", g, ids)
        if bad is not None:
            same = _same(memory.flat[j], value)
            bad &= ~(same if memory.granules == 1 else np.repeat(same, memory.granules))
            if np.count_nonzero(bad):
                self._report(memory, L, who, site, i, "written", "write of another value", g, bad)
        self._record("written", g, ids, site, L, False)

    def agree(self, memory, L, m, site, i, j, value):
        """After a write: that no two lanes wrote different values to one element at once."""
        same = _same(memory.flat[j], value.astype(memory.dtype))
        if np.count_nonzero(same) < same.size:
            lane = int((np.arange(L.n) if m is True else np.flatnonzero(m))[~same][0])
            L.fault(
                RuntimeError, site, lane, f"write of {memory.at(L, i, lane)}, to which another thread writes another value at the same time"
            )


PAST = {"written": "written", "read": "read", "changed": "changed atomically"}


def _same(a, b):
    return (a == b) | ((a != a) & (b != b))
