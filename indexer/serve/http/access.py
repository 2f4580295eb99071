"""Who may ask: keys in a header for programs, a cookie for the page."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from fastapi import Request

from indexer.embed.service.keys import is_loopback
from indexer.errors import UserError
from indexer.serve.refusals import Refusal

COOKIE = "fontsight"
MIN_KEY = 16  # characters
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Access:
    """The keys of a service. Without any, all who reach it may ask, which only loopback allows."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises UserError for a key that could be guessed."""
        if any(len(key) < MIN_KEY for key in keys):
            raise UserError(
                f"A key of FONTSIGHT_SERVE_KEYS has fewer than {MIN_KEY} characters. Make one by: "
                'python -c "import secrets; print(secrets.token_urlsafe(32))"'
            )
        self._keys = [_digest(key) for key in keys]
        # of this process: a restart asks for the key again
        self._cookie = secrets.token_urlsafe(32)
        # of jobs on this host, which read it from a file that only its user can read
        self.token = secrets.token_urlsafe(32)

    @classmethod
    def from_settings(cls, keys: str | None, host: str) -> Access:
        """Raises UserError where others than this host could ask without a key."""
        found = [key.strip() for key in (keys or "").split(",") if key.strip()]
        if not found and not is_loopback(host):
            raise UserError(
                f"On {host} others can reach the service, so it needs a key: set "
                "FONTSIGHT_SERVE_KEYS (several by commas), or bind to 127.0.0.1."
            )
        return cls(found)

    @property
    def required(self) -> bool:
        return bool(self._keys)

    async def check(self, request: Request) -> None:  # or each request would wait for a thread
        """Raises Refusal (401) for a request without a key, or with a wrong one."""
        if not self.lets_in(request):
            raise Refusal(401, "A key is needed: Authorization: Bearer KEY.")

    def lets_in(self, request: Request) -> bool:
        if not self.required:
            return True
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (self.knows(given.strip()) or self._is_token(given)):
            return True
        cookie = request.cookies.get(COOKIE, "")
        return hmac.compare_digest(_digest(cookie), _digest(self._cookie))

    def knows(self, key: str) -> bool:
        """In a time that does not tell how much of the key is right, or which of them it is."""
        digest = _digest(key)
        return any([hmac.compare_digest(digest, known) for known in self._keys])  # all are compared

    def cookie_for(self, key: str) -> str:
        """What a browser is to send from now on. Raises Refusal (401) for a wrong key."""
        if not self.knows(key):
            raise Refusal(401, "This is not one of the service's keys.")
        return self._cookie

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(_digest(given.strip()), _digest(self.token))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
