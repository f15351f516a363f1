"""Settings documents that an operator names: files, standard input, HTTP; TOML, else JSON; all bounded."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

from earlyboot.model.tree import ROOT
from earlyboot.stages.sources import Source, parse_user_data
from hostkit import files, toml
from hostkit.deadline import Deadline
from hostkit.errors import EarlybootError, Fault, OperatorError, SourceError, Where
from providers.decode import decode

LIMIT_BYTES = 2 << 20
_DEADLINE_S = 30.0
_FILE = "file://"
_SCHEME = "[A-Za-z][0-9A-Za-z+.-]*"


def read_all(uris: Sequence[str]) -> list[Source | EarlybootError]:
    """The documents in the order given, and why there is none where one cannot be read."""
    found: list[Source | EarlybootError] = []
    for uri in uris:
        try:
            found.append(_read(uri))
        except EarlybootError as error:
            found.append(error)
    return found


def all_of(errors: Sequence[EarlybootError]) -> EarlybootError:
    """Errors as one, which is of the kind of the first."""
    if len(errors) == 1:
        return errors[0]
    return type(errors[0])(*(fault for error in errors for fault in error.faults))


def _read(uri: str) -> Source:
    name = _name(uri)
    text = decode(_bytes(uri, name), name, LIMIT_BYTES)
    if text is None:
        raise OperatorError(Fault("no-data", "the document is empty", Where(name), "give a [settings] table"))
    limits = toml.LIMITS._replace(size_bytes=LIMIT_BYTES)
    if text.lstrip().startswith("{"):
        # No TOML document begins so.
        document = parse_json(text, name)
        if not isinstance(document, dict) or not isinstance(document.get(ROOT), dict):
            what = "the document has no settings object"
            raise OperatorError(Fault("no-settings", what, Where(name), 'write {"settings": {…}}'))
        return Source(name, name, document[ROOT], None)
    settings, _ = parse_user_data(text, name, limits)
    return Source(name, name, settings, text)


def _name(uri: str) -> str:
    """What errors and the record call a document: a URL without its user and its query, which may be credentials."""
    if uri == "-":
        return "standard input"
    scheme, colon, rest = uri.partition("://")
    if not colon or uri.startswith(_FILE) or not re.fullmatch(_SCHEME, scheme):
        return uri
    address, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{address.rpartition('@')[2]}{slash}{path}"


def _bytes(uri: str, name: str) -> bytes:
    if uri == "-":
        return files.read_descriptor(sys.stdin.fileno(), "standard input", LIMIT_BYTES)
    if uri.startswith(("http://", "https://")):
        return _fetch(uri, name)
    scheme, colon, _ = uri.partition("://")
    if colon and not uri.startswith(_FILE) and re.fullmatch(_SCHEME, scheme):
        what = f"documents cannot be fetched by {scheme}"
        fix = "give a file, or a URL that begins with file://, http:// or https://"
        raise OperatorError(Fault("bad-url", what, Where(name), fix))
    path = uri.removeprefix(_FILE)
    data = files.read(path, LIMIT_BYTES)
    if data is None:
        raise OperatorError(Fault("no-file", "there is no such file", Where(path), "give the path of a file"))
    return data


def _fetch(uri: str, name: str) -> bytes:
    from hostkit import http

    try:
        url = http.parse_url(uri)
    except ValueError as error:
        raise OperatorError(Fault("bad-url", f"not a usable URL: {error}", Where(name), "correct it")) from None
    deadline = Deadline(_DEADLINE_S)
    try:
        with http.Connection(
            url.host, url.port, tls=url.tls, deadline=deadline, limit_bytes=LIMIT_BYTES, try_timeout_s=_DEADLINE_S
        ) as connection:
            response = connection.request("GET", url.path, {"Accept": "*/*"})
    except http.HttpError as error:
        fix = "check the URL and the network"
        raise SourceError(Fault("fetch", f"the document cannot be fetched: {error}", Where(name), fix)) from None
    if response.status != 200:
        what = f"the server answered with status {response.status}"
        raise SourceError(
            Fault("fetch", what, Where(name), "give the URL of the document itself; redirects are not followed")
        )
    return response.body


def parse_json(text: str, source: str) -> object:
    """A JSON document of the operator's; `OperatorError` with its line for anything else."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = Where(source, error.lineno, error.colno)
        raise OperatorError(Fault("json-syntax", f"not JSON: {error.msg}", where, "correct the line")) from None
    except ValueError:
        what, fix = "not JSON: a number is too long", "write a shorter number"
        raise OperatorError(Fault("json-syntax", what, Where(source), fix)) from None
    except RecursionError:
        fix = "flatten the document"
        raise OperatorError(Fault("too-deep", "tables and lists are nested too deeply", Where(source), fix)) from None
