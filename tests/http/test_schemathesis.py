"""Whatever the OpenAPI document allows or forbids, a node answers as it says and never breaks.

Requests are made from the served document by schemathesis, fitting it and not, and sent to a real
server with every system switched on; each operation that is described is asked. A 5xx is a failure,
but for the 504 that the standard wants for a @context that can't be resolved (clause 6.3.2). The
seed is fixed, so that a failure can be repeated.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck
from hypothesis.errors import Unsatisfiable
from schemathesis.generation.modes import GenerationMode

from conurb.app import build_served
from conurb.config import Settings

EXAMPLES = 4
TIME_MAX_S = 60
"""After this, each operation that is left is asked once in each way: none is left out."""
ENTITY = {"id": "urn:ngsi-ld:City:wuxi:wuxi", "type": "City", "population": 7_500_000}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("schemathesis")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(store=str(folder / "node.db"), port=port, outbound=(), systems=("all",))
    config = uvicorn.Config(
        build_served(settings), port=port, log_level="critical", http="httptools", lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server didn't start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.mark.slow
def test_no_request_that_the_description_leads_to_breaks_the_node(url: str) -> None:
    schema = schemathesis.openapi.from_url(url + "/openapi.json")
    deadline = time.monotonic() + TIME_MAX_S
    tried: Counter[str] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path == "/live":
            continue  # its answer has no end; tests/http/ogc/test_live.py asks it
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @hypothesis.seed(20260131)
            @hypothesis.settings(
                max_examples=EXAMPLES if time.monotonic() < deadline else 1,
                deadline=None,
                database=None,
                derandomize=False,
                suppress_health_check=list(HealthCheck),
            )
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def probe(case: schemathesis.Case) -> None:
                tried[case.operation.label] += 1
                if tried[case.operation.label] % 2 and "entityId" in (case.path_parameters or {}):
                    # Half of the requests find what they ask for.
                    httpx.post(url + "/ngsi-ld/v1/entities", json=ENTITY)
                    case.path_parameters["entityId"] = ENTITY["id"]
                response = case.call(timeout=20)
                status = response.status_code
                said = f"{case.method} {response.request.url}: {status} {response.text[:300]}"
                assert status < 500 or status == 504, said
                if status == 504:
                    assert "LdContextNotAvailable" in response.text, said
                described = case.operation.definition.raw["responses"]
                assert str(status) in described or status in (404, 405), f"{said} is undescribed"

            try:
                probe()
            except Unsatisfiable:
                # There is no request that doesn't fit an operation that takes nothing.
                assert mode is GenerationMode.NEGATIVE, operation.label
    described = {
        f"{method.upper()} {path}"
        for path, methods in schema.raw_schema["paths"].items()
        for method in methods
    }
    # Schemathesis gets the document itself when it begins, and then leaves it out.
    assert set(tried) == described - {"GET /live", "GET /openapi.json"}
    assert any("sensorthings" in label for label in tried)
