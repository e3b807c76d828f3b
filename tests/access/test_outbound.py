"""The allow-list admits what it names and nothing else."""

import pytest

from conurb.access.outbound import Outbound
from conurb.errors import BadRequestDataError, ConfigError, ForbiddenError

LIST = Outbound(["hooks.example.org", "*.city.cn:8443", "10.1.0.0/16", "loopback"])


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/n",
        "https://HOOKS.example.org:9999/n",
        "mqtt://hooks.example.org/topic",
        "https://a.b.city.cn:8443/",
        "http://10.1.2.3:80",
        "http://127.0.0.1:8085/notify",
        "http://[::1]:8085/",
        "http://localhost/x",
    ],
)
def test_what_the_list_names_is_admitted(url: str) -> None:
    LIST.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "http://hooks.example.org.evil.net/",
        "https://a.city.cn/",
        "https://city.cn:8443/",
        "http://10.2.0.1/",
        "http://169.254.169.254/latest",
        "http://hooks.example.org@evil.net/",
        "http://0x7f000001/",
    ],
)
def test_what_the_list_does_not_name_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenError, match="may not send to"):
        LIST.check(url)


@pytest.mark.parametrize("url", ["", "ftp://hooks.example.org", "http://", "http://[::1", "x:y"])
def test_what_is_not_a_url_to_send_to_is_bad_request_data(url: str) -> None:
    with pytest.raises(BadRequestDataError):
        LIST.check(url)


def test_a_star_admits_everything_and_an_empty_list_nothing() -> None:
    Outbound(["*"]).check("http://anything.example/")
    with pytest.raises(ForbiddenError, match="nothing"):
        Outbound([]).check("http://anything.example/")


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "host:port", ":80"])
def test_an_unreadable_entry_is_a_configuration_error(entry: str) -> None:
    with pytest.raises(ConfigError, match="outbound entry"):
        Outbound([entry])
