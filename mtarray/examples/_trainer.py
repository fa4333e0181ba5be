"""What the trainers share: their options, the loop over epochs with its progress, checkpoints and resume, and errors of one line.

A trainer is a function under `@trainer(...)`, which makes it a click command and hands it a `Run`: the options, and what is done with them.
"""

from __future__ import annotations

import functools
import math
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

try:
    import click
    import rich  # noqa: F401
except ImportError as missing:
    sentence = f"the trainers need {missing.name}, which is not installed: pip install 'mtarray[examples]'"
    if "mtarray.examples" in getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", ""):
        print(f"mtarray: {sentence}", file=sys.stderr)
        sys.exit(2)
    raise ImportError(sentence, name=missing.name) from None

import mtarray as xp
from mtarray import nn

from .._cli.group import Command, refuse, refusing, require
from .._cli.output import console, table

Measures = dict[str, float]
INTERRUPTED = 130  # the exit code of programs that Ctrl-C ended
FREE = frozenset({"device", "epochs", "checkpoint", "resume", "plot", "quiet"})  # options that a resumed run may change


@dataclass
class Task:
    """What is trained: `epoch` goes once through the data and returns what was measured, "loss" among it.

    `epoch(step)` calls step() after each of the `steps` batches, which moves the progress bar. optimizer and schedule are stepped by
    whoever they concern: the optimizer within `epoch`, the schedule (if any) by the loop, once an epoch.
    """

    model: nn.Module
    optimizer: Any
    epoch: Callable[[Callable[[], None]], Measures]
    steps: int = 1
    schedule: Any = None
    loader: Any = None


