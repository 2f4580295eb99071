"""Which host an address names, however it is spelled, and whether that is on the public internet."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote

NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
MAX_HOST = 1000  # characters; a name has 253, and each may be percent-encoded
DOTS = str.maketrans("。｡", "..")  # which browsers read as dots, and NFKC does not
THIS_MACHINE = ("localhost", ".localdomain", "loopback")

# IANA's registries of special addresses, of 2026: what Python's ipaddress holds for public differs by
# its version, and 3.11.7 holds 192.0.0.192 and 3fff::1 for public.
NOT_PUBLIC = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
            "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "168.63.129.16/32",  # a cloud's own services, on each of its machines
        ),
    )
)  # fmt: skip
PUBLIC_6 = IPv6Network("2000::/3")  # all that is routed
NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols, Teredo among them
            "2001:db8::/32", "3fff::/20",  # documentation
            "2002::/16",  # 6to4: wraps any address, and has no relays any more
        ),
    )
)  # fmt: skip
WRAPPING = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))  # NAT64, of DNS64
ISATAP = (0x00005EFE, 0x02005EFE)


def canonical(host: str) -> str:
    """The host as an IP address in its usual form, or as a name in lower case.

    Read as inet_aton and the WHATWG URL standard read it: "127.1", "0x7f000001" and "%3127.1" are
    127.0.0.1. Raises ValueError for what is neither an address nor a name.
    """
    if len(host) > MAX_HOST:
        raise ValueError("no host is so long")
    text = host
    while (decoded := unquote(text)) != text:
        text = decoded
    text = unicodedata.normalize("NFKC", text).translate(DOTS).lower().removesuffix(".")
    if ":" in text:
        return str(IPv6Address(text.strip("[]")))
    if NUMBER.fullmatch(text.rpartition(".")[2]):
        return str(_ipv4(text.split(".")))
    if not NAME.fullmatch(text):
        raise ValueError("neither an address nor a name")
    return text


def is_address(host: str) -> bool:
    """Whether a canonical host is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_this_machine(host: str) -> bool:
    """Whether a canonical name is one of those by which machines call themselves."""
    return host.endswith(THIS_MACHINE)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, whatever it is wrapped in."""
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in NOT_PUBLIC)
    inner = IPv4Address(int(ip) & 0xFFFFFFFF)
    if any(ip in network for network in WRAPPING):
        return is_public(str(inner))
    if ip not in PUBLIC_6 or any(ip in network for network in NOT_PUBLIC_6):
        return False
    return (int(ip) >> 32 & 0xFFFFFFFF) not in ISATAP or is_public(str(inner))


def _ipv4(parts: list[str]) -> IPv4Address:
    """Of one to four numbers, the last of which fills what is left. Raises ValueError."""
    if len(parts) > 4 or not all(map(NUMBER.fullmatch, parts)):
        raise ValueError("not an IPv4 address")
    *first, last = map(_number, parts)
    room = 256 ** (4 - len(first))
    if any(number > 255 for number in first) or last >= room:
        raise ValueError("not an IPv4 address")
    head = int.from_bytes(bytes(first), "big")
    return IPv4Address(head * room + last)


def _number(digits: str) -> int:
    """Hexadecimal, octal or decimal. Raises ValueError."""
    if len(digits) > 64:
        raise ValueError("no address is so long")
    if digits.startswith("0x"):
        return int(digits[2:] or "0", 16)
    return int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)
