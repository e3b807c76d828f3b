"""How entities are written in an answer: the representation asked for, then the media type.

`options` and `format` choose among normalized, concise and simplified (6.3.7); GeoJSON is a media
type and combines with all of them (4.5.16).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from conurb.http.asking import read_attrs
from conurb.http.exchange import Answer, Exchange, Header
from conurb.http.params import Params
from conurb.http.routing import GEO_JSON
from conurb.model.query.select import parse_datasets, parse_projection
from conurb.model.render import (
    View,
    render_entity,
    render_flat,
    render_geojson_collection,
    render_geojson_feature,
)
from conurb.model.render.entity import flatten

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.model.entity import Entity
    from conurb.node.join import Join

Representation = Literal["normalized", "concise", "simplified"]

ENTITY_OPTIONS: Final = ("normalized", "concise", "simplified", "keyValues", "sysAttrs", "count")
"""Keywords of `options` for entities: representations, system times, and the old way to count."""

_FORMS: Final[dict[str, Representation]] = {
    "normalized": "normalized",
    "concise": "concise",
    "simplified": "simplified",
    "keyValues": "simplified",
}
PLAIN: Final = View()


def read_form(params: Params) -> Representation:
    """Read the representation; `format` goes before `options` (6.3.7)."""
    form = params.text("format")
    if form is not None:
        return _FORMS[form]
    for keyword in params.items("options"):
        if keyword in _FORMS:
            return _FORMS[keyword]
    return "normalized"


def read_view(params: Params, terms: Terms) -> View:
    """Read how entities are to be written."""
    if not params.values:
        return PLAIN
    pick, omit = params.items("pick"), params.items("omit")
    geometry = params.text("geometryProperty")
    view = View(
        representation=read_form(params),
        sys_attrs=params.option("sysAttrs") or params.flag("sysAttrs"),
        lang=params.text("lang"),
        pick=parse_projection(pick, terms, name="pick") if pick else (),
        omit=parse_projection(omit, terms, name="omit") if omit else (),
        attrs=frozenset(read_attrs(params, terms)) if "attrs" in params else None,
        datasets=parse_datasets(params.items("datasetId")),
    )
    return view if geometry is None else replace(view, geometry_property=terms.expand(geometry))


def inlined(join: Join | None) -> Join | None:
    """Ask for linked entities inside of their relationships, from where a flat answer is written.

    So that a projection of linked entities (`pick=owner{name}`) means the same in both forms.
    """
    return None if join is None else replace(join, form="inline")


async def give_entity(
    exchange: Exchange,
    entity: Entity,
    terms: Terms,
    view: View,
    *,
    join: Join | None = None,
    headers: list[Header] | None = None,
) -> Answer:
    """Answer with one entity, or with it and its linked entities for a flat join."""
    if join is not None and join.form == "flat":
        return await give_entities(exchange, [entity], terms, view, join=join, headers=headers)
    if exchange.media == GEO_JSON:
        document = render_geojson_feature(entity, terms, view)
        return await exchange.give(document, terms, headers=headers)
    return await exchange.give(render_entity(entity, terms, view), terms, headers=headers)


async def give_entities(
    exchange: Exchange,
    entities: list[Entity],
    terms: Terms,
    view: View,
    *,
    join: Join | None = None,
    headers: list[Header] | None = None,
    status: int = 200,
) -> Answer:
    """Answer with a list of entities, linked ones after them for a flat join."""
    flat = join is not None and join.form == "flat"
    document: Any
    if exchange.media == GEO_JSON:
        document = _collection(entities, terms, view, flat=flat)
    elif flat:
        document = render_flat(entities, terms, view)
    else:
        document = [render_entity(one, terms, view) for one in entities]
    return await exchange.give(document, terms, headers=headers, status=status)


def _collection(entities: list[Entity], terms: Terms, view: View, *, flat: bool) -> dict[str, Any]:
    if not flat:
        return render_geojson_collection(entities, terms, view)
    features = [render_geojson_feature(one, terms, seen) for one, seen in flatten(entities, view)]
    return {"type": "FeatureCollection", "features": features}
