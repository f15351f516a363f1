"""What a provider prints, and which there are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostkit.errors import SourceError
from providers import contract, registry
from providers.contract import Document, Generated, Output, decode, encode

FORMAT = 'print {"origin": TEXT, "document": TOML TEXT} or {"origin": TEXT, "settings": OBJECT}'
ONE_OBJECT = "print one JSON object and nothing else; logs belong on stderr"
ORIGIN = "name the place that the data came from, such as a path"


@pytest.mark.parametrize("stdout", [b"", b"\n", b" \r\n"])
def test_nothing_printed_is_no_data(stdout: bytes) -> None:
    assert decode(stdout) is None
    assert encode(None) == ""


def test_a_document_is_one_line_of_ascii() -> None:
    output = Document("/a", 'motd = "hä\n"')
    assert encode(output) == '{"origin": "/a", "document": "motd = \\"h\\u00e4\\n\\""}\n'
    assert decode(encode(output).encode()) == output


def test_generated_settings_are_an_object() -> None:
    output = Generated("generator", {"motd": "x", "list": [1, None, 1.5, True], "table": {}})
    assert decode(encode(output).encode()) == output


def test_a_document_of_the_largest_size_fits_whatever_its_characters() -> None:
    output = Document("/a", "\1" * (1024 * 1024))
    assert decode(encode(output).encode()) == output


@pytest.mark.parametrize(
    ("stdout", "code", "what", "fix"),
    [
        (
            b" " * (contract.STDOUT_LIMIT_BYTES + 1),
            "too-large",
            "the provider printed more than 8388608 bytes",
            ONE_OBJECT,
        ),
        (b"secret", "not-json", "what the provider printed is not one JSON object (line 1, column 1)", ONE_OBJECT),
        (
            b'{"origin": "a"',
            "not-json",
            "what the provider printed is not one JSON object (line 1, column 15)",
            ONE_OBJECT,
        ),
        (b"{}\n{}", "not-json", "what the provider printed is not one JSON object (line 2, column 1)", ONE_OBJECT),
        (
            b"\xef\xbb\xbf{}",
            "not-json",
            "what the provider printed is not one JSON object (line 1, column 1)",
            ONE_OBJECT,
        ),
        (
            b'{"origin": "\xff"}',
            "not-utf8",
            "what the provider printed is not UTF-8",
            "print JSON in UTF-8, or in ASCII",
        ),
        (
            b'{"origin": "a", "document": "\\ud800"}',
            "not-utf8",
            "what the provider printed is not UTF-8",
            "print JSON in UTF-8, or in ASCII",
        ),
        (b"[" * 100_000, "depth", "what the provider printed is nested too deep", FORMAT),
        (
            b'{"origin": "a", "settings": {"a": NaN}}',
            "not-json",
            "the provider printed a number that is not finite",
            FORMAT,
        ),
        (
            b'{"origin": "a", "settings": {"a": 1e999}}',
            "not-json",
            "the provider printed a number that is not finite",
            FORMAT,
        ),
        (
            b'{"origin": "a", "settings": {"a": ' + b"1" * 5000 + b"}}",
            "not-json",
            "the provider printed a number that is too long",
            FORMAT,
        ),
        (
            b'{"origin": "a", "settings": {"a": 1, "a": 2}}',
            "not-json",
            "the provider printed an object that has a key twice",
            FORMAT,
        ),
        (b"[]", "type", "what the provider printed is not a JSON object", FORMAT),
        (b"null", "type", "what the provider printed is not a JSON object", FORMAT),
        (
            b'{"origin": "a", "document": "", "z": 1, "version": 2}',
            "unknown-key",
            "the provider printed unknown keys: version, z",
            FORMAT,
        ),
        (b'{"document": ""}', "origin", "`origin` is not 1 to 4096 printable characters", ORIGIN),
        (b'{"origin": "", "document": ""}', "origin", "`origin` is not 1 to 4096 printable characters", ORIGIN),
        (b'{"origin": 7, "document": ""}', "origin", "`origin` is not 1 to 4096 printable characters", ORIGIN),
        (
            b'{"origin": "a\\u001b[2J", "document": ""}',
            "origin",
            "`origin` is not 1 to 4096 printable characters",
            ORIGIN,
        ),
        (b'{"origin": "a"}', "data", "the provider printed neither `document` nor `settings`", FORMAT),
        (
            b'{"origin": "a", "document": "", "settings": {}}',
            "data",
            "the provider printed both `document` and `settings`",
            FORMAT,
        ),
        (b'{"origin": "a", "document": null}', "data", "`document` is not a string", FORMAT),
        (b'{"origin": "a", "settings": []}', "data", "`settings` is not an object", FORMAT),
    ],
)
def test_anything_else_is_a_fault(stdout: bytes, code: str, what: str, fix: str) -> None:
    with pytest.raises(SourceError) as caught:
        decode(stdout, "provider custom")
    assert caught.value.faults[0].code == f"provider-output-{code}"
    assert str(caught.value) == f"error: {what}\n  where: provider custom\n  fix:   {fix}"
    assert "secret" not in str(caught.value)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
ORIGINS = TEXT.filter(lambda text: bool(text) and text.isprintable())
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
OUTPUTS = (
    st.none()
    | st.builds(Document, ORIGINS, TEXT)
    | st.builds(Generated, ORIGINS, st.dictionaries(TEXT, VALUES, max_size=4))
)


@given(OUTPUTS)
def test_what_is_encoded_decodes_to_the_same(output: Output) -> None:
    text = encode(output)
    assert text.isascii()
    assert decode(text.encode()) == output


@given(
    st.binary(max_size=100)
    | st.dictionaries(st.sampled_from(["origin", "document", "settings", "x"]), VALUES).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_is_printed_is_an_output_or_a_fault(stdout: bytes) -> None:
    try:
        output = decode(stdout)
    except SourceError:
        return
    assert decode(encode(output).encode()) == output


def test_every_provider_of_ours_can_be_loaded_and_has_what_it_needs() -> None:
    assert [provider.name for provider in registry.PROVIDERS] == [
        "local-defaults",
        "local-file",
        "ec2-imds",
        "local-overrides",
    ]
    for provider in registry.PROVIDERS:
        assert callable(provider.load())
        assert registry.find(provider.name) is provider
        assert provider.needs_network is (provider.default_path is None)
        assert provider.default_deadline_s == (60 if provider.needs_network else 10)
    assert registry.find("vmware") is None


def test_to_know_the_providers_imports_none_of_them() -> None:
    heavy = {"http.client", "json", "zlib", "socket", "providers.local", "providers.ec2_imds"}
    command = (
        f"import sys; sys.path.insert(0, {str(Path(contract.__file__).parents[1])!r}); bare = set(sys.modules);"
        f"import providers.registry, providers.contract; print(*(sys.modules.keys() - bare & {heavy}))"
    )
    run = subprocess.run([sys.executable, "-I", "-c", command], capture_output=True, text=True, check=True)
    assert run.stdout == "\n"
