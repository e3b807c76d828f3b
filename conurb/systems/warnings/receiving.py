"""Take messages in: CAP, an EDXL-DE envelope or an Atom feed; judge them, file them.

What a message leads to is operations that commit together: the object that keeps it, and what
becomes of those that it refers to. The same for a request, a connector and a rule of our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import (
    BadRequestDataError,
    ConfigError,
    ConurbError,
    ForbiddenError,
    TooLargeError,
    UnavailableError,
)
from conurb.model.operations.entity import AppendAttributes, CreateEntity
from conurb.model.parse import parse_fragment
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import Provenance, Site
from conurb.systems.warnings.areas import Cities, cities_of
from conurb.systems.warnings.cap.alert import Alert, to_us
from conurb.systems.warnings.cap.alert import Status as CapStatus
from conurb.systems.warnings.cap.atom import ATOM, read_feed
from conurb.systems.warnings.cap.edxl import is_envelope, read_envelope
from conurb.systems.warnings.cap.read import judge, read
from conurb.systems.warnings.cap.shape import Finding
from conurb.systems.warnings.cap.signature import Verdict, read_certificates, sign, verify
from conurb.systems.warnings.cap.write import write
from conurb.systems.warnings.cap.xml import local_name, namespace, read_xml
from conurb.systems.warnings.compose import from_us
from conurb.systems.warnings.lifecycle import Effect, Known, effect_of
from conurb.systems.warnings.objects import (
    TYPE,
    Filing,
    Held,
    alert_object,
    end_us,
    local_of,
    said_at,
)
from conurb.systems.warnings.states import AlertState

if TYPE_CHECKING:
    from conurb.model.changes import Operation

PACK: Final = "yrd"
"""The region pack by which areas become cities, unless the option `region` names another."""

MESSAGES_MAX: Final = 1_000
"""Messages of one envelope or feed."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one message: the object, whether it was known, its state, what it concerns."""

    id: str
    message: Alert
    known: bool
    state: AlertState
    cities: tuple[str, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    operations: tuple[Operation, ...]
    provenance: Provenance = "live"


def cities_at(site: Site) -> Cities:
    """Give the cities of the region that a site belongs to (option `region`)."""
    return cities_of(str(site.options.get("region", PACK)))


def messages_in(document: bytes) -> tuple[bytes, ...]:
    """Give the CAP messages in a document: itself, or those in an envelope or a feed.

    Raises BadRequestDataError when there are none, TooLargeError when there are too many.
    """
    root = read_xml(document)
    found: tuple[bytes, ...] = (document,)
    if is_envelope(root):
        found = read_envelope(document).documents
    elif local_name(root) == "feed" and namespace(root) == ATOM:
        found = tuple(one.document for one in read_feed(document) if one.document is not None)
    if not found:
        raise BadRequestDataError("there is no CAP message in this envelope or feed")
    if len(found) > MESSAGES_MAX:
        raise TooLargeError(f"{len(found)} messages; {MESSAGES_MAX} are taken at once")
    return found


def written(message: Alert, site: Site) -> bytes:
    """Write a message of our own; signed where the options name a key and its certificate.

    Raises ConfigError when either can't be read.
    """
    document = write(message)
    names = ("signing_key", "signing_certificate")
    if not all(site.options.get(name) for name in names):
        return document
    try:
        key, certificate = (Path(str(site.options[name])).read_bytes() for name in names)
    except OSError as error:
        raise ConfigError(f"warnings: {error.filename}: {error.strerror}") from error
    return sign(document, key_pem=key, certificate_pem=certificate)


async def receive(
    document: bytes,
    site: Site,
    *,
    accept_missing: bool = False,
    provenance: Provenance = "live",
    ref_alarm: str | None = None,
    among: dict[str, Known] | None = None,
) -> Receipt:
    """Judge one message and say what it leads to; nothing is written yet.

    `among` are messages that came together with it and aren't written yet, by id; it joins them.
    Raises BadRequestDataError for an invalid message, ForbiddenError for a signature that doesn't
    hold (or isn't trusted, with the option `require_trusted`), NotFoundError or ConflictError for
    a chain of references that doesn't hold.
    """
    judgement = judge(document)
    message = read(document) if judgement.alert is None else judgement.alert
    if message.status is CapStatus.EXERCISE:
        provenance = "simulated"  # nothing of an exercise is real, whoever sends it
    verdict = verify_at(document, site, message)
    object_id = site.urn(TYPE, local_of(message.reference))
    concerned = cities_at(site).concerned(message)
    together = {} if among is None else among
    before = await _find_known(site, object_id, together)
    if before is not None:
        findings = judgement.findings
        return Receipt(
            object_id, message, True, before.state, concerned.cities, findings, verdict, ()
        )
    references = {site.urn(TYPE, local_of(one)): one for one in message.references}
    known = {one: await _find_known(site, one, together) for one in references}
    effect = effect_of(message, known, accept_missing=accept_missing)
    if effect.state == "active" and end_us(message) <= site.now_us():
        effect = replace(effect, state="expired")
    filing = Filing(
        message, document, concerned, verdict, effect.state, tuple(references), ref_alarm
    )
    entity = alert_object(object_id, filing, provenance)
    together[object_id] = Known(object_id, message.sender, effect.state)
    for one, state in effect.changes.items():
        by = None if state == "cancelled" else object_id
        together[one] = Known(one, message.sender, state, by)
    return Receipt(
        object_id,
        message,
        False,
        effect.state,
        concerned.cities,
        judgement.findings,
        verdict,
        (CreateEntity(entity), *_effect_operations(message, object_id, effect, provenance)),
        provenance,
    )


async def receive_all(
    documents: Sequence[bytes],
    site: Site,
    *,
    accept_missing: bool = False,
    provenance: Provenance = "live",
) -> tuple[list[Receipt], list[ConurbError]]:
    """Judge messages that came together, in the order in which they were sent.

    One that is refused doesn't stop the others: what was wrong is given beside the receipts.
    """
    among: dict[str, Known] = {}
    receipts: dict[str, Receipt] = {}
    errors: list[ConurbError] = []
    for document in sorted(documents, key=_sent_us):
        try:
            receipt = await receive(
                document, site, accept_missing=accept_missing, provenance=provenance, among=among
            )
        except UnavailableError:
            raise
        except ConurbError as error:
            errors.append(error)
        else:
            receipts.setdefault(receipt.id, receipt)
    return list(receipts.values()), errors


def _sent_us(document: bytes) -> int:
    alert = judge(document).alert
    return 0 if alert is None else to_us(alert.sent)


def verify_at(document: bytes, site: Site, message: Alert) -> Verdict:
    """Judge a message's signature by the site's options, as of now.

    `trusted_certificates` names a PEM file; `require_signature` and `require_trusted` refuse
    messages without. Raises ForbiddenError.
    """
    path = site.options.get("trusted_certificates")
    trusted = read_certificates(Path(str(path)).read_bytes()) if path else ()
    verdict = verify(document, at=from_us(site.now_us()), trusted=trusted)
    if verdict.state == "invalid":
        raise ForbiddenError(f"{message.identifier}: the signature doesn't hold: {verdict.reason}")
    require_trusted = bool(site.options.get("require_trusted"))
    if (require_trusted or site.options.get("require_signature")) and verdict.state != "valid":
        raise ForbiddenError(
            f"{message.identifier}: this node takes signed messages only "
            f"(the signature is {verdict.state} {verdict.reason})"
        )
    if require_trusted and not (verdict.trusted and verdict.in_force):
        raise ForbiddenError(
            f"{message.identifier}: signed by {verdict.signer}, whose certificate is "
            f"{'not in force' if verdict.trusted else 'not among those trusted here'}"
        )
    return verdict


async def _find_known(site: Site, object_id: str, among: Mapping[str, Known]) -> Known | None:
    if object_id in among:
        return among[object_id]
    entity = await site.node.store.find(object_id)
    if entity is None:
        return None
    held = Held(entity)
    state: Any = held.text("alertState")
    by = held.links("supersededBy")
    return Known(object_id, held.text("sender"), state, by[0] if by else None)


def _effect_operations(
    message: Alert, object_id: str, effect: Effect, provenance: Provenance
) -> list[Operation]:
    sent_us = to_us(message.sent)
    found: list[Operation] = []
    for one, state in effect.changes.items():
        document: dict[str, Any] = {"alertState": state, "validTo": shown_us(sent_us)}
        if state != "cancelled":
            document["supersededBy"] = {"type": "Relationship", "object": object_id}
        found.append(append(one, document, provenance, at_us=sent_us))
    for one in effect.acknowledges:
        document = {"acknowledged": True, "acknowledgedBy": message.sender}
        found.append(append(one, document, provenance, at_us=sent_us))
    return found


def append(
    object_id: str, document: dict[str, Any], provenance: Provenance, *, at_us: int
) -> AppendAttributes:
    """Make the operation that sets attributes (by term) of an object, from a time on."""
    fragment = parse_fragment(document, platform_terms(), nulls=False)
    marked = replace(fragment, attrs=said_at(fragment.attrs, provenance, at_us))
    return AppendAttributes(object_id, marked)
