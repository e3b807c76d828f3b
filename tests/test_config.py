"""Settings: from a file, the environment and flags, each checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from conurb.config import Settings, load_settings
from conurb.errors import ConfigError


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('port = 1\nnode_id = "wuxi"\npage_max = 50\npage_default = 5\n')
    settings = load_settings(
        file, environ={"CONURB_PORT": "2", "CONURB_PAGE_MAX": "60"}, overrides={"port": 3}
    )
    assert (settings.port, settings.page_max, settings.node_id) == (3, 60, "wuxi")


def test_types_are_read_from_text() -> None:
    settings = load_settings(
        environ={
            "CONURB_FETCH_CONTEXTS": "yes",
            "CONURB_OUTBOUND": "a.example, *.b.example",
            "CONURB_CONTEXT_TIMEOUT_S": "1.5",
            "CONURB_DATA_FOLDER": "/data",
        }
    )
    assert settings.fetch_contexts is True
    assert settings.outbound == ("a.example", "*.b.example")
    assert settings.context_timeout_s == 1.5
    assert settings.tokens_path == Path("/data/tokens.json")


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"CONURB_PORT": "http"}, "port"),
        ({"CONURB_PORT": "70000"}, "port"),
        ({"CONURB_FETCH_CONTEXTS": "perhaps"}, "fetch_contexts"),
        ({"CONURB_BODY_BYTES_MAX": "0"}, "body_bytes_max"),
        ({"CONURB_PAGE_DEFAULT": "2000"}, "page_default"),
        ({"CONURB_TLS_KEY": "/nowhere/key.pem"}, "tls"),
        ({"CONURB_CONTEXTS": "/nowhere/catalog.json"}, "contexts"),
    ],
)
def test_wrong_settings_are_named(environ: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load_settings(environ=environ)


def test_unknown_names_in_a_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("prot = 1\n")
    with pytest.raises(ConfigError, match="'prot'"):
        load_settings(file, environ={})


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("h", False)],
)
def test_loopback_is_the_own_machine_alone(host: str, loopback: bool) -> None:
    assert Settings(host=host).loopback is loopback


def test_only_an_open_node_on_loopback_may_send_anywhere_unasked() -> None:
    assert Settings().outbound_allowed == ("*",)
    for closed in (
        Settings(tokens=Path("tokens.json")),
        Settings(host="0.0.0.0"),
        Settings(host="0.0.0.0", insecure_open=True),
    ):
        assert closed.outbound_allowed == ("loopback",)
    assert Settings(outbound=("a.example",)).outbound_allowed == ("a.example",)
    assert Settings(outbound=()).outbound_allowed == ()


def test_systems_and_their_options_are_read_from_file_and_environment(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('systems = ["noise"]\n[system.noise]\nlimit_db = 70\n')
    assert load_settings(file, environ={}).system == {"noise": {"limit_db": 70}}
    environ = {"CONURB_SYSTEMS": "noise, light", "CONURB_SYSTEM": '{"noise": {"limit_db": 60}}'}
    settings = load_settings(file, environ=environ)
    assert settings.systems == ("noise", "light")
    assert settings.system == {"noise": {"limit_db": 60}}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"CONURB_PLACES": "moon"}, "places: moon is not one or more of node, region"),
        ({"CONURB_SYSTEM": '["noise"]'}, "system: .* is not tables by name"),
        ({"CONURB_RECORDINGS": "/nowhere/at/all"}, "recordings: there is no folder"),
    ],
)
def test_what_systems_are_told_has_to_make_sense(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings(environ=environ)
