"""The rules across keys: settings that are each good alone, but that a consumer would refuse together, at boot or later.

A rule fires only for what no consumer takes or what plainly misses its purpose: whatever works today goes on working.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from earlyboot.model import table as model
from earlyboot.model.check import KeyFault
from earlyboot.model.key import parse_key
from earlyboot.model.tree import ROOT

Table = Mapping[str, Any]  # as `check` returns it


class Broken(NamedTuple):
    """Where a rule is broken, below its group; the words hold names of keys, no values."""

    path: tuple[str | int, ...]
    what: str
    fix: str
    code: str = "broken-rule"


class Rule(NamedTuple):
    """`says` is one sentence, for the reference. `broken` gets the value of the group."""

    name: str
    group: str
    says: str
    broken: Callable[[Table], Iterator[Broken]]


def broken_rules(settings: Mapping[str, object], generated: Collection[str] = ()) -> tuple[KeyFault, ...]:
    """What is wrong between the keys of the complete settings: as `check` returns them, merged, with the defaults.

    What is missing at or below one of the keys `generated` is not: a generator will make it up.
    """
    to_come = [parse_key(key) for key in generated]
    return tuple(
        _fault((rule.group, *broken.path), broken)
        for group, value in settings.items()
        for rule in rules_of(group)
        if isinstance(value, Mapping)
        for broken in rule.broken(value)
        if not (_is_missing(value, broken.path) and any(_covers(key, (group, *broken.path)) for key in to_come))
    )


def rules_of(group: str) -> tuple[Rule, ...]:
    """The rules within one group; none for an image builder's own."""
    if group == "kubernetes":
        from earlyboot.model.rules_kubernetes import RULES as KUBERNETES_RULES

        return KUBERNETES_RULES
    return tuple(rule for rule in _RULES if rule.group == group)


def _fault(path: tuple[str | int, ...], broken: Broken) -> KeyFault:
    from earlyboot.model.phrases import place  # only a fault needs it, and it costs

    return KeyFault(path, broken.code, f"{place(path)} {broken.what}", broken.fix)


def lacking(kind: type[model.Table], path: tuple[str, ...], table: Table) -> Iterator[Broken]:
    """What is missing in the table at `path`, which is of the type `kind`."""
    for name in kind.needs:
        if name not in table:
            yield Broken((*path, name), "is missing", _addition(kind, name), "missing-key")


def _addition(kind: type[model.Table], name: str) -> str:
    import msgspec.inspect as mi

    from earlyboot.model.phrases import example

    shape = mi.type_info(kind)
    assert isinstance(shape, mi.StructType)
    return next(f"add {name} = {example(field.type)}" for field in shape.fields if field.encode_name == name)


def _is_missing(value: object, path: tuple[str | int, ...]) -> bool:
    for part in path:
        if not isinstance(value, Mapping):
            return False
        if part not in value:
            return True
        value = value[part]
    return False


def _covers(key: tuple[str, ...], path: tuple[str | int, ...]) -> bool:
    return key == (ROOT, *path)[: len(key)]


def _sourceless_bootstrap_container(containers: Table) -> Iterator[Broken]:
    for name, container in containers.items():
        if container.get("mode", "off") != "off" and "source" not in container:
            yield Broken((name, "source"), "is missing, and the container is to run", 'add it, or set mode = "off"')


def _sourceless_host_container(containers: Table) -> Iterator[Broken]:
    for name, container in containers.items():
        if container.get("enabled", False) and "source" not in container:
            yield Broken((name, "source"), "is missing, and the container is to run", "add it, or set enabled = false")


def _bootstrap_command_without_commands(bootstrap_commands: Table) -> Iterator[Broken]:
    for name, bootstrap_command in bootstrap_commands.items():
        if bootstrap_command.get("mode", "off") != "off" and "commands" not in bootstrap_command:
            yield Broken((name, "commands"), "is missing, and they are to run", 'add it, or set mode = "off"')


def _bundle_without_certificates(bundles: Table) -> Iterator[Broken]:
    for name, bundle in bundles.items():
        if "data" not in bundle:
            yield Broken((name, "data"), "is missing", 'add the certificates, or data = "" to leave the bundle out')


