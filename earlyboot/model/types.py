"""The validated scalars: text that was checked once, when it was made, and is trusted afterwards.

A `Scalar` is the text. A `SecretScalar` holds text that only `reveal` shows, so a log line or a traceback cannot.
Both say in `rule` what is accepted ("must be …") and in `example` what it looks like; errors quote these, no value.
All patterns match in linear time, name ASCII ranges (`\\d` would match other digits) and must match the whole text.
"""

from __future__ import annotations

import binascii
import re
from typing import Annotated, ClassVar, Literal, Self

from msgspec import Meta

from earlyboot.model.time_server import host_of
from earlyboot.model.url import has_userinfo, is_url

# No control character but the tab, no line or paragraph separator, no lone surrogate.
_ONE_LINE = r"[^\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*"
_NO_NUL = r"[^\x00\ud800-\udfff]*"
_SEMVER_NUMBER = r"(?:0|[1-9][0-9]{0,18})"
_SEMVER_PRE = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"


class Scalar(str):
    """Text of one kind. Making one from text that breaks the rule raises `ValueError`."""

    __slots__ = ()

    rule: ClassVar[str]
    example: ClassVar[str]
    how: ClassVar[str] = ""  # how to come by such a text, where the example says too little
    pattern: ClassVar[str] = _NO_NUL
    secret: ClassVar[bool] = False

    def __new__(cls, text: str) -> Self:
        return super().__new__(cls, cls.check(text))

    @classmethod
    def check(cls, text: str) -> str:
        """`text` as it is stored: verbatim, but where the class says otherwise. `ValueError` if it breaks the rule."""
        if not cls.accepts(text):
            raise ValueError(f"must be {cls.rule}")
        return text

    @classmethod
    def accepts(cls, text: str) -> bool:
        return re.fullmatch(cls.pattern, text) is not None


class SecretScalar:
    """Text that every way of printing shows as REDACTED; not a `str`, so that joining or encoding it fails instead."""

    __slots__ = ("_text",)

    plain: ClassVar[type[Scalar]]
    secret: ClassVar[bool] = True
    rule: ClassVar[str]
    example: ClassVar[str]
    how: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.rule, cls.example, cls.how = cls.plain.rule, cls.plain.example, cls.plain.how

    def __init__(self, text: str) -> None:
        self._text = self.check(text)

    @classmethod
    def check(cls, text: str) -> str:
        return cls.plain.check(text)

    @classmethod
    def accepts(cls, text: str) -> bool:
        return cls.plain.accepts(text)

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "REDACTED"

    def __format__(self, format_spec: str) -> str:
        return "REDACTED"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretScalar) and type(self) is type(other) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class SingleLineString(Scalar):
    rule = "text on one line, without control characters"
    example = "some text"
    pattern = _ONE_LINE


class MultiLineText(Scalar):
    rule = "text without NUL characters"
    example = "Welcome!"


class Argument(Scalar):
    """One word of a command line; a script with line breaks is one word too."""

    rule = "text without NUL characters"
    example = "--verbose"


class ValidBase64(Scalar):
    rule = "base64: the standard alphabet, padded, without spaces or line breaks"
    example = "aGVsbG8="
    how = "write the output of: base64 -w0 FILE"

    @classmethod
    def accepts(cls, text: str) -> bool:
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            return False
        # The decoder forgives bits that the padding leaves over; one content has one encoding here.
        return binascii.b2a_base64(data, newline=False).decode("ascii") == text


class PemCertificate(Scalar):
    rule = "base64 of one or more PEM blocks that are all valid X.509 certificates, or empty"
    example = ""
    how = "write the output of: base64 -w0 FILE, where FILE holds certificates in PEM and nothing else"

    @classmethod
    def accepts(cls, text: str) -> bool:
        if not text.strip():
            return True
        if not ValidBase64.accepts(text):
            return False
        from earlyboot.model.pem import is_bundle

        return is_bundle(binascii.a2b_base64(text))


class UrlWithUser(Scalar):
    """A URL that may hold a user and a password, so only a secret can be one."""

    rule = "a URL, or a host with an optional port"
    example = "https://example.com/path"

    @classmethod
    def accepts(cls, text: str) -> bool:
        return "\t" not in text and re.fullmatch(_ONE_LINE, text) is not None and is_url(text)


class Url(UrlWithUser):
    """A URL that everybody may see: readers of the API do, and it stands in files that all users can read."""

    rule = "a URL without a user and a password, or a host with an optional port"

    @classmethod
    def accepts(cls, text: str) -> bool:
        return super().accepts(text) and not has_userinfo(text)


