"""Who may ask the page's server, and what a browser may do with its answers."""

import hmac
import ipaddress
import secrets
import socket
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "rave_mm_token"
_READING = ("GET", "HEAD")
_HEADERS = {
    # Nothing of another host, nothing inline; pictures are ours, or made in the page.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that is bound to a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Refuses what does not come from the page itself; a piece of ASGI middleware.

    A page of another site may send requests to this machine, and may have its own name lead here
    (DNS rebinding). So a request must name this server as its host, by a name that no other site
    can have, and what changes anything must come from a page of this server. Where others than
    this machine reach the server, they need its token too: once in the address, later in a cookie.

    Args:
        app: What answers the rest.
        host: What the server is bound to.
        token: What visitors need; None for nothing.
    """

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self.app = app
        self.token = token
        self._names = {"localhost", "127.0.0.1", "[::1]", host.lower()}
        self._any_address = not is_loopback(host)
        if self._any_address:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope["method"], headers) or self._without_token(scope, headers)
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        """What is answered to a request that another site may have caused, or None."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse(
                f"got the host {host!r}, which is not this server's; open the address that it "
                "printed when it was started",
                403,
            )
        site = headers.get("sec-fetch-site", "same-origin")
        navigation = headers.get("sec-fetch-mode") == "navigate" and method in _READING
        if site not in ("same-origin", "none") and not navigation:
            return PlainTextResponse("this request comes from another site", 403)
        if method not in _READING and headers.get("origin") != f"http://{host}":
            return PlainTextResponse(
                f"got the origin {headers.get('origin')!r}; expected http://{host}, this server's "
                "own page",
                403,
            )
        return None

    def _is_ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name.lower() in self._names:
            return True
        # Another site can have a name of its own lead here, but has no address of numbers.
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return self._any_address

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        """What is answered to a visitor without the token, or with it in the address."""
        if self.token is None:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and self._is_token(given):
            # With one slash in front: //name/ would be the address of another site.
            response = RedirectResponse("/" + quote(scope["path"].lstrip("/\\")), 303)
            response.set_cookie(COOKIE, given, httponly=True, samesite="strict")
            return response
        kept = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        if kept is not None and self._is_token(kept.value):
            return None
        return PlainTextResponse(
            "this server asks for a token; open the whole address that it printed when it was "
            "started, with ?token=...",
            401,
        )

    def _is_token(self, given: str) -> bool:
        assert self.token is not None
        return hmac.compare_digest(given.encode(), self.token.encode())
