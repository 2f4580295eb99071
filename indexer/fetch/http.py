"""Guarded downloads: public hosts only, bounded in size and time, resumed and retried."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from indexer.errors import AbsentError, FontError
from indexer.fetch.deadline import Deadline
from indexer.fetch.guard import GuardedTransport
from indexer.retry_after import retry_after

REDIRECTS = (301, 302, 303, 307, 308)
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
QUICK_SECONDS = 5.0


class UnreachableError(FontError):
    """No answer at all came from the host: name, connection or first byte."""


@dataclass(frozen=True, kw_only=True)
class HttpLimits:
    max_bytes: int = 64 * 1024 * 1024
    total_seconds: float = 120.0  # of one download with all its tries, redirects and waits
    connect_seconds: float = 5.0
    read_seconds: float = 20.0  # between two pieces of the answer
    redirects: int = 5
    attempts: int = 4
    first_wait: float = 0.5  # doubles, with jitter
    longest_wait: float = 30.0  # also caps what a server asks for by Retry-After


@dataclass(frozen=True, kw_only=True)
class Download:
    path: Path
    size: int
    etag: str | None
    last_modified: str | None


class _TransientError(Exception):
    def __init__(self, message: str, *, answered: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.answered = answered
        self.retry_after = retry_after


class Downloader:
    """Fetches http and https URLs into files. Thread-safe.

    A proxy is used only when given: the environment is not read. The proxy then resolves names, so
    private names behind it are its matter; addresses written out are refused all the same.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        limits: HttpLimits | None = None,
        proxy: str | None = None,
        user_agent: str = "fontsight",
    ) -> None:
        self.limits = limits or HttpLimits()
        self.quick = replace(  # one try, to find out whether a host is there at all
            self.limits,
            attempts=1,
            connect_seconds=min(self.limits.connect_seconds, QUICK_SECONDS),
            read_seconds=min(self.limits.read_seconds, QUICK_SECONDS),
        )
        self._allow_private = allow_private
        self._proxy = proxy
        self._user_agent = user_agent
        self._tls = httpx.create_ssl_context()  # takes 20 ms: made once

    def download(
        self,
        url: str,
        part: Path,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        limits: HttpLimits | None = None,
    ) -> Download | None:
        """Fetch a URL into `part`, going on where an earlier try stopped if it is the same file.

        With a validator (`etag`, `last_modified`) the request is conditional, and None means that
        the file has not changed. The caller holds `part` alone.

        Raises FontError (stage "fetch"): UnreachableError when the host never answered,
        AddressRefusedError when its address is private.
        """
        limits = limits or self.limits
        _check(url)
        conditions = {"If-None-Match": etag, "If-Modified-Since": None if etag else last_modified}
        headers = {name: value for name, value in conditions.items() if value}
        deadline = time.monotonic() + limits.total_seconds
        retrying = Retrying(
            stop=stop_after_attempt(limits.attempts),
            wait=_wait(limits, deadline),
            retry=retry_if_exception_type(_TransientError),
            reraise=True,
        )
        try:
            return retrying(self._attempt, url, part, headers, limits, deadline)
        except _TransientError as error:
            kind = FontError if error.answered else UnreachableError
            raise kind("fetch", f"{redacted(url)} {error}.") from None

    def _attempt(
        self, url: str, part: Path, headers: dict[str, str], limits: HttpLimits, deadline: float
    ) -> Download | None:
        current, answered = url, False
        headers = headers or _resume_headers(part)
        with Deadline(deadline) as watch, self._client(limits) as client:
            try:
                for _ in range(limits.redirects + 1):
                    with client.stream(
                        "GET", current, headers=headers, extensions={"trace": watch.trace}
                    ) as response:
                        answered = True
                        if response.status_code not in REDIRECTS:
                            done = _receive(response, url, part, headers, limits)
                            if watch.expired:  # a body without a length ends when it is cut off
                                part.unlink(missing_ok=True)
                                raise _too_slow(url, limits)
                            return done
                        current = _redirected(url, current, response.headers.get("location", ""))
            except httpx.InvalidURL:
                raise FontError("fetch", "The address is not a valid URL.") from None
            except httpx.HTTPError as error:
                if watch.expired:
                    raise _too_slow(url, limits) from None
                raise _TransientError(_reason(error), answered=answered) from error
        raise FontError("fetch", f"{redacted(url)} redirects more than {limits.redirects} times.")

    @contextlib.contextmanager
    def _client(self, limits: HttpLimits) -> Iterator[httpx.Client]:
        # One connection per download: a kept connection to an address could serve another name.
        transport = GuardedTransport(
            httpx.HTTPTransport(verify=self._tls, trust_env=False, proxy=self._proxy),
            allow_private=self._allow_private,
            through_proxy=self._proxy is not None,
        )
        with httpx.Client(
            transport=transport,
            trust_env=False,  # no ~/.netrc, no proxy that nobody asked for
            follow_redirects=False,
            timeout=httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
        ) as client:
            yield client


