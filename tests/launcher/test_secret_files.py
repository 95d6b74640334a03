"""Secrets in the files that would be sent: by a file's name, and by what stands in it."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from hydra_sagemaker.code.bundle import secret_file_problem
from hydra_sagemaker.code.bundled_files import list_files
from hydra_sagemaker.code.secret_files import CHUNK_CHARACTERS, looks_secret_file, secrets_in

HF_TOKEN = "hf_" + "aB3dE6" * 6
PRIVATE_KEY = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END"
SECRET_FILES = """
    .env .env.local conf/.env.production prod.env .envrc server.pem example.com.pem certs/server.key .ssh/config id_rsa
    keys/id_ed25519 id_ed25519_work id_rsa.bak .netrc _netrc .aws/credentials .aws/config credentials credentials.json
    gcp-credentials.json application_default_credentials.json service-account.json my_service_account_prod.json
    client_secret_1.json .pypirc .npmrc .git-credentials store.p12 STORE.PFX kubeconfig kubeconfig.yaml dev.kubeconfig
    .kube/config secrets.yaml .streamlit/secrets.toml .huggingface/token .cache/huggingface/token kaggle.json
    pip.conf .config/pip/pip.conf pip.ini .databrickscfg terraform.tfvars prod.auto.tfvars terraform.tfvars.json rclone.conf
    .bash_history .zsh_history .python_history .psql_history rootkey.csv rootkey(1).csv ann_accessKeys.csv deploykey
    keys/deploy_key ssh-key.txt netrc .pgpass .htpasswd .vault-token .kaggle/kaggle.json .config/gh/hosts.yml .m2/settings.xml
    host.keytab clearml.conf .flaskenv
    .docker/config.json hf_token api_key.txt token.json .token wandbApiKey.txt terraform.tfstate terraform.tfstate.backup
""".split()
PLAIN_FILES = """
    .env.example .env.template .env.sample sample.env id_rsa.pub keys/public.key env.py environment.yml src/secrets.py
    credentials.py tests/test_credentials.py tokenizer.json special_tokens_map.json added_tokens.json token_counts.csv
    monkey.json docs/secrets.md credentials.example.json public_key.txt keys.json keyboard.txt huggingface/tokenizer.json
    history.csv key_points.csv
    deploy.py pipeline.conf tfvars.md src/pip.py access_log.csv README train.py
    environment/train.py src/token.py kubernetes/job.yaml
