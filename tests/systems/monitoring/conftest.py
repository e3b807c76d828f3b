"""A node with monitoring on a port of its own, for clients that speak real HTTP."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from conurb.app import build_served
from conurb.config import Settings
from tests.services.postgres import free_port

START_S = 20.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a node in a thread; give its address."""
    folder: Path = tmp_path_factory.mktemp("node")
    settings = Settings(
        store=str(folder / "node.db"),
        data_folder=folder,
        node_id="node",
        port=free_port(),
        systems=("monitoring",),
        check_types=True,
    )
    config = uvicorn.Config(
        build_served(settings), host="127.0.0.1", port=settings.port, log_level="warning"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    yield f"http://127.0.0.1:{settings.port}"
    server.should_exit = True
    thread.join(START_S)
