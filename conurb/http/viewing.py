"""How entities are written in an answer: the representation asked for, then the media type.

`options` and `format` choose among normalized, concise and simplified (6.3.7); GeoJSON is a media
type and combines with all of them (4.5.16).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.http.asking import check_depth, read_attrs
from conurb.http.exchange import Answer, Exchange, Header
from conurb.http.params import Params
from conurb.http.routing import GEO_JSON, JSON
from conurb.model.compatibility import amended, version_of
from conurb.model.query.select import Projection, parse_datasets, parse_projection
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


def read_view(params: Params, terms: Terms, *, media: str = JSON, join: Join | None = None) -> View:
    """Read how entities are to be written, in a media type and with a join.

    Raises BadRequestDataError when parameters contradict each other: pick or omit with attrs, a
    member in both, linked members deeper than the join goes, a geometry for what isn't GeoJSON
    (clauses 5.7.1.4, 5.7.2.4).
    """
    if not params.values:
        return PLAIN
    pick, omit = params.items("pick"), params.items("omit")
    geometry = params.text("geometryProperty")
    if (pick or omit) and "attrs" in params:
        raise BadRequestDataError("attrs: can't go together with pick or omit")
    if geometry is not None and media != GEO_JSON:
        raise BadRequestDataError(f"geometryProperty: goes with Accept: {GEO_JSON} alone")
    view = View(
        representation=read_form(params),
        sys_attrs=params.option("sysAttrs") or params.flag("sysAttrs"),
        lang=params.text("lang"),
        pick=parse_projection(pick, terms, name="pick") if pick else (),
        omit=parse_projection(omit, terms, name="omit") if omit else (),
        attrs=frozenset(read_attrs(params, terms)) if "attrs" in params else None,
        datasets=parse_datasets(params.items("datasetId")),
    )
    _check_members(view, join)
    return view if geometry is None else replace(view, geometry_property=terms.expand(geometry))


def _check_members(view: View, join: Join | None) -> None:
    both = {one.name for one in view.pick if not one.inner} & {
        one.name for one in view.omit if not one.inner
    }
    if both:
        raise BadRequestDataError(f"pick and omit: {', '.join(sorted(both))} is in both")
    deepest = max((_depth(one) for one in (*view.pick, *view.omit)), default=0)
    check_depth(deepest, join, name="pick and omit")


def _depth(projection: Projection) -> int:
    """Give how many links a projection follows."""
    return max((1 + _depth(inner) for inner in projection.inner), default=0)


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
    """Answer with one entity, or with it and its linked entities for a flat join that finds any.

    Raises NotFoundError when a projection leaves nothing of it (clause 5.7.1.4).
    """
    entity, status = _preferred(exchange, entity, terms)
    flat = join is not None and join.form == "flat"
    document: Any
    if exchange.media == GEO_JSON:
        document = render_geojson_feature(entity, terms, view)
        if flat:
            collection = _collection([entity], terms, view, flat=True)
            document = collection if len(collection["features"]) > 1 else document
    elif flat:
        found = render_flat([entity], terms, view)
        document = found if len(found) > 1 else found[0]
    else:
        document = render_entity(entity, terms, view)
    if not document:
        raise NotFoundError(f"entity {entity.id!r} has none of the members asked for")
    return await exchange.give(document, terms, status=status, headers=headers)


def _preferred(exchange: Exchange, entity: Entity, terms: Terms) -> tuple[Entity, int]:
    """Give an entity as the caller's version of the standard can say it, and the status."""
    wanted = exchange.preferences.version
    if wanted is None:
        return entity, 200
    changed = amended(entity, version_of(wanted), terms)
    return changed, 200 if changed is entity else 203


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
    """Answer with a list of entities, linked ones after them for a flat join.

    An entity of which a projection leaves nothing isn't given.
    """
    flat = join is not None and join.form == "flat"
    if exchange.preferences.version is not None:
        preferred = [_preferred(exchange, one, terms) for one in entities]
        entities = [one for one, _ in preferred]
        status = max([status, *(changed for _, changed in preferred)])
    document: Any
    if exchange.media == GEO_JSON:
        document = _collection(entities, terms, view, flat=flat)
    elif flat:
        document = render_flat(entities, terms, view)
    else:
        document = [render_entity(one, terms, view) for one in entities]
    if isinstance(document, list) and not view.takes_all:
        document = [one for one in document if one]
    return await exchange.give(document, terms, status=status, headers=headers)


def _collection(entities: list[Entity], terms: Terms, view: View, *, flat: bool) -> dict[str, Any]:
    if not flat:
        return render_geojson_collection(entities, terms, view)
    features = [render_geojson_feature(one, terms, seen) for one, seen in flatten(entities, view)]
    return {"type": "FeatureCollection", "features": features}
