"""/map/search: what can be found by a name: cities, objects, types, layers and their figures.

Objects are found by the beginning of their name or of their id, which indexes serve whatever their
number; types, layers and figures by any part of what they are called, in Chinese or English. Every
find says where it belongs (`path`), where it is, and of which time there is something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError
from conurb.federation.completeness import FederatedAnswer
from conurb.federation.inventory import survey_of, time_document
from conurb.http.completeness import headers_of
from conurb.http.exchange import Answer, Exchange, Header, give_json
from conurb.http.layers import declared_at
from conurb.http.map import LABELS
from conurb.http.ogc.asking import terms
from conurb.http.ogc.collections import titles
from conurb.http.ogc.links import collection_path
from conurb.http.params import Param
from conurb.http.routing import Reply, Route
from conurb.http.schemas import items, obj
from conurb.model.geometry import bounds
from conurb.model.query.tree import And, AttributePath, Compare, Condition, Query, Range
from conurb.model.render.flat import flat_value

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.store.survey import Survey

SEARCH: Final = "/map/search"
LIMIT: Final = 20
"""Finds of each kind, at most."""

TEXT_MAX: Final = 200
LAST: Final = "\U0010ffff"
"""Comes after every character that a name goes on with."""

Q: Final = Param("q", "What is looked for.")
Find = dict[str, Any]


async def search(exchange: Exchange) -> Answer:
    """Find what is called so."""
    text = (exchange.params.text("q") or "").strip()
    if not text or len(text) > TEXT_MAX:
        raise BadRequestDataError(f"q: {text[:50]!r} is not a text of 1 to {TEXT_MAX} characters")
    node = await exchange.node()
    survey = (await survey_of(node, exchange.caller)).survey
    layers = (await declared_at(node)).layers
    entities, headers = await _entities(exchange, text)
    finds = [
        *_limited(_object(one, survey) for one in entities),
        *_limited(_types(text, survey)),
        *_limited(_layers(text, layers, survey)),
        *_limited(_figures(text, layers)),
    ]
    return give_json({"q": text, "finds": finds}, headers=headers)


def _limited(finds: Iterator[Find]) -> list[Find]:
    return [find for _, find in zip(range(LIMIT), finds, strict=False)]


# ── objects ───────────────────────────────────────────────────────────────────────────────────


async def _entities(exchange: Exchange, text: str) -> tuple[list[Entity], list[Header]]:
    """Find objects by the beginning of their name, or of their id; and say who was asked."""
    node = await exchange.node()
    paths = [AttributePath(("id",))]
    wanted = [text]
    if ":" not in text:
        paths = [AttributePath((terms().expand(name),)) for name in LABELS]
        wanted = list(dict.fromkeys((text, text.lower(), text.capitalize(), text.title())))
    found: dict[str, Entity] = {}
    headers: list[Header] = []
    for path in paths:
        for start in wanted:
            query = Query(condition=_begins(path, start), limit=LIMIT)
            if ":" in str(path.steps[0]):
                query = replace(query, attributes=(str(path.steps[0]),))
            answer = await node.consume.query(exchange.caller, query)
            if isinstance(answer, FederatedAnswer):
                headers = headers_of(answer.completeness)
            found |= {one.id: one for one in answer.entities}
        if len(found) >= LIMIT:
            break
    return list(found.values()), headers


def _begins(path: AttributePath, start: str) -> Condition:
    """Give the condition that something begins with a text."""
    if path.steps == ("id",):
        return And((Compare(path, ">=", start), Compare(path, "<", start + LAST)))
    # One text has to lie in the range, not one after its beginning and another before its end.
    return Compare(path, "==", Range(start, start + LAST))


def _object(entity: Entity, survey: Survey) -> Find:
    names = [terms().compact(iri) for iri in entity.types]
    surveyed = survey.get(entity.types[0])
    return {
        "kind": "city" if names == ["City"] else "object",
        "id": entity.id,
        "title": _called(entity),
        "collection": names[0],
        "path": [{"title": titles(names[0])}, *_scoped(entity)],
        "bbox": _box(entity),
        "time": None if surveyed is None else time_document(surveyed),
        "item": f"{collection_path(names[0])}/items/{entity.id}",
    }


def _called(entity: Entity) -> dict[str, str]:
    """Give what an object is called in each language, or its id."""
    for name in LABELS:
        for instance in entity.attrs.get(terms().expand(name), ()):
            said = {lang: flat_value(instance, terms(), lang) for lang in ("en", "zh")}
            if all(isinstance(one, str) for one in said.values()):
                return said
    return {"en": entity.id, "zh": entity.id}


def _scoped(entity: Entity) -> list[Find]:
    parts = entity.scope[0].strip("/").split("/") if entity.scope else []
    return [{"title": {"en": part, "zh": part}} for part in parts]


def _box(entity: Entity) -> list[float] | None:
    for attribute in ("location", "operationSpace", "observationSpace"):
        for instance in entity.attrs.get(terms().expand(attribute), ()):
            if instance["type"] == "GeoProperty":
                return list(bounds(instance["value"]))
    return None


# ── types, layers, figures ────────────────────────────────────────────────────────────────────


def _is_in(text: str, *named: Any) -> bool:
    low = text.casefold()
    for one in named:
        values = one.values() if isinstance(one, Mapping) else (one,)
        if any(isinstance(value, str) and low in value.casefold() for value in values):
            return True
    return False


def _types(text: str, survey: Survey) -> Iterator[Find]:
    for iri, one in survey.items():
        name = terms().compact(iri)
        if _is_in(text, name, titles(name)):
            space = next(iter(one.spaces.values()), None)
            yield {
                "kind": "type",
                "id": name,
                "title": titles(name),
                "collection": name,
                "path": [],
                "count": one.count,
                "bbox": None if space is None else list(space.box),
                "time": time_document(one),
            }


def _layers(text: str, layers: list[dict[str, Any]], survey: Survey) -> Iterator[Find]:
    for layer in layers:
        if _is_in(text, layer["title"], layer["group"], layer["id"]):
            one = survey.get(terms().expand(layer["type"]))
            yield {
                "kind": "layer",
                "id": layer["id"],
                "title": layer["title"],
                "collection": layer["type"],
                "path": [{"title": layer["group"]}],
                "count": 0 if one is None else one.count,
                "time": None if one is None else time_document(one),
            }


def _figures(text: str, layers: list[dict[str, Any]]) -> Iterator[Find]:
    """Find the figures that a layer can be coloured by."""
    for layer in layers:
        for one in layer.get("indicators", ()):
            if _is_in(text, one["label"], one["attribute"], one["note"], one["source"]):
                yield {
                    "kind": "dataset",
                    "id": f"{layer['id']}:{one['attribute']}",
                    "layer": layer["id"],
                    "attribute": one["attribute"],
                    "title": one["label"],
                    "unit": one["unit"],
                    "source": one["source"],
                    "collection": layer["type"],
                    "path": [{"title": layer["group"]}, {"title": layer["title"]}],
                    "years": [one["years"][0], one["years"][-1]],
                }


SCHEMAS: Final[dict[str, Any]] = {
    "MapFinds": obj(
        {
            "q": {"type": "string"},
            "finds": items(
                obj(
                    {
                        "kind": {"enum": ["city", "object", "type", "layer", "dataset"]},
                        "id": {"type": "string"},
                        "title": {"type": "object"},
                        "path": items({"type": "object"}),
                    },
                    required=("kind", "id", "title", "path"),
                )
            ),
        },
        required=("q", "finds"),
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            SEARCH,
            "mapSearch",
            "What is called so: cities, objects, types, layers, figures",
            search,
            "Map",
            params=(Q,),
            accepts=(),
            replies={200: Reply("What was found.", "MapFinds")},
            errors=(400, 404, 503),
        ),
    )
