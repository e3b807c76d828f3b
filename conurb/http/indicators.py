"""Published indicators on the map: a layer for every definition whose values a node holds.

Strategy writes KeyPerformanceIndicator objects; which definitions there are, and of which years, is
asked of the objects themselves, so that a new index needs no change here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from conurb.http.ogc.asking import terms
from conurb.model.portrayal import LANGUAGES, Layer, layer_document
from conurb.model.query.tree import Query, Selector, TypeIs

if TYPE_CHECKING:
    from conurb.http.exchange import Exchange
    from conurb.model.entity import Entity

TYPE: Final = "KeyPerformanceIndicator"
VALUE: Final = "kpiValue"
OBJECTS_MAX: Final = 1_000
"""How many indicators are looked at for their definitions."""
_READ: Final = ("definition", "definitionName", "definitionVersion", "calculationPeriod", "source")
_PLAIN: Final = re.compile(r"[^a-z0-9]+")


async def indicator_layers(exchange: Exchange) -> list[dict[str, Any]]:
    """List a layer for each definition of the indicators that the caller may read."""
    node = await exchange.node()
    query = Query(
        selectors=(Selector(types=TypeIs(terms().expand(TYPE))),),
        attributes=tuple(terms().expand(one) for one in _READ),
        limit=OBJECTS_MAX,
    )
    answer = await node.consume.query(exchange.caller, query)
    found: dict[str, Entity] = {}
    years: dict[str, set[int]] = {}
    for entity in answer.entities:
        name = _value(entity, "definition")
        if isinstance(name, str):
            found.setdefault(name, entity)
            years.setdefault(name, set()).update(_years(_value(entity, "calculationPeriod")))
    return [_layer(name, one, sorted(years[name])) for name, one in sorted(found.items())]


def _layer(definition: str, entity: Entity, years: list[int]) -> dict[str, Any]:
    title = _names(entity, definition)
    source = str(_value(entity, "source") or "")
    layer = Layer(
        id=f"indicator-{_PLAIN.sub('-', definition.lower()).strip('-') or 'unnamed'}",
        type=TYPE,
        title=title,
        group={"en": "Strategy", "zh": "战略"},
        form="choropleth",
        source=source,
        licence="Apache-2.0",
        attribute=VALUE,
        attributes=("name", VALUE, "rank", "definitionVersion", "refCity"),
        label="name",
        q=f'definition=="{definition}"',
        provenance="modelled",
        order=50,
    )
    indicator = {
        "attribute": VALUE,
        "label": title,
        "unit": None,
        "years": years,
        "note": f"{definition}, version {_value(entity, 'definitionVersion')}",
        "source": source,
        "licence": layer.licence,
    }
    return {**layer_document(layer), "indicators": [indicator]}


def _years(period: Any) -> range:
    """Give the years of a period from..to; none of what isn't one."""
    try:
        return range(int(str(period["from"])[:4]), int(str(period["to"])[:4]) + 1)
    except (TypeError, KeyError, ValueError):
        return range(0)


def _names(entity: Entity, definition: str) -> dict[str, str]:
    instance = entity.instance(terms().expand("definitionName")) or {}
    given = instance.get("languageMap") or {}
    return {lang: str(given.get(lang) or definition) for lang in LANGUAGES}


def _value(entity: Entity, name: str) -> Any:
    instance = entity.instance(terms().expand(name))
    return None if instance is None else instance.get("value")
