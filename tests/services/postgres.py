"""A PostgreSQL server with PostGIS of the tests' own: a data folder in /tmp and a free port.

It runs as the user `postgres` when the tests run as root, because PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.missing import missing

START_TIMEOUT_S = 60
_VERSIONS = Path("/usr/lib/postgresql")
_POSTGIS = "/usr/share/postgresql/{version}/extension/postgis.control"


def find_programs() -> Path | None:
    """Find the newest installed PostgreSQL's programs; None without it or without its PostGIS."""
    found = sorted(
        (path for path in _VERSIONS.glob("*/bin") if (path / "postgres").exists()),
        key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0),
    )
    usable = [p for p in found if Path(_POSTGIS.format(version=p.parent.name)).exists()]
    return usable[-1] if usable else None


def free_port() -> int:
    """Find a free port of the loopback interface."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class PostgresServer:
    """One server in a folder of its own.

    `durable` keeps fsync on: for tests that kill things. Without it the machine's loss of power
    would lose data, a process that is killed doesn't.
    """

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        self._programs = programs
        self._durable = durable
        self._folder = Path(tempfile.mkdtemp(prefix="conurb-postgres-"))
        self._data = self._folder / "data"
        self._user = "postgres" if os.geteuid() == 0 else None
        self.port = free_port()

    def create(self) -> None:
        """Make the data folder, start, and install PostGIS in the database `postgres`."""
        if self._user:
            shutil.chown(self._folder, self._user)
        initdb = ["-D", str(self._data), "-U", "postgres", "-A", "trust", "--no-sync"]
        self._run("initdb", *initdb, "-E", "UTF8", "--locale=C.UTF-8")
        self.start()
        self.sql("CREATE EXTENSION IF NOT EXISTS postgis", database="postgres")
        self.sql("CREATE EXTENSION IF NOT EXISTS postgis", database="template1")

    def start(self) -> None:
        """Start, and wait until it answers."""
        fsync = "on" if self._durable else "off"
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} -c fsync={fsync} "
            f"-c full_page_writes={fsync} -c max_connections=200 -c shared_buffers=256MB "
            "-c max_wal_size=4GB"
        )
        log = self._folder / "log"
        arguments = ["-D", str(self._data), "-l", str(log), "-w", "-t", str(START_TIMEOUT_S)]
        self._run("pg_ctl", *arguments, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: smart, fast or immediate."""
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """Kill the server with all of its processes, as a machine that fails does."""
        postmaster = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in [postmaster, *map(int, children)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        while Path(f"/proc/{postmaster}").exists() and _state(postmaster) != "Z":
            time.sleep(0.005)
        # Their process ids may still be shown as taken (by a zombie), which PostgreSQL respects.
        for lock in [self._data / "postmaster.pid", *self._folder.glob(".s.PGSQL.*")]:
            lock.unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop the server and delete its folder."""
        if (self._data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, *, database: str = "postgres", schema: str | None = None) -> str:
        """Give the URL of a database, or of one schema in it."""
        base = f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        return f"{base}?schema={schema}" if schema else base

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run a statement with psql, give what it printed."""
        arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return self._run("psql", *arguments, self.url(database=database))

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            log = self._folder / "log"
            tail = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program} {arguments} failed: {done.stderr or ''}\n{tail}")
        return done.stdout or ""


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _served(*, durable: bool) -> Iterator[PostgresServer]:
    programs = find_programs()
    if programs is None:
        missing("PostgreSQL with PostGIS")
    server = PostgresServer(programs, durable=durable)
    try:
        server.create()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start the server that most tests share (fsync off)."""
    yield from _served(durable=False)


@pytest.fixture
def durable_postgres_server() -> Iterator[PostgresServer]:
    """Start a server of the test's own with fsync on, to be killed and started again."""
    yield from _served(durable=True)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """Give the URL of a database that has PostGIS; append `?schema=` for a node of one's own."""
    return postgres_server.url()


@pytest.fixture
def postgres_node_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of a schema that nobody else uses; it is dropped after the test."""
    schema = f"t_{secrets.token_hex(6)}"
    yield postgres_server.url(schema=schema)
    postgres_server.sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
