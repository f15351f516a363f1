"""What the API does: for each endpoint of the contract one function. Knows no HTTP beyond statuses in refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from earlyboot.api.core import Core, Request
from earlyboot.api.describe import Describe
from earlyboot.api.history import History
from earlyboot.api.machine import Machine
from earlyboot.api.settings import Settings
from earlyboot.api.transactions import Transactions
from earlyboot.config.options import Options
from earlyboot.config.paths import Paths


class Service:
    """All subjects around one core. Its endpoints may be asked from several threads."""

    def __init__(self, paths: Paths, profile_name: str, options: Options, *, overridden: bool = False) -> None:
        """`overridden` is whether `profile_name` is another than the configured one."""
        self.core = Core(paths, profile_name, options, overridden=overridden)
        subjects = (Settings, Transactions, History, Describe, Machine)
        self.endpoints: Mapping[str, Callable[[Request], object]] = {
            name: getattr(subject, name)
            for subject in (make(self.core) for make in subjects)
            for name in vars(type(subject))
            if not name.startswith("_")
        }

    def close(self) -> None:
        self.core.close()

    def warm_up(self) -> None:
        """Imports what a commit and an apply need, so that a boot's server does it while the sources are read."""
        import earlyboot.model.check
        import earlyboot.model.rules
        import earlyboot.render.templates  # noqa: F401
