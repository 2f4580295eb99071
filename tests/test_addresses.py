"""Private addresses are refused in every spelling, with a proxy and without."""

from __future__ import annotations

import ipaddress

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import FontError
from indexer.fetch.addresses import canonical, is_public
from indexer.fetch.guard import AddressRefusedError, GuardedTransport

# IANA's registries of special-purpose addresses, multicast and reserved ones; first and last of each
RANGES = [
    ("0.0.0.0", "0.255.255.255"), ("10.0.0.0", "10.255.255.255"), ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"), ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"), ("192.0.0.0", "192.0.0.255"), ("192.0.2.0", "192.0.2.255"),
    ("192.168.0.0", "192.168.255.255"), ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"), ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "255.255.255.255"),
]  # fmt: skip
RANGES_6 = [
    ("::", "::ffff:0:ffff:ffff"), ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"), ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
]  # fmt: skip
Draw = st.DrawFn


@st.composite
def private(draw: Draw) -> int:
    first, last = draw(st.sampled_from(RANGES))
    ends = int(ipaddress.IPv4Address(first)), int(ipaddress.IPv4Address(last))
    return draw(st.integers(*ends))


@st.composite
def spelled(draw: Draw, number: int) -> str:
    """An IPv4 address as inet_aton reads it: one to four parts, each in one of three bases."""
    count = draw(st.integers(1, 4))
    octets = number.to_bytes(4, "big")
    parts = [*octets[: count - 1], int.from_bytes(octets[count - 1 :], "big")]
    styles = ("{:d}", "{:#x}", "0X{:X}", "0x000{:x}", "0{:o}", "0000{:o}")
    text = ".".join(draw(st.sampled_from(styles)).format(part) for part in parts)
    return text + draw(st.sampled_from(["", "."]))


@st.composite
def disguised(draw: Draw, text: str) -> str:
    """Some characters in full width, or percent-encoded once or twice, and other dots."""
    wide = {ord("."): "。．｡"} | {0x21 + i: chr(0xFF01 + i) for i in range(94) if i != 13}
    found = []
    for character in text:
        kind = draw(st.integers(0, 9))
        shown = draw(st.sampled_from(wide[ord(character)])) if kind == 0 else character
        if kind in (0, 1) and draw(st.booleans()):
            shown = "".join(f"%{byte:02x}" for byte in shown.encode())
        if kind == 2:
            shown = f"%25{ord(character):02X}"
        found.append(shown)
    return "".join(found)


@st.composite
def wrapped(draw: Draw, number: int) -> str:
    """An IPv4 address in an IPv6 address."""
    v4, high, low = ipaddress.IPv4Address(number), number >> 16, number & 0xFFFF
    flipped = number ^ 0xFFFFFFFF
    ip = draw(
        st.sampled_from(
            [
                f"::ffff:{v4}", f"::{v4}", f"::ffff:0:{v4}", f"64:ff9b::{v4}", f"64:ff9b:1::{v4}",
                f"0:0:0:0:0:FFFF:{high:X}:{low:04X}", f"2002:{high:x}:{low:x}::1",
                f"2001:0:808:808::{flipped >> 16:x}:{flipped & 0xFFFF:x}",
                f"2001:0:{high:x}:{low:x}::f7f7:f7f7", f"2606:4700::5efe:{v4}", f"2606:4700::200:5efe:{v4}",
            ]
        )
    )  # fmt: skip
    return f"[{ip}]"


@st.composite
def private_6(draw: Draw) -> str:
    first, last = draw(st.sampled_from(RANGES_6))
    number = draw(st.integers(int(ipaddress.IPv6Address(first)), int(ipaddress.IPv6Address(last))))
    zone = draw(st.sampled_from(["", "%25eth0", "%1"]))
    written = draw(st.sampled_from(["{}", "{0.exploded}"])).format(ipaddress.IPv6Address(number))
    return f"[{written}{zone}]"


HOSTS = st.one_of(
    private().flatmap(spelled),
    private().flatmap(spelled).flatmap(disguised),
    private().flatmap(wrapped),
    private_6(),
    st.sampled_from(["localhost", "LOCALHOST.", "a.localhost", "localhost.localdomain"]).flatmap(
        disguised
    ),
)


def sent(url: str, *, through_proxy: bool) -> list[httpx.Request]:
    """What leaves the guard; FontError where it refuses, InvalidURL where nothing gets so far."""
    requests: list[httpx.Request] = []

    def outside(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200)

    guard = GuardedTransport(
        httpx.MockTransport(outside), allow_private=False, through_proxy=through_proxy
    )
    with httpx.Client(transport=guard, trust_env=False) as client:
        client.get(url)
    return requests


@pytest.mark.parametrize("through_proxy", [True, False])
@settings(max_examples=300, deadline=None)
@given(host=HOSTS)
def test_every_spelling_of_a_private_address_is_refused(through_proxy: bool, host: str) -> None:
    with pytest.raises((FontError, httpx.InvalidURL)):
        sent(f"http://{host}/a.ttf", through_proxy=through_proxy)


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0", "0xa9fea9fe", "127.0.0.1.", "0177.1",
     "[::ffff:127.0.0.1]", "%31%32%37.0.0.1", "localhost%2e", "192.0.0.192", "[3fff::1]",
     "127.0.0.1..", "256.1", "1.2.3.4.5", "0x", "1e3.1", "4294967296", "%" + "25" * 500 + "31", "08.8.8", "168.63.129.16"],
)  # fmt: skip
@pytest.mark.parametrize("through_proxy", [True, False])
def test_these_are_refused(host: str, through_proxy: bool) -> None:
    with pytest.raises(AddressRefusedError):
        sent(f"http://{host}/a.ttf", through_proxy=through_proxy)


@given(number=st.integers(1 << 24, (10 << 24) - 1), data=st.data())
def test_every_spelling_of_a_public_address_is_that_address(
    number: int, data: st.DataObject
) -> None:
    spelling = data.draw(spelled(number).flatmap(disguised))
    assert canonical(spelling) == str(ipaddress.IPv4Address(number))
    assert is_public(canonical(spelling))


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("0127.8.2056", "87.8.8.8"),  # which others take for 127.8.8.8
        ("CDN.example.com.", "cdn.example.com"),
        ("cdn%2eexample.com", "cdn.example.com"),
        ("[2606:4700:0:0::1]", "[2606:4700::1]"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_proxy_is_asked_for_what_was_checked_and_nothing_else(host: str, asked: str) -> None:
    (request,) = sent(f"http://{host}:8080/a.ttf", through_proxy=True)
    assert request.url.netloc.decode() == f"{asked}:8080" == request.headers["host"]
