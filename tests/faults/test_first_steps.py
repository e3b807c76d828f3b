"""Two nodes as a new user starts them: without names, joined by two commands, one killed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.federation.nodes import Place, command, kill, place, put, running

pytestmark = pytest.mark.slow

API = "/ngsi-ld/v1"
BUS: dict[str, object] = {"id": "urn:ngsi-ld:Bus:wuxi:1", "type": "Bus", "speed": 3}


def nameless(folder: Path, name: str) -> Place:
    """Make room for a node that is given no id."""
    here = place(folder, name)
    settings = here.folder / "node.toml"
    settings.write_text(re.sub(r"(?m)^node_id.*\n", "", settings.read_text()))
    return here


async def buses(region: Place) -> tuple[int, str, str]:
    """Ask for buses: how many, who answered, and what is said of who didn't."""
    async with region.client() as client:
        response = await client.get(f"{API}/entities?type=Bus")
    assert response.status_code == 200, response.text
    headers = response.headers
    return (
        len(response.json()),
        headers["Conurb-Completeness"],
        headers.get("NGSILD-Warning", ""),
    )


async def test_two_nodes_that_were_given_no_names_join_and_tell_each_other_apart(
    tmp_path: Path,
) -> None:
    region, city = nameless(tmp_path, "delta"), nameless(tmp_path, "wuxi")
    async with running(region):
        async with running(city) as process:
            await put(city, BUS)
            code = (await command(region, "invite", "wuxi"))[0].strip()
            _, said = await command(city, "join", region.url, "--code", code)
            assert "1 of Bus checked" in said
            assert await buses(region) == (1, "2/2", "")
            await kill(process)
        count, completeness, warning = await buses(region)
        assert (count, completeness) == (0, "1/2")
        assert warning.startswith("199 wuxi ")
        out, _ = await command(region, "health")
        assert re.search(r"(?m)^wuxi +closed", out)
        async with running(city):
            async with asyncio.timeout(20):
                while (await buses(region))[0] == 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            assert await buses(region) == (1, "2/2", "")
