"""What goes wrong around a sweep: the code is deleted, a result may not be read, a proxy answers, most jobs fail."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from hydra_sagemaker.backends.diagnosis import is_code_gone  # noqa: E402
from hydra_sagemaker.errors import Cause, Failure, LauncherError, plain  # noqa: E402
from hydra_sagemaker.job.job import endpoint_problem  # noqa: E402
from hydra_sagemaker.job.result import rebuilt  # noqa: E402
from hydra_sagemaker.settings import SageMakerLauncherConf  # noqa: E402
from sagemaker_local.account import BUCKET  # noqa: E402

if TYPE_CHECKING:
    from hydra_apps import App
    from sagemaker_fixtures import Cloud

ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J\x08end"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.mark.slow
def test_code_that_is_deleted_during_a_launch_is_uploaded_again(cloud: Cloud) -> None:
    cloud.fault(start_delay_seconds=1.5)
    cloud.account.requests.clear()
    process = cloud.start("x=1", "hydra.launcher.retry_seconds=0.2")
    cloud.app.await_(lambda: bool(cloud.names("InProgress")))
    (code,) = (key for key in cloud.objects() if key.endswith("bundle.tar.gz"))
    cloud.account.s3.delete_object(Bucket=BUCKET, Key=code)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 0, output
    assert "is not in S3 any more" in output and "hydra.launcher.channels" not in output
    assert cloud.returns()[0]["value"] == 10 and cloud.count("PutObject", "bundle.tar.gz") == 2
    (earlier,) = cloud.record(0)["earlier_attempts"]
    assert earlier["cause"] == "infrastructure"


@pytest.mark.parametrize(
    "reason, is_gone",
    [
        ('ClientError: No S3 objects found under S3 URL "s3://b/p/code/0a1b/" given in input data source.', True),
        ('ClientError: No S3 objects found under S3 URL "s3://b/p/jobs/app-0a-0/" given in input data source.', True),
        ("AlgorithmError: tar (child): input/data/code/bundle.tar.gz: Cannot open: No such file, exit code: 2", True),
        ('ClientError: No S3 objects found under S3 URL "s3://b/p/data/" given in input data source.', False),
        ("AlgorithmError: FileNotFoundError: s3://b/p/data: NoSuchKey", False),
    ],
)
def test_which_objects_are_the_launchers(reason: str, is_gone: bool) -> None:
    assert is_code_gone(reason, SageMakerLauncherConf(s3_uri="s3://b/p/")) is is_gone


@pytest.mark.slow
def test_a_result_that_may_not_be_read_does_not_end_the_launch(cloud: Cloud) -> None:
    cloud.sweep("x=1")
    cloud.returns()
    cloud.fault(denied_reads=f"{cloud.names()[0]}/output")
    output = cloud.sweep("x=2,1,3", "hydra.launcher.download_models=true", "hydra.launcher.max_parallel=1", code=1)
    assert [one["status"] for one in cloud.returns()] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "its results could not be downloaded" in output and "1 of 3 jobs failed, 2 completed" in output
    cloud.fault()
    cloud.sweep("x=2,1,3")
    assert [one["value"] for one in cloud.returns()] == [20, 10, 30]


@contextmanager
def web_pages(status: int) -> Iterator[str]:
    class Proxy(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            head = "<!DOCTYPE html>\n<html><head><title>Sign in\x1b[31m here</title></head>"
            body = f"{head}<body>{'x' * 5000}</body></html>".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("status", [200, pytest.param(302, marks=pytest.mark.slow), pytest.param(407, marks=pytest.mark.slow)])
def test_the_page_of_a_proxy_is_a_sentence(cloud: Cloud, status: int) -> None:
    with web_pages(status) as url:
        output = cloud.sweep("x=1", code=1, env={"AWS_ENDPOINT_URL": url})
    assert "who you are (GetCallerIdentity): a web page (Sign in here) answers in place of the service" in output
    assert "Next: check the connection, the proxy and hydra.launcher.region" in output
    assert "Traceback" not in output and "<html" not in output and not CONTROL.search(output)


@pytest.mark.parametrize(
    "url, is_valid",
    [
        *(("http://127.0.0.1:5005", True), ("https://host.example/", True), ("http://[::1]:5005", True)),
        *(("http://127.0.0.1:5005/sagemaker", False), ("127.0.0.1:5005", False), ("http://", False)),
        *(("http://host:port", False), ("http://host?x=1", False), ("ftp://host", False)),
    ],
)
def test_addresses_of_a_service(url: str, is_valid: bool) -> None:
    assert (endpoint_problem(url) is None) is is_valid


def test_an_address_with_a_path_is_refused(cloud: Cloud) -> None:
    wrong = f"{cloud.server.url}/sagemaker"
    for words, env in ((("hydra.launcher.endpoint_url=" + wrong,), {}), ((), {"AWS_ENDPOINT_URL": wrong})):
        output = cloud.sweep("x=1", *words, code=1, env=env)
        assert f"={wrong}: it is a host and, where it has one, a port, without a path" in output
        assert "Traceback" not in output and cloud.account.requests == []


BREAKS = f"""\
import hydra

