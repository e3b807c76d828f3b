"""Measuring how fresh a node's objects are: by counts that the node's engine makes.

Nothing is pulled but numbers and two objects, the newest and the oldest. A node of the same process
is asked in its store; one elsewhere by queries of the standard, narrowed to what it holds itself
(`local`), in an @context that goes along, so that any NGSI-LD broker can be measured.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Protocol

from conurb.access.caller import Caller
from conurb.errors import BadRequestDataError, ConurbError, InputError, SourceError
from conurb.federation.agreements import (
    AGREED_SHARE,
    AGREED_TYPE,
    AGREEMENT,
    CONTACT,
    MAX_AGE,
    MEASURED_BY,
    SHARES,
    VALID_FROM,
    VALID_TO,
    Agreement,
    Measure,
    read_agreement,
)
from conurb.federation.asking import ordering
from conurb.federation.reading import read_entity
from conurb.federation.wire import JSON_LD, Reply, Wire, Wording
from conurb.federation.wording import order_params, write_q
from conurb.model.context import compile_context
from conurb.model.entity import Entity
from conurb.model.query.tree import (
    AttributePath,
    Compare,
    Exists,
    Moment,
    OrderBy,
    Query,
    Selector,
    TypeIs,
)
from conurb.model.time import US_PER_S, fixed, fixed_us
from conurb.store.contract import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conurb.model.query.tree import Condition
    from conurb.model.registration import Registration
    from conurb.store.contract import Store

AGREEMENTS_MAX: Final = 200
"""Agreements that are read of one node; more are left out, and said to be."""
OFFSET_S_MIN: Final = 2.0
"""Differences of two clocks below this are those of a header that knows whole seconds."""

QUERY_PATH: Final = "/entityOperations/query"


class Source(Protocol):
    """A node whose own objects can be asked for.

    `offset_us` is how far its clock was ahead of this node's when it answered last.
    """

    @property
    def offset_us(self) -> int:
        """Give how far the node's clock is ahead."""
        ...

    async def query(self, query: Query) -> Page:
        """Query the objects that the node itself holds."""
        ...


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A node of this process."""

    open: Callable[[], Awaitable[Store]]
    offset_us: int = 0

    async def query(self, query: Query) -> Page:
        """Query the objects that the node itself holds."""
        return await (await self.open()).query(query)


class RemoteSource:
    """A node elsewhere, asked by a query document."""

    def __init__(
        self, registration: Registration, wire: Wire, *, alias: str, clock: Callable[[], int]
    ) -> None:
        # What is measured has to be so now, whatever may be given again.
        self._registration = replace(registration, cache_us=None)
        self._wire = wire
        self._caller = Caller("region", frozenset({"read"}), via=(alias,))
        self._clock = clock
        self.offset_us = 0

    async def query(self, query: Query) -> Page:
        """Query the objects that the node itself holds.

        Raises SourceError when it doesn't answer, or not in NGSI-LD.
        """
        names = {f"name{n}": iri for n, iri in enumerate(sorted(_names_of(query)))}
        wording = Wording(compile_context(names, _no_document), None, names)
        params = {"limit": str(query.limit), "local": "true", "options": "sysAttrs"}
        if query.count:
            params["count"] = "true"
        reply = await self._wire.send(
            self._registration,
            "POST",
            QUERY_PATH,
            caller=self._caller,
            wording=wording,
            params=params,
            document=_document(query, wording),
        )
        self._hear_time(reply.headers)
        if reply.status == 404:
            return Page([], total=0)
        if reply.status >= 400:
            raise SourceError(reply.error("the node").detail)
        total = reply.headers.get("ngsild-results-count", "")
        if query.count and not total.isdigit():
            raise SourceError("the answer lacks a count", code=111)
        entities = [self._read(one, wording) for one in _items(reply)]
        return Page(entities, total=int(total) if query.count else None)

    def _read(self, document: object, wording: Wording) -> Entity:
        try:
            return read_entity(document, wording.terms)
        except (InputError, RecursionError) as error:
            said = error.detail if isinstance(error, ConurbError) else "nested too deep"
            raise SourceError(f"the answer isn't NGSI-LD: {said:.300}", code=111) from error

    def _hear_time(self, headers: Mapping[str, str]) -> None:
        """Take note of how far the node's clock is from this one's, as far as its answer says."""
        try:
            there = parsedate_to_datetime(headers.get("date", "")).timestamp()
        except (TypeError, ValueError):
            return
        ahead_us = round(there * US_PER_S) - self._clock()
        self.offset_us = ahead_us if abs(ahead_us) > OFFSET_S_MIN * US_PER_S else 0


def _names_of(query: Query) -> set[str]:
    """Give every IRI that a query of this module speaks of, or that its answer may bring."""
    types = {one.types.iri for one in query.selectors if isinstance(one.types, TypeIs)}
    paths = [one.path for one in query.order]
    if isinstance(query.condition, Compare | Exists):
        paths.append(query.condition.path)
    steps = {step for path in paths for step in path.steps if isinstance(step, str)}
    return types | {step for step in steps if ":" in step} | set(query.attributes)


def _no_document(url: str) -> object:
    raise BadRequestDataError(f"{url}: an @context of names alone has no document")


def _document(query: Query, wording: Wording) -> dict[str, object]:
    terms = wording.terms
    types = [one.types for one in query.selectors]
    document: dict[str, object] = {
        "type": "Query",
        "entities": [{"type": terms.compact(one.iri)} for one in types if isinstance(one, TypeIs)],
    }
    if query.attributes:
        document["attrs"] = [terms.compact(one) for one in query.attributes]
    if query.condition is not None:
        document["q"] = write_q(query.condition, terms)
    if query.order:
        document["ordering"] = ordering(order_params(query.order, terms))
    return document


def _items(reply: Reply) -> list[object]:
    document = reply.document
    if document is None:
        return []
    if not isinstance(document, list):
        raise SourceError(f"the answer is not a list of entities in {JSON_LD}", code=111)
    return document


# ── what is asked ─────────────────────────────────────────────────────────────────────────────

_SAID: Final = (
    AGREED_TYPE,
    MAX_AGE,
    MEASURED_BY,
    AGREED_SHARE,
    VALID_FROM,
    VALID_TO,
    CONTACT,
)


async def read_agreements(source: Source) -> tuple[list[Agreement], list[str]]:
    """Read what a node promises; give the agreements, and what is wrong with those left out."""
    query = Query(
        selectors=(Selector(types=TypeIs(AGREEMENT)),),
        attributes=_SAID,
        limit=AGREEMENTS_MAX,
        count=True,
    )
    page = await source.query(query)
    found, faults = [], []
    for entity in page.entities:
        try:
            found.append(read_agreement(entity))
        except BadRequestDataError as error:
            faults.append(error.detail)
    left = (page.total or 0) - len(page.entities)
    if left > 0:
        faults.append(f"{left} agreements more than the {AGREEMENTS_MAX} that are read of a node")
    return found, faults


async def measure(source: Source, agreement: Agreement, *, clock: Callable[[], int]) -> Measure:
    """Measure how old the objects of an agreement are; what fails with the node is raised.

    Times of the node's own clock (the last change) are compared with that clock, others with this
    node's.
    """
    attribute = agreement.attribute
    name = AttributePath(("modifiedAt",) if attribute is None else (attribute, "observedAt"))
    newest = await source.query(_query(agreement, order=(OrderBy(name, descending=True),), limit=1))
    at_us = clock()
    now_us = at_us + (source.offset_us if attribute is None else 0)
    count = newest.total or 0
    if not count:
        return Measure(at_us, 0, 0, (0,) * len(SHARES), 0, None, None)
    oldest = await source.query(_query(agreement, order=(OrderBy(name),), limit=1))

    async def counted(condition: Condition) -> int:
        # What comes between two counts belongs to the next measure.
        return min(count, (await source.query(_query(agreement, condition=condition))).total or 0)

    def since(us: int) -> Compare:
        return Compare(name, ">=", Moment(fixed(us), us))

    dated = count if attribute is None else await counted(Exists(name))
    within = [await counted(since(now_us - round(s * agreement.max_age_us))) for s in SHARES]
    return Measure(
        at_us=at_us,
        count=count,
        dated=dated,
        within=tuple(within),
        ahead=await counted(since(now_us + round(OFFSET_S_MIN * US_PER_S))),
        newest_us=_time(newest, attribute),
        oldest_us=_time(oldest, attribute),
    )


def _query(
    agreement: Agreement,
    *,
    condition: Condition | None = None,
    order: tuple[OrderBy, ...] = (),
    limit: int = 0,
) -> Query:
    return Query(
        selectors=(Selector(types=TypeIs(agreement.type)),),
        condition=condition,
        order=order,
        limit=limit,
        count=True,
    )


def _time(page: Page, attribute: str | None) -> int | None:
    """Give the time of the first entity of a page: of its attribute, or of its last change."""
    if not page.entities:
        return None
    entity = page.entities[0]
    if attribute is None:
        return entity.modified_at
    times = [one["observedAt"] for one in entity.attrs.get(attribute, ()) if "observedAt" in one]
    return fixed_us(max(times)) if times else None