def _credentials_that_log_nobody_in(container_registry: Table) -> Iterator[Broken]:
    for index, entry in enumerate(container_registry.get("credentials", ())):
        if "auth" in entry or "identitytoken" in entry or {"username", "password"} <= entry.keys():
            continue
        path = ("credentials", index)
        if "username" in entry:
            yield Broken(path, "has a username without a password", 'add password, or password = "" if there is none')
        elif "password" in entry:
            yield Broken(path, "has a password without a username", "add username")
        else:
            fix = "add username and password, auth or identitytoken, or remove the entry"
            yield Broken(path, "has nothing to log in with", fix)


def _signal_to_nobody(cloudformation: Table) -> Iterator[Broken]:
    if cloudformation.get("should-signal", False):
        for name in ("stack-name", "logical-resource-id"):
            if not cloudformation.get(name):
                yield Broken(
                    (name,),
                    "is missing or empty, and the stack is to be signalled",
                    "add it, or set should-signal = false",
                )


def _half_limit(oci_defaults: Table) -> Iterator[Broken]:
    from earlyboot.model.oci_defaults import UNLIMITED, ResourceLimit

    for name, limit in oci_defaults.get("resource-limits", {}).items():
        path = ("resource-limits", name)
        yield from lacking(ResourceLimit, path, limit)
        hard, soft = limit.get("hard-limit", UNLIMITED), limit.get("soft-limit", 0)
        if hard != UNLIMITED and (soft == UNLIMITED or soft > hard):
            # No container would start.
            yield Broken((*path, "soft-limit"), "must not be above hard-limit", "lower it, or raise hard-limit")


def _shared_and_divided(kubelet_device_plugins: Table) -> Iterator[Broken]:
    nvidia = kubelet_device_plugins.get("nvidia", {})
    if nvidia.get("device-sharing-strategy") == "mps" and nvidia.get("device-partitioning-strategy") == "mig":
        what = 'must not be "mps" where device-partitioning-strategy is "mig"'
        fix = 'share by "time-slicing", or set one of the two to "none"'
        yield Broken(("nvidia", "device-sharing-strategy"), what, fix)


def _switch_among_plugins(plugins: Table) -> Iterator[Broken]:
    for name, value in plugins.items():
        if (name == "enabled") is isinstance(value, bool):
            continue
        if name == "enabled":
            yield Broken((name,), "must be true or false", "write enabled = true, and give the plugin another name")
        else:
            fix = f'write {name} = {{ trustpolicy = "…" }}, or enabled = true to verify images'
            yield Broken((name,), "must be a plugin's table", fix)


_RULES = (
    Rule("bundle-certificates", "pki", "A bundle has data; empty data leaves it out.", _bundle_without_certificates),
    Rule(
        "credentials",
        "container-registry",
        "A credential has a username and a password, auth or identitytoken.",
        _credentials_that_log_nobody_in,
    ),
    Rule(
        "resource-limits",
        "oci-defaults",
        "A resource has both limits, and its soft limit is not above its hard limit.",
        _half_limit,
    ),
    Rule(
        "host-container-source",
        "host-containers",
        "A container that is enabled has a source.",
        _sourceless_host_container,
    ),
    Rule(
        "bootstrap-command-commands",
        "bootstrap-commands",
        "Where the mode is not off, there are commands.",
        _bootstrap_command_without_commands,
    ),
    Rule(
        "bootstrap-container-source",
        "bootstrap-containers",
        "A container whose mode is not off has a source.",
        _sourceless_bootstrap_container,
    ),
    Rule(
        "image-verifiers",
        "image-verifier-plugins",
        "The value of enabled is true or false, and every other name is that of a plugin.",
        _switch_among_plugins,
    ),
    Rule(
        "gpu-sharing",
        "kubelet-device-plugins",
        "A GPU that is divided by mig is not shared by mps.",
        _shared_and_divided,
    ),
    Rule(
        "signal-address", "cloudformation", "A signal needs a stack-name and a logical-resource-id.", _signal_to_nobody
    ),
)
