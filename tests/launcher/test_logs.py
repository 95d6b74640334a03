"""Output of jobs, read from the CloudWatch Logs of the local account and from files."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from hydra_sagemaker.aws.clients import Clients
from hydra_sagemaker.aws.logs import GROUP, CloudWatchLog, FileLog, clean, follow, tail
from hydra_sagemaker.errors import LauncherError, NotPermitted, Throttled, Unreachable
from hydra_sagemaker.settings import SageMakerLauncherConf

if TYPE_CHECKING:
    from sagemaker_fixtures import Account

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
_numbers = itertools.count()


class Writer:
    """The container of a job, as far as its log goes."""

    def __init__(self, logs: Any) -> None:
        self.logs = logs
        self.name = f"written-{next(_numbers)}"

    def write(self, *lines: str, host: int = 1, began: int = 1, at: float | None = None) -> None:
        stream = {"logGroupName": GROUP, "logStreamName": f"{self.name}/algo-{host}-{began}"}
        try:
            self.logs.create_log_stream(**stream)
        except ClientError:
            pass
        timestamp = int((at or time.time()) * 1000)
        self.logs.put_log_events(**stream, logEvents=[{"timestamp": timestamp, "message": line} for line in lines])


@pytest.fixture(scope="module")
def clients(account: Account) -> Any:
    clients = Clients(SageMakerLauncherConf(region="us-east-1", endpoint_url=account.server.url))
    yield clients
    for client in (clients.sagemaker, clients.s3, clients.logs):
        client.close()


@pytest.fixture
def writer(clients: Clients) -> Writer:
    return Writer(clients.logs)


def test_the_end_of_a_log(writer: Writer) -> None:
    writer.write(*(f"line {number}" for number in range(50)))
    assert tail(writer.logs, writer.name, lines=3) == ["line 47", "line 48", "line 49"]
    assert len(tail(writer.logs, writer.name)) == 20
    assert len(tail(writer.logs, writer.name, lines=100)) == 50


def test_what_cannot_be_read_is_no_error(clients: Clients, account: Account) -> None:
    assert tail(clients.logs, "never-submitted") == []
    elsewhere = Clients(SageMakerLauncherConf(region="eu-west-1", endpoint_url=account.server.url))
    assert tail(elsewhere.logs, "the-group-does-not-exist-there") == []
    for client in (elsewhere.sagemaker, elsewhere.s3, elsewhere.logs):
        client.close()


def test_a_missing_permission_is_named_when_the_log_is_read(clients: Clients, account: Account) -> None:
    account.server.faults.replace({"expired_credentials": True})
    try:
        with pytest.raises(NotPermitted, match="the log of some-job: .*expired"):
            CloudWatchLog(clients.logs, "some-job", lines=20).new_lines()
        assert tail(clients.logs, "some-job") == []
    finally:
        account.server.faults.replace({})


def test_hosts_are_merged_by_time_and_named(writer: Writer) -> None:
    now = time.time()
    writer.write("first", at=now)
    writer.write("second", "third", host=2, at=now + 1)
    writer.write("fourth", at=now + 2)
    assert tail(writer.logs, writer.name) == ["algo-1 | first", "algo-2 | second", "algo-2 | third", "algo-1 | fourth"]
    assert tail(writer.logs, writer.name, lines=2) == ["algo-2 | third", "algo-1 | fourth"]


def test_one_host_of_two_is_named_before_the_other_has_begun(writer: Writer) -> None:
    writer.write("alone")
    assert CloudWatchLog(writer.logs, writer.name, lines=5, hosts=2).new_lines() == ["algo-1 | alone"]


def test_each_line_is_returned_once(writer: Writer) -> None:
    log = CloudWatchLog(writer.logs, writer.name, lines=2)
    assert log.new_lines() == []
    writer.write("a", "b\nc", "  ")
    assert log.new_lines() == ["a", "b", "c"]
    assert log.new_lines() == []
    writer.write("d")
    assert log.new_lines() == ["d"]
    writer.write("after an interruption", "went on", "once more", began=2)
    assert log.new_lines() == ["after an interruption", "went on", "once more"]
    assert log.new_lines() == []


def test_following_begins_with_the_last_lines(writer: Writer) -> None:
    writer.write(*"abcde")
    log = CloudWatchLog(writer.logs, writer.name, lines=2)
    assert log.new_lines() == ["d", "e"]
    writer.write("f")
    assert log.new_lines() == ["f"]


def test_more_lines_than_a_page_holds(writer: Writer) -> None:
    log = CloudWatchLog(writer.logs, writer.name, lines=5)
    assert log.new_lines() == []
    for start in range(0, 12_000, 4_000):
        writer.write(*(str(number) for number in range(start, start + 4_000)))
    assert log.new_lines() == [str(number) for number in range(12_000)]


def test_a_file_is_read_by_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    log = FileLog(file, lines=2)
    assert log.new_lines() == []
    file.write_bytes(b"a\nb\nc\nunfini")
    assert log.new_lines() == ["b", "c"]
    with file.open("ab") as more:
        more.write("shed\nnäh".encode())
    assert log.new_lines() == ["unfinished"]
    assert log.new_lines() == []
    assert log.new_lines(ended=True) == ["näh"]
    assert log.new_lines(ended=True) == []


def test_the_end_of_a_large_file(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("".join(f"{number}\n" for number in range(10_000)), encoding="utf-8")
    assert FileLog(tmp_path / "output.log", lines=3).new_lines(ended=True) == ["9997", "9998", "9999"]


class Script:
    """A log whose reads are known beforehand; afterwards it is silent."""

    silent_reads = 2

    def __init__(self, *reads: list[str] | LauncherError) -> None:
        self.reads = list(reads)
        self.seen_ended: list[bool] = []

    def new_lines(self, *, ended: bool) -> list[str]:
        self.seen_ended.append(ended)
        read = self.reads.pop(0) if self.reads else []
        if isinstance(read, LauncherError):
            raise read
        return read


class Running:
    """Each job runs for a number of polls; a poll raises an error that stands in its place."""

    def __init__(self, *looks: Collection[str] | LauncherError) -> None:
        self.looks = list(looks)

    def __call__(self, names: Collection[str]) -> Collection[str]:
        look = self.looks.pop(0) if self.looks else ()
        if isinstance(look, LauncherError):
            raise look
        return look


def followed(
    logs: dict[str, Script], running: Running, slept: list[float] | None = None, seconds: float = 1, poll_seconds: float = 1
) -> list[tuple[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hydra_sagemaker.aws.logs.time", SimpleNamespace(sleep=[].append if slept is None else slept.append))
        return list(follow(logs, running, seconds=seconds, poll_seconds=poll_seconds))


def test_following_ends_when_the_job_has_ended_and_its_lines_have_arrived() -> None:
    log = Script(["a"], [], [], [], [], ["late"], [])
    slept: list[float] = []
    assert followed({"job": log}, Running(["job"], ["job"], ["job"], ["job"]), slept) == [("job", "a"), ("job", "late")]
    assert log.seen_ended == [False] * 4 + [True] * 4
    assert slept == [1] * 7


def test_a_job_that_ends_does_not_end_the_others() -> None:
    logs = {"short": Script(["a"]), "long": Script(["b"], [], [], [], ["c"])}
    running = Running(["short", "long"], ["long"], ["long"], ["long"], ["long"])
    assert followed(logs, running) == [("short", "a"), ("long", "b"), ("long", "c")]


def test_following_rides_over_what_passes_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    gone, throttled = Unreachable("no connection\nmore"), Throttled("too many calls")
    log = Script(["a"], gone, throttled, ["b"], [])
    assert followed({"job": log}, Running(["job"], gone, gone, ["job"])) == [("job", "a"), ("job", "b")]
    said = [record.getMessage() for record in caplog.records]
    assert said == ["no connection; trying again"]
    with pytest.raises(NotPermitted, match="expired"):
        followed({"job": Script(["a"], NotPermitted("expired"))}, Running(["job"], ["job"]))


def test_the_state_is_asked_for_less_often_than_the_lines() -> None:
    running, slept = Running(["job"], ["job"]), []
    assert followed({"job": Script()}, running, slept, seconds=2, poll_seconds=20) == []
    assert len(slept) == 21 and running.looks == []


@pytest.mark.parametrize(
    ("line", "plain", "coloured"),
    [
        ("as it is\tä 日本", "as it is\tä 日本", "as it is\tä 日本"),
        ("\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b[2J\x1b[1;1Hcleared", "cleared", "cleared"),
        ("\x1b]0;title\x07a\x1b]52;c;Y29weQ==\x1b\\b", "ab", "ab"),
        ("\x1bPdevice\x1b\\x\x9b31my\x07\x08z", "x31myz", "x31myz"),
        (" 10%|#  |\r 20%|## |\r100%|###|\r", "100%|###|", "100%|###|"),
        ("\x1b(Bplain\x1b", "plain", "plain"),
    ],
)
def test_a_terminal_gets_colours_and_nothing_else(line: str, plain: str, coloured: str) -> None:
    assert clean(line, colours=False) == plain
    assert clean(line, colours=True) == coloured
