"""What a region pack shows on a map: its cities, coloured by any of its figures.

`load` keeps it in the region's store, so that a node can say it (`/map/layers`) without the pack.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from conurb.model.portrayal import Layer, layer_document
from conurb.model.render.flat import flat_key
from conurb.model.vocabulary import find_label

if TYPE_CHECKING:
    from conurb.regions.figures import Column
    from conurb.regions.pack import Pack

KIND: Final = "portrayal"
"""Kind of the documents that say what a node shows beyond its systems."""

_CHOICES: Final = (min, min, max, max)

FIRST: Final = "population"
"""The figure that colours the cities until the reader chooses another one."""


def portrayal_of(pack: Pack) -> dict[str, Any]:
    """Say what a pack shows, as a JSON document: the region, and its layers with their figures."""
    definition = pack.definition
    boxes = [_bounds(city.boundary) for city in pack.cities]
    return {
        "region": {
            "id": definition.id,
            "title": dict(definition.name),
            "timezone": definition.timezone.key,
            "bbox": [choose(box[n] for box in boxes) for n, choose in enumerate(_CHOICES)],
        },
        "layers": [{**layer_document(_cities(pack)), "indicators": _indicators(pack)}],
    }


def _cities(pack: Pack) -> Layer:
    provenance = pack.provenance
    return Layer(
        id="cities",
        type="City",
        title={"en": "Cities", "zh": "城市"},
        group={"en": "Region", "zh": "区域"},
        form="choropleth",
        source=str(provenance["source"]),
        licence=str(provenance["licence"]),
        attribute=FIRST if _indicators(pack) else None,
        attributes=("name", "province", "role", FIRST),
        label="name",
        visible=True,
        order=0,
    )


def _indicators(pack: Pack) -> list[dict[str, Any]]:
    if pack.sources is None:
        return []
    years: defaultdict[str, set[int]] = defaultdict(set)
    for figure in pack.iter_figures():
        years[figure.column.name].add(figure.year)
    return [
        _indicator(column, sorted(years[column.name]))
        for column in pack.sources.columns
        if column.name in years
    ]


def _indicator(column: Column, years: list[int]) -> dict[str, Any]:
    label = {lang: find_label(column.attribute, lang) or column.attribute for lang in ("en", "zh")}
    return {
        "attribute": flat_key(column.attribute, column.dataset),
        "label": label,
        "unit": column.unit,
        "years": years,
        "note": column.note,
        "source": column.source.title,
        "licence": column.source.licence,
    }


def _bounds(geometry: Any) -> tuple[float, float, float, float]:
    from conurb.model.geometry import bounds

    return bounds(dict(geometry))
