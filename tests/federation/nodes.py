"""Nodes in processes of their own, guarded by tokens, for the tests of a region."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from conurb.access.tokens import Token, digest_of
from conurb.node.tokens import TokenFile
from tests.services.postgres import free_port

START_S = 30.0
COMMAND = "from conurb.cli.main import main; main()"
SKEWED = (
    "import time; real, real_ns = time.time, time.time_ns; "
    "time.time = lambda: real() + {0}; time.time_ns = lambda: real_ns() + {0} * 10**9; "
)
"""Runs before the command when the node's clock is to go wrong."""
ADMIN = "conurb_admin_of_the_test"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node lives: its name, folder and port, also while it isn't running."""

    name: str
    folder: Path
    port: int
    certificate: Path | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Give the environment in which the machine trusts the nodes' authority."""
        trusted = {} if self.certificate is None else {"SSL_CERT_FILE": str(self.certificate)}
        return {**os.environ, **trusted}

    @property
    def tokens(self) -> TokenFile:
        return TokenFile(self.folder / "tokens.json")

    def client(self, token: str | None = ADMIN) -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        trusted = self.certificate
        return httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            timeout=30,
            verify=True if trusted is None else ssl.create_default_context(cafile=trusted),
        )


def place(
    folder: Path,
    name: str,
    *,
    tls: tuple[Path, Path] | None = None,
    store: str | None = None,
    more: str = "",
) -> Place:
    """Make room for a node that only its admin may ask; `tls` is a certificate and its key.

    `more` are further lines of its settings.
    """
    here = Place(name, folder / name, free_port(), None if tls is None else tls[0])
    here.folder.mkdir()
    here.tokens.add(Token("admin", digest_of(ADMIN), frozenset({"admin"})))
    (here.folder / "node.toml").write_text(
        f'node_id = "{name}"\n'
        f"port = {here.port}\n"
        f'store = "{store or here.folder / "node.db"}"\n'
        f'data_folder = "{here.folder}"\n'
        f'tokens = "{here.folder / "tokens.json"}"\n'
        'outbound = ["loopback"]\n'
        + ("" if tls is None else f'tls_certificate = "{tls[0]}"\ntls_key = "{tls[1]}"\n')
        + more
    )
    return here


@asynccontextmanager
async def running(here: Place, *, ahead_s: int = 0) -> AsyncIterator[Process]:
    """Run a node whose clock is so far ahead; at the end it is killed, never asked to stop."""
    command = SKEWED.format(ahead_s) + COMMAND if ahead_s else COMMAND
    with (here.folder / "node.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", command, "node", "serve"),
            *("--config", here.folder / "node.toml"),
            stdout=DEVNULL,
            stderr=log,
            cwd=here.folder,
            env=here.environment,
        )
    try:
        await _answers(here, process)
        yield process
    finally:
        await kill(process)


async def kill(process: Process) -> None:
    """Kill a node if it runs, and wait until it is gone."""
    if process.returncode is None:
        process.kill()
    await process.wait()


async def _answers(here: Place, process: Process) -> None:
    async with here.client(None) as client, asyncio.timeout(START_S):
        while process.returncode is None:
            try:
                if (await client.get("/health")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    said = (here.folder / "node.log").read_text()[-2000:]
    raise RuntimeError(f"{here.name} did not start: {said}")


async def invited(region: Place, city: str) -> str:
    """Invite a city, and give the code."""
    async with region.client() as client:
        response = await client.post("/federation/invitations", json={"city": city})
    assert response.status_code == 201, response.text
    return str(response.json()["code"])


async def joined(city: Place, region: Place, **wishes: object) -> httpx.Response:
    """Have a city join a region by an invitation of its own name."""
    code = await invited(region, city.name)
    async with city.client() as client:
        wish = {"region": region.url, "code": code, **wishes}
        return await client.post("/federation/memberships", json=wish)


async def put(here: Place, *entities: dict[str, object]) -> None:
    """Write objects into a node."""
    async with here.client() as client:
        response = await client.post("/ngsi-ld/v1/entityOperations/upsert", json=list(entities))
    assert response.status_code in (201, 204), response.text


async def command(here: Place, *words: str) -> tuple[str, str]:
    """Run `conurb region ...` against a node; give what it wrote to output and error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "region", *words, "--url", here.url, "--token", ADMIN),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=here.environment,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode(), err.decode()
