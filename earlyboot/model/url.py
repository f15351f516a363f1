"""Which text is a URL: the acceptance rule of the WHATWG URL standard, section 4.4, without building the URL.

Text without a scheme is judged as if `http://` stood before it, and so is `host:port`, which the standard alone would
read as a scheme with a path. Text that has a scheme is not given that second chance: `http://` is not a host `http`.
"""

from __future__ import annotations

import re

_SPECIAL_SCHEMES = frozenset({"http", "https", "ws", "wss", "ftp"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_PORT_FOLLOWS = re.compile(r"[0-9]+(?:[/?#]|\Z)")
_END_OF_HOST = re.compile(r"[/?#]")
_END_OF_SPECIAL_HOST = re.compile(r"[/\\?#]")
_DRIVE_LETTER = re.compile(r"[A-Za-z][:|]")
_FORBIDDEN_IN_HOST = re.compile(r"[\x00\t\n\r #/:<>?@\[\\\]^|]")
_FORBIDDEN_IN_DOMAIN = re.compile(r"[\x00-\x20#/:<>?@\[\\\]^|%\x7f\ufffd]")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_IPV4_NUMBER = re.compile(r"0[xX](?P<hex>[0-9A-Fa-f]*)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*)")


def is_url(text: str) -> bool:
    """Whether `text`, free of control characters, is a URL."""
    text = text.strip(" ")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _is_special(text)
    rest = text[scheme.end() :]
    name = scheme[1].lower()
    if name in _SPECIAL_SCHEMES:
        return _is_special(rest)
    if name == "file":
        return _is_file(rest.replace("\\", "/"))
    if _PORT_FOLLOWS.match(rest):
        return _is_special(text)
    if rest.startswith("//"):
        return _is_authority(_END_OF_HOST.split(rest[2:], maxsplit=1)[0], special=False)
    return True  # a path: nothing in it is refused


def has_userinfo(text: str) -> bool:
    """Whether a URL names a user or holds a password, as `is_url` takes it apart.

    What reads as a scheme with a path, `user:password@host`, counts too: many programs take it for a host.
    """
    text = text.strip(" ")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return "@" in _special_authority(text)
    rest = text[scheme.end() :]
    name = scheme[1].lower()
    if name in _SPECIAL_SCHEMES:
        return "@" in _special_authority(rest)
    if name == "file":
        return False
    if _PORT_FOLLOWS.match(rest):
        return "@" in _special_authority(text)
    return "@" in (_END_OF_HOST.split(rest[2:], maxsplit=1)[0] if rest.startswith("//") else rest)


def _is_special(rest: str) -> bool:
    return _is_authority(_special_authority(rest), special=True)


def _special_authority(rest: str) -> str:
    """Of what follows the colon of a scheme that needs a host; any number of slashes may lead."""
    return _END_OF_SPECIAL_HOST.split(rest.lstrip("/\\"), maxsplit=1)[0]


def _is_file(rest: str) -> bool:
    if not rest.startswith("//"):
        return True
    host = _END_OF_HOST.split(rest[2:], maxsplit=1)[0]
    return not host or _DRIVE_LETTER.fullmatch(host) is not None or _is_host(host)


def _is_authority(authority: str, *, special: bool) -> bool:
    """`[user[:password]@]host[:port]`; the last `@` counts."""
    _userinfo, at, place = authority.rpartition("@")
    host, colon, port = _split_port(place)
    if not host:
        return not (special or at or colon)
    if not _is_port(port):
        return False
    if special:
        return _is_host(host)
    if host.startswith("["):
        return _is_bracketed_ipv6(host)
    return _FORBIDDEN_IN_HOST.search(host) is None


def _split_port(place: str) -> tuple[str, str, str]:
    """At the first colon that is not inside brackets."""
    inside = False
    for index, char in enumerate(place):
        if char == ":" and not inside:
            return place[:index], ":", place[index + 1 :]
        if char in "[]":
            inside = char == "["
    return place, "", ""


def _is_port(port: str) -> bool:
    if not port:
        return True
    if not (port.isascii() and port.isdigit()):
        return False
    significant = port.lstrip("0")
    return len(significant) <= 5 and int(significant or "0") <= 0xFFFF


def _is_host(host: str) -> bool:
    """A domain or an address, as the schemes that need a host understand it."""
    if host.startswith("["):
        return _is_bracketed_ipv6(host)
    labels = _labels(host)
    return labels is not None and (not _looks_numeric(labels[-1]) or _is_ipv4(labels))


def _labels(host: str) -> list[str] | None:
    """The parts of a name or an IPv4 address; `None` if it is neither."""
    domain = _ascii_domain(_percent_decoded(host))
    if not domain or _FORBIDDEN_IN_DOMAIN.search(domain):
        return None
    return domain.removesuffix(".").split(".")


def _looks_numeric(label: str) -> bool:
    return (label.isascii() and label.isdigit()) or _ipv4_number(label) is not None


def _is_bracketed_ipv6(host: str) -> bool:
    if not host.endswith("]") or "%" in host:  # a zone is no part of a URL
        return False
    import ipaddress

    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def _is_ipv4(parts: list[str]) -> bool:
    """The standard's reading: one to four numbers, each decimal, octal or hexadecimal; the last fills what is left."""
    numbers = [_ipv4_number(part) for part in parts]
    if len(numbers) > 4 or any(number is None for number in numbers):
        return False
    *leading, last = [number for number in numbers if number is not None]
    return all(number <= 0xFF for number in leading) and last < 256 ** (4 - len(leading))


def _ipv4_number(part: str) -> int | None:
    match = _IPV4_NUMBER.fullmatch(part)
    if match is None:
        return None
    digits, base = next(
        (match[name], base) for name, base in (("hex", 16), ("octal", 8), ("decimal", 10)) if match[name] is not None
    )
    digits = digits.lstrip("0")
    return int(digits or "0", base) if len(digits) <= 12 else 1 << 32  # too large for any place; no huge conversion


def _percent_decoded(host: str) -> str:
    if "%" not in host:
        return host
    raw = _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), host.encode("utf-8", "replace"))
    return raw.decode("utf-8", "replace")


def _ascii_domain(host: str) -> str | None:
    """The host as the name system sees it, near enough to UTS 46 to tell good from bad; `None` for bad."""
    if not host.isascii():
        import unicodedata

        host = unicodedata.normalize("NFKC", host).replace("\u3002", ".")
        if any(unicodedata.category(char)[0] in "CZ" for char in host):
            return None
    domain = host.lower()
    if "xn--" in domain and not all(_is_punycode(label) for label in domain.split(".") if label.startswith("xn--")):
        return None
    return domain


def _is_punycode(label: str) -> bool:
    if len(label) > 63 or not label.isascii():
        return False
    try:
        unicode = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    return not unicode.isascii() and unicode.isprintable()
