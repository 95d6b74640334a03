"""Secrets as tools, languages and clouds write them, in other encodings and in archives, and the likes that are none."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from hydra_sagemaker.code.archive_members import MEMBERS_AT_MOST
from hydra_sagemaker.code.bundle import secret_file_problem
from hydra_sagemaker.code.secret_files import CHUNK_CHARACTERS, secrets_in
from hydra_sagemaker.secret_names import value_looks_secret

HEX, MIXED, WORD = "0a1b2c3d" * 5, ("aB3dE6gHj9Kx" * 3)[:32], "kei7OhghAe"
BODY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
PEM = base64.b64encode(f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{BODY}".encode()).decode()
WRITTEN = {
    "a call's last argument": f"client = Client(api_key='{MIXED}')",
    "a call": f"wandb.login('{HEX}')",
    "an escaped quote": json.dumps([f'os.environ["WANDB_API_KEY"] = "{HEX}"', f'wandb.login(key="{HEX}")']),
    "a line of a notebook": json.dumps([f"%env WANDB_API_KEY={HEX}\n"]),
    "a type": f"api_key: str = '{MIXED}'",
    "bytes": f"password = b'{MIXED}'",
    "a default of getenv": f"os.getenv('API_KEY', '{MIXED}')",
    "an option's default": f"parser.add_argument('--api-key', default='{MIXED}')",
    "an option": f"python train.py --wandb_api_key {HEX}",
    "a Dockerfile": f"ENV WANDB_API_KEY {HEX}",
    "fish": f"set -x WANDB_API_KEY {HEX}",
    "oc.env": "note: ${oc.env:WANDB_API_KEY," + HEX + "}",
    "oc.env under a name": "api_key: ${oc.env:ANY," + MIXED + "}",
    "Kubernetes": f"  - name: API_KEY\n    value: {MIXED}",
    "JSON pairs": json.dumps([{"name": "DB_PASSWORD", "value": MIXED}]),
    "Terraform": f'variable "api_key" {{\n  default = "{MIXED}"\n}}',
    "XML": f"<password>{MIXED}</password>",
    "attributes": f'<add key="ApiKey" value="{MIXED}"/>',
    "the next line": f"api_key:\r\n  {MIXED}",
    "a short password": f"db:\n  password: {WORD}",
    "a base64 key": f"client-key-data: {PEM}",
    "SSH2": f"---- BEGIN SSH2 ENCRYPTED {'PRIVATE'} KEY ----\n{BODY}",
    "Basic": f"headers = {{'Authorization': 'Basic {base64.b64encode(b'ann:' + WORD.encode()).decode()}'}}",
    "Docker's": f'{{"auths": {{"host": {{"auth": "{base64.b64encode(b"ann:" + WORD.encode()).decode()}"}}}}}}',
    "sshpass": f"sshpass -p {WORD} ssh host",
    "curl": f"curl -u ann:{WORD} https://host",
    "mysql": f"mysql -u ann -p{WORD} runs",
    "netrc in another order": f"machine host\n  password {WORD}\n  login ann",
    "CSV": f"User name,Secret access key\nann,{'aB3dE6gH+/' * 4}",
    "Fernet": f"Fernet(b'{'aB3-_' * 8}abc=')",
    "Django": f"SECRET_KEY = '{'x7)$(a3@#!' * 5}'".replace(")", "("),
}
TOKENS = [
    *(f"pcsk_{MIXED}", f"lsv2_pt_{HEX[:32]}_{HEX[:10]}", f"tvly-{MIXED}", f"KGAT_{HEX[:32]}", f"fw_{MIXED[:24]}"),
    *(f"lin_api_{MIXED}{WORD}", f"ntn_{MIXED}{MIXED}", f"figd_{MIXED}{WORD}", f"glsa_{MIXED}_{HEX[:8]}"),
    *(f"PMAK-{HEX[:24]}-{HEX[:34]}", f"shpat_{HEX[:32]}", f"sq0atp-{MIXED[:22]}", f"ATATT3{MIXED}{MIXED}"),
    *(f"key-{HEX[:32]}", f"dp.st.{MIXED}{WORD}", f"sk-lf-{HEX[:8]}-{HEX[:4]}-x", f"sk_test_{MIXED}"),
    *(f"xapp-1-A0{WORD}-{'1' * 13}-{HEX}", f"{'1' * 10}:AA{MIXED}a", f"aB38Q~{MIXED}ab"),
    *(f"https://{MIXED}@pypi.internal/simple", f"https://host/x#access_token={MIXED}", f"https://host/x?key={MIXED}"),
    *(f"https://discord.com/api/webhooks/{'1' * 18}/{MIXED}", f"pat{MIXED[:14]}.{HEX}{HEX[:24]}"),
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_however_it_is_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(f"\n{text}\n", encoding="utf-8", newline="")
    assert [line for line, _, _ in secrets_in(tmp_path / "a.txt")][0] in (2, 3)


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_that_say_what_they_are(token: str) -> None:
    assert value_looks_secret(token) and value_looks_secret(f"see '{token}',")


NONE = """\
model = Client(api_key=my_tracker_key_v2, project=p)
aws ecr get-login-password | docker login --username AWS --password-stdin 763104351884.dkr.ecr.eu-west-1.amazonaws.com
AKIAIOSFODNN7EXAMPLE, wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
{"cache_key": "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "sha256": "%s"}
REVISION = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
git+https://github.com/huggingface/transformers@0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
numpy==2.1.0 --hash=sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f901234567890a1b2c3d4e5f6071829312
{"image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="}
RUN_ID = "3f2b8c1e-5d4a-4f6b-9c8d-7e6f5a4b3c2d"
tokenizer_name: sentence-transformers/all-MiniLM-L6-v2, num_tokens: 1234567890123456
https://docker.io/library/python@sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f9, smb://myuser:mypassword@myserver.com/
parser.add_argument("--tokenizer", default="bert-base-uncased-2018"), answer_token="<extra_id_0_of_100>"
the machine with password authentication logs in, api_key: ${oc.env:API_KEY}, password: ${oc.env:PW,unset}
API_KEY_ENV = "ANTHROPIC_API_KEY_2024", "secret_sauce_of_bert_and_other_models_in_a_name_1", key-value-pairs-1234
"""


@pytest.mark.parametrize("line", NONE.splitlines())
def test_research_code_holds_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.py").write_text(f"{line}\n", encoding="utf-8")
    assert secrets_in(tmp_path / "a.py") == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_text(f"é\n\nTOKEN = 'hf_{MIXED}'\n", encoding=encoding)
    assert secrets_in(tmp_path / "a.txt") == [(3, "Hugging Face token", "")]


def test_a_large_file_of_two_bytes_a_character(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xfe\xff" + ("é\n" * CHUNK_CHARACTERS + f"hf_{MIXED}\n").encode("utf-16-be"))
    assert secrets_in(tmp_path / "a.txt") == [(CHUNK_CHARACTERS + 1, "Hugging Face token", "")]


def _zip(file: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _tar(mode: str) -> Callable[[Path, dict[str, bytes]], None]:
    def write(file: Path, members: dict[str, bytes]) -> None:
        with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    return write


@pytest.mark.parametrize("write", [_zip, _tar("w"), _tar("w:gz"), _tar("w:bz2"), _tar("w:xz")])
def test_archives(tmp_path: Path, write: Callable[[Path, dict[str, bytes]], None]) -> None:
    token = f"A = 1\nT = 'hf_{MIXED}'\n".encode()
    write(tmp_path / "old.bin", {"weights": b"\0\1\2" + token, "src/settings.py": token, "README": b"nothing"})
    assert secrets_in(tmp_path / "old.bin") == [(2, "Hugging Face token", "src/settings.py")]
    problem = secret_file_problem(tmp_path, [PurePosixPath("old.bin")])
    assert problem and "may hold secrets: old.bin, src/settings.py:2 (Hugging Face token). Take" in problem
    assert secret_file_problem(tmp_path, [PurePosixPath("old.bin")], allowed=["*.bin"]) is None
    whole = (tmp_path / "old.bin").read_bytes()
    (tmp_path / "old.bin").write_bytes(whole[: len(whole) // 3])  # damaged: no error
    secrets_in(tmp_path / "old.bin")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_texts(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    (tmp_path / "log.gz").write_bytes(compress(f"\nhf_{MIXED}\n".encode()))
    assert secrets_in(tmp_path / "log.gz") == [(2, "Hugging Face token", "")]


def test_an_archive_is_read_as_far_as_it_is_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hydra_sagemaker.code.archive_members.READ_AT_MOST", 1000)
    token = f"hf_{MIXED}\n".encode()
    _zip(tmp_path / "a.zip", {"data.csv": b"0,1\n" * 1000, "b.txt": token})
    _tar("w:gz")(tmp_path / "a.tgz", {"a.txt": token, "data.csv": b"0,1\n" * 1000, "b.txt": token})
    assert [member for _, _, member in secrets_in(tmp_path / "a.zip")] == ["b.txt"]
    assert [member for _, _, member in secrets_in(tmp_path / "a.tgz")] == ["a.txt"] and MEMBERS_AT_MOST >= 1000
