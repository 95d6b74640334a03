"""What looks like a secret by its name or its form. Nothing here returns or prints a value."""

from __future__ import annotations

import re

_VENDOR = (
    "aws|azure|gcp|google|github|gh|gitlab|bitbucket|hf|hub|huggingface|face|wandb|openai|anthropic|cohere|mistral|replicate|comet"
    "|neptune|mlflow|clearml|kaggle|slack|discord|telegram|npm|pypi|docker|stripe|sendgrid|twilio|datadog|dd|sentry|pinecone|databricks"
)
_SECRET_WORDS = re.compile(
    rf"""(?:^|\ )(?:
        \w*(?:password|passwd|passphrase|passcode)s? | \w*(?:api|access|private|secret)keys? | \w*(?:auth|access|api)tokens?
        | secret | secrets(?!\ manager) | credentials? | authorization | bearer | jwt
        | (?:api|access|private|secret|signing|encryption|ssh|gpg|auth|account|storage|deploy|master|license|hmac|fernet)\ keys?
        | (?:api|auth|access|refresh|session|bearer|bot|personal|security|oauth|{_VENDOR})\ tokens?
        | (?:{_VENDOR})\ ?(?:key|token|pat) | (?!old\ )\w+\ pwd
        | (?:db|database|smtp|ftp|mail|email|user|admin|root|mysql|redis|postgres|pg|ssh)\ ?pass
    )(?:\ |$)""",
    re.VERBOSE,
)
_NOT_THE_SECRET = re.compile(
    r" (?:arn|name|names|file|filename|path|dir|length|len|policy|ttl|expiry|expiration|column|field|prefix)$"
)
_TOKENIZER_WORDS = (
    "pad|eos|bos|sos|eot|cls|sep|unk|mask|start|end|stop|special|first|last|next|per|max|min|num|image|video|audio"
)
_ENVIRONMENT_TOKEN = re.compile(rf"(?:^|_)(?!(?:{_TOKENIZER_WORDS})_)[A-Z0-9]+_TOKEN(?:_[A-Z0-9]+)?$", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def looks_secret(name: str) -> bool:
    """Of an environment variable, a hyperparameter or a tag; read by words, in snake_case, camelCase or with dots.

    A name of the place of a secret (`DB_PASSWORD_FILE`, `API_KEY_SECRET_ARN`) is none. `token` is, alone, after a word such as
    `auth` or a vendor's name, and at the end of a name in capitals: `answer_token` is text for a tokenizer, JIRA_TOKEN is not.
    """
    words = " ".join(word.lower() for word in _WORD.findall(name))
    if _NOT_THE_SECRET.search(words):
        return False
    return words == "token" or bool(_SECRET_WORDS.search(words) or (name.isupper() and _ENVIRONMENT_TOKEN.search(name)))


_SECRET_FILES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\.env(\..*)?|[^/]*\.env|\.envrc",
        r"[^/]*\.(pem|p12|pfx|jks|keystore|kdbx|ppk|ovpn|tfstate|kubeconfig)(\.backup)?",
        r"(?![^/]*pub)[^/]*\.key",
        r"id_(rsa|dsa|ecdsa|ed25519)(_\w+)?(\.(bak|old))?",
        r"[._]netrc|\.git-credentials|\.pypirc|\.npmrc|\.pgpass|\.my\.cnf|\.htpasswd|\.boto|\.s3cfg|\.dockercfg|kaggle\.json",
        r"([^/]*[-_.])?(credentials?|secrets?)(\.(json|ya?ml|ini|toml|csv|txt|cfg|conf))?",
        r"[^/]*service[-_]?account[^/]*\.json|client_secret[^/]*\.json",
        r"kubeconfig(\..*)?",
    )
)
_TEMPLATE = re.compile(r"(^|[-_.])(example|template|sample|dist)([-_.]|$)")
_SECRET_FOLDERS = re.compile(
    r"(^|/)(\.aws|\.ssh|\.gnupg|\.kube|\.azure|\.config/gcloud)/|(^|/)\.?huggingface/(token|stored_tokens)$|(^|/)\.docker/config\.json$"
)


def looks_secret_file(path: str) -> bool:
    """By its name and the directories of its path (with slashes); `.env.example` and other templates do not."""
    if _SECRET_FOLDERS.search(path.lower()):
        return True
    name = path.rpartition("/")[2]
    if _TEMPLATE.search(name.lower()) and not name.lower().endswith((".pem", ".key", ".p12", ".pfx")):
        return False
    stem = re.sub(r"\.(txt|json)$", "", name.lstrip("."))
    return any(pattern.fullmatch(name.lower()) for pattern in _SECRET_FILES) or ("." not in stem and looks_secret(stem))


_SECRET_VALUES = {
    "AWS access key id": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22}",
    "GitLab token": r"\bglpat-[\w-]{20}",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{30}",
    "API key": r"(?<![\w-])sk-(?:[A-Za-z0-9]{20}|(?:ant|proj|svcacct|or)-[\w-]{20})",
    "Google API key": r"\bAIza[\w-]{35}",
    "Slack token": r"\bxox[abeoprs]-[\w-]{10}",
    "PyPI token": r"\bpypi-AgE[\w-]{20}",
    "Weights & Biases key": r"\bwandb_v\d+_\w{20}",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "JSON web token": r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,2000}\.[\w-]{10}",
    "password in a URL": r"\b[a-z][a-z0-9+.-]{0,20}://[^/\s:@]{0,200}:(?!\$)[^/\s@]{1,500}@",
}


def value_looks_secret(value: str) -> str | None:
    """The kind of secret whose form is found in `value`.

    Forty hexadecimal digits are a W&B key of the older form and every git commit alike: they pass, names catch the former.
    """
    return next((kind for kind, pattern in _SECRET_VALUES.items() if re.search(pattern, value)), None)
