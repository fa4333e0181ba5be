"""Graphs: what a function launches, captured once and replayed as one launch.

While a graph is captured nothing runs. Memory comes from a pool of the graph's own, which lives as long as the graph or what was made in
it; within the capture it is used again as soon as it is freed, because replays are in the same order.
"""

import threading

from .driver import Buffer


class CaptureError(RuntimeError):
    """Something that cannot be part of a graph: a copy between host and device, or waiting for the device."""


class Arena:
    """Memory of a capture: blocks by size, the free ones of them, and all that must live as long as the graph."""

    def __init__(self, allocate):
        self.allocate = allocate
        self.free = {}
        self.open = True
        self.thread = threading.get_ident()
        self.addresses = set()  # the integers among the arguments of what was launched

    def note(self, driver, args):
        """Remember the arguments of a launch; CaptureError in any other thread than the one that captures."""
        self.check(driver)
        self.addresses.update([a for a in args if a.__class__ is int])

    def check(self, driver):
        """CaptureError in any other thread than the one that captures."""
        if threading.get_ident() != self.thread:
            raise CaptureError(
                f"{driver.name}: another thread is capturing a graph on this device, which what this one launches would be in"
            )

    def take(self, nbytes, driver):
        self.check(driver)
        size = max(256, 1 << (nbytes - 1).bit_length()) if nbytes else 256
        blocks = self.free.get(size)
        block = blocks.pop() if blocks else self.allocate(size)
        return Buffer(block.ptr, nbytes, driver, Lease(self, size, block))


class Lease:
    """A block on loan: free again when the buffer that has it is gone, unless the capture is over."""

    __slots__ = ("arena", "size", "block")

    def __init__(self, arena, size, block):
        self.arena, self.size, self.block = arena, size, block

    def __del__(self):
        if self.arena.open:
            self.arena.free.setdefault(self.size, []).append(self.block)
        # Later the arena keeps it: every replay writes to it again.


class Graph:
    """What was captured. `replay()` launches it once more on the device's stream. addresses: the integers that its launches got."""

    def __init__(self, driver, launch, arena, blocks):
        self.driver, self._launch, self._arena, self._blocks = driver, launch, arena, blocks

    @property
    def addresses(self):
        return self._arena.addresses

    def replay(self):
        self._launch()


def capture(driver, function):
    """(what `function()` returned, the Graph of what it launched). Nothing has run yet."""
    if driver.capture is not None:
        raise CaptureError("a graph is being captured on this device already")
    blocks = []

    def allocate(size):
        block = driver.allocate_apart(size)
        blocks.append(block)
        return block

    arena = Arena(allocate)

    def refuse(way, nbytes):
        arena.check(driver)
        _refuse(way, nbytes)

    driver.begin_capture(arena)
    driver.forbid(refuse)
    try:
        result = function()
    except BaseException:
        driver.abandon_capture()
        raise
    else:
        launch = driver.end_capture()
    finally:
        arena.open = False
        driver.permit(refuse)
    return result, Graph(driver, launch, arena, blocks)


def _refuse(way, nbytes):
    raise CaptureError(
        f"a copy of {nbytes} bytes {'from' if way == 'to_device' else 'to'} the host cannot be part of a graph: numbers that the "
        "function makes of arrays (float(loss), bool(x), printing) belong outside of it, arrays that it makes of lists before it"
    )
