"""containerd: the mirrors of each registry (hosts.toml), and a drop-in for what its own configuration has to say.

Up to 1.7 a drop-in takes the place of the image's section for a plugin; from 2.0 on the two are merged. So a drop-in
in the older form repeats the section of the image's config.toml below the settings, and either containerd ends up with both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from earlyboot.render import registry
from earlyboot.render.documents import toml_document
from earlyboot.render.nested import at, chosen, table_at, text_at
from earlyboot.render.renderers import Context
from hostkit.errors import Fault, HostError, Where

CONFIG = "/etc/containerd/config.toml"
HOSTS = "/etc/containerd/certs.d"
BASE_SPEC = "/etc/containerd/earlyboot-cri-base.json"

# The plugins that the settings reach: the one of config version 2, the two that took its place in 3, and the puller of 2.1.
_CRI = "io.containerd.grpc.v1.cri"
_IMAGES = "io.containerd.cri.v1.images"
_RUNTIME = "io.containerd.cri.v1.runtime"
_TRANSFER = "io.containerd.transfer.v1.local"
_SOCI = {"type": "snapshot", "address": "/run/soci-snapshotter-grpc/soci-snapshotter-grpc.sock"}
_RUNTIME_FIELDS = {
    "max-container-log-line-size": "max_container_log_line_size",
    "enable-unprivileged-ports": "enable_unprivileged_ports",
    "enable-unprivileged-icmp": "enable_unprivileged_icmp",
}
_TRANSFER_FIELDS = {
    "max-concurrent-downloads": "max_concurrent_downloads",
    "max-concurrent-unpacks": "max_concurrent_unpacks",
    "concurrent-download-chunk-size": "concurrent_layer_fetch_buffer",
}

Section = dict[str, Any]


def hosts(settings: Mapping[str, object], context: Context) -> Mapping[str, bytes]:
    """hosts.toml by the folder of its registry. A registry itself comes last: containerd adds it to those listed.

    https://github.com/containerd/containerd/blob/main/docs/hosts.md
    """
    return {
        "_default" if name == "*" else name: toml_document(
            {"host": {endpoint.url: _host(endpoint) for endpoint in endpoints}}
        )
        for name, endpoints in registry.mirrors(settings).items()
    }


def _host(endpoint: registry.Endpoint) -> Section:
    # To any other path containerd adds /v2 of its own.
    verbatim = {"override_path": True} if endpoint.path else {}
    return {"capabilities": endpoint.capabilities, **verbatim}


def drop_in(settings: Mapping[str, object], context: Context) -> bytes | None:
    """The drop-in, in the form of the image's config.toml. `HostError` where that file leaves no room for it."""
    image = _image_config(context)
    version = 3 if _version(image) >= 3 else 2
    plugins = _sections(settings, table_at(image, "plugins"), version)
    log_level = at(settings, "container-runtime", "log-level")
    if not plugins and log_level is None:
        return None
    document: Section = {"version": version}
    if log_level is not None:
        document["debug"] = {"level": log_level}
    if at(settings, "container-runtime", "snapshotter") == "soci" and not table_at(image, "proxy_plugins", "soci"):
        document["proxy_plugins"] = {"soci": _SOCI}
    # containerd 1.7 is such a reader, and a registry may be called [2001:db8::1]:5000.
    return toml_document({**document, "plugins": plugins} if plugins else document, for_old_readers=True)


def _image_config(context: Context) -> Mapping[str, object]:
    data = context.read(CONFIG)
    if data is None:
        return {}
    import tomli

    try:
        config = tomli.loads(data.decode())
    except ValueError:
        what = "the image's configuration of containerd is not TOML"
        raise HostError(Fault("containerd-config", what, Where(CONFIG), "see: containerd config dump")) from None
    if config and _version(config) < 2:
        what = "the image's configuration of containerd is of version 1, which drop-ins of version 2 cannot extend"
        raise HostError(Fault("containerd-config", what, Where(CONFIG), "write: containerd config migrate"))
    return config


def _version(config: Mapping[str, object]) -> int:
    version = config.get("version", 1)
    return version if isinstance(version, int) else 1