class TimeServerAddress(Url):
    """A `Url` that becomes one word of a line in chrony.conf."""

    rule = "the name or address of a time server, without spaces, a user and a password"
    example = "0.pool.ntp.org"

    @classmethod
    def accepts(cls, text: str) -> bool:
        if any(map(str.isspace, text)) or not super().accepts(text):
            return False
        try:
            host_of(text)
        except ValueError:
            return False
        return True


class ChronyOption(Scalar):
    """An option with its value, for a line in chrony.conf; chrony has no quoting."""

    rule = "a chrony option of printable ASCII, its words separated by single spaces"
    example = "minpoll 4"
    pattern = "[!-~]+(?: [!-~]+)*"


class ChronyLog(Scalar):
    rule = "a word that chrony's 'log' takes, of lower-case letters"
    example = "tracking"
    pattern = "[a-z]+"


class OciImageRef(Scalar):
    rule = "a container image reference of printable ASCII, without spaces"
    example = "public.ecr.aws/bottlerocket/bottlerocket-admin:v0.11.13"
    pattern = "[!-~]+"


class ValidLinuxHostname(Scalar):
    rule = (
        "a host name of lower-case letters, digits, '-' and '.', at most 253 characters, "
        "each part 1 to 63 and not beginning with '-'"
    )
    example = "node-1.example.com"
    pattern = r"(?=.{1,253}\Z)[0-9a-z][0-9a-z-]{0,62}(?:\.[0-9a-z][0-9a-z-]{0,62})*"


class Identifier(Scalar):
    rule = "a name of 1 to 76 letters, digits and '-'"
    example = "my-name"
    pattern = "[0-9A-Za-z-]{1,76}"


class InterfaceName(Scalar):
    rule = "a network interface name of 1 to 15 printable ASCII characters, without '.', '/', ':' and spaces"
    example = "eth0"
    pattern = "[!-,0-9;-~-]{1,15}"


class FriendlyVersion(Scalar):
    rule = "'latest', or a version such as 1.2.3"
    example = "1.26.1"
    pattern = (
        rf"latest|v?{_SEMVER_NUMBER}\.{_SEMVER_NUMBER}\.{_SEMVER_NUMBER}"
        rf"(?:-{_SEMVER_PRE}(?:\.{_SEMVER_PRE})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
    )


class SysctlKey(Scalar):
    rule = "a kernel parameter: up to 128 letters, digits and '.', '/', '_', '-', without '..' and a leading '.' or '/'"
    example = "net.core.rmem_max"
    pattern = r"(?![./])(?!.*\.\.)[0-9A-Za-z./_-]{1,128}"


class SysctlValue(SingleLineString):
    rule = "the value of a kernel parameter on one line"
    example = "1"


class KmodKey(Scalar):
    rule = "a kernel module's name: 1 to 56 letters, digits, '_' and '-'"
    example = "br_netfilter"
    pattern = "[0-9A-Za-z_-]{1,56}"


class IpAddr(Scalar):
    """An address; IPv6 is stored in its canonical form (RFC 5952), a mapped IPv4 address with dots."""

    rule = "an IPv4 or IPv6 address"
    example = "192.0.2.1"
    pattern = "[0-9A-Fa-f:.]{2,45}"  # leaves out zones

    @classmethod
    def check(cls, text: str) -> str:
        if ":" not in super().check(text):
            return text
        import ipaddress

        address = ipaddress.IPv6Address(text)
        return str(address) if address.ipv4_mapped is None else f"::ffff:{address.ipv4_mapped}"

    @classmethod
    def accepts(cls, text: str) -> bool:
        if not super().accepts(text):
            return False
        import ipaddress

        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        return True


class SecretUrl(SecretScalar):
    plain = UrlWithUser


class SecretBase64(SecretScalar):
    plain = ValidBase64


NAME_SCALAR = "scalar"


def names(scalar: type[Scalar]) -> Meta:
    """What makes the text keys of a map those of a scalar, one that is all pattern.

    msgspec hands no text key to a dec_hook, so it enforces the pattern itself; `extra` says which scalar it was.
    """
    return Meta(pattern=rf"\A(?:{scalar.pattern})\Z", extra={NAME_SCALAR: scalar})


IdentifierName = Annotated[str, names(Identifier)]
KmodName = Annotated[str, names(KmodKey)]
SysctlName = Annotated[str, names(SysctlKey)]
TimeServerName = Annotated[str, names(SingleLineString)]

Mode = Literal["off", "once", "always"]
