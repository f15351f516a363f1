"""`settings.ecs`: the agent that makes this machine an instance of an Amazon ECS cluster."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import Scalar, SingleLineString, names

_TIME = r"[0-9]{1,18}(?:\.[0-9]{1,18})?"


class AttributeKey(Scalar):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html"""

    rule = "the name of an attribute: 1 to 128 letters, digits, '.', '_', '/' and '-'"
    example = "rack"
    pattern = "[0-9A-Za-z._/-]{1,128}"


class AttributeValue(Scalar):
    rule = (
        "the value of an attribute: 1 to 128 letters, digits, spaces and '.@:_/\\-', "
        "neither beginning nor ending with a space"
    )
    example = "r1"
    pattern = r"[0-9A-Za-z.@:_/\\-](?:[0-9A-Za-z.@: _/\\-]{0,126}[0-9A-Za-z.@:_/\\-])?"


class AgentDuration(Scalar):
    """As Go reads it, the units in order. The micro sign is stored as `u`, which means the same."""

    rule = "a duration: h, m, s, ms, us and ns in that order, such as 30s or 1h30m"
    example = "30s"
    pattern = rf"(?=.)(?:{_TIME}h)?(?:{_TIME}m)?(?:{_TIME}s)?(?:{_TIME}ms)?(?:{_TIME}[u\u00b5]s)?(?:{_TIME}ns)?"

    @classmethod
    def check(cls, text: str) -> str:
        return super().check(text).replace("\u00b5", "u")


AttributeName = Annotated[str, names(AttributeKey)]

I64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Ecs(Table, kw_only=True, frozen=True):
    """The agent's configuration."""

    cluster: Annotated[
        SingleLineString | UnsetType,
        Meta(description="The name of the cluster that this instance joins; default if not given."),
    ] = UNSET
    instance_attributes: Annotated[
        dict[AttributeName, AttributeValue] | UnsetType,
        Meta(description="Attributes of this instance that tasks are placed by."),
    ] = UNSET
    allow_privileged_containers: Annotated[
        bool | UnsetType, Meta(description="Whether tasks may have privileged containers; false if not given.")
    ] = UNSET
    logging_drivers: Annotated[
        tuple[SingleLineString, ...] | UnsetType, Meta(description="The logging drivers that tasks may use.")
    ] = UNSET
    loglevel: Annotated[
        Literal["debug", "info", "warn", "error", "crit"] | UnsetType,
        Meta(description="How much the agent logs; info if not given."),
    ] = UNSET
    enable_spot_instance_draining: Annotated[
        bool | UnsetType,
        Meta(description="Whether tasks are moved away when a spot instance is about to be reclaimed."),
    ] = UNSET
    image_pull_behavior: Annotated[
        Literal["default", "always", "once", "prefer-cached"] | UnsetType, Meta(description="When images are pulled.")
    ] = UNSET
    container_stop_timeout: Annotated[
        AgentDuration | UnsetType,
        Meta(description="How long a container gets to end before it is killed; 30s if not given."),
    ] = UNSET
    task_cleanup_wait: Annotated[
        AgentDuration | UnsetType,
        Meta(description="How long a stopped task is kept before it is cleaned up; 3h if not given."),
    ] = UNSET
    metadata_service_rps: Annotated[
        I64 | UnsetType, Meta(description="How many requests a task may make to the metadata service per second.")
    ] = UNSET
    metadata_service_burst: Annotated[
        I64 | UnsetType, Meta(description="How many requests to the metadata service may come at once.")
    ] = UNSET
    reserved_memory: Annotated[
        Annotated[int, Meta(ge=0, le=2**16 - 1)] | UnsetType,
        Meta(description="How much memory, in MiB, is kept from tasks."),
    ] = UNSET
    image_cleanup_wait: Annotated[
        AgentDuration | UnsetType, Meta(description="How often unused images are removed; 30m if not given.")
    ] = UNSET
    image_cleanup_delete_per_cycle: Annotated[
        I64 | UnsetType, Meta(description="How many images are removed at a time; 5 if not given.")
    ] = UNSET
    image_cleanup_enabled: Annotated[
        bool | UnsetType, Meta(description="Whether unused images are removed; true if not given.")
    ] = UNSET
    image_cleanup_age: Annotated[
        AgentDuration | UnsetType,
        Meta(description="How long an image must be on the instance before it may be removed; 1h if not given."),
    ] = UNSET
    backend_host: Annotated[
        SingleLineString | UnsetType, Meta(description="The address of the ECS service, in place of the region's.")
    ] = UNSET
    awsvpc_block_imds: Annotated[
        bool | UnsetType, Meta(description="Whether tasks in awsvpc mode are kept from the instance metadata service.")
    ] = UNSET
    enable_container_metadata: Annotated[
        bool | UnsetType, Meta(description="Whether containers find a file about themselves.")
    ] = UNSET
