"""Where a node may send to: notifications, registrations and @contexts pass this allow-list.

Without it, anybody who may subscribe could make the node call addresses inside of its own network.
An entry is a host (`hooks.example.org`), all hosts below a domain (`*.example.org`), either with a
port (`hooks.example.org:8443`), an address block (`10.1.0.0/16`, `127.0.0.0/8`), `loopback`, or
`*` for everything. The name is judged as it stands in the URL, before it is resolved.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from conurb.errors import BadRequestDataError, ConfigError, ForbiddenError

SCHEMES: Final = frozenset({"http", "https", "mqtt", "mqtts"})
_PORTS: Final = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Outbound:
    """The allow-list of one node."""

    __slots__ = ("_any", "_domains", "_hosts", "_networks", "_shown")

    def __init__(self, allowed: Iterable[str]) -> None:
        """Read the entries; raise ConfigError for one that isn't readable."""
        entries = tuple(entry.strip().lower() for entry in allowed)
        self._shown = ", ".join(entries) or "nothing"
        self._any = "*" in entries
        self._hosts: set[tuple[str, int | None]] = set()
        self._domains: set[tuple[str, int | None]] = set()
        self._networks: list[Network] = []
        for entry in entries:
            self._add(entry)

    def _add(self, entry: str) -> None:
        if entry == "*":
            return
        if entry == "loopback":
            self._networks += [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1")]
            self._hosts.add(("localhost", None))
            return
        if "/" in entry:
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError as error:
                raise ConfigError(f"outbound entry {entry!r} is not an address block") from error
            return
        host, _, port = entry.rpartition(":") if _has_port(entry) else (entry, "", "")
        if not host or (port and not port.isdigit()):
            raise ConfigError(f"outbound entry {entry!r}: expected HOST, HOST:PORT or *.DOMAIN")
        target = self._domains if host.startswith("*.") else self._hosts
        target.add((host.removeprefix("*"), int(port) if port else None))

    def check(self, url: str) -> None:
        """Raise when this node may not send to a URL.

        BadRequestDataError: it isn't a URL of http, https, mqtt or mqtts with a host.
        ForbiddenError: its host isn't on the allow-list.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise BadRequestDataError(f"{url!r} is not a URL: {error}") from error
        if parts.scheme not in SCHEMES or not host:
            raise BadRequestDataError(
                f"{url!r} is not a URL that can be sent to; schemes: {', '.join(sorted(SCHEMES))}"
            )
        if not self._admits(host.lower(), port or _PORTS[parts.scheme]):
            raise ForbiddenError(
                f"this node may not send to {host!r}; its outbound allow-list has {self._shown}"
            )

    def _admits(self, host: str, port: int) -> bool:
        if self._any or {(host, None), (host, port)} & self._hosts:
            return True
        if any(host.endswith(domain) and only in (None, port) for domain, only in self._domains):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _has_port(entry: str) -> bool:
    """A single colon separates a port; several are an IPv6 address."""
    return entry.count(":") == 1
