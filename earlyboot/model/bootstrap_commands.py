"""`settings.bootstrap-commands.NAME`: API client commands that run at boot, in the order of the names."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Compound, Table
from earlyboot.model.types import Argument, IdentifierName, Mode


class ApiclientCommand(Compound):
    """The words of one command. Only the API client may run: a bootstrap container is there for all else."""

    rule = "a list of words of which the first is exactly 'apiclient'"
    example = '["apiclient", "set", "motd=hello"]'
    forms = (tuple[Argument, ...],)

    @classmethod
    def settled(cls, converted: Any) -> object:
        if not converted or converted[0] != "apiclient":
            raise ValueError(f"must be {cls.rule}")
        return converted


class BootstrapCommand(Table, kw_only=True, frozen=True):
    commands: Annotated[
        Annotated[tuple[ApiclientCommand, ...], Meta(min_length=1)] | UnsetType,
        Meta(description="The commands, each a list of words beginning with apiclient."),
    ] = UNSET
    mode: Annotated[
        Mode | UnsetType, Meta(description="Never, until they succeeded once, or at every boot; off if not given.")
    ] = UNSET
    essential: Annotated[
        bool | UnsetType, Meta(description="Whether a failure fails the boot; false if not given.")
    ] = UNSET


BootstrapCommands = Annotated[
    dict[IdentifierName, BootstrapCommand],
    Meta(description="API client commands that run at boot, in the order of their names."),
]
