"""Applications of other shapes, values that a shell would spoil, models: what runs here runs there."""

from __future__ import annotations

import io
import tarfile
import threading
from base64 import b64encode
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from container_fixtures import Wheel
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures", "container_fixtures"]
pytestmark = pytest.mark.slow

ECHO = """\
import hydra
from omegaconf import OmegaConf


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    return OmegaConf.to_container(config, resolve=True)


if __name__ == "__main__":
    main()
"""
PACKAGED = """\
from importlib import resources

import hydra

from pkg import helper


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    return helper.double(config.x), resources.files("pkg").joinpath("data.txt").read_text()


if __name__ == "__main__":
    main()
"""
MODEL_APP = """\
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    output = Path(HydraConfig.get().runtime.output_dir)
    (output / "best").mkdir()
    (output / "best/model.safetensors").write_text(f"weights {config.x}")
    (output / "metrics.json").write_text("{}")
    (output / "best/tokenizer.json").write_text("{}")
    return config.x


if __name__ == "__main__":
    main()
"""
ODD_WORDS = (
    *("+text='a b,c'", '+quoted="it\'s"', "+double='say \"yes\"'", "+price='$HOME $(id) `id`'", "+unicode='naïve ✓ 日本'"),
    *("+backslash='a\\\\b'", "+list=[1,'two, three',{a: b}]", "+a.b.c=1e-5", "+empty=''", "+at='${x}-${oc.env:LANGUAGE,none}'"),
    *("+percent='100% {x} #1; rm -rf'", "x=1,2"),
)


def test_odd_values_arrive_as_in_a_local_run(cloud: Cloud) -> None:
    cloud.app.write("app.py", ECHO)
    words = ("hydra.sweep.subdir=${hydra.job.num}", *ODD_WORDS)
    local = cloud.app.run("-m", "hydra/sweeper=observed", "hydra.sweep.dir=here", *words)
    assert local.code == 0, local.output
    expected = cloud.returns()
    cloud.sweep(*words)
    there = cloud.returns()
    assert [one["value"] for one in there] == [one["value"] for one in expected]
    assert [one["overrides"] for one in there] == [one["overrides"] for one in expected]
    assert there[1]["value"]["text"] == "a b,c" and there[1]["value"]["price"] == "$HOME $(id) `id`"
    assert there[1]["value"]["at"] == "2-none"


def test_directories_named_by_overrides(cloud: Cloud) -> None:
    cloud.sweep("x=1,2", "do=nothing", "hydra.sweep.subdir=${hydra.job.override_dirname}")
    for x in (1, 2):
        assert cloud.app.result(f"do=nothing,x={x}")["return_value"] == x * 10  # type: ignore[arg-type]
        overrides = cloud.output(f"do=nothing,x={x}") / ".hydra/overrides.yaml"
        assert overrides.read_text(encoding="utf-8") == f"- x={x}\n- do=nothing\n"


@pytest.mark.parametrize("script", ["-m pkg.app", "run.py"])
def test_a_package_in_src(cloud: Cloud, script: str) -> None:
    cloud.app.write(
        "pyproject.toml", '[project]\nname = "pkg"\nversion = "1"\ndependencies = ["omegaconf>=2.0", "hydra-core"]\n'
    )
    for name, text in {"app.py": PACKAGED, "data.txt": "data", "conf/config.yaml": "x: 1\n"}.items():
        cloud.app.write(f"src/pkg/{name}", text)
    for package in ("pkg", "pkg/conf"):
        cloud.app.write(f"src/{package}/__init__.py", "")
    cloud.app.write("src/pkg/helper.py", "def double(x):\n    return 2 * x\n")
    cloud.app.write("run.py", "from pkg.app import main\n\nmain()\n")
    output = cloud.sweep("x=3,4", script=script, env={"PYTHONPATH": str(cloud.app.root / "src")})
    assert [one["value"] for one in cloud.returns()] == [[6, "data"], [8, "data"]], output
    task = cloud.app.root / "sweep/0/.job/spec.json"
    assert '"module": "pkg.app"' in task.read_text(encoding="utf-8")
    assert "the image satisfies them" in cloud.account.log(cloud.record(0)["name"])