@dataclass
class Run:
    """One run of a trainer: the shared options, and the history of what each epoch measured."""

    name: str
    device: str
    epochs: int
    batch_size: int
    rate: float
    seed: int
    checkpoint: Path | None = None
    resume: Path | None = None
    plot: Path | None = None
    quiet: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    history: list[Measures] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def say(self, text: str = "") -> None:
        """Print, unless the run is quiet."""
        if not self.quiet:
            click.echo(text)

    def make_folder(self, file: Path) -> None:
        """Make the folder of a file that is to be written, and say so."""
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
            self.say(f"folder made: {file.parent}")

    def column(self, measure: str) -> list[float]:
        """What every epoch measured under this name."""
        return [row[measure] for row in self.history]

    @property
    def median(self) -> float:
        """The median time of an epoch in seconds; nan before the first."""
        return statistics.median(self.seconds) if self.seconds else math.nan

    # ---------------------------------------------------------------- the loop

    def train(self, task: Task, every: int | None = None) -> None:
        """Go through the epochs that are left: a line of text `every` so many (by default ten in all), a checkpoint after each if wanted.

        Ctrl-C ends the program; the checkpoint of the last whole epoch stands, and a resumed run goes on from it bit for bit.
        """
        if self.resume is not None:
            self._load(task)
        every = every or max(1, round(self.epochs / 10))
        try:
            with _interrupts() as stopped, self._progress(task.steps) as (moved, show):

                def step() -> None:
                    moved()
                    stopped()

                self._save(task)  # from the first moment on there is one, and a place that cannot be written is found out now
                for number in range(len(self.history), self.epochs):
                    if task.loader is not None:
                        task.loader.set_epoch(number)
                    start = time.perf_counter()
                    measured = task.epoch(step)
                    self.seconds.append(time.perf_counter() - start)
                    if not math.isfinite(measured["loss"]):
                        refuse(f"the loss of epoch {number + 1} is {measured['loss']}: training diverged; give a smaller --rate")
                    if task.schedule is not None:
                        task.schedule.step()
                    self.history.append(measured)
                    self._save(task)
                    show((number + 1) % every == 0 or number + 1 == self.epochs)
        except KeyboardInterrupt:
            self._interrupted()

    def _interrupted(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            told = f"stopped in epoch {len(self.history) + 1} of {self.epochs}; nothing is kept (--checkpoint FILE keeps every epoch)"
        else:
            kept = nn.load_checkpoint(self.checkpoint, random=False).epoch
            told = f"stopped in epoch {kept + 1} of {self.epochs}; --resume {self.checkpoint} goes on after epoch {kept}"
        click.echo(f"mtarray: {told}", err=True)
        sys.exit(INTERRUPTED)

    @contextmanager
    def _progress(self, steps: int) -> Iterator[tuple[Callable[[], None], Callable[[bool], None]]]:
        """What is called after every step, and after every epoch (with whether it deserves a line of text)."""
        if self.quiet:
            yield (lambda: None), (lambda wanted: None)
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        screen = console()
        columns = (
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.fields[now]}"),
            TimeRemainingColumn(),
        )
        # Refreshed by us ten times a second: a thread of rich's would take its time from epochs of milliseconds.
        with Progress(*columns, console=screen, auto_refresh=False, transient=True, disable=not screen.is_terminal) as bar:
            shown = bar.add_task(
                "", total=self.epochs * steps, completed=len(self.history) * steps, epoch=len(self.history), epochs=self.epochs, now=""
            )
            done, due = len(self.history) * steps, 0.0

            def step() -> None:
                nonlocal done, due
                done += 1
                if screen.is_terminal and time.perf_counter() > due:
                    bar.update(shown, completed=done, epoch=min(done // steps + 1, self.epochs), now=self._now(), refresh=True)
                    due = time.perf_counter() + 0.1

            def show(wanted: bool) -> None:
                if wanted:
                    bar.console.print(f"epoch {len(self.history):>{len(str(self.epochs))}}  {self._now()}")

            yield step, show

    def _now(self) -> str:
        """The last epoch's measures and its time."""
        if not self.history:
            return ""
        return "  ".join([*(f"{name} {shown(name, x)}" for name, x in self.history[-1].items()), f"{duration(self.seconds[-1])}/epoch"])

    # ---------------------------------------------------------------- checkpoints

    def _save(self, task: Task) -> None:
        if self.checkpoint is None:
            return
        settings = {**self.settings, "epochs": self.epochs, "batch_size": self.batch_size, "rate": self.rate, "seed": self.seed}
        about = {"trainer": self.name, "settings": settings, "history": self.history, "seconds": self.seconds}
        with refusing(OSError, ImportError):
            nn.save_checkpoint(
                self.checkpoint,
                model=task.model,
                optimizer=task.optimizer,
                scheduler=task.schedule,
                epoch=len(self.history),
                extra=about,
            )

    def _load(self, task: Task) -> None:
        assert self.resume is not None
        with refusing(OSError, nn.CheckpointError):
            kept = nn.load_checkpoint(self.resume, model=task.model, optimizer=task.optimizer, scheduler=task.schedule).extra
        self.history, self.seconds = kept["history"], kept["seconds"]
        if len(self.history) > self.epochs:
            refuse(f"{self.resume} has {len(self.history)} epochs already; give --epochs {len(self.history)} or more")
        self.say(f"resumed after epoch {len(self.history)} of {self.epochs}")

    # ---------------------------------------------------------------- what is left at the end

    def summary(self, **rows: Any) -> None:
        """The final table: what was trained and how it went."""
        if self.quiet:
            return
        made = table("", "")
        made.show_header = False
        last = {name: shown(name, x) for name, x in self.history[-1].items()} if self.history else {}
        facts = {"epochs": len(self.history), **last, **rows, "time per epoch": duration(self.median), "time": duration(sum(self.seconds))}
        for name, value in facts.items():
            made.add_row(f"[bold]{name.replace('_', ' ')}[/]", str(value))
        console().print(made)

    def picture(self, draw: Callable[[Any], Any], size: tuple[float, float] = (10, 4)) -> None:
        """Write the picture that `draw(figure)` makes, where one is wanted."""
        if self.plot is None:
            return
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib.figure import Figure

        figure: Any = Figure(figsize=size, layout="constrained")
        draw(figure)
        with refusing(OSError, ValueError):
            self.make_folder(self.plot)
            figure.savefig(self.plot, dpi=110)
        self.say(f"picture: {self.plot}")


@contextmanager
def _interrupts() -> Iterator[Callable[[], None]]:
    """What raises KeyboardInterrupt once Ctrl-C was pressed, for the end of a step: Python drops it where it comes in a destructor. A
    second one is raised at once."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    pressed = False

    def press(number: int, frame: Any) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    def stopped() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def shown(name: str, x: float) -> str:
    """A measure as text: fractions that are called accuracy as percents, counts whole."""
    if "accuracy" in name:
        return f"{100 * x:.2f} %"
    return str(x) if isinstance(x, (int, str)) else f"{x:.4g}"


def duration(seconds: float) -> str:
    """A time as text."""
    if seconds < 1:
        return f"{1e3 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 120 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


# ---------------------------------------------------------------------------------------------------------------- options


class Finite(click.FloatRange):
    """A range of floats without infinity and nan, which click takes for inside."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        x = super().convert(value, param, ctx)
        if not math.isfinite(x):
            self.fail(f"{value} is no finite number.", param, ctx)
        return x


def trainer(
    *, epochs: int | None, batch_size: int | None, rate: float | None, plot: str | None = None, fixed: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function of (run, options of its own) a click command with the options that all trainers have; the arguments are defaults.

    epochs, batch_size, rate: None where the trainer decides (it finds None in the run). fixed: options besides the usual ones that a
    resumed run must leave as they were, as "epochs" where a schedule spans them.
    """

    def decorate(body: Callable[..., None]) -> click.Command:
        name = body.__module__.rpartition(".")[2]
        if name == "__main__":
            name = Path(sys.modules["__main__"].__file__ or "").stem

        @click.command(name, cls=Command, help=body.__doc__, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
        @click.option("--device", default="cpu", help="Where it is trained.")
        @click.option("--epochs", type=click.IntRange(1), default=epochs, help="How often it goes through the data.")
        @click.option("--batch-size", type=click.IntRange(1), default=batch_size, help="Samples in a step.")
        @click.option("--rate", type=Finite(0, min_open=True), default=rate, help="Learning rate.")
        @click.option("--seed", type=click.IntRange(0), default=0, help="Weights, order and split follow from it.")
        @click.option("--checkpoint", type=click.Path(dir_okay=False, path_type=Path), help="Written after every epoch.")
        @click.option("--resume", type=click.Path(exists=True, path_type=Path), help="Go on from this checkpoint, and write it again.")
        @click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), default=plot, help="Write a picture at the end.")
        @click.option("--quiet", is_flag=True, help="Print nothing but errors.")
        @functools.wraps(body)
        def main(**given: Any) -> None:
            if given["resume"] is not None:
                _settle(click.get_current_context(), name, given, FREE - set(fixed))
            shared = {k: given.pop(k) for k in ("device", "epochs", "batch_size", "rate", "seed", "checkpoint", "resume", "plot", "quiet")}
            settings = {k: str(v) if isinstance(v, Path) else v for k, v in {**shared, **given}.items() if k not in FREE - set(fixed)}
            run = Run(name, **shared, settings=settings)
            _check(run)
            body(run, **given)

        return main

    return decorate


def _check(run: Run) -> None:
    """Find out before training what would fail after it."""
    with refusing(ValueError, TypeError, RuntimeError, ImportError):
        xp.zeros(1, device=run.device)
    if run.plot is not None:
        require("examples", "matplotlib")
        from matplotlib.figure import Figure

        blank: Any = Figure()
        kinds = blank.canvas.get_supported_filetypes()
        if run.plot.suffix.lstrip(".").lower() not in kinds:
            refuse(f"--plot {run.plot}: a picture's name ends in one of {', '.join('.' + kind for kind in sorted(kinds))}")
    if run.resume is not None and run.checkpoint is None:
        run.checkpoint = run.resume
    if run.checkpoint is not None:
        with refusing(OSError):
            run.make_folder(run.checkpoint)


def _settle(context: click.Context, name: str, given: dict[str, Any], free: frozenset[str]) -> None:
    """Options of the run that is resumed, in place of defaults. Refused if it was another trainer's, or options say otherwise."""
    path = given["resume"]
    kept = _read(path)
    paths = {p.name for p in context.command.params if isinstance(p.type, click.Path)}
    if kept["trainer"] != name:
        refuse(f"{path} is a checkpoint of `{kept['trainer']}`, and this is `{name}`")
    for option, value in kept["settings"].items():
        if option not in given:
            refuse(f"{path} was written with an option {option!r} that this version of `{name}` has not")
        explicit = context.get_parameter_source(option) in (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
        wanted = given[option]
        if not explicit:
            given[option] = Path(value) if option in paths and value is not None else value
        elif option not in free and option not in paths and wanted != value:  # files may have moved
            flag = "--" + option.replace("_", "-")
            refuse(f"{path} was written by a run with {flag} {value}; resume it without {flag} {wanted}")


def _read(path: Path) -> dict[str, Any]:
    """What the trainer put into a checkpoint besides the state of model and optimiser."""
    with refusing(OSError, ImportError, nn.CheckpointError):
        kept = nn.load_checkpoint(path, random=False).extra
    if {"trainer", "settings", "history"} - set(kept):
        refuse(f"{path} is a checkpoint, but not one of a trainer of mtarray")
    return kept