def redacted(url: str) -> str:
    """A URL as it may stand in a message: no user, password, query or fragment."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        return "The address"
    port = f":{parsed.port}" if parsed.port else ""
    text = f"{parsed.scheme}://{parsed.host}{port}{parsed.path}"
    return text if len(text) <= 200 else text[:199] + "…"


def _too_slow(url: str, limits: HttpLimits) -> FontError:
    return FontError("fetch", f"{redacted(url)} took longer than {limits.total_seconds:g} seconds.")


def _check(url: str) -> None:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise FontError("fetch", "The address is not a valid URL.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise FontError("fetch", "The address is neither http nor https; only these are fetched.")


def _redirected(url: str, current: str, location: str) -> str:
    try:
        target = httpx.URL(current).join(location)
    except httpx.InvalidURL:
        raise FontError(
            "fetch", f"{redacted(url)} redirects to an address that is no URL."
        ) from None
    _check(str(target))
    if not location or (httpx.URL(current).scheme == "https" and target.scheme == "http"):
        raise FontError("fetch", f"{redacted(url)} redirects to nowhere or from https to http.")
    return str(target)


def _resume_headers(part: Path) -> dict[str, str]:
    """Headers that ask for the rest of a part, if the server's file is still the same."""
    try:
        validator = json.loads(part.with_suffix(".json").read_bytes())["validator"]
        size = part.stat().st_size
    except (OSError, ValueError, KeyError):
        return {}
    return {"Range": f"bytes={size}-", "If-Range": str(validator)} if size else {}


def _receive(
    response: httpx.Response, url: str, part: Path, headers: dict[str, str], limits: HttpLimits
) -> Download | None:
    status = response.status_code
    if status == 304 and ("If-None-Match" in headers or "If-Modified-Since" in headers):
        return None
    if status == 416 and "Range" in headers:
        part.unlink(missing_ok=True)
        raise _TransientError("does not go on where the download stopped", answered=True)
    if status in TRY_AGAIN:
        raise _TransientError(
            f"answers {status} {response.reason_phrase}".rstrip(),
            answered=True,
            retry_after=retry_after(response.headers.get("retry-after")),
        )
    if status not in (200, 206):
        sentence = f"{redacted(url)} answers {status} {response.reason_phrase}".rstrip() + "."
        raise (AbsentError if status == 404 else FontError)("fetch", sentence)
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FontError("fetch", f"{redacted(url)} sends compressed data that was not asked for.")
    start = _start(response, headers)
    if start is None:
        part.unlink(missing_ok=True)
        raise _TransientError("sends a piece that was not asked for", answered=True)
    size = _write(response, url, part, start, limits)
    part.with_suffix(".json").unlink(missing_ok=True)
    return Download(
        path=part, size=size, etag=response.headers.get("etag"),
        last_modified=response.headers.get("last-modified"),
    )  # fmt: skip


def _start(response: httpx.Response, headers: dict[str, str]) -> int | None:
    """The offset at which the answer's body begins; None when it is not the one asked for."""
    if response.status_code == 200:
        return 0
    given = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    asked = headers.get("Range")
    return int(given[1]) if given and asked == f"bytes={given[1]}-" else None


def _write(response: httpx.Response, url: str, part: Path, start: int, limits: HttpLimits) -> int:
    too_large = FontError("fetch", f"{redacted(url)} is larger than {limits.max_bytes:,} bytes.")
    length = response.headers.get("content-length", "")
    if length.isdecimal() and start + int(length) > limits.max_bytes:
        part.unlink(missing_ok=True)
        raise too_large
    size = start
    try:
        if start == 0:
            _note_validator(response, part)
        with part.open("ab" if start else "wb") as file:
            for chunk in response.iter_raw():
                size += len(chunk)
                if size > limits.max_bytes:  # the header said less, or nothing
                    part.unlink(missing_ok=True)
                    raise too_large
                file.write(chunk)
    except OSError:  # what was written may be what fills the disk
        for left in (part, part.with_suffix(".json")):
            with contextlib.suppress(OSError):
                left.unlink()
        raise
    return size


def _note_validator(response: httpx.Response, part: Path) -> None:
    etag = response.headers.get("etag", "")
    # A weak ETag does not promise the same bytes, so it cannot join two pieces.
    validator = response.headers.get("last-modified") if etag.startswith("W/") or not etag else etag
    note = part.with_suffix(".json")
    if validator:
        note.write_text(json.dumps({"validator": validator}), encoding="utf-8")
    else:
        note.unlink(missing_ok=True)


def _wait(limits: HttpLimits, deadline: float) -> Callable[[RetryCallState], float]:
    backoff = wait_exponential(multiplier=limits.first_wait) + wait_random(0, limits.first_wait)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, _TransientError) else None
        seconds = min(max(backoff(state), asked or 0.0), limits.longest_wait)
        return max(min(seconds, deadline - time.monotonic()), 0.0)

    return wait


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "does not answer in time"
    if isinstance(error, httpx.ConnectError):
        return f"cannot be reached ({_plain(error)})"
    return f"breaks off ({_plain(error)})"


def _plain(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"//[^@/\s]*@", "//", text)[:160]  # a proxy's address may carry a password
