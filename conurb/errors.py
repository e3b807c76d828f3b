"""The tree of exceptions; everything else stands on it.

ConurbError
├── InvariantError               something that can't be is; a defect of ours
├── ConfigError                  a setting is missing or wrong; raised at start
├── InputError                   the caller's input is wrong; nothing was changed
│   ├── InvalidRequestError      the request can't be read at all (bad JSON, unknown shape)
│   ├── BadRequestDataError      it can be read, but breaks a rule of the model or the standard
│   ├── TooComplexQueryError     a query over the bounds of this node
│   ├── TooLargeError            a body over the bound
│   ├── LengthRequiredError      a body whose length isn't stated
│   ├── UnsupportedMediaTypeError
│   ├── NotAcceptableError
│   └── MethodNotAllowedError
├── NotFoundError                the thing named doesn't exist here
│   └── NonexistentTenantError
├── ConflictError                it can't be done in the present state
│   └── AlreadyExistsError
├── OperationNotSupportedError   this node doesn't do that
├── AccessError
│   ├── UnauthenticatedError     who are you?
│   └── ForbiddenError           you may not
├── ContextUnavailableError      a JSON-LD @context can't be resolved
└── UnavailableError             a store, a peer or a broker doesn't answer
    ├── LoopDetectedError        a request came back to where it started
    └── SourceError              a context source answers with an error, or with what isn't NGSI-LD
        └── SourceTimeoutError   it doesn't answer in time, or can't be reached

An error names the thing, the value and what was allowed. Which HTTP status and which ETSI error
type an error becomes is said in one table, `conurb.http.problems`. Errors that carry who answered
for a region stand in `conurb.federation.completeness`.
"""

from __future__ import annotations


class ConurbError(Exception):
    """Anything that Conurb raises on purpose.

    `registration_id` names the registration whose source raised it, if one did.
    """

    registration_id: str | None = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvariantError(ConurbError):
    """Something that can't be is: a defect of ours, never the caller's fault."""


class ConfigError(ConurbError):
    """A setting is missing or wrong."""


class InputError(ConurbError):
    """The caller's input is wrong; nothing was changed."""


class InvalidRequestError(InputError):
    """The request can't be read at all: bad JSON, or not the shape of this operation."""


class BadRequestDataError(InputError):
    """The request can be read, but breaks a rule of the model or of the standard."""


class TooComplexQueryError(InputError):
    """The query is over the bounds of this node."""


class TooLargeError(InputError):
    """The body is larger than this node takes."""


class LengthRequiredError(InputError):
    """The request has a body whose length it doesn't state."""


class UnsupportedMediaTypeError(InputError):
    """The body's media type isn't one that the operation takes."""


class NotAcceptableError(InputError):
    """None of the media types that the caller accepts can be given."""


class MethodNotAllowedError(InputError):
    """The resource doesn't take this HTTP method."""


class NotFoundError(ConurbError):
    """The thing named doesn't exist here."""


class NonexistentTenantError(NotFoundError):
    """The tenant named doesn't exist here."""


class ConflictError(ConurbError):
    """It can't be done in the present state of the thing."""


class AlreadyExistsError(ConflictError):
    """A thing of that identity exists already."""


class OperationNotSupportedError(ConurbError):
    """This node doesn't do that."""


class AccessError(ConurbError):
    """The caller isn't known, or may not."""


class UnauthenticatedError(AccessError):
    """No caller could be made out of the request."""


class ForbiddenError(AccessError):
    """The caller is known and may not do this."""


class ContextUnavailableError(ConurbError):
    """A JSON-LD @context can't be resolved (ETSI GS CIM 009, LdContextNotAvailable)."""


class UnavailableError(ConurbError):
    """A store, a peer or a broker doesn't answer."""


class LoopDetectedError(UnavailableError):
    """A distributed request came back to a node that it had passed."""


class SourceError(UnavailableError):
    """A context source answers with an error, or with what isn't NGSI-LD.

    `code` is that of a warning (clause 6.3.17): 111 for an answer that can't be read, 199 for none,
    299 for an error.
    """

    def __init__(self, detail: str, *, code: int = 299) -> None:
        super().__init__(detail)
        self.code = code


class SourceTimeoutError(SourceError):
    """A context source doesn't answer in time, or can't be reached."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code=199)
