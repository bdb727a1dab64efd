"""What every answer carries, and who may ask: headers, the token, the name of the host."""

from __future__ import annotations

import secrets
from hashlib import sha256
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = "GET, HEAD"
"""What every address answers."""
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
POLICY = (
    "default-src 'none'; "
    "script-src 'self' 'wasm-unsafe-eval'; "  # the symmetry finder runs as WebAssembly
    "style-src-elem 'self' 'unsafe-inline'; "  # components bring their style as elements
    "style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; "
    "font-src 'self'; "
    "connect-src 'self' data: blob:; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class HeadRequests:
    """Answers HEAD as GET without the content, at every address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, send_headers)


def cookie_name(address: str) -> str:
    """Name the cookie of a dashboard: browsers share cookies among the ports of a host."""
    return f"screening-token-{sha256(address.encode()).hexdigest()[:10]}"


class SecurityHeaders:
    """Adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-cache")  # asked again, by its ETag
                if message["status"] == HTTPStatus.METHOD_NOT_ALLOWED:
                    headers["allow"] = METHODS
            await send(message)

        await self.app(scope, receive, send_more)


class TokenGate:
    """Lets requests in that know the token.

    It comes as ``Authorization: Bearer TOKEN``, or once as ``?token=TOKEN``, which sets a cookie
    that scripts cannot read and other sites cannot use; with TLS it is never sent without.
    """

    def __init__(self, app: ASGIApp, token: str, address: str) -> None:
        self.app = app
        self.token = token
        self.cookie = cookie_name(address)
        self.secure = address.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if given is not None and self._right(given):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            # never start with two slashes: that would name another host
            path = "/" + scope["path"].lstrip("/")
            answer = RedirectResponse(path + (f"?{rest}" if rest else ""), status_code=303)
            answer.set_cookie(
                self.cookie, self.token, httponly=True, samesite="strict", secure=self.secure
            )
            await answer(scope, receive, send)
        elif self._right(_bearer(headers)) or self._right(self._cookie(headers)):
            await self.app(scope, receive, send)
        else:
            text = "a token is needed: open the address that `screening dashboard` printed\n"
            refusal = PlainTextResponse(text, 401, {"www-authenticate": "Bearer"})
            await refusal(scope, receive, send)

    def _cookie(self, headers: Headers) -> str:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return morsel.value if morsel else ""

    def _right(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())


def _bearer(headers: Headers) -> str:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""
