"""Measures the program as it is installed: lays it down, then runs the measurements with its interpreter and libraries."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tests.bench.installed import REPOSITORY, install

with tempfile.TemporaryDirectory(prefix="earlyboot-bench-") as folder:
    install(folder)
    search = [folder, os.path.join(folder, "lib"), str(REPOSITORY)]
    for part in sys.argv[1:] or ("phases", "api"):
        program = f"import sys; sys.path[:0] = {search!r}; import tests.bench.{part}"
        if subprocess.run([sys.executable, "-I", "-S", "-c", program], check=False).returncode != 0:
            sys.exit(f"the measurement of {part} failed")
