"""Lists in the documentation and in the code are the same lists."""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App
from rich.console import Console

from conurb import errors
from conurb.cli.main import build
from conurb.config import Settings
from conurb.http.problems import problem_of

ROOT = Path(__file__).resolve().parents[2]


def test_the_tree_drawn_in_errors_is_the_tree_there_is() -> None:
    drawn: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([│├└─ ]*)(\w+Error)\b", line)
        if match is None:
            continue
        depth, name = len(match[1]), match[2]
        while stack and stack[-1][0] >= depth:
            stack.pop()
        if stack:
            drawn[name] = stack[-1][1]
        stack.append((depth, name))
    real = {
        name: kind.__base__.__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.ConurbError) and kind is not errors.ConurbError
    }
    assert drawn == real


def test_every_page_that_is_linked_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert pages
    missing = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert missing == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    page = (ROOT / "docs" / "guide" / "settings.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert documented == {field.name for field in dataclasses.fields(Settings)}


def iter_commands(app: App, path: str) -> Iterator[tuple[str, App]]:
    if app.default_command is not None:
        yield path, app
    for name in app:
        if not name.startswith("-"):
            yield from iter_commands(app[name], f"{path} {name}")


APP = build()
COMMANDS = dict(iter_commands(APP, "conurb"))


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    page = (ROOT / "docs" / "guide" / "commands.md").read_text()
    assert set(re.findall(r"^\| `(conurb [^`]+)`", page, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_of_itself(name: str) -> None:
    printed = Console(file=io.StringIO(), width=200)
    APP.help_print(name.split()[1:], console=printed)
    assert isinstance(printed.file, io.StringIO)
    assert f"Example: {name}" in " ".join(printed.file.getvalue().split())


def test_only_errors_that_are_not_the_callers_are_server_errors() -> None:
    ours = {
        errors.ConurbError,
        errors.ConfigError,
        errors.InvariantError,
        errors.UnavailableError,
        errors.LoopDetectedError,
        errors.SourceError,
        errors.SourceTimeoutError,
        errors.ContextUnavailableError,
    }
    kinds = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.ConurbError)
    }
    assert {kind for kind in kinds if problem_of(kind).status >= 500} == ours
