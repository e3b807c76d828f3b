"""Wiring: when a process starts open, with tokens, or not at all; and that it serves over TLS."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from conurb.access.tokens import Token, digest_of
from conurb.app import tokens_of
from conurb.config import Settings
from conurb.errors import ConfigError
from conurb.node.tokens import TokenFile

START_S_MAX = 30


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl isn't installed; it makes the test's certificate")
    certificate, key = tmp_path / "city.pem", tmp_path / "city.key"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-out",
            str(certificate),
            "-keyout",
            str(key),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def token_file(folder: Path) -> TokenFile:
    file = TokenFile(folder / "tokens.json")
    file.add(Token("reader", digest_of("secret"), frozenset({"read"})))
    return file


def test_a_node_on_loopback_is_open_until_tokens_are_configured(tmp_path: Path) -> None:
    assert tokens_of(Settings(data_folder=tmp_path)) is None
    file = token_file(tmp_path)
    tokens = tokens_of(Settings(tokens=file.path))
    assert tokens is not None
    assert tokens.caller("secret").name == "reader"


def test_beyond_loopback_a_node_needs_tokens_and_tls(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    with pytest.raises(ConfigError, match=r"token.*and tls_certificate"):
        tokens_of(Settings(host="0.0.0.0", data_folder=tmp_path))
    token_file(tmp_path)
    with pytest.raises(ConfigError, match="tls_certificate"):
        tokens_of(Settings(host="0.0.0.0", data_folder=tmp_path))
    settings = Settings(
        host="0.0.0.0",
        data_folder=tmp_path,
        tls_certificate=certificate[0],
        tls_key=certificate[1],
    )
    assert tokens_of(settings) is not None


def test_an_operator_may_insist_on_an_open_node(tmp_path: Path) -> None:
    assert tokens_of(Settings(host="0.0.0.0", insecure_open=True, data_folder=tmp_path)) is None


def test_a_node_serves_over_tls_and_stops_when_told(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "node.toml"
    config.write_text(f'tls_certificate = "{certificate[0]}"\ntls_key = "{certificate[1]}"\n')
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "conurb.cli.main",
            "node",
            "serve",
            "--config",
            str(config),
            "--port",
            str(port),
            "--store",
            str(tmp_path / "node.db"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        context = ssl.create_default_context(cafile=str(certificate[0]))
        deadline = time.monotonic() + START_S_MAX
        while True:
            try:
                with httpx.Client(verify=context) as client:
                    response = client.get(f"https://127.0.0.1:{port}/health")
                break
            except httpx.ConnectError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert response.json()["status"] == "ok"
    finally:
        process.terminate()
        assert process.wait(timeout=START_S_MAX) is not None


def test_wrong_settings_end_the_start_with_a_message(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "conurb.cli.main",
            "node",
            "serve",
            "--host",
            "0.0.0.0",
            "--store",
            str(tmp_path / "node.db"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert "not loopback" in done.stderr
    assert "Traceback" not in done.stderr
