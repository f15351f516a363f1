"""All groups of settings together."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from earlyboot.model.aws import Aws
from earlyboot.model.bootstrap_commands import BootstrapCommand
from earlyboot.model.bootstrap_containers import BootstrapContainer
from earlyboot.model.dns import Dns
from earlyboot.model.host_containers import HostContainer
from earlyboot.model.kernel import Kernel
from earlyboot.model.motd import Motd
from earlyboot.model.network import Network
from earlyboot.model.ntp import Ntp
from earlyboot.model.pki import CertificateBundle
from earlyboot.model.table import Table
from earlyboot.model.types import IdentifierName
from earlyboot.model.updates import Updates


class Settings(Table, kw_only=True, frozen=True):
    motd: Motd | UnsetType = UNSET
    network: Network | UnsetType = UNSET
    ntp: Ntp | UnsetType = UNSET
    kernel: Kernel | UnsetType = UNSET
    dns: Dns | UnsetType = UNSET
    aws: Aws | UnsetType = UNSET
    pki: dict[IdentifierName, CertificateBundle] | UnsetType = UNSET
    host_containers: dict[IdentifierName, HostContainer] | UnsetType = UNSET
    bootstrap_commands: dict[IdentifierName, BootstrapCommand] | UnsetType = UNSET
    bootstrap_containers: dict[IdentifierName, BootstrapContainer] | UnsetType = UNSET
    updates: Updates | UnsetType = UNSET


GROUPS: tuple[str, ...] = Settings.__struct_encode_fields__