def _sections(settings: Mapping[str, object], image: Mapping[str, object], version: int) -> Section:
    """What each plugin is told, by its name; without those that have nothing to be told."""
    cri = _CRI if version == 2 else _RUNTIME
    images = _CRI if version == 2 else _IMAGES
    sections: dict[str, Section] = {cri: {}, images: {}, _TRANSFER: {}}
    _add_runtime(sections[cri], settings, table_at(image, cri))
    _add_pulls(sections, images, settings)
    if registry_section := _registry(settings, table_at(image, images, "registry")):
        sections[images]["registry"] = registry_section
    if (sandbox := text_at(settings, "kubernetes", "pod-infra-container-image")) is not None:
        sections[images] |= {"sandbox_image": sandbox} if version == 2 else {"pinned_images": {"sandbox": sandbox}}
    if snapshotter := _snapshotter(settings):
        if version == 2:
            # containerd 2 finds these two in the older form only where a runtime stands beside them.
            runtimes = _default_runtime(table_at(image, _CRI))
            sections[_CRI] = _merged({"containerd": {**snapshotter, "runtimes": runtimes}}, sections[_CRI])
        else:
            sections[_IMAGES] |= snapshotter
    told = {name: section for name, section in sections.items() if section}
    return told if version == 3 else {name: _merged(table_at(image, name), section) for name, section in told.items()}


def _add_runtime(section: Section, settings: Mapping[str, object], image: Mapping[str, object]) -> None:
    section |= chosen(table_at(settings, "container-runtime"), _RUNTIME_FIELDS)
    owned = at(settings, "kubernetes", "device-ownership-from-security-context")
    if owned is not None:
        section["device_ownership_from_security_context"] = owned
    if table_at(settings, "oci-defaults"):
        ((name, runtime),) = _default_runtime(image).items()
        section["containerd"] = {"runtimes": {name: {**runtime, "base_runtime_spec": BASE_SPEC}}}


def _default_runtime(image: Mapping[str, object]) -> Section:
    """The runtime that a container gets, by its name. A table of it hides containerd's own, so it names the type."""
    name = text_at(image, "containerd", "default_runtime_name") or "runc"
    known = text_at(image, "containerd", "runtimes", name, "runtime_type")
    return {name: {"runtime_type": known or "io.containerd.runc.v2"}}


def _add_pulls(sections: dict[str, Section], images: str, settings: Mapping[str, object]) -> None:
    """From 2.1 on the transfer plugin pulls, unless the CRI plugin has credentials or a number of downloads of its own."""
    pulls = chosen(table_at(settings, "container-runtime"), _TRANSFER_FIELDS)
    sections[_TRANSFER] |= pulls
    here = dict(pulls)
    unpacks = here.pop("max_concurrent_unpacks", None)
    if images == _CRI:
        here.pop("concurrent_layer_fetch_buffer", None)
    if unpacks is None or registry.credentials(settings):
        sections[images] |= here


def _registry(settings: Mapping[str, object], image: Mapping[str, object]) -> Section:
    mirrors, credentials = registry.mirrors(settings), registry.credentials(settings)
    if not mirrors and not credentials:
        return {}
    section: Section = {}
    if not image.get("mirrors"):
        known = [path for path in (text_at(image, "config_path") or "").split(":") if path]
        # With credentials containerd no longer looks into its usual folders by itself.
        section["config_path"] = ":".join(known if HOSTS in known else [HOSTS, *known])
    elif mirrors:
        what = "the image's configuration of containerd lists registry mirrors, so containerd reads no hosts.toml"
        raise HostError(
            Fault("containerd-config", what, Where(CONFIG), f"move registry.mirrors to files below {HOSTS}")
        )
    if credentials:
        section["configs"] = {
            registry.host_of_registry(name): {"auth": credential} for name, credential in credentials.items()
        }
    return section


def _snapshotter(settings: Mapping[str, object]) -> Section:
    name = text_at(settings, "container-runtime", "snapshotter")
    if name is None:
        return {}
    # SOCI finds its index by annotations.
    return {"snapshotter": name, **({"disable_snapshot_annotations": False} if name == "soci" else {})}


def _merged(below: Mapping[str, object], above: Mapping[str, object]) -> Section:
    result: Section = dict(below)
    for name, value in above.items():
        under = result.get(name)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        result[name] = _merged(under, value) if both else value  # type: ignore[arg-type]
    return result
