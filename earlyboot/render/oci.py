"""The OCI runtime specification that containerd's CRI plugin starts every container of a workload from."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.render.documents import json_document
from earlyboot.render.nested import table_at
from earlyboot.render.renderers import Context

# What a container has where no setting says otherwise: containerd's own choice. A specification without any would
# leave even root in a container without a single one.
_DEFAULT_CAPABILITIES = (
    *("audit-write", "chown", "dac-override", "fowner", "fsetid", "kill", "mknod", "net-bind-service", "net-raw"),
    *("setfcap", "setgid", "setpcap", "setuid", "sys-chroot"),
)
_UNLIMITED = 2**64 - 1
_MOUNTS = (
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    ("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")),
    ("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/run", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
)
_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def base_spec(settings: Mapping[str, object], context: Context) -> bytes | None:
    """The runtime specification of `oci-defaults`, complete, as `base_runtime_spec` wants it.

    https://github.com/opencontainers/runtime-spec/blob/main/config.md. containerd puts each container's own over it.
    """
    defaults = table_at(settings, "oci-defaults")
    if not defaults:
        return None
    capabilities = _capabilities(table_at(defaults, "capabilities"))
    process: dict[str, object] = {
        "user": {"uid": 0, "gid": 0},
        "cwd": "/",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
    }
    if limits := _limits(table_at(defaults, "resource-limits")):
        process["rlimits"] = limits
    process["noNewPrivileges"] = True
    return json_document(
        {
            "ociVersion": "1.0.2",
            "process": process,
            "root": {"path": "rootfs"},
            "mounts": [
                {"destination": path, "type": kind, "source": source, "options": options}
                for path, kind, source, options in _MOUNTS
            ],
            "linux": {
                "resources": {"devices": [{"allow": False, "access": "rwm"}]},
                "cgroupsPath": "/default",
                "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")],
                "maskedPaths": _MASKED,
                "readonlyPaths": _READ_ONLY,
            },
        }
    )


def _capabilities(given: Mapping[str, object]) -> list[str]:
    wanted = {*_DEFAULT_CAPABILITIES, *given} - {name for name, has_it in given.items() if has_it is not True}
    return [f"CAP_{name.upper().replace('-', '_')}" for name in sorted(wanted)]


def _limits(given: Mapping[str, object]) -> list[dict[str, object]]:
    from earlyboot.model.oci_defaults import RLIMITS

    both = ("hard-limit", "soft-limit")
    limits = {name: table_at(given, name) for name in sorted(given)}
    return [
        {"type": RLIMITS[name], "hard": _limit(limit["hard-limit"]), "soft": _limit(limit["soft-limit"])}
        for name, limit in limits.items()
        if all(side in limit for side in both)
    ]


def _limit(value: object) -> object:
    return _UNLIMITED if value == -1 else value
