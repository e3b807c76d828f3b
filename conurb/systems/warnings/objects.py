"""Alerts as objects: the Smart Data Models' `Alert`, with the CAP message kept whole inside.

What the map, queries and subscriptions need stands in attributes; `capDocument` is the message as
it came, signature and all, so that nothing is lost. An object's id derives from what names a CAP
message (sender, identifier, time sent), so that a message received twice is one object.

`alertState` is where the alert is in its life (`conurb.systems.warnings.lifecycle`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.entity import Attributes, Entity
from conurb.model.parse import parse_entity
from conurb.model.time import fixed, fixed_us, parse_us, shown_us
from conurb.model.vocabulary import platform_terms
from conurb.regions.objects import city_id
from conurb.systems.contract import Provenance
from conurb.systems.provenance import mark_attributes
from conurb.systems.warnings.areas import Concerned
from conurb.systems.warnings.cap.alert import Alert, Info, Reference, to_us
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.cap.signature import Verdict
from conurb.systems.warnings.cap.xml import as_utf8
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.kinds import category_of, kind_of, severity_of, worst
from conurb.systems.warnings.states import AlertState

TYPE: Final = "Alert"
LIFE_S: Final = 24 * 3600
"""How long an alert that doesn't say when it ends is held to be in force."""

DIGITS: Final = 20

_LASTING: Final = frozenset({"active", "expired"})
LOCATION: Final = "location"


def local_of(reference: Reference) -> str:
    """Give the local part of the id of the object that keeps a message."""
    named = f"{reference.sender}\n{reference.identifier}\n{to_us(reference.sent)}"
    return hashlib.sha256(named.encode()).hexdigest()[:DIGITS]


def begin_us(message: Alert) -> int:
    """Give when a message's danger begins: the first onset, else effective, else when sent."""
    begins = [info.onset or info.effective for info in message.infos]
    known = [to_us(one) for one in begins if one is not None]
    return min(known, default=to_us(message.sent))


def end_us(message: Alert) -> int:
    """Give when a message's danger ends: the last `expires`, else `LIFE_S` after its begin."""
    known = [to_us(info.expires) for info in message.infos if info.expires is not None]
    return max(known, default=max(begin_us(message), to_us(message.sent)) + LIFE_S * US_PER_S)


@dataclass(frozen=True, slots=True)
class Filing:
    """What there is to keep of a message: its XML, whom it concerns, how its signature is."""

    message: Alert
    document: bytes
    concerned: Concerned
    verdict: Verdict
    state: AlertState
    refers_to: tuple[str, ...] = ()
    ref_alarm: str | None = None


def alert_object(object_id: str, filing: Filing, provenance: Provenance = "live") -> Entity:
    """Build the object that keeps a message."""
    message, infos = filing.message, filing.message.infos
    kind = kind_of(message)
    document: dict[str, Any] = {
        "id": object_id,
        "type": TYPE,
        "category": category_of(kind, infos),
        "subCategory": kind,
        "severity": worst(severity_of(info.severity) for info in infos),
        "alertState": filing.state,
        "messageType": str(message.msg_type),
        "messageStatus": str(message.status),
        "audienceScope": str(message.scope),
        "messageIdentifier": message.identifier,
        "sender": message.sender,
        "alertSource": next((one.sender_name for one in infos if one.sender_name), message.sender),
        "dateIssued": shown_us(to_us(message.sent)),
        "validFrom": shown_us(begin_us(message)),
        # What ends a danger, or only speaks of others, holds for the moment that it is said.
        "validTo": shown_us(end_us(message) if filing.state in _LASTING else to_us(message.sent)),
        "capDocument": as_utf8(filing.document),
        "signatureState": filing.verdict.state,
        **_if(signedBy=filing.verdict.signer if filing.verdict.state == "valid" else None),
        **_texts(infos),
    }
    if infos:
        document["urgency"] = str(infos[0].urgency)
        document["certainty"] = str(infos[0].certainty)
    if filing.concerned.geometry is not None:
        document[LOCATION] = {"type": "GeoProperty", "value": dict(filing.concerned.geometry)}
    document |= _links("affects", map(city_id, filing.concerned.cities))
    document |= _links("mayAffect", map(city_id, filing.concerned.neighbours))
    document |= _links("refersTo", filing.refers_to)
    if filing.ref_alarm is not None:
        document["refAlarm"] = {"type": "Relationship", "object": filing.ref_alarm}
    entity = parse_entity(document, platform_terms())
    return entity.with_attrs(said_at(entity.attrs, provenance, to_us(message.sent)))


