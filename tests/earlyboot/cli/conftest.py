"""The machines of the stages' tests."""

from tests.earlyboot.stages.conftest import configured, machine, original, powered

__all__ = ["configured", "machine", "original", "powered"]
