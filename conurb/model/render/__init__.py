"""From the internal form to the documents that callers read.

| function | writes |
|---|---|
| `render_entity(entity, terms, view)` | one entity |
| `render_flat(entities, terms, view)` | entities, and those linked to them, in one array |
| `render_geojson_feature(entity, terms, view)` | one entity as a GeoJSON Feature |
| `render_geojson_collection(entities, terms, view)` | several as a FeatureCollection |
| `render_evolution(evolution, terms, view, *, form, timeproperty)` | the history of an entity |

What is given, and in which form, is said by a `View`.
"""

from conurb.model.query.select import Projection
from conurb.model.render.entity import (
    render_entity,
    render_flat,
    render_geojson_collection,
    render_geojson_feature,
)
from conurb.model.render.evolution import TemporalForm, render_evolution
from conurb.model.render.language import parse_lang
from conurb.model.render.view import View

__all__ = [
    "Projection",
    "TemporalForm",
    "View",
    "parse_lang",
    "render_entity",
    "render_evolution",
    "render_flat",
    "render_geojson_collection",
    "render_geojson_feature",
]