""".split()


@pytest.mark.parametrize("path", SECRET_FILES)
def test_files_of_secrets(path: str) -> None:
    assert looks_secret_file(path)


@pytest.mark.parametrize("path", PLAIN_FILES)
def test_files_that_come_near(path: str) -> None:
    assert not looks_secret_file(path)


FOUND = {
    "netrc": ("notes/hosts", f"machine huggingface.co login ann password {'a1B2c3' * 3}\n", 1, "netrc password"),
    "deploykey": ("keys/of-the-robot", PRIVATE_KEY, 1, "private key"),
    "settings": ("settings.py", f"import os\n\nTOKEN = '{HF_TOKEN}'\n", 3, "Hugging Face token"),
    "rootkey": ("access.csv", "Access key ID,Secret access key\nAKIA" + "Q3EGRCVZ" * 2 + ",x\n", 2, "AWS access key id"),
    "notebook": (
        "explore.ipynb",
        json.dumps({"cells": [{"source": ["x = 1\n", f'login(token="{HF_TOKEN}")\n']}]}, indent=1),
        6,
        "Hugging Face token",
    ),
    "key in JSON": ("service.json", json.dumps({"a": 1, "b": PRIVATE_KEY}, indent=1), 3, "private key"),
    "AWS secret key": (
        "conf/s3.yaml",
        "s3:\n  secret: wJalrXUt" + "nFEMI/K7MDENG/bPxRfiCY0123456789\n",
        2,
        "AWS secret access key",
    ),
    "environment": ("run.sh", "export WANDB_API_KEY=" + "0a1b2c3d" * 5 + "\npython app.py\n", 1, "hexadecimal key"),
    "os.environ": ("a.py", "import os\nos.environ['WANDB_API_KEY'] = '" + "0a1b2c3d" * 5 + "'\n", 2, "hexadecimal key"),
    "login": ("setup.sh", "wandb login --relogin " + "0a1b2c3d" * 5 + "\n", 1, "Weights & Biases key"),
    "password": ("db.py", "DB_PASSWORD = 'kei7" + "OhghaeX2aeng'\n", 1, "password or key"),
    "URL": ("a.md", "\n\n\nsee https://ann:" + "kei7Ohgh@host.internal/x\n", 4, "password in a URL"),
    "signed": ("a.txt", "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + "0a1b2c3d" * 8, 1, "token in a URL"),
    "header": ("a.sh", "curl -H 'Authorization: Bearer " + "a1B2c3" * 5 + "' https://host\n", 1, "bearer token"),
    "connection": ("a.toml", 'dsn = "Server=db;Uid=ann;Password=' + 'kei7Ohgh;"\n', 1, "password of a connection"),
}


@pytest.mark.parametrize(("name", "text", "line", "kind"), FOUND.values(), ids=FOUND)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_stands_in_a_file_with_a_harmless_name(
    tmp_path: Path, name: str, text: str, line: int, kind: str, encoding: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text, encoding=encoding)
    assert not looks_secret_file(name) and secrets_in(tmp_path / name) == [(line, kind, "")]
    problem = secret_file_problem(tmp_path, [PurePosixPath(name)])
    assert problem == (
        f"what would be sent may hold secrets: {name}:{line} ({kind}). Take a secret out of a file and let the jobs read it by "
        "hydra.launcher.secrets; or leave the file out: add it to .gitignore (where git does not track it) or .sagemakerignore"
        "; or list the path under hydra.launcher.code.allow_secret_names to send it knowingly"
    )
    for allowed in (name, f"{name[:3]}*"):
        assert secret_file_problem(tmp_path, [PurePosixPath(name)], allowed=[allowed]) is None


HARMLESS = """\
postgresql://user:password@host, https://<user>:<token>@host, postgresql://postgres:postgres@localhost
r"https://[^:]+:[^@]+@", export HF_TOKEN=your_token_goes_right_here_12, token = os.environ["HF_TOKEN"]
api_key=config.tracker2.api_key, https://{user}:{key}@host
password = getpass.getpass("the 12345678 password"), "-----BEGIN PRIVATE KEY-----" in text, Authorization: Bearer $TOKEN
tokenizer: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567, revision: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567, key: train/rows
https://host/rows?token=YOUR_TOKEN_HERE, machine HOST login USER password PASSWORD, Password=$PASSWORD;, secret=arn:aws:x
"""


@pytest.mark.parametrize("text", [text for line in HARMLESS.splitlines() for text in line.split(", ")])
def test_examples_and_programs_hold_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(f"{text}\n", encoding="utf-8")
    assert secrets_in(tmp_path / "a.py") == []


def test_only_text_is_read_and_a_secret_at_the_border_of_two_chunks_is_found_once(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0\1" + HF_TOKEN.encode())
    (tmp_path / "rows.csv").write_text(
        "a\n" * (CHUNK_CHARACTERS // 2 - 10) + f"{HF_TOKEN}\n" + "b\n" * 10_000, encoding="utf-8"
    )
    assert secrets_in(tmp_path / "weights.bin") == []
    assert secrets_in(tmp_path / "rows.csv") == [(CHUNK_CHARACTERS // 2 - 9, "Hugging Face token", "")]


def test_this_repository_holds_none() -> None:
    root = Path(__file__).resolve().parents[2]
    assert secret_file_problem(root, list_files(root, exclude=["shared/"])) is None


def test_files_are_all_named_by_name_or_by_what_they_hold(tmp_path: Path) -> None:
    for name in ("train.py", ".env", "server.pem", ".env.example"):
        (tmp_path / name).touch()
    (tmp_path / "a.py").write_text(f"KEY = '{HF_TOKEN}'\n\nB = '{HF_TOKEN}'\n", encoding="utf-8")
    problem = secret_file_problem(tmp_path, list_files(tmp_path)) or ""
    assert "hold secrets: .env (by its name), server.pem (by its name), a.py:1 (Hugging Face token), a.py:3 (Hugg" in problem
    assert HF_TOKEN not in problem
    assert secret_file_problem(tmp_path, list_files(tmp_path), allowed=["*.pem", ".env", "a.py"]) is None