def test_models_stay_in_the_bucket_until_asked_for(cloud: Cloud) -> None:
    cloud.app.write("app.py", MODEL_APP)
    cloud.sweep("x=1,2")
    record = cloud.record(1)
    assert record["model_files"] == ["best/model.safetensors"] and record["model"] == f"{record['output']}model.tar.gz"
    archive = cloud.objects()[record["model"].removeprefix("s3://sagemaker-local/")]
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert "best/model.safetensors" in opened.getnames() and "metrics.json" not in opened.getnames()
    files = cloud.app.files(1)
    assert {"metrics.json", "best/tokenizer.json"} <= files and "best/model.safetensors" not in files
    got = [request.path for request in cloud.sent("GetObject")]
    assert not [path for path in got if "model.tar.gz" in path]

    cloud.sweep("x=1,2", "hydra.launcher.download_models=true")
    assert cloud.count("CreateTrainingJob") == 0
    model = cloud.output(1) / "best/model.safetensors"
    assert model.read_text(encoding="utf-8") == "weights 2" and cloud.record(1)["model"] == record["model"]


def test_other_files_may_be_the_models(cloud: Cloud) -> None:
    cloud.app.write("app.py", MODEL_APP)
    cloud.sweep("x=1", "hydra.launcher.model_files=[best/*]")
    assert cloud.record(0)["model_files"] == ["best/model.safetensors", "best/tokenizer.json"]
    assert not (cloud.output(0) / "best").exists() or not list((cloud.output(0) / "best").iterdir())


def test_a_requirement_is_installed_where_the_job_runs(cloud: Cloud, wheel: Wheel) -> None:
    wheel(cloud.app.root / "wheels", "tiny_extension")
    cloud.app.write("requirements.txt", "-r more.txt\n")
    cloud.app.write("more.txt", "./wheels/tiny_extension-1.0-py3-none-any.whl\n")
    app = "def main(config):\n    import tiny_extension\n    return tiny_extension.VERSION\n"
    cloud.app.write("app.py", ECHO.replace("def main(config):\n", app).replace("    return OmegaConf", "    OmegaConf"))
    cloud.sweep("x=1")
    assert cloud.returns()[0]["value"] == "1.0"
    assert "requirements: ./wheels/tiny_extension-1.0-py3-none-any.whl installed, " in cloud.account.log(
        cloud.record(0)["name"]
    )


class PrivateIndex(SimpleHTTPRequestHandler):
    """Serves packages to who knows the token; a class of its own for each directory and token."""

    authorization = ""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") == self.authorization:
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


def test_a_private_index_whose_token_is_a_secret(cloud: Cloud, wheel: Wheel, tmp_path: Path) -> None:
    token = "-".join(("t0ken", "of", "the", "private", "index"))  # not one text: it would look like a secret in the bundle
    wheel(tmp_path / "index/simple/tiny-extension", "tiny_extension")
    words = f"Basic {b64encode(f'aws:{token}'.encode()).decode()}"
    handler = type("Handler", (PrivateIndex,), {"authorization": words})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "index")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        index = f"http://aws:${{INDEX_TOKEN}}@127.0.0.1:{server.server_port}/simple/"
        cloud.app.write("requirements.txt", f"--index-url {index}\ntiny-extension\n")
        app = "def main(config):\n    import tiny_extension\n    return tiny_extension.VERSION\n"
        cloud.app.write("app.py", ECHO.replace("def main(config):\n", app).replace("    return OmegaConf", "    OmegaConf"))
        cloud.account.secrets.create_secret(Name="private-index", SecretString=token)
        cloud.sweep("x=1", "hydra.launcher.secrets.INDEX_TOKEN=private-index")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert cloud.returns()[0]["value"] == "1.0"
    log = cloud.account.log(cloud.record(0)["name"])
    assert "requirements: tiny-extension installed, " in log and token not in log
    assert not [name for name, content in cloud.objects().items() if token.encode() in content]


def test_other_versions_than_here_stand_in_the_record(cloud: Cloud, wheel: Wheel) -> None:
    """The project asks for another version than the one that is installed here."""
    here = metadata.version("pathspec")
    wheel(cloud.app.root / "wheels", "pathspec", "0.0.1")
    cloud.app.write("requirements.txt", "./wheels/pathspec-0.0.1-py3-none-any.whl\n")
    cloud.sweep("x=1")
    skew = f"pathspec 0.0.1 here, {here} where the sweep was submitted"
    assert cloud.app.result(0)["version_skew"] == cloud.record(0)["version_skew"] == [skew]
