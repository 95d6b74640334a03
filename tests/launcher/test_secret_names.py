"""Names, file names and values that look like secrets, and the many that only come near."""

from __future__ import annotations

import time
import timeit

import pytest

from hydra_sagemaker.secret_names import looks_secret, looks_secret_file, value_looks_secret

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


SECRET_FILES = """
    .env .env.local conf/.env.production prod.env .envrc server.pem example.com.pem certs/server.key .ssh/config id_rsa
    keys/id_ed25519 id_ed25519_work id_rsa.bak .netrc _netrc .aws/credentials .aws/config credentials credentials.json
    gcp-credentials.json application_default_credentials.json service-account.json my_service_account_prod.json
    client_secret_1.json .pypirc .npmrc .git-credentials store.p12 STORE.PFX kubeconfig kubeconfig.yaml dev.kubeconfig
    .kube/config secrets.yaml .streamlit/secrets.toml .huggingface/token .cache/huggingface/token kaggle.json
    .docker/config.json hf_token api_key.txt token.json .token wandbApiKey.txt terraform.tfstate terraform.tfstate.backup
""".split()
PLAIN_FILES = """
    .env.example .env.template .env.sample sample.env id_rsa.pub keys/public.key env.py environment.yml src/secrets.py
    credentials.py tests/test_credentials.py tokenizer.json special_tokens_map.json added_tokens.json token_counts.csv
    monkey.json docs/secrets.md credentials.example.json public_key.txt keys.json keyboard.txt huggingface/tokenizer.json
    README train.py environment/train.py src/token.py kubernetes/job.yaml
""".split()


@pytest.mark.parametrize("path", SECRET_FILES)
def test_files_of_secrets(path: str) -> None:
    assert looks_secret_file(path)


@pytest.mark.parametrize("path", PLAIN_FILES)
def test_files_that_come_near(path: str) -> None:
    assert not looks_secret_file(path)


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
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMTIz", "JSON web token"),
    ("postgres://ann:hunter2@db:5432/runs", "password in a URL"),
    ("https://:pw@proxy:80", "password in a URL"),
]
PLAIN_VALUES = [
    "", "0" * 40, "d5f3bca" + "0" * 33, "hf_small", "hf_internal_testing/tiny_model", "sk-learn-pipeline-with-a-long-name",
    "task-abcdefghijklmnopqrstuvwxyz", "-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "s3://bucket/a:b@c",
    "https://host:443/path@v2", "git@github.com:owner/name.git", "postgres://ann:${oc.env:PW}@db/runs", "AKIA", "MARKIAN" * 4,
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


@pytest.mark.parametrize("start, repeated", [("", "a."), ("", "A"), ("eyJ", "a"), ("", "eyJ-"), ("x://", "a:")])
def test_the_time_grows_with_the_length_of_a_value_and_not_with_its_square(start: str, repeated: str) -> None:
    """A pattern that reads the rest of the text at every letter takes 64 times as long for 8 times the text."""

    def seconds(repeats: int) -> float:
        text = start + repeated * repeats
        assert value_looks_secret(text) is None
        return min(timeit.repeat(lambda: value_looks_secret(text), number=1, repeat=3, timer=time.process_time))

    assert seconds(8_000) < 24 * max(seconds(1_000), 0.0005)
