"""Where notifications go (ETSI GS CIM 009 v1.9.1, clauses 5.2.15 and 5.2.22; for MQTT clause 7.2).

`read_endpoint` checks the member `endpoint` of a subscription's document and gives it frozen.
Whether this node may send there is decided by `conurb.access.outbound`, sending is done by
`conurb.node.delivery`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from conurb.errors import BadRequestDataError
from conurb.model.names import check_uri
from conurb.model.subscription_document import Document

Accept = Literal["application/json", "application/ld+json", "application/geo+json"]

ACCEPTS: Final[tuple[Accept, ...]] = (
    "application/json",
    "application/ld+json",
    "application/geo+json",
)
SCHEMES: Final = ("http", "https", "mqtt", "mqtts")
MQTT_VERSIONS: Final = ("mqtt3.1.1", "mqtt5.0")
MQTT_QOS: Final = ("0", "1", "2")

PERIOD_S_MAX: Final = 10 * 365 * 86_400
"""Longest throttling or interval: ten years."""
TEXT_MAX: Final = 16_384
"""Longest q, csf or scopeQ."""
PAIRS_MAX: Final = 64
"""Most pairs of one receiverInfo or notifierInfo."""

HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
HEADER_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
OWN_HEADERS: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding",
     "upgrade"}
)  # fmt: skip

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where notifications go, and how (clause 5.2.15).

    `timeout_s` is how long an answer may take, None leaves it to the node. `cooldown_s` is how
    long nothing is sent after a failure.
    """

    uri: str
    accept: Accept = "application/json"
    timeout_s: float | None = None
    cooldown_s: float = 0.0
    receiver_info: Pairs = ()
    notifier_info: Pairs = ()

    def receiver_value(self, key: str) -> str | None:
        """Find what the receiver is told under a key, whatever its case."""
        for name, value in self.receiver_info:
            if name.lower() == key.lower():
                return value
        return None


def read_endpoint(value: Document | None) -> Endpoint:
    """Check and freeze an endpoint.

    Raises BadRequestDataError, naming the member, its value and what is allowed.
    """
    if value is None:
        raise BadRequestDataError("notification.endpoint is missing")
    uri = check_uri(
        value.get("uri"), name="notification.endpoint.uri", such_as="https://city.example.cn/alerts"
    )
    scheme = _check_address(uri)
    accept = value.get("accept", "application/json")
    accepts = ACCEPTS if scheme.startswith("http") else ACCEPTS[:2]
    if accept not in accepts:
        raise BadRequestDataError(
            f"notification.endpoint.accept: {accept!r:.100} is none of {', '.join(accepts)}"
        )
    timeout_ms = read_positive(value, "timeout", where="notification.endpoint.")
    cooldown_ms = read_positive(value, "cooldown", where="notification.endpoint.")
    endpoint = Endpoint(
        uri=uri,
        accept=accept,
        timeout_s=None if timeout_ms is None else timeout_ms / 1000,
        cooldown_s=0.0 if cooldown_ms is None else cooldown_ms / 1000,
        receiver_info=read_pairs(value.get("receiverInfo"), "notification.endpoint.receiverInfo"),
        notifier_info=read_pairs(value.get("notifierInfo"), "notification.endpoint.notifierInfo"),
    )
    _check_pairs(endpoint, scheme)
    return endpoint


def _check_address(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise BadRequestDataError(f"notification.endpoint.uri: {uri!r:.200}: {error}") from error
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
        raise BadRequestDataError(
            f"notification.endpoint.uri: {uri!r:.200} is not a URL with a host; schemes: "
            f"{', '.join(SCHEMES)}"
        )
    if parts.scheme.startswith("mqtt"):
        topic = parts.path[1:]
        if not topic or "#" in uri or "+" in topic or len(topic.encode()) > 65_535:
            raise BadRequestDataError(
                f"notification.endpoint.uri: {uri!r:.200} has no topic to publish to (clause 7.2)"
            )
    return parts.scheme


def read_pairs(value: Any, where: str) -> Pairs:
    """Read an array of key-value pairs (5.2.22); empty when it isn't given.

    Raises BadRequestDataError.
    """
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > PAIRS_MAX:
        raise BadRequestDataError(f"{where}: {value!r:.100} is not an array of up to {PAIRS_MAX}")
    for one in value:
        if (
            not isinstance(one, dict)
            or set(one) != {"key", "value"}
            or not all(isinstance(text, str) for text in one.values())
        ):
            raise BadRequestDataError(
                f"{where}: {one!r:.100} is not an object of the texts key and value (5.2.22)"
            )
    return tuple((one["key"], one["value"]) for one in value)


def _check_pairs(endpoint: Endpoint, scheme: str) -> None:
    if scheme.startswith("http"):
        for key, value in endpoint.receiver_info:
            good = HEADER_NAME.fullmatch(key) and HEADER_VALUE.fullmatch(value)
            if not good or key.lower() in OWN_HEADERS:
                raise BadRequestDataError(
                    f"notification.endpoint.receiverInfo: {key!r:.100} can't be an HTTP header"
                )
        return
    allowed = {"MQTT-QoS": MQTT_QOS, "MQTT-Version": MQTT_VERSIONS}
    for key, value in endpoint.notifier_info:
        if key in allowed and value not in allowed[key]:
            raise BadRequestDataError(
                f"notification.endpoint.notifierInfo: {key} {value!r:.100} is none of "
                f"{', '.join(allowed[key])}"
            )


def read_positive(document: Document, member: str, *, where: str = "") -> float | None:
    """Read a number over 0; None when it isn't given. Raises BadRequestDataError."""
    value = document.get(member)
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 < value <= PERIOD_S_MAX:
        raise BadRequestDataError(
            f"{where}{member}: {value!r:.100} is not a number over 0 (and up to {PERIOD_S_MAX})"
        )
    return float(value)


def read_text(value: Any, member: str) -> str:
    """Read a text that isn't blank and not over `TEXT_MAX`. Raises BadRequestDataError."""
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_MAX:
        raise BadRequestDataError(
            f"{member}: {value!r:.100} is not a text of 1 to {TEXT_MAX} characters"
        )
    return value
