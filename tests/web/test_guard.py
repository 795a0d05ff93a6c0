"""Another site, another name and a missing token are refused; answers say what a page may do."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rave_mm.web.guard import COOKIE, is_loopback
from tests.web.site import Site, serving


@pytest.fixture(scope="module")
def open_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """As if it were bound to all addresses."""
    folder = tmp_path_factory.mktemp("open")
    with serving(folder, host="0.0.0.0", token="secret-token") as found:
        yield found


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", ""])
def test_another_name_is_refused(site: Site, host: str) -> None:
    """As a site has it that leads its own name here."""
    answer = site.ask("/api/settings", headers={"Host": host})
    assert answer.status == 403 and b"open the address that it printed" in answer.body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8765", "[::1]:8765"])
def test_names_of_this_machine_are_not(site: Site, host: str) -> None:
    assert site.ask("/api/settings", headers={"Host": host}).status == 200


def test_addresses_are_refused_unless_others_may_come(site: Site, open_site: Site) -> None:
    headers = {"Host": "192.168.7.7:8765"}
    assert site.ask("/api/settings", headers=headers).status == 403
    cookie = {"Cookie": f"{COOKIE}=secret-token"}
    assert open_site.ask("/api/settings", headers={**headers, **cookie}).status == 200
    named = {"Host": f"{socket.gethostname()}:1", **cookie}
    assert open_site.ask("/api/settings", headers=named).status == 200
    assert open_site.ask("/api/settings", headers={"Host": "a.b:1", **cookie}).status == 403


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "PUT"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", None])
def test_changes_must_come_from_the_page(site: Site, method: str, origin: str | None) -> None:
    headers = {"Origin": origin or "", "Content-Type": "text/plain"}
    answer = site.ask("/api/photos?visitor=0123456789abcdef&name=a.jpg", method, b"x", headers)
    assert answer.status == 403
    assert site.ask("/api/photos?visitor=0123456789abcdef").json == []


def test_another_site_may_lead_here_and_not_read(site: Site) -> None:
    other = {"Sec-Fetch-Site": "cross-site"}
    assert site.ask("/api/settings", headers={**other, "Sec-Fetch-Mode": "no-cors"}).status == 403
    assert site.ask("/", headers={**other, "Sec-Fetch-Mode": "navigate"}).status == 200
    post = site.ask("/api/photos", "POST", b"", {**other, "Sec-Fetch-Mode": "navigate"})
    assert post.status == 403


@pytest.mark.parametrize("path", ["/", "/runs", "/api/settings", "/pages/page.css", "/nothing"])
def test_every_answer_says_what_a_page_may_do(site: Site, path: str) -> None:
    headers = site.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_visitors_from_elsewhere_need_the_token(open_site: Site) -> None:
    for path in ("/", "/api/settings", "/?token=wrong", "/pages/page.css"):
        answer = open_site.ask(path)
        assert answer.status == 401 and b"token" in answer.body, path
    wrong = {"Cookie": f"{COOKIE}=wrong"}
    assert open_site.ask("/", headers=wrong).status == 401
    given = open_site.ask("/runs?token=secret-token")
    assert (given.status, given.headers["location"]) == (303, "/runs")
    cookie = given.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    kept = {"Cookie": given.headers["set-cookie"].partition(";")[0]}
    assert open_site.ask("/runs", headers=kept).status == 200


def test_a_redirect_stays_here(open_site: Site) -> None:
    """A path may look like the address of another site."""
    for path in (
        "//evil.example/",
        "///evil.example/",
        "/%5C%5Cevil.example/",
        "//%2Fevil.example",
    ):
        answer = open_site.ask(f"{path}?token=secret-token")
        assert answer.headers["location"].startswith("/evil.example"), path


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.1.2", "::", "example.org")))


PATHS = [
    "/pages/../app.py", "/pages/..%2fapp.py", "/pages/%2e%2e/%2e%2e/setup.py",
    "/component/..%2f..%2f__init__.py", "/pages//etc/passwd", "/pages/....//....//etc/passwd",
    "/api/photos/..%2f..%2fetc%2fpasswd", "/api/photos/%2e%2e/before",
    "/api/runs/test?name=../../etc", "/api/runs/figure?name=%2fetc",
    "/api/runs/picture?name=..&photo=..%2fpasswd&picture=input",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_file_of_the_machine_is_read(site: Site, path: str) -> None:
    answer = site.ask(path)
    assert answer.status in (404, 405, 422), answer.status
    assert b"root:" not in answer.body and b"import" not in answer.body
    assert str(Path(__file__).parent).encode() not in answer.body