def said_at(attrs: Attributes, provenance: Provenance, at_us: int) -> Attributes:
    """Give attributes with where they come from, and from when on they hold.

    So the map's clock shows at each time what was in force then.
    """
    moment = fixed(at_us)
    return {
        name: [{"observedAt": moment, **one} for one in instances]
        for name, instances in mark_attributes(attrs, provenance).items()
    }


def _texts(infos: Sequence[Info]) -> dict[str, Any]:
    """Give what infos say, by language; the first info of a language counts."""
    said: dict[str, dict[str, str]] = {}
    for info in infos:
        language = info.language.split("-")[0].lower()
        for name, text in (
            ("name", info.event),
            ("headline", info.headline or info.event),
            ("description", info.description),
            ("instruction", info.instruction),
        ):
            if text:
                said.setdefault(name, {}).setdefault(language, text)
    return {
        name: {"type": "LanguageProperty", "languageMap": texts} for name, texts in said.items()
    }


def _if(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _links(name: str, ids: Iterable[str]) -> dict[str, Any]:
    found = list(ids)
    return {name: {"type": "ListRelationship", "objectList": found}} if found else {}


class Held:
    """An object as read: the values of its default instances by term."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.id = entity.id

    def instance(self, term: str) -> Mapping[str, Any]:
        """Give the default instance of an attribute; empty when there is none."""
        return self.entity.instance(platform_terms().expand(term)) or {}

    def find(self, term: str) -> Any:
        """Find the value of an attribute, whatever its kind; None when there is none."""
        instance = self.instance(term)
        for member in ("value", "languageMap", "object", "objectList", "json"):
            if member in instance:
                return instance[member]
        return None

    def text(self, term: str) -> str:
        """Give an attribute's value as text; empty when there is none."""
        value = self.find(term)
        return "" if value is None else str(value)

    def links(self, term: str) -> tuple[str, ...]:
        """Give the ids that an attribute links to."""
        value = self.find(term)
        if isinstance(value, str):
            return (value,)
        return tuple(map(str, value)) if isinstance(value, list) else ()

    def texts(self, term: str) -> dict[str, str]:
        """Give an attribute's texts by language."""
        value = self.find(term)
        return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}

    def time_us(self, term: str) -> int | None:
        """Give an attribute's time in microseconds; None when there is none."""
        value = self.find(term)
        if isinstance(value, dict):
            value = value.get("@value")
        return parse_us(str(value), name=term) if value else None

    def observed_us(self, term: str) -> int | None:
        """Give when an attribute was observed, in microseconds; None when it doesn't say."""
        text = self.instance(term).get("observedAt")
        return None if text is None else fixed_us(str(text))

    def marked(self, mark: str) -> bool:
        """Whether any attribute says of itself that it is simulated, or replayed."""
        iri = platform_terms().expand(mark)
        return any(
            bool(instance[iri][0].get("value"))
            for _, instance in self.entity.iter_instances()
            if iri in instance
        )

    @property
    def provenance(self) -> Provenance:
        """Give where the object's data comes from."""
        if self.marked("simulated"):
            return "simulated"
        return "replayed" if self.marked("replayed") else "live"

    def message(self) -> Alert:
        """Give the CAP message that the object keeps; raise BadRequestDataError without one."""
        return read(self.document())

    def document(self) -> bytes:
        """Give the XML of the message that the object keeps.

        Raises BadRequestDataError for an alert that keeps none, as one of another system.
        """
        text = self.text("capDocument")
        if not text:
            raise BadRequestDataError(f"{self.id} keeps no CAP message")
        return text.encode()


def is_own(held: Held) -> bool:
    """Whether an alert was sent by the node that keeps it, and not taken in from another sender.

    Only its sender may end an alert (CAP 1.2, clause 3.2.1, `sender` and `references`).
    """
    owner = held.id.split(":")[3] if held.id.count(":") >= 4 else ""
    return held.text("sender").endswith(f"@{owner}") or held.text("alertSource") == owner


def city_of(city_urn: str) -> str:
    """Give the city that an object's id names.

    >>> city_of("urn:ngsi-ld:City:suzhou-jiangsu:suzhou-jiangsu")
    'suzhou-jiangsu'
    """
    return city_urn.rpartition(":")[2]
