"""Who answered, as headers: every answer of a region says who was asked and who was missing.

`Conurb-Completeness: 41/42` says how many of the nodes that were asked answered; `; count=sum`
behind it, that the count is the sum of theirs (an id that two of them have counts twice). Every
node that didn't answer has an `NGSILD-Warning` of its own (clause 6.3.17, in the form of RFC 7234,
section 5.5). With `strict=true`, or the header `Conurb-Strict: true`, an answer that lacks a node
is a 503 that says which. `Conurb-Copies: wuxi; age=12` names a node that didn't answer itself:
copies of what it has did, that many seconds old. Such a node isn't missing. Nor is one that wasn't
asked because nothing of this lies with it: `Conurb-Skipped: suzhou; age=3; reason="..."` says so,
and how old that knowledge is.

Who sends `Conurb-Completeness: body` with a read gets all of it in the body as well:
`{"answer": what would have been the body, "completeness": {...}}`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from conurb.federation.completeness import (
    Completeness,
    FederatedAnswer,
    FederatedEvolutionPage,
    IncompleteError,
)
from conurb.federation.history import FederatedTemporal
from conurb.federation.spans import HEADER, spans_of, written

if TYPE_CHECKING:
    from conurb.http.exchange import Answer as Response
    from conurb.http.exchange import Exchange, Header
    from conurb.model.query.tree import Query
    from conurb.node.consume import Answer, Consumption
    from conurb.node.provide import Provision
    from conurb.node.temporal import Temporal
    from conurb.store.contract import EvolutionPage

COMPLETENESS: Final = b"conurb-completeness"
IN_BODY: Final = b"body"
"""What a caller sends under that name to be told in the body too."""
WARNING: Final = b"ngsild-warning"
COPIES: Final = b"conurb-copies"
SKIPPED: Final = b"conurb-skipped"
SKIPPED_SHOWN_MAX: Final = 64
"""Nodes that weren't asked, named in one answer; of more there is the number."""
IDS: Final = HEADER.lower().encode()
STRICT_HEADER: Final = b"conurb-strict"


def completeness_headers(exchange: Exchange, answer: Answer | EvolutionPage) -> list[Header]:
    """Write who answered; nothing for the answer of one node.

    Raises IncompleteError when the answer is to be strict and a node is missing.
    """
    if not isinstance(answer, FederatedAnswer | FederatedEvolutionPage):
        return []
    if not answer.completeness.whole and is_strict(exchange):
        raise IncompleteError(answer.completeness)
    exchange.completeness = answer.completeness
    return headers_of(answer.completeness)


def with_completeness(exchange: Exchange, answer: Response) -> Response:
    """Put an answer in JSON beside who gave it, for who asked for that and where it is known."""
    said = exchange.completeness
    wanted = exchange.headers.get(COMPLETENESS) == IN_BODY
    if said is None or not wanted or answer.stream is not None:
        return answer
    document = {
        "asked": said.asked,
        "missing": [
            {"node": one.node, "code": one.code, "reason": one.reason} for one in said.missing
        ],
        "copied": [{"node": node, "ageS": round(age_s, 3)} for node, age_s in said.copied],
        "skipped": [
            {"node": one.node, "ageS": round(one.age_s, 3), "reason": one.reason}
            for one in said.skipped
        ],
        "notes": [{"node": one.node, "code": one.code, "reason": one.reason} for one in said.notes],
        "countIsExact": said.count_is_exact,
    }
    body = b'{"answer":' + answer.body + b',"completeness":' + orjson.dumps(document) + b"}"
    return replace(answer, body=body)


def is_strict(exchange: Exchange) -> bool:
    """Whether an answer that lacks a node is to fail: an option of ours, as parameter or header."""
    return exchange.params.flag("strict") or exchange.headers.get(STRICT_HEADER) == b"true"


def headers_of(said: Completeness) -> list[Header]:
    """Write who answered."""
    answered = len(said.asked) - len(said.missing)
    counted = "" if said.count_is_exact else "; count=sum"
    headers = [(COMPLETENESS, f"{answered}/{len(said.asked)}{counted}".encode())]
    for node, age_s in said.copied:
        headers.append((COPIES, f"{node}; age={age_s:.0f}".encode("ascii", "replace")))
    for skip in said.skipped[:SKIPPED_SHOWN_MAX]:
        value = f'{skip.node}; age={skip.age_s:.0f}; reason="{skip.reason}"'
        headers.append((SKIPPED, value.encode("ascii", "replace")))
    if len(said.skipped) > SKIPPED_SHOWN_MAX:
        headers.append((SKIPPED, f"{len(said.skipped) - SKIPPED_SHOWN_MAX} more".encode()))
    for absence in (*said.missing, *said.notes):
        text = absence.reason.replace("\\", "").replace('"', "'")
        value = f'{absence.code} {absence.node} "{text}"'
        headers.append((WARNING, value.encode("ascii", "replace").replace(b"\n", b" ")))
    return headers


async def id_headers(exchange: Exchange, query: Query, answer: Answer) -> list[Header]:
    """Tell a node that asks for others where the ids lie that were counted."""
    if answer.total is None or b"via" not in exchange.headers:
        return []
    spans = await spans_of(await exchange.node(), exchange.caller, query, answer)
    said = None if spans is None else written(spans)
    return [] if said is None else [(IDS, said.encode())]


async def consumption(exchange: Exchange) -> Consumption:
    """Give the reads that a request asks: those of all nodes, or with `local` of this one."""
    node = await exchange.node()
    return node.consume.own if exchange.params.flag("local") else node.consume


async def provision(exchange: Exchange) -> Provision:
    """Give the writes that a request asks for: to all nodes, or with `local` to this one."""
    node = await exchange.node()
    return node.provide.own if exchange.params.flag("local") else node.provide


async def history(exchange: Exchange) -> Temporal:
    """Give the history that a request asks: that of all nodes, or with `local` of this one."""
    temporal = (await exchange.node()).temporal
    if exchange.params.flag("local") and isinstance(temporal, FederatedTemporal):
        return temporal.own
    return temporal
