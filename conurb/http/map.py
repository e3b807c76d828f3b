"""/map: what the page needs to know to draw itself: which layers there are."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from conurb.federation.inventory import (
    COVERAGE_PATH,
    coverage_document,
    survey_of,
    time_document,
)
from conurb.http.completeness import headers_of
from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.indicators import TYPE as INDICATOR
from conurb.http.indicators import indicator_layers
from conurb.http.layers import declared_at
from conurb.http.ogc.asking import terms
from conurb.http.ogc.links import collection_path
from conurb.http.paging import SAFE
from conurb.http.routing import Reply, Route
from conurb.http.schemas import items, obj
from conurb.model.portrayal import LANGUAGES, Form, Layer, layer_document
from conurb.model.time import shown_us
from conurb.model.vocabulary import find_label
from conurb.store.survey import MARKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conurb.store.survey import TypeSurvey

LAYERS: Final = "/map/layers"
"""Where a node says what can be looked at."""
FORMS: Final[dict[str, Form]] = {
    "Point": "circle",
    "MultiPoint": "circle",
    "LineString": "line",
    "MultiLineString": "line",
}
SHOWN_MAX: Final = 8
"""Attributes of a plain layer that are shown first."""
LABELS: Final = ("name", "title", "alternateName", "stationName", "stopName", "routeLongName")
"""Attributes that say what an object is called, the best first."""

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


async def layers(exchange: Exchange) -> Answer:
    """List what can be looked at: layers of the region, of systems, and of every other type."""
    node = await exchange.node()
    surveyed = await survey_of(node, exchange.caller)
    found = {terms().compact(iri): one for iri, one in surveyed.survey.items()}
    declared = await declared_at(node)
    region, listed = {"nodeId": node.id, "tenant": node.tenant, **declared.region}, declared.layers
    if INDICATOR in found:
        listed += await indicator_layers(exchange)
    for name in sorted(found.keys() - {one["type"] for one in listed}):
        plain = plain_layer(name, found[name])
        if plain is not None:
            listed.append(layer_document(plain))
    for layer in listed:
        layer.update(_links(exchange, layer), **_covered(layer, found.get(layer["type"])))
    region.setdefault("title", dict.fromkeys(LANGUAGES, node.tenant or node.id))
    region.setdefault("bbox", _whole_box(listed))
    listed.sort(key=lambda one: (one["order"], one["id"]))
    headers = headers_of(surveyed.completeness)
    document = {"region": region, "layers": listed, "asOf": shown_us(surveyed.at_us)}
    return give_json(document, headers=headers)


def plain_layer(name: str, survey: TypeSurvey) -> Layer | None:
    """Make a layer of a type that nobody says anything of; None when it has no geometry."""
    spaces = [iri for iri, kinds in survey.attributes.items() if "GeoProperty" in kinds]
    if not spaces:
        return None
    geometry = next((iri for iri in spaces if terms().compact(iri) == "location"), spaces[0])
    space = survey.spaces.get(geometry)
    kinds = sorted(space.kinds) if space is not None else []
    others = [terms().compact(iri) for iri in sorted(survey.attributes) if iri not in spaces]
    label = next((one for one in LABELS if one in others), None)
    return Layer(
        id=layer_id(name),
        type=name,
        title={lang: find_label(name, lang) or name for lang in LANGUAGES},
        group={"en": "Objects", "zh": "对象"},
        form=FORMS.get(kinds[0], "fill") if kinds else "circle",
        source="",
        licence="",
        geometry=terms().compact(geometry),
        attributes=tuple(others[:SHOWN_MAX]),
        label=label,
    )


def layer_id(name: str) -> str:
    """Make the id of a plain layer out of the name of its type.

    >>> layer_id("AirQualityObserved")
    'air-quality-observed'
    """
    words = "-".join(filter(None, _CAMEL.split(name))).lower()
    # A name without any letter of these would leave nothing to tell it by.
    return words or f"type-{blake2b(name.encode(), digest_size=6).hexdigest()}"


def _covered(layer: Mapping[str, Any], survey: TypeSurvey | None) -> dict[str, Any]:
    """Say how much there is of a layer, where, and of which time."""
    if survey is None:
        return {"count": 0, "bbox": None, "time": None}
    made = next((mark for mark in MARKS if mark in survey.marks), None)
    space = survey.spaces.get(terms().expand(layer["geometry"].partition("@")[0]))
    return {
        "count": survey.count,
        "bbox": None if space is None else list(space.box),
        "time": time_document(survey),
        # What objects say of themselves comes before what is said of them all.
        **({} if made is None else {"provenance": made}),
    }


def _whole_box(listed: list[dict[str, Any]]) -> list[float] | None:
    boxes = [one["bbox"] for one in listed if one["bbox"] is not None]
    if not boxes:
        return None
    return [choose(box[n] for box in boxes) for n, choose in enumerate((min, min, max, max))]


async def coverage(exchange: Exchange) -> Answer:
    """Say what there is of each type: how many, where, and of which time."""
    surveyed = await survey_of(await exchange.node(), exchange.caller)
    types = coverage_document(surveyed.survey)
    document = {"types": types, "asOf": shown_us(surveyed.at_us)}
    return give_json(document, headers=headers_of(surveyed.completeness))


def _links(exchange: Exchange, layer: Mapping[str, Any]) -> dict[str, Any]:
    """Say where a layer's objects are: as features, and as tiles."""
    path = collection_path(layer["type"])
    asked = {} if layer["geometry"] == "location" else {"geometry": layer["geometry"]}
    shown = dict.fromkeys(filter(None, (layer["label"], layer["attribute"], *layer["attributes"])))
    if shown:
        asked["properties"] = ",".join(shown)
    if layer["q"]:
        asked["q"] = layer["q"]
    query = f"?{urlencode(asked, safe=SAFE + ',', quote_via=quote)}" if asked else ""
    return {
        "collection": layer["type"],
        "items": f"{path}/items",
        "tiles": f"{path}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}{query}",
    }


