"""Connections only to public addresses, and only to the very address that was checked."""

from __future__ import annotations

import queue
import socket
import threading

import httpx

from indexer.errors import FontError
from indexer.fetch.addresses import canonical, is_address, is_public, is_this_machine

MAX_ADDRESSES = 4  # of one name: enough for one dead route, not for a scan


class AddressRefusedError(FontError):
    """The host's address is private and the guard does not allow it."""


class GuardedTransport(httpx.BaseTransport):
    """Resolves a request's host, refuses private addresses, and connects to what it saw.

    The name is resolved once and the connection goes to that address (the Host header and the TLS
    name stay), so a name server that answers differently the second time changes nothing.

    With `through_proxy` the proxy resolves names, and it alone can judge them: then only hosts
    written as an address, in any spelling, or as localhost are checked here.
    """

    def __init__(
        self, inner: httpx.BaseTransport, *, allow_private: bool, through_proxy: bool = False
    ) -> None:
        self._inner = inner
        self._allow_private = allow_private
        self._through_proxy = through_proxy

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = _canonical(request.url.raw_host.decode("ascii"))
        literal = is_address(host)
        if not self._allow_private and (is_this_machine(host) or (literal and not is_public(host))):
            raise _refusal(host)
        if self._through_proxy:
            # what was checked is what the proxy is asked for: it may read another spelling otherwise
            url = request.url.copy_with(host=host)
            request.headers["Host"] = url.netloc.decode("ascii")
            request.url = url
            return self._inner.handle_request(request)
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        timeouts = request.extensions.get("timeout", {})
        seconds = timeouts.get("connect") or 5.0
        addresses = [host] if literal else resolve(host, port, seconds=seconds)
        if not self._allow_private and not all(map(is_public, addresses)):
            raise _refusal(host)
        failure: httpx.TransportError | None = None
        for address in addresses[:MAX_ADDRESSES]:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # with the Host header of the name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return self._inner.handle_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or httpx.ConnectError("the name has no address")

    def close(self) -> None:
        self._inner.close()


def resolve(host: str, port: int, *, seconds: float) -> list[str]:
    """The addresses of a host, in the system's order. Raises httpx.ConnectError.

    The system's resolver knows no time limit, so it runs in a thread that may be left behind.
    """
    answers: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise httpx.ConnectTimeout("the name server does not answer") from None
    if isinstance(answer, Exception):
        raise httpx.ConnectError("the name cannot be resolved") from answer
    return answer


def _canonical(host: str) -> str:
    try:
        return canonical(host)
    except ValueError:
        raise AddressRefusedError("fetch", "The address has no valid host name.") from None


def _refusal(host: str) -> AddressRefusedError:
    return AddressRefusedError(
        "fetch", f"{host} is a private address, and fonts are not fetched from private addresses."
    )
