"""Names and values that look like secrets, and the many that only come near."""

from __future__ import annotations

import time
import timeit

import pytest

from hydra_sagemaker.secret_names import key_under_name, looks_secret, value_looks_secret

SECRET_NAMES = """
    WANDB_API_KEY AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SESSION_TOKEN HF_TOKEN HUGGING_FACE_HUB_TOKEN DB_PASSWORD
    PGPASSWORD MYSQL_ROOT_PASSWORD my.api_key GITHUB_TOKEN GITHUB_PAT GH_TOKEN_2 PRIVATE_KEY PASSPHRASE CREDENTIALS
    GOOGLE_APPLICATION_CREDENTIALS secret SECRET_KEY_BASE client_secret apiKey wandbApiKey OPENAIApiKey openai_key APIKEY
    token auth_token authToken use_auth_token access_token JIRA_TOKEN CI_JOB_TOKEN TWINE_PASSWORD DB_PWD SMTP_PASS SSHPASS
    signing_key x-api-key Authorization JWT AZURE_STORAGE_ACCOUNT_KEY tracking.mlflow_token API_TOKENS secretKey
""".split()
PLAIN_NAMES = """
    TOKENIZERS_PARALLELISM tokenizer max_tokens tokens_per_batch tokens monkey keyboard key_exclude NUM_KEYS primary_key?
    key keys primary_key foreign_key sort_key label_key public_key kms_key volume_kms_key AWS_KMS_KEY_ID pad_token eos_token
    model.mask_token answer_token loss_per_token PAD_TOKEN MAX_TOKEN_LENGTH token_type_ids special_tokens padToken PWD
    OLDPWD OLD_PWD forward_pass num_passes compass bypass DB_PASSWORD_FILE AWS_WEB_IDENTITY_TOKEN_FILE secret_arn SECRET_NAME
    private_key_path password_length AWS_SECRETS_MANAGER_ENDPOINT author authority secretary passenger cost-center
    HYDRA_FULL_ERROR hotkey turkey s3_key
""".split()


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_names_that_come_near(name: str) -> None:
    assert not looks_secret(name)


VALUES = [
    ("AKIA" + "Q3EGRCVZ" * 2, "AWS access key id"),
    ("key=ASIA" + "Q3EGRCVZ" * 2, "AWS access key id"),
    ("ghp_" + "a1B2" * 9, "GitHub token"),
    ("github_pat_" + "11ABCDEFG0" * 3, "GitHub token"),
    ("glpat-" + "a1B2c" * 4, "GitLab token"),
    ("hf_" + "aBcDe" * 7, "Hugging Face token"),
    ("sk-" + "a1B2c" * 9, "API key"),
    ("sk-ant-api03-" + "a1-_" * 9, "API key"),
    ("AIza" + "a1B-_" * 7, "Google API key"),
    ("xoxb-" + "12345-abcde", "Slack token"),
    ("pypi-AgEIcHlwaS5vcmc" + "a" * 40, "PyPI token"),
    ("wandb_v1_" + "a1B2" * 19, "Weights & Biases key"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "private key"),
    ("-----BEGIN PRIVATE KEY-----", "private key"),
    ("eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMTIz", "JSON web token"),
    ("postgres://ann:" + "hunter2@db:5432/runs", "password in a URL"),
    ("https://:pw@proxy:80", "password in a URL"),
    ("https://data.internal/rows.csv?token=" + "f3a9c51e27", "token in a URL"),
    ("https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature=" + "0a1b2c3d" * 8, "token in a URL"),
    ("https://a.blob.core.windows.net/c?sv=2024-01-01&sig=" + "aB3%2F" * 6, "token in a URL"),
    ("Server=db;Uid=ann;Password=" + "kei7Ohgh;", "password of a connection"),
    ("AccountName=lab;AccountKey=" + "a1B2" * 20 + "==", "password of a connection"),
    ("host=db user=ann password=" + "kei7Ohgh", "password of a connection"),
    ("machine api.wandb.ai login user " + "password " + "a1b2c3d4" * 5, "netrc password"),
]
PLAIN_VALUES = [
    "", "0" * 40, "d5f3bca" + "0" * 33, "hf_small", "hf_internal_testing/tiny_model", "sk-learn-pipeline-with-a-long-name",
    "task-abcdefghijklmnopqrstuvwxyz", "-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "s3://bucket/a:b@c",
    "https://host:443/path@v2", "git@github.com:owner/name.git", "postgres://ann:${oc.env:PW}@db/runs", "AKIA", "MARKIAN" * 4,
    "https://host/list?page=2&token=", "https://host/?sort=signature&key=abc", "password=${db.password};", "x=1;y=2",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:wandb-AbCdEf", "eyJhbGciOiJIUzI1NiJ9",
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), VALUES, ids=[f"{index}-{kind}" for index, (_, kind) in enumerate(VALUES)])
def test_values_by_their_form(value: str, kind: str) -> None:
    assert value_looks_secret(value) == kind
    assert value_looks_secret(f"--option={value} and more") == kind


@pytest.mark.parametrize("value", PLAIN_VALUES)
def test_values_that_come_near(value: str) -> None:
    assert value_looks_secret(value) is None


def test_the_kinds_hold_no_value() -> None:
    assert not any(value in kind for value, kind in VALUES)


AWS_SECRET_KEY = "wJalrXUt" + "nFEMI/K7MDENG/bPxRfiCY0123456789"
HEXADECIMAL = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    "name, value, kind",
    [
        ("s3.key", AWS_SECRET_KEY, "AWS secret access key"),
        ("AWS_PAIR", AWS_SECRET_KEY, "AWS secret access key"),
        ("wandb", HEXADECIMAL, "hexadecimal key"),
        ("tracker.key", HEXADECIMAL, "hexadecimal key"),
        ("model.revision", HEXADECIMAL, None),
        ("token_hash", HEXADECIMAL, None),
        ("cache_key", HEXADECIMAL, None),
        ("note", AWS_SECRET_KEY, None),
        ("key", "a" * 40, None),
        ("key", "train/validation/test", None),
    ],
)
def test_keys_that_only_a_name_tells_from_a_digest(name: str, value: str, kind: str | None) -> None:
    assert key_under_name(name, value) == kind


@pytest.mark.parametrize(
    "start, repeated",
    [("", "a."), ("", "A"), ("eyJ", "a"), ("", "eyJ-"), ("x://", "a:"), ("a=b;", "pwd=a "), ("?", "token=a ")],
)
def test_the_time_grows_with_the_length_of_a_value_and_not_with_its_square(start: str, repeated: str) -> None:
    """A pattern that reads the rest of the text at every letter takes 64 times as long for 8 times the text."""

    def seconds(repeats: int) -> float:
        text = start + repeated * repeats
        assert value_looks_secret(text) is None
        return min(timeit.repeat(lambda: value_looks_secret(text), number=1, repeat=3, timer=time.process_time))

    assert seconds(8_000) < 24 * max(seconds(1_000), 0.0005)
