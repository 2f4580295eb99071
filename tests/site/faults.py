"""A file format whose decoder does whatever the file says: FAULT, and Python on the next lines.

So a test makes a picture that ends the process that reads it, as a decoder with a mistake does, or
one that breaks a library for what comes after. It decodes to a white picture, if to anything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import IO, Any

PLUGIN = "PIL.PngImagePlugin"  # with which Pillow loads its formats


class Registering(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        from PIL import Image

        Image.register_open("FAULT", decoded, lambda prefix: prefix.startswith(b"FAULT"))  # type: ignore[arg-type]


class FaultFinder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != PLUGIN:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec and spec.loader:
            spec.loader = Registering(spec.loader)
        return spec


def decoded(file: IO[bytes], name: str | bytes) -> Any:
    from PIL import Image

    exec(file.read().partition(b"\n")[2], {})
    return Image.new("RGB", (256, 128), "white")


if not any(type(finder).__name__ == "FaultFinder" for finder in sys.meta_path):
    sys.meta_path.insert(0, FaultFinder())
