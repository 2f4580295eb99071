"""Connections only to public addresses, and only to the very address that was checked."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading

import httpx

from indexer.errors import FontError

NAT64 = ipaddress.ip_network("64:ff9b::/96")
MAX_ADDRESSES = 4  # of one name: enough for one dead route, not for a scan


class AddressRefusedError(FontError):
    """The host's address is private and the guard does not allow it."""


class GuardedTransport(httpx.BaseTransport):
    """Resolves a request's host, refuses private addresses, and connects to what it saw.

    The name is resolved once and the connection goes to that address (the Host header and the TLS
    name stay), so a name server that answers differently the second time changes nothing.

    With `through_proxy` the proxy resolves names, and it alone can judge them: then only hosts
    written as an address or as localhost are checked here.
    """

    def __init__(
        self, inner: httpx.BaseTransport, *, allow_private: bool, through_proxy: bool = False
    ) -> None:
        self._inner = inner
        self._allow_private = allow_private
        self._through_proxy = through_proxy

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        if self._through_proxy:
            if not self._allow_private and _is_local_literal(host):
                raise _refusal(host)
            return self._inner.handle_request(request)
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        timeouts = request.extensions.get("timeout", {})
        addresses = resolve(host, port, seconds=timeouts.get("connect") or 5.0)
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
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
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


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, whatever it is wrapped in."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is None and ip in NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _is_local_literal(host: str) -> bool:
    if host.rstrip(".").endswith("localhost"):
        return True
    try:
        return not is_public(host.strip("[]"))
    except ValueError:  # a name
        return False


def _refusal(host: str) -> AddressRefusedError:
    return AddressRefusedError(
        "fetch", f"{host} is a private address, and fonts are not fetched from private addresses."
    )
