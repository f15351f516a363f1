"""The program as `make install` lays it down: its own files and libraries alone, compiled, started with `-I -S`."""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
from importlib.metadata import distribution
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def install(folder: str) -> None:
    """Lays the program down in `folder`. Nothing is downloaded: the libraries are those of this environment."""
    app = Path(folder)
    for name in ("bin", "hostkit", "providers", "earlyboot"):
        shutil.copytree(REPOSITORY / name, app / name, ignore=shutil.ignore_patterns("__pycache__"))
    locked = re.findall(r"^([A-Za-z0-9_-]+)==", (REPOSITORY / "requirements/runtime.lock").read_text(), re.MULTILINE)
    for name in locked:
        for file in distribution(name).files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = app / "lib" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), target)
    compileall.compile_dir(
        folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, workers=os.cpu_count() or 1
    )
