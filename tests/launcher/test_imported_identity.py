"""hydra.launcher.code.identity=imported: of the code, a job is made of what its task can import, and no comment counts."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from hydra_apps import App
from hydra_sagemaker.code.import_closure import Imports, source_sha256

FILES = {
    "app.py": "import pkg.models\nfrom pkg import tools\n",
    "pkg/__init__.py": "",
    "pkg/models.py": "def build():\n    from .deep import layers as found\n    return found\n",
    "pkg/tools.py": "NAME = 'pkg.named.Thing'\n",
    "pkg/deep/__init__.py": "",
    "pkg/deep/layers.py": "from .. import sibling\nfrom ...outside import x\n",
    "pkg/sibling.py": "",
    "pkg/named.py": "",
    "pkg/configured.py": "",
    "pkg/unused.py": "import pkg.models\n",
    "src/laid_out/__init__.py": "",
    "src/laid_out/core.py": "",
    "scripts/tool.py": "import app\n",
}
REACHED = {
    *("app.py", "pkg/__init__.py", "pkg/models.py", "pkg/tools.py", "pkg/deep/__init__.py", "pkg/deep/layers.py"),
    *("pkg/sibling.py", "pkg/named.py"),
}


def imports(root: Path, **changed: str) -> Imports:
    files = FILES | {name.replace("__", "/") + ".py": text for name, text in changed.items()}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return Imports(root, [PurePosixPath(name) for name in [*files, "README.md"]], ["src", "."])


def test_modules_are_followed_through_functions_packages_and_names_in_texts(tmp_path: Path) -> None:
    found = imports(tmp_path)
    assert found.reached(["app.py"]) == REACHED
    with_targets = found.reached(["app.py"], ["_target_: pkg.configured.Model\nother: laid_out.core\n"])
    assert with_targets == REACHED | {"pkg/configured.py", "src/laid_out/__init__.py", "src/laid_out/core.py"}


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module(f'pkg.{name}')\n",
        "import pkgutil\nfor one in pkgutil.iter_modules(__path__): ...\n",
        "__import__(name)\n",
        "this is no Python\n",
    ],
)
def test_all_modules_count_where_imports_are_decided_later(tmp_path: Path, text: str) -> None:
    assert imports(tmp_path, pkg__sibling=text).reached(["app.py"]) == set(FILES)
    assert imports(tmp_path, pkg__unused=text).reached(["app.py"]) == REACHED
    literal = imports(tmp_path, pkg__sibling="import importlib\nimportlib.import_module('pkg.unused')\n")
    assert literal.reached(["app.py"]) == REACHED | {"pkg/unused.py"}


def test_comments_and_layout_do_not_count() -> None:
    assert source_sha256(b"x = 1  # one\n\n\ny = (2)\n") == source_sha256(b"# two\nx=1\ny=2")
    assert len({source_sha256(text) for text in (b"x = 1", b"x = 2", b"x = '1'", b'"""A docstring."""\nx = 1', b"x = (")}) == 5


@pytest.mark.slow
def test_only_what_a_task_imports_makes_another_job(app: App) -> None:
    app.write("app.py", "import helper\n" + (app.root / "app.py").read_text(encoding="utf-8"))
    app.write("helper.py", "FACTOR = 1\n")
    app.write("beside.py", "x = 1\n")
    app.write("conf/config.yaml", "x: 0\ndo: nothing\nmodel:\n  _target_: models.small.Small\n")
    app.write("models/small.py", "class Small: ...\n")
    words = ("x=1", "hydra.launcher.code.identity=imported")
    app.sweep(*words)
    app.write("README.md", "new")
    app.write("beside.py", "x = 2\n")
    app.write("helper.py", "# The factor.\nFACTOR = 1\n")
    assert "1 job: 1 reused" in app.sweep(*words)
    app.write("models/small.py", "class Small:\n    size = 1\n")
    output = app.sweep(*words)
    assert "1 job: 1 new" in output and "all new: models/small.py changed" in output
    app.write("helper.py", "FACTOR = 2\n")
    assert "all new: helper.py changed" in app.sweep(*words)
    app.write("conf/config.yaml", (app.root / "conf/config.yaml").read_text(encoding="utf-8") + "# a comment\n")
    assert "all new: conf/config.yaml changed" in app.sweep(*words)
    assert "1 job: 1 new" in app.sweep("x=1"), "the other way to count"
