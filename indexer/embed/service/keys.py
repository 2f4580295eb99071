"""A service's key: sent to its host, and shown to nobody."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Generator
from typing import Protocol

import httpx

from indexer.errors import UserError

MAX_MESSAGE = 200  # characters of a server's words that are passed on
LIKE_KEYS = re.compile(r"(?i)\b(?:sk|key)-[\w*-]{4,}|bearer\s+\S+")
KEY = re.compile(r"[!-~]+")  # what a header can carry


class Secret(Protocol):
    """Such as pydantic's SecretStr."""

    def get_secret_value(self) -> str: ...


class Bearer(httpx.Auth):
    """Puts the key on each request as it leaves, and nowhere else. False where there is no key."""

    def __init__(self, key: str | Secret | None) -> None:
        """Raises UserError for what cannot be a key: errors further down would print it."""
        value = key if isinstance(key, str) or key is None else key.get_secret_value()
        self._key = (value or "").strip()
        if self._key and not KEY.fullmatch(self._key):
            raise UserError("The key holds spaces or characters that no key has: copy it again.")

    def __bool__(self) -> bool:
        return bool(self._key)

    def __repr__(self) -> str:
        return "Bearer(***)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        yield request

    def scrub(self, message: str) -> str:
        """The server's words on one short line, without this key or anything that looks like one."""
        if self._key:
            message = message.replace(self._key, "***")
        return " ".join(LIKE_KEYS.sub("***", message).split())[:MAX_MESSAGE]


def host_of(base_url: str, *, has_key: bool) -> str:
    """The host, for messages. Raises UserError for a URL that no key should be sent to."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise UserError("The embedding service's URL must begin with https:// and name a host.")
    if url.userinfo or url.query or url.fragment:
        raise UserError(
            "The embedding service's URL must hold no user, password or query: give the key apart."
        )
    if url.scheme == "http" and has_key and not is_loopback(url.host):
        raise UserError(
            f"The key would go to {url.host} in the clear: use https, or no key for a local service."
        )
    return url.host


def is_loopback(host: str) -> bool:
    """By its address, or as localhost. Other names below .localhost are what a resolver makes of them."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
