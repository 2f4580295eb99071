"""Where operating systems keep their fonts."""

import sys
from pathlib import Path


def system_folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    if sys.platform == "win32":
        local = home / "AppData/Local/Microsoft/Windows/Fonts"
        return [Path(home.anchor) / "Windows/Fonts", local]
    return [
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        home / ".local/share/fonts",
        home / ".fonts",
    ]
