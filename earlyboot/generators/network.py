"""What the state of this machine's network says: its primary address, and with it the address of a Kubernetes node."""

from __future__ import annotations

import time

from earlyboot.config.paths import Paths
from earlyboot.generators.contract import Question
from hostkit import address
from hostkit.errors import Fault, HostError, Where

_LOOK_EVERY_S = 0.05


def primary_address(paths: Paths) -> str | None:
    """The one place that says which of a machine's addresses is its own. A root that is no machine's has none."""
    return address.primary() if paths.is_machine else None


def node_ip(question: Question) -> str | None:
    """A kubelet cannot do without the network: it is waited for. An offline machine's is what is there."""
    found = primary_address(question.paths)
    while found is None and question.paths.is_machine and not question.offline:
        if question.deadline.expired:
            what = f"the network gave this machine no address within {question.spec.deadline_s:g} s"
            fix = "see why: `networkctl status`, `ip route get 198.41.0.4`; or set settings.kubernetes.node-ip"
            raise HostError(Fault("no-address", what, Where(), fix))
        time.sleep(question.deadline.bounded(_LOOK_EVERY_S))
        found = primary_address(question.paths)
    return found
