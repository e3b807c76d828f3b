"""What people see at `/` in a real browser: what is running, in Chinese and English."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.services.browser import Browser
from tests.services.region import RunningRegion


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(tmp_path_factory.mktemp("profile"))


def test_the_page_says_what_is_running_and_the_console_is_silent(
    browser: Browser, running_region: RunningRegion
) -> None:
    dom, console = browser.dom(running_region.url + "/")
    assert console == []
    for said in ("节点", "node", "租户", "tenants", "yrd", "shanghai", "zhoushan"):
        assert said in dom


def test_every_link_of_the_page_leads_somewhere_here(
    browser: Browser, running_region: RunningRegion
) -> None:
    dom, _ = browser.dom(running_region.url + "/")
    links = re.findall(r'(?:href|src)="([^"]+)"', dom)
    assert links
    for link in links:
        assert link.startswith("/"), f"{link} leaves the host"
        assert httpx.get(running_region.url + link, timeout=30).status_code == 200, link
