"""The services start, and survive what the fault tests do to them."""

from __future__ import annotations

import socket

import pytest

from tests.services.mosquitto import Mosquitto
from tests.services.postgres import PostgresServer


@pytest.mark.postgres
def test_the_shared_server_measures_a_distance(postgres_server: PostgresServer) -> None:
    shown = postgres_server.sql(
        "SELECT round(ST_Distance('POINT(0 0)'::geography, 'POINT(1 0)'::geography, false))"
    )
    assert shown.strip() == "111195"


@pytest.mark.postgres
def test_what_was_committed_survives_a_killed_server(
    durable_postgres_server: PostgresServer,
) -> None:
    server = durable_postgres_server
    server.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    server.kill()
    server.start()
    assert server.sql("SELECT n FROM kept").strip() == "7"


@pytest.mark.mqtt
def test_the_broker_listens_on_loopback(mosquitto: Mosquitto) -> None:
    with socket.create_connection((mosquitto.host, mosquitto.port), timeout=2) as connection:
        # CONNECT, MQTT 3.1.1, clean session, no client id; answered by CONNACK.
        connection.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
        assert connection.recv(4) == b"\x20\x02\x00\x00"
