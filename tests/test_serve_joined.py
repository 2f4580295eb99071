"""The page's modules as one script."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")

from indexer.serve.http.joined import SCRIPT, STYLE, joined_modules, joined_page
from indexer.serve.http.routes.page import page_files

LEAF = (
    "export const ONE = 1;\nexport async function two() {}\nexport class Three {}\nconst own = 0;\n"
)


def test_a_module_stands_after_those_that_it_imports_from() -> None:
    joined = joined_modules(
        {
            "main.js": 'import { both } from "./mid.js";\nawait both();\n',
            "mid.js": 'import { ONE, two } from "./leaf.js";\nexport function both() {}\n',
            "leaf.js": LEAF,
        }
    )
    assert joined == (
        "const $leaf = (() => {\n"
        "const ONE = 1;\nasync function two() {}\nclass Three {}\nconst own = 0;\n\n"
        "return { ONE, two, Three };\n})();\n"
        "const $mid = (() => {\n"
        "const { ONE, two } = $leaf;\nfunction both() {}\n\n"
        "return { both };\n})();\n"
        "const { both } = $mid;\nawait both();\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        'import one from "./leaf.js";',
        'import { ONE as one } from "./leaf.js";',
        'import "./leaf.js";',
        'const late = import("./leaf.js");',
        "export let changes = 1;",
        "export default 1;",
        "export { one };",
        'const tag = "</script>";',
    ],
)
def test_a_module_that_cannot_be_joined_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"main\.js of the page cannot be joined"):
        joined_modules({"main.js": f"const one = 1;\n{line}\n", "leaf.js": LEAF})


@pytest.mark.parametrize(
    ("name", "module"), [("own", "leaf.js"), ("ONE", "nothing.js"), ("four", "leaf.js")]
)
def test_a_name_that_is_not_exported_is_refused(name: str, module: str) -> None:
    main = f'import {{ {name} }} from "./{module}";\n'
    with pytest.raises(ValueError, match=f"{module} has no {name}, which main.js imports"):
        joined_modules({"main.js": main, "leaf.js": LEAF})


def test_modules_in_a_circle_are_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        joined_modules(
            {
                "main.js": 'import { a } from "./a.js";\nexport function b() {}\n',
                "a.js": 'import { b } from "./main.js";\nexport function a() {}\n',
            }
        )


@pytest.mark.parametrize("shell", [STYLE, SCRIPT, STYLE + SCRIPT + SCRIPT])
def test_a_shell_that_does_not_hold_each_once_is_refused(shell: str) -> None:
    with pytest.raises(ValueError, match="has to hold this once"):
        joined_page({"index.html": shell, "style.css": "", "main.js": ""})


def test_the_pages_own_files_make_one_without_links_and_hashes_that_name_it() -> None:
    page, hashes = joined_page(page_files())
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page) == []
    for tag, name in (("style", "style"), ('script type="module"', "script")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert hashes[name] == f"'sha256-{digest}'"