_NAMES: Final = obj({"en": {"type": "string"}, "zh": {"type": "string"}})
_TIME: Final = {"type": "string", "format": "date-time"}
SCHEMAS: Final[dict[str, Any]] = {
    "MapCoverage": obj(
        {
            "types": items(
                obj(
                    {
                        "collection": {"type": "string"},
                        "count": {"type": "integer"},
                        "attributes": {"type": "object"},
                        "spaces": {"type": "object"},
                        "time": {"type": ["array", "null"], "items": {"type": "string"}},
                        "marks": items({"type": "string"}),
                    },
                    required=("collection", "count", "time"),
                )
            ),
            "asOf": _TIME,
        },
        required=("types", "asOf"),
    ),
    "MapLayers": obj(
        {
            "region": obj({"title": _NAMES, "bbox": items({"type": "number"})}),
            "layers": items(
                obj(
                    {
                        "id": {"type": "string"},
                        "type": {"type": "string"},
                        "title": _NAMES,
                        "collection": {"type": "string"},
                        "items": {"type": "string"},
                        "tiles": {"type": "string"},
                        "count": {"type": "integer"},
                        "provenance": {"type": ["string", "null"]},
                    },
                    required=("id", "type", "title", "items", "tiles"),
                )
            ),
            "asOf": _TIME,
        },
        required=("region", "layers", "asOf"),
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            LAYERS,
            "mapLayers",
            "What of this node can be looked at on a map",
            layers,
            "Map",
            accepts=(),
            replies={200: Reply("The layers.", "MapLayers")},
            errors=(404,),
        ),
        Route(
            "GET",
            COVERAGE_PATH,
            "mapCoverage",
            "How much there is of each type, where, and of which time",
            coverage,
            "Map",
            accepts=(),
            replies={200: Reply("What there is.", "MapCoverage")},
            errors=(404,),
        ),
    )
