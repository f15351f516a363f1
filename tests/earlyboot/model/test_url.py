"""What is a URL, by the WHATWG standard's rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model.types import SecretUrl, TimeServerAddress, Url, UrlWithUser

GOOD = (
    "https://example.com/path",
    "localhost:8080",
    "localhost:80/path?x",
    ".internal",
    "example.com",
    "my_host:80",
    "*.example",
    "-",
    "1.2.3.4",
    "1.2.3.4:80",
    "169.254.169.123",
    "2.amazon.pool.ntp.org",
    "[2001:db8::1]:3128",
    "//host",
    "/host",
    "http://[::1]:80/",
    "http://[::ffff:1.2.3.4]",
    "http:example.com",
    "http:\\\\host\\path",
    "HTTP://EXAMPLE.COM",
    "http://0x7f.1",
    "http://4294967295",
    "http://0",
    "http://1.2.3.4.",
    "http://a.b./",
    "http://ex%41mple",
    "http://h:0",
    "http://h:65535",
    "http://h:000080",
    "http://h:",
    "http://h?q",
    "http://h#f",
    "http://h/a b",
    "https://bücher.example",
    "http://xn--bcher-kva.example",
    "http://日本。jp",
    "file:",
    "file:x",
    "file:///etc/hosts",
    "file://localhost/x",
    "file://C:/x",
    "aws:///eu-west-1a/i@x",
    "http://h/@x?a@b#c@d",
    "h:80/@x",
    "//h/@x",
    "foo://h/@x",
    "file:///etc/a@b",
    "mailto:example",
    "urn:x:y",
    "foo://",
    "foo:///x",
    "foo://h",
    "foo://[::1]:9",
)

WITH_USER = (
    "https://user:p@ss@host:8443/x",
    "http://user:pass@proxy",
    "https://TOKEN@h/",
    "https://:p@h/",
    "http:u:p@h",
    "http:\\\\u:p@h\\x",
    "http:////u:p@h",
    "user@host:80/x",
    "//u:p@h/x",
    "user:hunter2@host/x",
    "user:12@host/x",
    "user:a/b@host/x",
    " u:p@h ",
    "foo://u:p@h",
    "mailto:a@example.com",
)

BAD = (
    "",
    " ",
    "how are you",
    "weird@",
    "not a url",
    "?q",
    "#",
    "://x",
    "http://",
    "https://",
    "http:///",
    "http://:80",
    "http://@",
    "http://u@:80",
    "https://h:99999",
    "http://h:65536",
    "localhost:99999",
    "http://h:8a",
    "http://h:٣",
    "http://h:" + "9" * 5000,
    "http://[::1",
    "http://[::1]x",
    "http://[zz]",
    "http://[]",
    "http://[1.2.3.4]",
    "http://[fe80::1%25eth0]",
    "http://a b/",
    "http://a<b",
    "http://a^b",
    "http://1.2.3.256",
    "http://256.1.1.1",
    "http://1.2.3.4.5",
    "http://x.09",
    "http://4294967296",
    "http://0x100000000",
    "http://1.0x100000000",
    "http://" + "9" * 5000,
    "http://%zz",
    "http://%00",
    "http://%ff",
    "http://a%0ab",
    "http://\u00a0",
    "http://\u202eexample",
    "http://xn--",
    "http://xn--a",
    "http://xn--" + "a" * 100,
    "foo://u@",
    "foo://:80",
    "foo://a b",
    "foo://[x]",
    "foo://h:99999",
    "file://a:b/",
    "file://u@h/",
    "http://h/\n",
    "http://h/a\tb",
    "http://h/\x7f",
    "http://h/\u2028",
    "http://h/\ud800",
)


@pytest.mark.parametrize("text", GOOD)
def test_a_url_is_stored_as_it_was_written(text: str) -> None:
    assert Url(text) == text


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a URL, or a host with an optional port$"):
        UrlWithUser(text)
    assert not Url.accepts(text)


@pytest.mark.parametrize("text", WITH_USER)
def test_only_a_secret_url_may_hold_a_user_and_a_password(text: str) -> None:
    assert SecretUrl(text).reveal() == text
    with pytest.raises(
        ValueError, match=r"^must be a URL without a user and a password, or a host with an optional port$"
    ):
        Url(text)
    assert not TimeServerAddress.accepts(text)


@given(st.text() | st.text(alphabet="htp:/@[]?#%.0x1- \\a"))
def test_any_text_is_either_a_url_or_refused(text: str) -> None:
    assert Url.accepts(text) in {True, False}
    assert not Url.accepts(text) or UrlWithUser.accepts(text)


@given(st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z][a-z0-9]{0,10}){0,3}", fullmatch=True), st.integers(0, 65535))
def test_every_host_and_port_is_a_url(host: str, port: int) -> None:
    assert Url(f"{host}:{port}")
    assert UrlWithUser(f"https://user:password@{host}:{port}/path")
    assert not Url.accepts(f"https://user:password@{host}:{port}/path")


@pytest.mark.parametrize("text", ["http://h/a b", " ntp.example.com", "h\u00a0", "a\nserver b"])
def test_a_time_server_cannot_add_words_or_lines_to_chrony_conf(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be the name or address of a time server, without spaces, a user"):
        TimeServerAddress(text)
