"""Debian's Chromium, headless, as a person's browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.services.missing import missing

TIMEOUT_S = 60
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)


class Browser:
    """Opens pages with a profile of its own."""

    def __init__(self, profile: Path) -> None:
        found = shutil.which("chromium")
        if found is None:
            missing("chromium")
        self._command = [str(found), *QUIET, f"--user-data-dir={profile}"]

    def dom(self, url: str) -> tuple[str, list[str]]:
        """Open a page; give its DOM as text once it has loaded, and what the console said."""
        done = self._run("--virtual-time-budget=5000", "--dump-dom", url)
        console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        return done.stdout, console

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
