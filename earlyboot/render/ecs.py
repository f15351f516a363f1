"""The environment of the Amazon ECS agent.

Two readers that know different quoting read this file: systemd, and ecs-init, which takes each line as it is. So no value
is quoted, and one that systemd would change is refused. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping

from earlyboot.render import registry
from earlyboot.render.documents import NOTE
from earlyboot.render.formats import UnholdableError, text
from earlyboot.render.nested import at, chosen, list_at, table_at, text_at
from earlyboot.render.renderers import Context

_VARIABLES = {
    "cluster": "ECS_CLUSTER",
    "loglevel": "ECS_LOGLEVEL",
    "backend-host": "ECS_BACKEND_HOST",
    "reserved-memory": "ECS_RESERVED_MEMORY",
    "image-pull-behavior": "ECS_IMAGE_PULL_BEHAVIOR",
    "container-stop-timeout": "ECS_CONTAINER_STOP_TIMEOUT",
    "task-cleanup-wait": "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION",
    "image-cleanup-wait": "ECS_IMAGE_CLEANUP_INTERVAL",
    "image-cleanup-age": "ECS_IMAGE_MINIMUM_CLEANUP_AGE",
    "image-cleanup-delete-per-cycle": "ECS_NUM_IMAGES_DELETE_PER_CYCLE",
    "enable-spot-instance-draining": "ECS_ENABLE_SPOT_INSTANCE_DRAINING",
    "awsvpc-block-imds": "ECS_AWSVPC_BLOCK_IMDS",
    "enable-container-metadata": "ECS_ENABLE_CONTAINER_METADATA",
}
# The agent's own limits, for the one of the two that is not given.
_METADATA_RPS, _METADATA_BURST = 40, 60
_HUB = "https://index.docker.io/v1/"


def agent_environment(settings: Mapping[str, object], context: Context) -> bytes | None:
    ecs = table_at(settings, "ecs")
    if not ecs:
        return None
    variables: dict[str, object] = {
        **chosen(ecs, _VARIABLES),
        "ECS_DISABLE_PRIVILEGED": ecs.get("allow-privileged-containers") is not True,
        **_limits(ecs),
    }
    if (cleanup := ecs.get("image-cleanup-enabled")) is not None:
        variables["ECS_DISABLE_IMAGE_CLEANUP"] = cleanup is not True
    if (waits := at(settings, "autoscaling", "should-wait")) is not None:
        variables["ECS_WARM_POOLS_CHECK"] = waits
    if attributes := table_at(ecs, "instance-attributes"):
        variables["ECS_INSTANCE_ATTRIBUTES"] = _json(attributes)
    if drivers := list_at(ecs, "logging-drivers"):
        variables["ECS_AVAILABLE_LOGGING_DRIVERS"] = _json(drivers)
    if logins := _logins(settings):
        variables |= {"ECS_ENGINE_AUTH_TYPE": "dockercfg", "ECS_ENGINE_AUTH_DATA": _json(logins)}
    return (NOTE + "".join(f"{name}={_unquoted(name, variables[name])}\n" for name in sorted(variables))).encode()


def _limits(ecs: Mapping[str, object]) -> dict[str, object]:
    rate, burst = ecs.get("metadata-service-rps"), ecs.get("metadata-service-burst")
    if rate is None and burst is None:
        return {}
    rate, burst = _METADATA_RPS if rate is None else rate, _METADATA_BURST if burst is None else burst
    return {"ECS_TASK_METADATA_RPS_LIMIT": f"{rate},{burst}"}


def _logins(settings: Mapping[str, object]) -> dict[str, object]:
    """As `dockercfg` has them: base64 alone, in which no password needs an escape. Tokens it does not know."""
    found: dict[str, object] = {}
    for name, credential in registry.credentials(settings).items():
        auth = text_at(credential, "auth")
        if auth is None and (login := registry.user_and_password(credential)):
            auth = binascii.b2a_base64(":".join(login).encode(), newline=False).decode()
        if auth is not None:
            found[_HUB if registry.is_hub(name) else name] = {"auth": auth}
    return found


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _unquoted(name: str, value: object) -> str:
    line = text(value)
    if line != line.strip() or line[:1] in ('"', "'") or "\\" in line:
        raise UnholdableError(
            f"{name} would have a quote or space at its end, or a backslash, which ecs.config cannot hold"
        )
    return line
