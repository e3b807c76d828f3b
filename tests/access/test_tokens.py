"""A token opens what it was given for, is never kept in clear, and is gone once revoked."""

from pathlib import Path

import pytest

from conurb.access.tokens import Token, check_rights, digest_of, mint
from conurb.errors import (
    AlreadyExistsError,
    ConfigError,
    ForbiddenError,
    NotFoundError,
    UnauthenticatedError,
)
from conurb.node.tokens import TokenFile


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


def added(file: TokenFile, name: str = "wuxi", **bounds: tuple[str, ...]) -> str:
    secret = mint()
    file.add(Token(name, digest_of(secret), frozenset({"read", "write"}), **bounds))
    return secret


def test_a_token_gives_its_caller_with_rights_and_bounds(file: TokenFile) -> None:
    secret = added(file, scopes=("/yrd/wuxi",), types=("urn:T",))
    caller = file.caller(secret)
    assert caller.name == "wuxi"
    assert caller.may("write")
    assert not caller.may("admin")
    assert caller.restriction.scopes == ("/yrd/wuxi",)
    assert caller.restriction.types == ("urn:T",)
    with pytest.raises(ForbiddenError, match="no right 'federate'"):
        caller.require("federate")


def test_the_secret_is_not_in_the_file_and_only_its_owner_reads_it(file: TokenFile) -> None:
    secret = added(file)
    assert secret not in file.path.read_text()
    assert file.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("shown", [None, "", "conurb_wrong"])
def test_without_a_known_token_nobody_comes_in(file: TokenFile, shown: str | None) -> None:
    added(file)
    with pytest.raises(UnauthenticatedError):
        file.caller(shown)


def test_a_revoked_token_is_refused_by_a_reader_that_had_it(file: TokenFile) -> None:
    secret = added(file)
    other = TokenFile(file.path)
    assert other.caller(secret).name == "wuxi"
    file.revoke("wuxi")
    with pytest.raises(UnauthenticatedError):
        other.caller(secret)


def test_a_token_for_one_tenant_does_not_open_another(file: TokenFile) -> None:
    secret = added(file, tenants=("wuxi",))
    assert file.caller(secret, tenant="wuxi").name == "wuxi"
    for tenant in ("suzhou", None):
        with pytest.raises(ForbiddenError, match="not for tenant"):
            file.caller(secret, tenant=tenant)


def test_names_are_unique_and_revoking_an_unknown_one_says_which_exist(file: TokenFile) -> None:
    added(file)
    with pytest.raises(AlreadyExistsError):
        added(file)
    with pytest.raises(NotFoundError, match="there are: wuxi"):
        file.revoke("nobody")


def test_rights_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError, match="fly"):
        check_rights(["read", "fly"])
    with pytest.raises(ConfigError, match="a right at least"):
        check_rights([])


def test_a_garbled_file_is_said_and_not_taken_for_an_empty_one(file: TokenFile) -> None:
    file.path.write_text('[{"name": "x"')
    with pytest.raises(ConfigError, match="not a token file"):
        file.caller("conurb_x")
