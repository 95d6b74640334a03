"""Finds secrets by their names and forms, and takes them out of a text. Nothing here prints a value."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from hydra_sagemaker.secret_forms import forms_in

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
    r" (?:arn|name|names|file|filename|path|dir|length|len|policy|ttl|expiry|expiration|column|field|prefix|stdin|env"
    r"|var|variable)$"
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


_OF_A_KEY = re.compile(r"key|token|secret|passw|pwd|credential|auth|wandb|aws", re.IGNORECASE)
_OTHER_KEYS = re.compile(
    r"cache|primary|foreign|sort|partition|public|idempoten|hash|sha\d|digest|commit|revision|checksum|etag|finger|key_?id$"
    r"|tokenizer|author|keyboard|monkey",
    re.IGNORECASE,
)
_AWS_SECRET_KEY = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=\D*\d)[A-Za-z0-9/+]{40}")
_HEXADECIMAL_KEY = re.compile(r"(?=\D*\d)(?=[^a-f]*[a-f])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})")


@lru_cache(maxsize=4096)  # the jobs of a sweep share most of their values
def value_looks_secret(value: str) -> str | None:
    """Return the kind of secret whose form is found in `value`.

    Forty hexadecimal digits are a W&B key of the older form and every git commit alike: they pass, names catch the former.
    """
    return next((one.kind for one in forms_in(value) if one.pattern.search(value)), None)


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
