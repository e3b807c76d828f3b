"""/map: what the page needs to know to draw itself: which layers there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.ogc.asking import terms
from conurb.http.ogc.links import collection_path
from conurb.http.paging import SAFE
from conurb.http.routing import Reply, Route
from conurb.http.schemas import items, obj
from conurb.http.systems import system_layers
from conurb.model.portrayal import LANGUAGES, Form, Layer, layer_document
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.model.vocabulary import find_label
from conurb.regions.layers import KIND as PORTRAYAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conurb.store.contract import TypeInfo

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
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


async def layers(exchange: Exchange) -> Answer:
    """List what can be looked at: layers of the region, of systems, and of every other type."""
    node = await exchange.node()
    infos = {
        terms().compact(one.iri): one for one in await node.consume.list_types(exchange.caller)
    }
    region: dict[str, Any] = {"nodeId": node.id, "tenant": node.tenant}
    listed: list[dict[str, Any]] = []
    for stored in await node.store.list_documents(PORTRAYAL):
        region |= stored.body["region"]
        listed += [dict(one) for one in stored.body["layers"]]
    listed += [layer_document(one) for one in system_layers(node)]
    for name in infos.keys() - {one["type"] for one in listed}:
        plain = await _plain(exchange, name, infos[name])
        if plain is not None:
            listed.append(layer_document(plain))
    for layer in listed:
        info = infos.get(layer["type"])
        layer.update(
            _links(exchange, layer),
            count=0 if info is None else info.entity_count,
            bbox=None,
            time=None,
        )
    listed.sort(key=lambda one: (one["order"], one["id"]))
    return give_json({"region": region, "layers": listed})


async def _plain(exchange: Exchange, name: str, info: TypeInfo) -> Layer | None:
    """Make a layer of a type that nobody says anything of; None when it has no geometry."""
    spaces = [iri for iri, kinds in info.attributes.items() if "GeoProperty" in kinds]
    if not spaces:
        return None
    geometry = next((iri for iri in spaces if terms().compact(iri) == "location"), spaces[0])
    node = await exchange.node()
    query = Query((Selector(types=TypeIs(info.iri)),), attributes=(geometry,), limit=1)
    found = (await node.consume.query(exchange.caller, query)).entities
    values = [one["value"] for entity in found for one in entity.attrs.get(geometry, ())]
    others = [terms().compact(iri) for iri in info.attributes if iri not in spaces]
    title = {lang: find_label(name, lang) or name for lang in LANGUAGES}
    label = next((one for one in ("name", "title", "alternateName") if one in others), None)
    return Layer(
        id="-".join(filter(None, _CAMEL.split(name))).lower(),
        type=name,
        title=title,
        group={"en": "Objects", "zh": "对象"},
        form=FORMS.get(values[0]["type"], "fill") if values else "circle",
        source="",
        licence="",
        geometry=terms().compact(geometry),
        attributes=tuple(others[:SHOWN_MAX]),
        label=label,
    )


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
SCHEMAS: Final[dict[str, Any]] = {
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
                    },
                    required=("id", "type", "title", "items", "tiles"),
                )
            ),
        },
        required=("region", "layers"),
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
    )
