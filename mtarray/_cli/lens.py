"""`mtarray lens`: the pages of `mtarray._lens`, served by Streamlit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from .. import _lens
from .group import refuse, require


@click.command(help="Open the pages to look at: arrays, graphs, functions and kernels, modules, live training.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Where the pages are served.")
@click.option("--address", default="localhost", show_default=True, help="Interface on which they are served; 0.0.0.0: all of them.")
@click.option("--browser/--no-browser", default=True, help="Whether to open a browser.")
def main(port: int, address: str, browser: bool) -> None:
    require("lens", "streamlit", "matplotlib")
    app = Path(_lens.__file__).with_name("app.py")
    if not app.is_file():
        refuse(f"the pages are not part of this installation: {app} is missing")
    settings = {
        "server.port": port,
        "server.address": address,
        "server.headless": str(not browser).lower(),
        "browser.gatherUsageStats": "false",
    }
    options = [part for name, setting in settings.items() for part in (f"--{name}", str(setting))]
    try:
        done = subprocess.run([sys.executable, "-m", "streamlit", "run", str(app), *options], check=False)
    except KeyboardInterrupt:  # the way to end it
        return
    sys.exit(done.returncode)
