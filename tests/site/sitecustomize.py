"""Lets a torchvision that was built for another torch be imported, and adds the format of faults.py.

Where torch and torchvision come from different builds, torchvision's operators do not register, and
`import torchvision` fails for want of the schemas of two of them, which nothing here calls. This
folder is on PYTHONPATH in the tests, so that it holds in the processes that they start too.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


class Patient(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        try:
            self._loader.exec_module(module)
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
            import torch

            module.library = torch.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                module.library.define(f"{name}{SCHEMA}")
            for name in [name for name in sys.modules if name.startswith("torchvision.")]:
                del sys.modules[name]  # those that were imported halfway
            self._loader.exec_module(module)


class Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torchvision":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec and spec.loader:
            spec.loader = Patient(spec.loader)
        return spec


if not any(type(finder).__name__ == "Finder" for finder in sys.meta_path):
    sys.meta_path.insert(0, Finder())

runpy.run_path(str(Path(__file__).with_name("faults.py")))
