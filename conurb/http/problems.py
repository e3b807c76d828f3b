"""The one table from an error to what HTTP says of it (ETSI GS CIM 009 v1.9.1, 6.3.2 and 6.3.3).

An error class without a row of its own takes the row of its nearest ancestor. Whatever isn't an
error of ours becomes an InternalError that tells the caller nothing but a reference, under which
the log has the rest.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import orjson

from conurb import errors

ETSI: Final = "https://uri.etsi.org/ngsi-ld/errors/"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of the table: HTTP status, type URI of the problem and its title.

    `bodyless` marks answers that 6.3.4 wants without any payload body.
    """

    status: int
    type: str
    title: str
    bodyless: bool = False


PROBLEMS: Final[dict[type[Exception], Problem]] = {
    errors.ConurbError: Problem(500, ETSI + "InternalError", "Internal error"),
    errors.InvalidRequestError: Problem(400, ETSI + "InvalidRequest", "Invalid request"),
    errors.InputError: Problem(400, ETSI + "BadRequestData", "Bad request data"),
    errors.TooComplexQueryError: Problem(403, ETSI + "TooComplexQuery", "Too complex query"),
    errors.TooLargeError: Problem(413, "about:blank", "Request entity too large"),
    errors.LengthRequiredError: Problem(411, "about:blank", "Length required", bodyless=True),
    errors.UnsupportedMediaTypeError: Problem(
        415, "about:blank", "Unsupported media type", bodyless=True
    ),
    errors.NotAcceptableError: Problem(406, "about:blank", "Not acceptable"),
    errors.MethodNotAllowedError: Problem(405, "about:blank", "Method not allowed"),
    errors.NotFoundError: Problem(404, ETSI + "ResourceNotFound", "Resource not found"),
    errors.NonexistentTenantError: Problem(404, ETSI + "NonexistentTenant", "No such tenant"),
    errors.ConflictError: Problem(409, ETSI + "Conflict", "Conflict"),
    errors.AlreadyExistsError: Problem(409, ETSI + "AlreadyExists", "Already exists"),
    errors.OperationNotSupportedError: Problem(
        422, ETSI + "OperationNotSupported", "Operation not supported"
    ),
    errors.UnauthenticatedError: Problem(401, "about:blank", "Unauthenticated"),
    errors.AccessError: Problem(403, "about:blank", "Forbidden"),
    errors.ContextUnavailableError: Problem(
        504, ETSI + "LdContextNotAvailable", "JSON-LD @context not available"
    ),
    errors.UnavailableError: Problem(503, "about:blank", "Unavailable"),
    errors.LoopDetectedError: Problem(508, "about:blank", "Loop detected"),
    errors.SourceError: Problem(502, "about:blank", "Bad gateway"),
    errors.SourceTimeoutError: Problem(504, "about:blank", "Gateway timeout"),
}
"""Error class to what HTTP says of it."""

INTERNAL: Final = PROBLEMS[errors.ConurbError]


def problem_of(kind: type[BaseException]) -> Problem:
    """Give the row for a class of errors: its own, or its nearest ancestor's."""
    for ancestor in kind.__mro__:
        row = PROBLEMS.get(ancestor)
        if row is not None:
            return row
    return INTERNAL


def problem_document(error: BaseException) -> dict[str, Any]:
    """Write an error as problem details (RFC 7807; 5.5.3): type, title, status, detail.

    An error that isn't the caller's is logged with a reference, and the document gives the
    reference alone.
    """
    row = problem_of(type(error))
    detail = getattr(error, "detail", None)
    if row is INTERNAL or not isinstance(detail, str):
        reference = uuid4().hex[:12]
        log.error("internal error %s", reference, exc_info=error)
        detail = f"something went wrong inside the node; its log has the reference {reference}"
    return {"type": row.type, "title": row.title, "status": row.status, "detail": detail}


def as_exception(body: bytes) -> bytes:
    """Add to a problem document what clients of the OGC APIs read (OGC 17-069r4, exception)."""
    document = orjson.loads(body)
    code = str(document["type"]).rpartition("/")[2].replace("about:blank", document["title"])
    return orjson.dumps({**document, "code": code, "description": document["detail"]})


def problem_bytes(error: BaseException) -> tuple[int, bytes]:
    """Give status and body of the answer to an error; some answers have no body (6.3.4)."""
    row = problem_of(type(error))
    return row.status, b"" if row.bodyless else orjson.dumps(problem_document(error))
