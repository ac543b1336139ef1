import pytest

from boxfind.settings import BadSetting, Settings
from boxfind.ui.authorization import ADMINS, Visitor, admin_name
from tests.boxfind.ui.reading import HERE

LOCAL = {"host": ("localhost:8501",)}
CLAIMS = {"is_logged_in": True, "email": "ada@example.org", "email_verified": True}


def settings(admin: str, **more: object) -> Settings:
    return Settings.load(**{"admin": admin, "admins": "ada@example.org, grace@example.org"} | more)


def at(host: str, **more: object) -> Visitor:
    return Visitor(server="127.0.0.1", headers={"host": (host,)} | {k.replace("_", "-"): (v,) for k, v in more.items()})


def test_the_default_method_admits_nobody() -> None:
    assert Settings.load().server.admin == "nobody"
    everything = Visitor("127.0.0.1", None, LOCAL | {"x-forwarded-email": ("ada@example.org",)}, CLAIMS)
    assert admin_name(everything, Settings.load(admins=("ada@example.org",))) is None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8501", "127.0.0.1:8501", "127.0.0.1", "[::1]:8501"])
def test_local_admits_visitors_on_this_machine(host: str) -> None:
    assert admin_name(at(host), settings("local")) == "a visitor on this machine"


@pytest.mark.parametrize(
    "visitor",
    [
        Visitor(server=None, headers=LOCAL),
        Visitor(server="0.0.0.0", headers=LOCAL),
        Visitor(server="192.0.2.1", headers=LOCAL),
        Visitor(server="127.0.0.1", address="192.0.2.7", headers=LOCAL),
        Visitor(server="127.0.0.1"),
        Visitor(server="127.0.0.1", headers={"host": ("localhost", "localhost")}),
        at("boxfind.example.org"),
        at("127.0.0.1.example.org:8501"),
        at("localhost.example.org"),
        at("[::1"),
        at(""),
        at("localhost", forwarded="for=192.0.2.7"),
        at("localhost", x_forwarded_for="127.0.0.1"),
        at("localhost", x_forwarded_email="ada@example.org"),
        at("localhost", x_real_ip="127.0.0.1"),
        at("localhost", via="1.1 proxy"),
    ],
)
def test_r48_local_refuses_networks_proxies_and_other_host_names(visitor: Visitor) -> None:
    assert admin_name(visitor, settings("local")) is None


@pytest.mark.parametrize("email", ["ada@example.org", " Ada@Example.ORG "])
@pytest.mark.parametrize("verified", [{"email_verified": True}, {"email_verified": "true"}])
def test_login_admits_the_addresses_on_the_list(email: str, verified: dict[str, object]) -> None:
    assert admin_name(Visitor(claims=CLAIMS | {"email": email} | verified), settings("login")) == "ada@example.org"


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email": "ada@example.org"},
        CLAIMS | {"is_logged_in": False},
        CLAIMS | {"is_logged_in": "yes"},
        CLAIMS | {"email": "eve@example.org"},
        CLAIMS | {"email": ""},
        CLAIMS | {"email": None},
        CLAIMS | {"email": ["ada@example.org"]},
        CLAIMS | {"email_verified": False},
        CLAIMS | {"email_verified": "false"},
        CLAIMS | {"email_verified": None},
    ],
)
def test_r48_login_refuses_everyone_else(claims: dict[str, object]) -> None:
    assert admin_name(Visitor(claims=claims), settings("login")) is None


def test_r70_an_address_that_the_provider_does_not_call_verified_is_refused() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "email_verified"}
    assert admin_name(Visitor(claims=claims), settings("login")) is None


SIMILAR = [("sis@example.org", "ſis@example.org"), ("kim@example.org", "\N{KELVIN SIGN}im@example.org")]
"""A listed address, and one that casefold makes equal to it."""


@pytest.mark.parametrize(
    ("listed", "other"), [*SIMILAR, *(pair[::-1] for pair in SIMILAR), ("straße@a.org", "strasse@a.org")]
)
def test_r70_addresses_are_equal_only_in_upper_and_lower_ascii(listed: str, other: str) -> None:
    for admin, visitor in (
        ("login", lambda email: Visitor(claims=CLAIMS | {"email": email})),
        ("header", lambda email: Visitor(headers={"x-forwarded-email": (email,)})),
    ):
        chosen = settings(admin, admins=listed.replace("i", "I"))
        assert admin_name(visitor(listed), chosen) == listed
        assert admin_name(visitor(other), chosen) is None


def test_header_admits_visitors_named_by_the_proxy() -> None:
    visitor = at("boxfind.example.org", x_forwarded_email="Grace@example.org")
    assert admin_name(visitor, settings("header")) == "grace@example.org"
    named = at("boxfind.example.org", x_auth_user="ada@example.org")
    assert admin_name(named, settings("header", admin_header="X-Auth-User")) == "ada@example.org"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-forwarded-email": ("",)},
        {"x-forwarded-email": ("eve@example.org",)},
        {"x-forwarded-email": ("ada@example.org", "ada@example.org")},
        {"x-forwarded-email": ("eve@example.org, ada@example.org",)},
        {"x-auth-user": ("ada@example.org",)},
    ],
)
def test_r48_header_refuses_everyone_else(headers: dict[str, tuple[str, ...]]) -> None:
    assert admin_name(Visitor(headers=headers), settings("header")) is None


@pytest.mark.parametrize("admin", ["login", "header"])
@pytest.mark.parametrize("admins", ["", " , ,"])
def test_an_empty_list_admits_nobody(admin: str, admins: str) -> None:
    for email in ("", " ", "ada@example.org"):
        visitor = Visitor(headers={"x-forwarded-email": (email,)}, claims=CLAIMS | {"email": email})
        assert admin_name(visitor, settings(admin, admins=admins)) is None


def test_each_method_ignores_the_credentials_of_the_others() -> None:
    assert admin_name(HERE, settings("login")) is None
    assert admin_name(HERE, settings("header")) is None
    assert admin_name(Visitor(claims=CLAIMS), settings("local")) is None
    assert admin_name(Visitor(claims=CLAIMS), settings("header")) is None


def test_the_environment_names_the_administrators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "header")
    monkeypatch.setenv("BOXFIND_ADMINS", " Ada@Example.org,grace@example.org , ")
    monkeypatch.setenv("BOXFIND_ADMIN_HEADER", "X-Auth-User")
    found = Settings.load()
    assert found.server.admins == ("ada@example.org", "grace@example.org")
    assert (found.server.admin, found.server.admin_header) == ("header", "X-Auth-User")


def test_only_known_methods_are_valid_settings() -> None:
    for admin in ADMINS:
        assert settings(admin).server.admin == admin
    with pytest.raises(BadSetting):
        settings("everybody")
