"""How alerts, events and the log are shown as rows: the JSON of the endpoints and of the CLI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conurb.systems.warnings.objects import Held, city_of, is_own
from conurb.systems.warnings.receiving import Receipt


def row_of(receipt: Receipt) -> dict[str, Any]:
    """Show what became of a message."""
    return {
        "id": receipt.id,
        "identifier": receipt.message.identifier,
        "known": receipt.known,
        "state": receipt.state,
        "cities": list(receipt.cities),
        "signature": receipt.verdict.state,
        "signer": receipt.verdict.signer,
        "advice": [str(one) for one in receipt.findings],
    }


def alert_row(held: Held) -> dict[str, Any]:
    """Show an alert."""
    return {
        "id": held.id,
        "kind": held.text("subCategory"),
        "severity": held.text("severity"),
        "state": held.text("alertState"),
        "headline": held.texts("headline") or held.texts("name"),
        "description": held.texts("description"),
        "instruction": held.texts("instruction"),
        "certainty": held.text("certainty"),
        "urgency": held.text("urgency"),
        "status": held.text("messageStatus"),
        "scope": held.text("audienceScope"),
        "sender": held.text("sender") or held.text("alertSource"),
        "own": is_own(held),
        "issued": held.text("dateIssued"),
        "from": held.text("validFrom"),
        "to": held.text("validTo"),
        "cities": [city_of(one) for one in held.links("affects")],
        "releasedTo": [city_of(one) for one in held.links("releasedTo")],
        "acknowledged": held.find("acknowledged") is True,
        "acknowledgedBy": _names(held),
        "signature": held.text("signatureState"),
        "provenance": held.provenance,
    }


def event_row(held: Held, forecasts: Sequence[Held]) -> dict[str, Any]:
    """Show a regional event with its forecasts, soonest first."""
    ordered = sorted(forecasts, key=lambda one: (one.text("arrivalAt"), one.id))
    return {
        "id": held.id,
        "kind": held.text("subCategory"),
        "name": held.texts("name"),
        "severity": held.text("severity"),
        "state": held.text("alertState"),
        "from": held.text("validFrom"),
        "to": held.text("validTo"),
        "cities": [city_of(one) for one in held.links("affects")],
        "releasedTo": [city_of(one) for one in held.links("releasedTo")],
        "acknowledged": held.find("acknowledged") is True,
        "acknowledgedBy": _names(held),
        "statements": held.find("statements") or [],
        "mergedFrom": list(held.links("mergedFrom")),
        "splitFrom": held.find("splitFrom"),
        "mergedInto": held.find("mergedInto"),
        "provenance": held.provenance,
        "forecast": [forecast_row(one) for one in ordered],
    }


def forecast_row(held: Held) -> dict[str, Any]:
    """Show a forecast of arrival."""
    return {
        "city": city_of(held.text("refCity")),
        "medium": held.text("medium"),
        "issued": held.text("dateIssued"),
        "expected": held.text("arrivalAt"),
        "earliest": held.text("arrivalEarliest"),
        "latest": held.text("arrivalLatest"),
        "probability": held.find("arrivalProbability"),
        "modelled": True,
    }


def log_row(held: Held) -> dict[str, Any]:
    """Show an entry of the duty desk's log."""
    return {
        "id": held.id,
        "at": held.text("actedAt"),
        "action": held.text("actionKind"),
        "target": held.text("refAlert"),
        "title": held.texts("headline"),
        "actor": held.text("actor"),
        "account": held.text("account"),
        "cities": [city_of(one) for one in held.links("releasedTo")],
        "note": held.text("note"),
        "provenance": held.provenance,
    }


def _names(held: Held) -> list[str]:
    """Give who has acknowledged, the last one last."""
    names = held.find("acknowledgedBy")
    return [str(one) for one in names] if isinstance(names, list) else [str(names)] if names else []
