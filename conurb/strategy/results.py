"""Results as objects of the region: an index becomes KeyPerformanceIndicator objects, one per city.

They belong to the node of the region, refer to their City, and say by which version of which
definition and from which figures they were computed; their values are history by period. Nothing is
written onto a city's own object. Attributes are those of the Smart Data Models
(dataModel.KeyPerformanceIndicator 0.2.1) where they have one; the others are the platform's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from conurb import __version__
from conurb.errors import ConflictError, NotFoundError
from conurb.regions.objects import city_id, end_of_year
from conurb.regions.pack import Pack
from conurb.strategy.index.score import Scores

TYPE: Final = "KeyPerformanceIndicator"
DIGITS: Final = 10
"""Values are rounded to so many digits, so that the order of sums doesn't make new history."""
_ENTITIES: Final = "/ngsi-ld/v1/entityOperations/upsert"
_HISTORY: Final = "/ngsi-ld/v1/temporal/entities"

Document = dict[str, Any]
"""A raw JSON document of the API."""


class Writer(Protocol):
    """Whoever can ask a node and write to it: a connection of `conurb.connect`."""

    def query(
        self, type: str | None = None, *, limit: int | None = None, **params: str
    ) -> list[Document]:
        """Give the objects that a query finds."""
        ...

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        """Ask the node; raise what it answers as an error."""
        ...


@dataclass(frozen=True, slots=True)
class Indicator:
    """One city's indicator: its object without values, and the history of its values."""

    id: str
    object: Document
    history: Document


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did: the indicators there are, those written, and the hash of their input."""

    definition: str
    version: str
    digest: str
    indicators: int
    written: int


def indicator_id(region: str, definition: str, city: str) -> str:
    """Give the id of a city's indicator.

    >>> indicator_id("yrd", "green-development", "wuxi")
    'urn:ngsi-ld:KeyPerformanceIndicator:yrd:green-development:wuxi'
    """
    return f"urn:ngsi-ld:{TYPE}:{region}:{definition}:{city}"


def indicators_of(scores: Scores, pack: Pack) -> list[Indicator]:
    """Make the indicators of an index, of the cities that have a score in some year.

    NotFoundError when the scores hold a city that the pack hasn't.
    """
    cities = {city.id: city for city in pack.cities}
    unknown = [unit for unit in scores.panel.units if unit not in cities]
    if unknown:
        raise NotFoundError(f"The region {pack.definition.id!r} has no city {unknown[0]!r}")
    ranks = scores.ranks()
    made = []
    for i, unit in enumerate(scores.panel.units):
        years = [
            (t, year)
            for t, year in enumerate(scores.panel.years)
            if math.isfinite(float(scores.score[i, t]))
        ]
        if not years:
            continue
        identity = indicator_id(pack.definition.id, scores.definition.id, unit)
        history: Document = {"id": identity, "type": TYPE, "kpiValue": [], "rank": []}
        for t, year in years:
            said = {
                "observedAt": end_of_year(year, pack.definition.timezone),
                "period": _text(str(year)),
                "inputHash": _text(scores.digest),
            }
            value = round(float(scores.score[i, t]), DIGITS)
            history["kpiValue"].append({"type": "Property", "value": value, **said})
            history["rank"].append({"type": "Property", "value": int(ranks[i, t]), **said})
        span = (years[0][1], years[-1][1])
        document = _object(scores, pack, identity, unit, span)
        document["location"] = {"type": "GeoProperty", "value": dict(cities[unit].boundary)}
        document["organization"] = _text(cities[unit].name["zh"])
        made.append(Indicator(identity, document, history))
    return made


def publish(writer: Writer, scores: Scores, pack: Pack) -> Published:
    """Write the indicators of an index to the region's node; what is there already stays.

    An indicator is written again only when its definition's version or the hash of its input has
    changed; values of the same period are then replaced. Raises ConflictError for what the node
    refuses.
    """
    definition = scores.definition
    known = {
        one["id"]: (one.get("definitionVersion"), one.get("inputHash"))
        for one in writer.query(
            TYPE,
            q=f'definition=="{definition.id}"',
            options="keyValues",
            pick="id,type,definitionVersion,inputHash",
        )
    }
    made = indicators_of(scores, pack)
    new = [one for one in made if known.get(one.id) != (definition.version, scores.digest)]
    if new:
        # The object comes last: only then does its hash say that its values are there.
        for one in new:
            writer.request("POST", _HISTORY, body=one.history)
        answer = writer.request(
            "POST", _ENTITIES, params={"options": "update"}, body=[one.object for one in new]
        )
        _check(answer)
    return Published(definition.id, definition.version, scores.digest, len(made), len(new))


def _object(
    scores: Scores, pack: Pack, identity: str, unit: str, span: tuple[int, int]
) -> Document:
    definition, method = scores.definition, scores.method
    names = next(city.name for city in pack.cities if city.id == unit)
    how = f"{method.normalisation}, weights {method.weighting}, {method.aggregation} mean"
    labels: Sequence[str] = scores.labels
    return {
        "id": identity,
        "type": TYPE,
        "name": {
            "type": "LanguageProperty",
            "languageMap": {
                lang: f"{names[lang]} · {definition.name[lang]}" for lang in ("zh", "en")
            },
        },
        "refCity": {"type": "Relationship", "object": city_id(unit)},
        "process": _text(definition.id),
        "calculatedBy": _text(f"conurb {__version__}"),
        "calculationMethod": _text("automatic"),
        "calculationFormula": _text(how),
        "calculationFrequency": _text("yearly"),
        "calculationPeriod": {
            "type": "Property",
            "value": {"from": f"{span[0]}-01-01", "to": f"{span[1]}-12-31"},
        },
        "definition": _text(definition.id),
        "definitionName": {"type": "LanguageProperty", "languageMap": dict(definition.name)},
        "definitionVersion": _text(definition.version),
        "inputHash": _text(scores.digest),
        "note": {"type": "Property", "value": list(labels)},
        "source": _text(definition.source),
    }


def _text(value: str) -> Document:
    return {"type": "Property", "value": value}


def _check(answer: Any) -> None:
    """Raise ConflictError with the first of what a batch was refused for (207)."""
    if answer.status_code != 207:
        return
    errors = answer.json().get("errors", [])
    if errors:
        raise ConflictError(f"{len(errors)} indicators were refused, the first: {errors[0]}")
