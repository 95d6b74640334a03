"""Finds secrets by their names and forms, and takes them out of a text. Nothing here prints a value."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

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
    """Tell whether an environment variable, hyperparameter or tag names a secret, in snake_case, camelCase or with dots.

    A name of the place of a secret (`DB_PASSWORD_FILE`, `API_KEY_SECRET_ARN`) is none. `token` is, alone, after a word such as
    `auth` or a vendor's name, and at the end of a name in capitals: `answer_token` is text for a tokenizer, JIRA_TOKEN is not.
    """
    words = " ".join(word.lower() for word in _WORD.findall(name))
    if _NOT_THE_SECRET.search(words):
        return False
    return words == "token" or bool(_SECRET_WORDS.search(words) or (name.isupper() and _ENVIRONMENT_TOKEN.search(name)))


_URL_SECRETS = (
    r"(?i:access_?token|refresh_?token|id_?token|auth_?token|token|api_?key|apikey|client_secret|secret|password|passwd|signature"
    r"|sig|x-amz-signature|x-amz-security-token|x-goog-signature|hmac|sas)"
)
_DSN_PASSWORD = r"(?i:password|passwd|pwd|accountkey|sharedaccesskey|sharedsecretkey)"
SECRET_FORMS = {
    "AWS access key id": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22}",
    "GitLab token": r"\bgl(?:pat|rt|dt|ptt|cbt)-[\w-]{20}",
    "Hugging Face token": r"\b(?:hf|api_org)_[A-Za-z0-9]{30}",
    "API key": r"(?<![\w-])sk-(?:[A-Za-z0-9]{20}|(?:ant|proj|svcacct|or)-[\w-]{20})|\b[rs]k_live_\w{20}"
    r"|\bSG\.[\w-]{22}\.[\w-]{30}|\b(?:gsk_|r8_|nvapi-|xai-|pplx-|npm_|dckr_pat_|do[opr]_v1_)[\w-]{27}|\bdapi[0-9a-f]{32}|\bhvs\.[\w-]{20}",
    "Google API key": r"\bAIza[\w-]{35}|\bGOCSPX-[\w-]{20}|\bya29\.[\w-]{30}",
    "Slack token": r"\bxox[abeoprs]-[\w-]{10}|\bhooks\.slack\.com/services/\w{8,20}/\w{8,20}/\w{16}",
    "PyPI token": r"\bpypi-AgE[\w-]{20}",
    "Weights & Biases key": r"\bwandb_v\d+_\w{20}|\bwandb login (?:-\S{1,40} ){0,4}[0-9a-f]{40}\b",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY|\bPuTTY-User-Key-File-\d|\bAGE-SECRET-KEY-1[0-9A-Z]{20}",
    "JSON web token": r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,2000}\.[\w-]{10}",
    "password in a URL": r"\b[a-z][a-z0-9+.-]{0,20}://(?P<user>[^/\s:@]{0,200}):(?P<password>(?!\$)[^/\s@]{1,500})@",
    "token in a URL": rf"[?&]{_URL_SECRETS}=(?P<token>[\w.~%+/-]{{8,2000}})",
    "password of a connection": rf"(?:^|[;\s\"']){_DSN_PASSWORD}=(?P<pwd>[^;\s\"'$<{{]{{3,200}});"
    rf"|=[^;=\n]{{1,200}};\ ?{_DSN_PASSWORD}=(?P<last>[^;\s\"'$<{{]{{3,200}})"
    r"|\b(?:host|dbname|user)=\S{1,200}(?: \w{1,30}=\S{1,200}){0,8} password=(?P<word>[^\s\"'$<{]{3,200})",
    "netrc password": r"\b(?:machine\s{1,9}\S{1,200}|default)\s{1,9}login\s{1,9}\S{1,200}\s{1,9}"
    r"(?:account\s{1,9}\S{1,200}\s{1,9})?password\s{1,9}(?P<netrc>\S{1,200})",
}
"""The forms of secrets that say themselves what they are; groups are the part that a person would replace in an example."""
_FORMS = {kind: re.compile(pattern) for kind, pattern in SECRET_FORMS.items()}
_OF_A_KEY = re.compile(r"key|token|secret|passw|pwd|credential|auth|wandb|aws", re.IGNORECASE)
_OTHER_KEYS = re.compile(
    r"cache|primary|foreign|sort|partition|public|idempoten|hash|sha\d|digest|commit|revision|checksum|etag|finger|key_?id$"
    r"|tokenizer|author|keyboard|monkey",
    re.IGNORECASE,
)
_AWS_SECRET_KEY = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=\D*\d)[A-Za-z0-9/+]{40}")
_HEXADECIMAL_KEY = re.compile(r"(?=\D*\d)(?=[^a-f]*[a-f])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})")


def value_looks_secret(value: str) -> str | None:
    """Return the kind of secret whose form is found in `value`.

    Forty hexadecimal digits are a W&B key of the older form and every git commit alike: they pass, names catch the former.
    """
    return next((kind for kind, pattern in _FORMS.items() if pattern.search(value)), None)


def key_under_name(name: str, value: str) -> str | None:
    """Return the kind of key that `value` as a whole has the form of, where `name` speaks of a key, a token or a vendor."""
    if not _OF_A_KEY.search(name) or _OTHER_KEYS.search(name):
        return None
    if _AWS_SECRET_KEY.fullmatch(value):
        return "AWS secret access key"
    return "hexadecimal key" if _HEXADECIMAL_KEY.fullmatch(value) else None


_WHOLE_CHARACTERS, _PART_CHARACTERS = 8, 16
"""Shorter passwords are words that mean something else, too: `postgres` is a driver, a user and a password."""


def variable_within(value: str, environment: Mapping[str, str]) -> str | None:
    """Return the variable whose name looks like a secret and whose value stands in `value`: a shell puts it there for `$NAME`.

    One that holds the name of a file is none.
    """
    found = (
        name
        for name, secret in environment.items()
        if (secret == value and len(secret) >= _WHOLE_CHARACTERS or len(secret) >= _PART_CHARACTERS and secret in value)
        and looks_secret(name)
        and not os.path.exists(secret)
    )
    return next(found, None)


def redacted(node: Any, secrets: Mapping[str, str]) -> Any:
    """Return `node` with the name of each secret where a text in it holds the value, a line or a part of it.

    Quoted values are found too. Values of fewer than 8 characters stay: they would be found in words that mean something else.
    """
    return _without(node, redactor(secrets))


def redactor(secrets: Mapping[str, str]) -> Callable[[str], str]:
    """Return what `redacted` does to a text, made once for many texts."""
    patterns = {}
    for name, secret in secrets.items():
        found = (secret, *secret.splitlines(), *_json_texts(secret))
        texts = {form for text in found for form in (text, quote(text, safe="")) if len(text) >= _WHOLE_CHARACTERS}
        longest_first = sorted(texts, key=len, reverse=True)
        if texts:
            patterns[name] = re.compile("|".join("".join(map(_quoted, text)) for text in longest_first))

    def masked(text: str) -> str:
        for name, pattern in patterns.items():
            text = pattern.sub(f"[hydra.launcher.secrets.{name}]", text)
        return text

    return masked


def _without(node: Any, masked: Callable[[str], str]) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, masked) for key, value in node.items()}
    if isinstance(node, list):
        return [_without(value, masked) for value in node]
    return masked(node) if isinstance(node, str) else node


def _quoted(character: str) -> str:
    """Return a pattern for a character as it stands in a text that Python or JSON may have quoted, and quoted again."""
    if character in "\"'":
        return rf"\\*{character}"
    if character == "\\":
        return r"\\+"
    if character in "\n\r\t":
        return rf"(?:{character}|\\+{repr(character)[2]})"
    if not character.isascii():
        return rf"(?:{character}|\\+[uxU]0*{ord(character):x})"
    return re.escape(character)


def _json_texts(secret: str) -> Iterator[str]:
    """Yield the values in a secret: Secrets Manager keeps users and passwords as JSON, and tasks take them apart."""
    try:
        values = [json.loads(secret)]
    except (ValueError, RecursionError):
        return
    while values:
        value = values.pop()
        if isinstance(value, dict | list):
            values += value.values() if isinstance(value, dict) else value
        elif not isinstance(value, bool):
            yield str(value)
