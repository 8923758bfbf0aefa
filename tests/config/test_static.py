"""Static files under names that change with their content, so that browsers may keep them for ever."""

import json

import pytest
from django.core.management import call_command

SCRIPTS = {
    "js/page.js": """
import { one } from "./lib/one.js";
/** @type {import("./lib/types.js").Thing} */
const two = await import("./lib/two.js");
const later = () => import("./lib/two.js");
""",
    "js/lib/one.js": "export const one = 1;\n",
    "js/lib/two.js": 'export * from "./one.js";\n',
    "js/lib/types.js": 'import "../page.js";\n',
    "css/page.css": 'body { background: url("../img/a.svg"); }\n',
    "img/a.svg": "<svg/>\n",
}


@pytest.fixture
def collected(settings, tmp_path):
    for name, text in SCRIPTS.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_text(text)
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "config.static.ModuleManifestStorage"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    return settings.STATIC_ROOT


def test_names_inside_files_are_hashed_too(collected):
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    page = (collected / names["js/page.js"]).read_text()
    assert names["js/page.js"] != "js/page.js"
    for module in ("one", "two"):
        assert f'"./{names[f"js/lib/{module}.js"].removeprefix("js/")}"' in page
    assert page.count(names["js/lib/two.js"].removeprefix("js/")) == 2
    assert names["img/a.svg"].removeprefix("img/") in (collected / names["css/page.css"]).read_text()


def test_a_type_in_a_comment_is_no_import(collected):
    """Modules may name each other's types in circles; a hash that depends on itself there is none."""
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    assert 'import("./lib/types.js").Thing' in (collected / names["js/page.js"]).read_text()


def test_files_are_compressed_beforehand(collected):
    assert list(collected.glob("**/page.*.js.br"))