@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    print({ESCAPES!r})
    raise ValueError({ESCAPES!r}, config.x)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("mode", [pytest.param("local", marks=pytest.mark.slow), "sagemaker"])
def test_no_message_of_a_job_changes_the_terminal(cloud: Cloud, mode: str) -> None:
    cloud.app.write("app.py", BREAKS)
    output = cloud.sweep("x=1,2", f"hydra.launcher.mode={mode}", code=1)
    assert "ValueError" in output and "red" in output and not CONTROL.search(output.replace("\r\n", "\n"))


def test_texts_from_elsewhere() -> None:
    assert plain(ESCAPES) == "red  2Jend" and plain("a\n10%\r100%\r\n\tb") == "a\n100%\n\tb"
    assert plain("out of \u202eyromem\u2066 \u05d0\u200d") == "out of yromem \u05d0\u200d"
    assert str(LauncherError(f"AccessDenied: {ESCAPES}")) == "AccessDenied: red  2Jend"
    assert str(Failure(Cause.CODE, ESCAPES, ESCAPES)) == "red  2Jend\nNext: red  2Jend"
    record = {"module": "builtins", "type": "ValueError", "arguments": [ESCAPES, 1], "traceback": ESCAPES}
    error = rebuilt(record | {"message": str(ValueError(ESCAPES, 1))}, None)
    assert "\x1b" not in f"{error}{error.__cause__}"


@pytest.mark.slow
def test_a_sweep_ends_early_once_enough_jobs_have_failed(app: App) -> None:
    app.write("conf/config.yaml", "x: 0\ndo: raise\n")
    words = ("x=range(8)", "hydra.launcher.max_parallel=1", "hydra.launcher.max_failures=2")
    output = app.sweep(*words, code=1)
    assert app.marks() == ["0", "1"]
    assert "2 failed, as many as hydra.launcher.max_failures: nothing more is submitted" in output
    assert "2 of 8 jobs failed, 0 completed, 6 not submitted (max_failures); the same command runs only" in output
    assert output.count("failed as ") == 2
    app.write("conf/config.yaml", "x: 0\ndo: nothing\n")
    app.sweep(*words)
    assert app.marks() == ["0", "1", *map(str, range(8))]


@pytest.mark.slow
def test_a_job_that_was_not_submitted_says_why(cloud: Cloud) -> None:
    cloud.app.write("conf/config.yaml", "x: 0\ndo: raise\n")
    cloud.sweep("x=1,2,3", "hydra.launcher.max_parallel=1", "hydra.launcher.max_failures=1", code=1)
    first, *others = cloud.returns()
    assert first["error"][0] == "RemoteJobError" or "broken" in first["error"][1]
    assert [one["status"] for one in others] == ["FAILED", "FAILED"] and len(cloud.names()) == 1
    assert all("not submitted: hydra.launcher.max_failures=1 is reached" in one["error"][1] for one in others)


def test_a_limit_of_failures_is_a_number(app: App) -> None:
    output = app.sweep("x=1", "hydra.launcher.max_failures=0", code=1)
    assert "hydra.launcher.max_failures=0: at least 1, or null to try every job" in output
