"""A generator that is a program of the image builder's.

It is started without a shell. On its stdin is a JSON object of the settings that it needs. It ends with status 0 and JSON
on its stdout, the value; with status 0 and nothing, or with status 2: there is no value. Anything else is a failure.
"""

from __future__ import annotations

import json
import os
from typing import NoReturn

from earlyboot.generators.contract import Question
from earlyboot.generators.known import Known, grown, key_path
from earlyboot.model.proxy import direct_hosts
from hostkit import process, strict_json
from hostkit.errors import Fault, HostError, Where, printable

_NO_VALUE = 2
_STDERR_CHARS = 300


def run(question: Question) -> object:
    """What the program printed, parsed; `None` for no value. A `HostError` names the program and how it ended."""
    spec = question.spec
    assert spec.command is not None
    argv = [question.paths.inside(spec.command[0]), *spec.command[1:]]
    known = _needed(question)
    descriptor = os.memfd_create("earlyboot-settings", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(json.dumps(known).encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        surroundings = environment(question.known)
        ended = process.run(
            process.Command(argv, spec.deadline_s, descriptor, environment=surroundings, leaves_nothing=True)
        )
    except OSError as error:
        _fail(question, f"cannot be started: {error.strerror}")
    finally:
        os.close(descriptor)
    if ended.status == _NO_VALUE and ended.cut_off is None:
        return None
    if ended.status != 0 or ended.cut_off is not None:
        words = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        _fail(question, f"failed: {ended.explain()}" + (f": {printable(words[-1])[:_STDERR_CHARS]}" if words else ""))
    if not ended.stdout.strip():
        return None
    try:
        return parse(ended.stdout)
    except ValueError as error:
        _fail(question, str(error))


def environment(known: Known) -> dict[str, str]:
    """What every program gets: a search path, and the proxy that the settings name."""
    proxy = known.value(("network", "https-proxy"))
    if not isinstance(proxy, str):
        return process.ENVIRONMENT
    text = ",".join(direct_hosts({group: known.table((group,)) for group in ("network", "kubernetes")}))
    return {**process.ENVIRONMENT, "HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": text, "no_proxy": text}


def _needed(question: Question) -> dict[str, object]:
    """The settings at and below the keys that it needs, and, where it fills a map, that map."""
    spec = question.spec
    found: dict[tuple[str, ...], object] = {}
    for key in (*spec.needs, *([spec.key] if spec.depth else ())):
        path = key_path(key)
        value = question.known.value(path)
        value = question.known.table(path) if value is None else value
        if value != {}:
            found[path] = value
    return grown(found)


def parse(stdout: bytes) -> object:
    """Strict JSON in UTF-8. A `ValueError` says what is wrong and quotes nothing: the value may be a secret."""
    try:
        return strict_json.parse(stdout.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("printed something that is not UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"printed something that is not one JSON value ({place})") from None
    except RecursionError:
        raise ValueError("printed JSON that is nested too deep") from None
    except strict_json.MalformedError as error:
        raise ValueError(f"printed {error}") from None
    except ValueError:
        # A number of more than 4,300 digits.
        raise ValueError("printed a number that is too long") from None


def _fail(question: Question, what: str) -> NoReturn:
    assert question.spec.command is not None
    program = question.spec.command[0]
    fix = "run it by hand to see more; it must print one JSON value, or nothing"
    raise HostError(Fault("generator-command", f"{program} {what}", Where(program), fix))
