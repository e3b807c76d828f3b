"""The table from errors to HTTP."""

from __future__ import annotations

import logging

import pytest

from conurb import errors
from conurb.http.problems import ETSI, PROBLEMS, problem_bytes, problem_document, problem_of


def every_error(
    kind: type[errors.ConurbError] = errors.ConurbError,
) -> list[type[errors.ConurbError]]:
    return [kind, *(e for sub in kind.__subclasses__() for e in every_error(sub))]


# Table 6.3.2-1 of ETSI GS CIM 009 v1.9.1, as far as a class of ours stands for the type.
STANDARD = {
    errors.AlreadyExistsError: ("AlreadyExists", 409),
    errors.BadRequestDataError: ("BadRequestData", 400),
    errors.InvariantError: ("InternalError", 500),
    errors.InvalidRequestError: ("InvalidRequest", 400),
    errors.ContextUnavailableError: ("LdContextNotAvailable", 504),
    errors.NonexistentTenantError: ("NonexistentTenant", 404),
    errors.OperationNotSupportedError: ("OperationNotSupported", 422),
    errors.NotFoundError: ("ResourceNotFound", 404),
    errors.TooComplexQueryError: ("TooComplexQuery", 403),
}


@pytest.mark.parametrize(("kind", "row"), STANDARD.items())
def test_status_and_type_are_those_of_the_standard(
    kind: type[errors.ConurbError], row: tuple[str, int]
) -> None:
    problem = problem_of(kind)
    assert (problem.type, problem.status) == (ETSI + row[0], row[1])


def test_every_error_that_is_the_callers_has_a_status_below_500() -> None:
    for kind in every_error(errors.InputError):
        assert 400 <= problem_of(kind).status < 500


def test_every_row_is_of_an_error_that_exists() -> None:
    assert set(PROBLEMS) <= set(every_error())


def test_what_is_not_ours_tells_the_caller_nothing(caplog: pytest.LogCaptureFixture) -> None:
    secret = "password=hunter2"
    with caplog.at_level(logging.ERROR):
        document = problem_document(RuntimeError(secret))
    assert document["status"] == 500
    assert document["type"] == ETSI + "InternalError"
    assert secret not in str(document)
    reference = document["detail"].rpartition(" ")[2]
    assert reference in caplog.text


def test_length_and_media_type_are_answered_without_a_body() -> None:
    assert problem_bytes(errors.LengthRequiredError("x")) == (411, b"")
    assert problem_bytes(errors.UnsupportedMediaTypeError("x")) == (415, b"")
