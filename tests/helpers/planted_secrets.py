"""Secrets wherever people have them, words that may travel, and the search for both in all that a sweep sends and leaves."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from gate import Gate
from sagemaker_local.account import LOG_GROUP, SERVER_KEY
from wire_contents import exchanges, words_in

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

APP = """\
import hashlib
import logging
import os
import subprocess
import sys

import hydra
from lib.notes import GREETING


log = logging.getLogger(__name__)


class Refused(Exception):
    pass


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    key = os.environ["TRACKER_KEY"]
    assert config.tracker.api_key == key and config.absent == "nobody"
    print(GREETING)
    print(f"signed in with {key}\\r50%\\r100%", key, file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-c", "import os; print('a child:', os.environ['TRACKER_KEY'])"], check=True)
    log.warning("the key is %s", key)
    if config.do == "refuse":
        raise Refused(f"no entry with {key}", {"key": [key]}) from ValueError(key)
    return {"digest": hashlib.sha256(key.encode()).hexdigest(), "key": key if config.do == "return" else None}


if __name__ == "__main__":
    main()
"""
CONFIG = """\
do: nothing
note: nothing
tracker:
  api_key: ${oc.env:TRACKER_KEY}
absent: ${oc.env:DB_PASSWORD,nobody}
"""
SECRET_FILES = (".env", "credentials.json", "id_rsa", ".netrc", ".aws/credentials", "certs/server.pem")
IGNORED_FILE = "notes/private.txt"


def canary(name: str) -> str:
    r"""Nobody else's, with something for every kind of escape."""
    return f'{name}-{secrets.token_hex(8)}/+"é%\\&z'


def plain_canary(name: str) -> str:
    return f"{name}{secrets.token_hex(16)}"


class Planted:
    """What a person and their machine have: secrets, and words that may travel, which the search has to find."""

    def __init__(self) -> None:
        self.secret = {name: canary(name) for name in ("variable", "referred", "signs")}
        self.secret |= {name: plain_canary("file") for name in (*SECRET_FILES, IGNORED_FILE)}
        self.secret |= {"remote": plain_canary("ghp_"), "home aws": plain_canary("aws"), "home netrc": plain_canary("netrc")}
        self.of_the_job = canary("in-secrets-manager")
        self.open = {
            name: plain_canary(name) for name in ("source", "env", "hyperparameter", "tag", "extra", "note", "printed")
        }

    def write(self, cloud: Cloud, home: Path) -> None:
        app, aws = cloud.app, f"[default]\naws_access_key_id = AKIA\naws_secret_access_key = {self.secret['home aws']}\n"
        app.write("app.py", APP)
        app.write("conf/config.yaml", CONFIG)
        app.write("lib/notes.py", f"GREETING = '{self.open['printed']}'\n# {self.open['source']}\n")
        for name in (*SECRET_FILES, IGNORED_FILE):
            app.write(name, f"password={self.secret[name]}\n")
        for name, text in {
            ".aws/credentials": aws,
            ".netrc": f"default login ann password {self.secret['home netrc']}",
        }.items():
            file = home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        cloud.account.secrets.create_secret(Name=f"{cloud.name}/key", SecretString=self.of_the_job)
        cloud.env |= {"HOME": str(home), "DB_PASSWORD": self.secret["variable"]}
        cloud.env |= {"TRACKER_KEY": self.secret["referred"], "AWS_SECRET_ACCESS_KEY": self.secret["signs"]}

    def commit(self, cloud: Cloud) -> None:
        cloud.app.write(".gitignore", "\n".join((*SECRET_FILES, IGNORED_FILE)))
        remote = f"https://ann:{self.secret['remote']}@host.example/ann/project.git"
        own = ("-c", "user.name=ann", "-c", "user.email=ann@host.example")
        for words in (["init"], ["remote", "add", "origin", remote], ["add", "."], [*own, "commit", "-m", "all"]):
            subprocess.run(["git", *words], cwd=cloud.app.root, check=True, capture_output=True)

    def words(self, cloud: Cloud) -> tuple[str, ...]:
        return (
            *(f"+hydra.launcher.secrets.TRACKER_KEY={cloud.name}/key", "hydra.verbose=true"),
            *(f"+hydra.launcher.env.SETTING={self.open['env']}", f"+hydra.launcher.tags.team={self.open['tag']}"),
            f"+hydra.launcher.extra.HyperParameters.setting={self.open['hyperparameter']}",
            f"+hydra.launcher.extra.AlgorithmSpecification.ContainerArguments=[{self.open['extra']}]",
            f"note={self.open['note']}",
        )


def everything(cloud: Cloud, gate: Gate, output: str) -> Iterator[tuple[str, bytes]]:
    """What the launcher and its jobs sent and were told, what lies in the account, and what is left on this machine."""
    yield "screen", output.encode()
    for passage in gate.passages:
        yield "wire", passage.sent + passage.received
        for one in exchanges(passage.sent, passage.received):
            yield f"wire {one.request}", b"\n".join([str(one.headers.items()).encode(), one.body, one.answer])
            yield "wire", one.body
            yield "wire", one.answer
    for request in cloud.account.requests:
        if request.caller == "job":
            yield f"job {request.operation}", f"{request.path} {request.headers}".encode() + request.body
    for key, content in cloud.objects().items():
        yield f"s3 {key}", content
    for file in cloud.app.sweep_dir.rglob("*"):
        if file.is_file():
            yield f"home {file.relative_to(cloud.app.sweep_dir)}", file.read_bytes()
    yield from in_the_account(cloud)


def in_the_account(cloud: Cloud) -> Iterator[tuple[str, bytes]]:
    session = boto3.Session(**cloud.server.keys.arguments(SERVER_KEY), region_name="us-east-1")
    with closing(session.client("logs", endpoint_url=cloud.server.url)) as logs:
        streams = logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{cloud.name}-")["logStreams"]
        for stream in streams:
            events = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"])["events"]
            yield f"log {stream['logStreamName']}", "\n".join(event["message"] for event in events).encode()
    for name in cloud.names():
        described = cloud.account.sagemaker.describe_training_job(TrainingJobName=name)
        tags = cloud.account.sagemaker.list_tags(ResourceArn=described["TrainingJobArn"])["Tags"]
        yield f"described {name}", json.dumps([described, tags], default=str).encode()


def core(word: str) -> str:
    """The part that is nobody else's: what replaces the signs around it, as a user agent does, hides nothing."""
    (digits,) = re.findall(r"[0-9a-f]{16,}", word)
    return digits


class Found:
    """Planted words by the places where they are."""

    def __init__(self, planted: Planted, contents: Iterator[tuple[str, bytes]]) -> None:
        words = [core(word) for word in (*planted.secret.values(), planted.of_the_job, *planted.open.values())]
        self.places: set[str] = set()
        self._found: set[tuple[str, str]] = set()
        for place, content in contents:
            self.places.add(place)
            self._found |= {(place, word) for word in words_in(content, words)}

    def of(self, word: str) -> list[str]:
        return sorted(place for place, found in self._found if found == core(word))

    def kinds_of(self, word: str) -> set[str]:
        return {place.split()[0] for place in self.of(word)}
