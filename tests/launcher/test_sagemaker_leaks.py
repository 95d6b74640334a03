"""Nothing secret leaves this machine: secrets lie wherever people have them, a sweep runs, and every byte of it is searched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from gate import Gate  # noqa: E402
from hydra_sagemaker.aws.local_credentials import published  # noqa: E402
from planted_secrets import IGNORED_FILE, SECRET_FILES, Found, Planted, core, everything, plain_canary  # noqa: E402
from sagemaker_local.account import CLIENT_KEY  # noqa: E402
from wire_contents import words_in  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


@pytest.fixture(scope="module")
def found(shared_cloud: Cloud, planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Three jobs, one of which fails with its secret in the exception's text and one returns it."""
    planted.write(shared_cloud, tmp_path_factory.mktemp("home"))
    planted.commit(shared_cloud)
    with Gate(shared_cloud.server.url) as gate, published(gate.url, shared_cloud.server.keys.arguments(CLIENT_KEY)):
        words = ("do=nothing,refuse,return", *planted.words(shared_cloud))
        output = shared_cloud.sweep(*words, code=1, env={"AWS_ENDPOINT_URL": gate.url})
        assert "1 of 3 jobs failed, 2 completed" in output
        return Found(planted, everything(shared_cloud, gate, output))


def test_the_search_finds_what_is_sent(found: Found, planted: Planted) -> None:
    assert {place.split()[0] for place in found.places} == {"screen", "wire", "job", "s3", "home", "log", "described"}
    assert found.kinds_of(planted.open["source"]) == {"wire", "s3"}
    bundles = [place for place in found.of(planted.open["source"]) if place.endswith("/bundle.tar.gz")]
    assert len(bundles) == 1 and any("bundle.tar.gz HTTP/1.1" in place for place in found.of(planted.open["source"]))
    assert found.kinds_of(planted.open["printed"]) >= {"wire", "s3", "home", "log"}
    for name in ("env", "hyperparameter", "tag", "extra"):
        assert {"wire", "described"} <= found.kinds_of(planted.open[name])
        assert "wire POST / HTTP/1.1" in found.of(planted.open[name])
    assert {"wire", "s3", "home"} <= found.kinds_of(planted.open["note"])


def test_no_secret_of_this_machine_is_anywhere(found: Found, planted: Planted) -> None:
    assert {name: found.of(secret) for name, secret in planted.secret.items() if found.of(secret)} == {}


def test_a_secret_that_a_job_reads_is_in_none_of_its_records(found: Found, planted: Planted) -> None:
    """No secret is found even where the task raised, returned, printed or logged it, or a process that it started did."""
    assert found.of(planted.of_the_job) == []


def test_what_stands_there_instead(found: Found, shared_cloud: Cloud, planted: Planted) -> None:
    completed, refused, returned = (shared_cloud.app.result(number) for number in range(3))
    hidden = "[hydra.launcher.secrets.TRACKER_KEY]"
    output = (shared_cloud.output(0) / ".job/output.log").read_bytes().decode()
    assert f"signed in with {hidden}\r50%\r100% {hidden}\n" in output and f"a child: {hidden}\n" in output
    assert f"the key is {hidden}" in (shared_cloud.output(0) / "app.log").read_text(encoding="utf-8")
    assert refused["exception"]["message"] == f"('no entry with {hidden}', {{'key': ['{hidden}']}})"
    assert hidden in refused["exception"]["traceback"] and refused["exception"]["cause"]["message"] == hidden
    assert hidden in shared_cloud.record(1)["FailureReason"]
    assert returned["return_value"]["key"] == hidden and completed["return_value"]["key"] is None
    assert completed["return_value"]["digest"] == returned["return_value"]["digest"]


def refused_without_a_word(cloud: Cloud, *words: str) -> str:
    """Return what is printed; the launcher has not even connected."""
    with Gate(cloud.server.url) as gate:
        output = cloud.sweep(*words, code=1, env={"AWS_ENDPOINT_URL": gate.url})
        assert gate.passages == [] and cloud.account.requests == []
    assert "Traceback" not in output and cloud.names() == [] and cloud.objects() == {}
    return output


def test_files_of_secrets_are_refused_before_the_first_byte(cloud: Cloud, tmp_path: Path) -> None:
    planted = Planted()
    planted.write(cloud, tmp_path / "home")
    output = refused_without_a_word(cloud, "do=nothing")
    by_name = ", ".join(f"{name} (by its name)" for name in sorted(SECRET_FILES))
    assert f"may hold secrets: {by_name}, {IGNORED_FILE}:1 (password or key). Take" in output
    assert not words_in(output.encode(), [*map(core, planted.secret.values())])


def test_secrets_in_the_configuration_are_refused_before_the_first_byte(cloud: Cloud) -> None:
    forms = {name: plain_canary("hf_") for name in ("extra", "secret")}
    named = {name: plain_canary(name) for name in ("typed", "overridden", "env_set", "variable", "tag")}
    cloud.env["DB_PASSWORD"] = named["variable"]
    output = refused_without_a_word(
        cloud,
        *(f"+tracker.api_key={named['typed']}", f"+hub.token={named['overridden']}", "++hub.token='${oc.env:T}'"),
        *(f"+hydra.job.env_set.API_KEY={named['env_set']}", f"+note=use-{named['variable']}"),
        "+hydra.launcher.env.SETTING=${oc.env:DB_PASSWORD}",
        f"+hydra.launcher.tags.password={named['tag']}",
        f'+hydra.launcher.extra.AlgorithmSpecification.ContainerArguments=["--key={forms["extra"]}"]',
        f"+hydra.launcher.secrets.HF_TOKEN={forms['secret']}",
    )
    assert "nothing was submitted: 8 problems" in output
    assert not words_in(output.encode(), [*map(core, (*forms.values(), *named.values()))])


def test_a_server_of_this_machine_gets_no_credentials(cloud: Cloud) -> None:
    keys = {
        name: plain_canary(name.replace("_", ""))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    }
    with Gate(cloud.server.url) as gate, published(gate.url, cloud.server.keys.arguments(CLIENT_KEY)):
        cloud.sweep("x=1", f"hydra.launcher.endpoint_url={gate.url}", env=keys)
        assert len(gate.sent) > 10_000 and words_in(gate.sent, [*map(core, keys.values())]) == set()
