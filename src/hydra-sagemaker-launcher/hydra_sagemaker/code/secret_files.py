"""Finds secrets in the files that would be sent: by a file's name, and by what stands in it. Nothing here prints a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hydra_sagemaker.secret_names import SECRET_FORMS, key_under_name, looks_secret

CHUNK_CHARACTERS = 1 << 20
OVERLAP_CHARACTERS = 4096
"""A secret at the border of two chunks is found in the second one."""
READ_AT_MOST = 20_000_000
"""Bytes of a file; larger ones are data."""
_IN_FILES = {
    # a program that reads keys names their first line, and only a key continues after it
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?=[\s\\rn\"',]{1,40}"
    r"(?:[\w-]{1,40}: .{1,200}[\s\\rn\"',]{1,40}){0,9}[A-Za-z0-9+/=]{16})"
    r"|\bPuTTY-User-Key-File-\d|\bAGE-SECRET-KEY-1[0-9A-Z]{20}",
    "bearer token": r"\b[Bb]earer (?=[A-Za-z_.~+/-]{0,200}\d)[\w.~+/-]{24}",
}
_FORMS = {kind: re.compile(pattern) for kind, pattern in (SECRET_FORMS | _IN_FILES).items()}
_HINTS = {
    "AWS access key id": ("AKIA", "ASIA"),
    "GitHub token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "GitLab token": ("glpat-", "glrt-", "gldt-", "glptt-", "glcbt-"),
    "Hugging Face token": ("hf_", "api_org_"),
    "Google API key": ("AIza", "GOCSPX-", "ya29."),
    "Slack token": ("xox", "hooks.slack.com"),
    "PyPI token": ("pypi-AgE",),
    "Weights & Biases key": ("wandb_v", "wandb login"),
    "private key": ("PRIVATE KEY", "PuTTY-User-Key-File-", "AGE-SECRET-KEY-"),
    "JSON web token": ("eyJ",),
    "API key": (
        *("sk-", "k_live_", "SG.", "gsk_", "r8_", "nvapi-", "xai-", "pplx-", "npm_", "dckr_pat_", "dop_v1_", "doo_v1_"),
        *("dor_v1_", "dapi", "hvs."),
    ),
    "password in a URL": ("://",),
    "password of a connection": ("assword=", "ASSWORD=", "asswd=", "ASSWD=", "wd=", "WD=", "ey=", "EY="),
    "netrc password": ("login",),
    "bearer token": ("earer ",),
}
"""One of these stands in every text that has the form: most files have none, and cost nothing more."""
_ASSIGNED = re.compile(
    r"(?:[Kk][Ee][Yy]|[Tt][Oo][Kk][Ee][Nn]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Pp][Aa][Ss][Ss]|[Pp][Ww][Dd]|wandb|WANDB)"
    r"[\w.-]{0,30}[\"'\])]{0,3}[ \t]{0,20}(?:=>|:=|[:=])[ \t]{0,20}"
    r"(?P<quote>[\"']?)(?P<value>[\w+/=.~!@#%^&-]{16,200})(?P=quote)(?=[\"'\s,;}\]]|$)"
)
_NAME = re.compile(r"[\w.-]{0,40}$")
_ATTRIBUTE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_PLACEHOLDER = re.compile(
    r"your|example|placeholder|change.?me|redacted|x{4}|\*{3}|\.{3}|[<>{}()|\\…]|\[|\]|\$|%[sd]"
    r"|^(?:user_?)?(?:pass(?:word|wd|phrase|code)?|pwd?|pw|secret|token|api_?key|key|none|null|string)s?\d?$",
    re.IGNORECASE,
)

_SECRET_FILES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\.env(\..*)?|[^/]*\.env|\.envrc|\.flaskenv",
        r"[^/]*\.(pem|p12|pfx|jks|jceks|bks|keystore|keytab|kdbx?|ppk|ovpn|tfstate|kubeconfig|pgpass)(\.backup)?",
        r"(?![^/]*pub)[^/]*\.key",
        r"id_(rsa|dsa|ecdsa|ed25519)(_sk)?(_\w+)?(\.(bak|old))?|ssh_host_\w+_key",
        r"([^/]*[-_.])?(deploy|ssh|private|signing|identity)[-_]?key(\.(txt|bak|old))?",
        r"[._]?netrc|\.git-credentials|\.pypirc|\.npmrc|\.yarnrc|\.?pgpass(\.conf)?|\.my(login)?\.cnf|\.?htpasswd|\.boto|\.s3cfg|\.s3curl"
        r"|\.dockercfg|\.dockerconfigjson|kaggle\.json|\.?pip\.(conf|ini)|\.curlrc|\.wgetrc|\.fetchmailrc|\.msmtprc|\.muttrc",
        r"\.databrickscfg|\.?rclone\.conf|clearml\.conf|\.comet\.config|\.snowsql|\.modal\.toml|\.vault-token|\.?vault[-_]?pass(word)?(\.txt)?"
        r"|ngrok\.ya?ml|\.terraformrc|terraform\.rc|gradle\.properties|settings-security\.xml|sftp(-config)?\.json|\.ftpconfig",
        r"([^/]*\.)?tfvars(\.json)?|terraform\.tfvars.*|\.\w+_history|\.lesshst|\.viminfo",
        r"([^/]*[-_.])?(rootkeys?|access_?keys?|new_user)(\s?\(\d+\))?\.csv",
        r"([^/]*[-_.])?(credentials?|secrets?)(\.(json|ya?ml|ini|toml|csv|txt|cfg|conf))?",
        r"[^/]*service[-_]?account[^/]*\.json|client_secret[^/]*\.json|azureprofile\.json|accesstokens\.json|msal_token_cache.*",
        r"kubeconfig(\..*)?",
    )
)
_TEMPLATE = re.compile(r"(^|[-_.])(example|template|sample|dist)([-_.]|$)")
_SECRET_FOLDERS = re.compile(
    r"(^|/)(\.aws|\.ssh|\.gnupg|\.kube|\.azure|\.kaggle|\.oci|\.snowflake|\.config/(gcloud|gh|rclone|op|hub))/"
    r"|(^|/)\.?huggingface/(token|stored_tokens)$|(^|/)\.docker/config\.json$|(^|/)\.m2/settings\.xml$"
)


class Found(NamedTuple):
    line: int
    kind: str


def looks_secret_file(path: str) -> bool:
    """Tell whether a file holds secrets, by its name and its directories (with slashes); `.env.example` does not."""
    if _SECRET_FOLDERS.search(path.lower()):
        return True
    name = path.rpartition("/")[2]
    if _TEMPLATE.search(name.lower()) and not name.lower().endswith((".pem", ".key", ".p12", ".pfx")):
        return False
    stem = re.sub(r"\.(txt|json)$", "", name.lstrip("."))
    return any(pattern.fullmatch(name.lower()) for pattern in _SECRET_FILES) or ("." not in stem and looks_secret(stem))


def secrets_in(file: Path) -> list[Found]:
    """Return the secrets in a text file, by line, each line once; none of what is not text or cannot be read."""
    lines: dict[int, str] = {}
    for first_line, text in _chunks(file):
        for position, kind in _found(text):
            lines.setdefault(first_line + text.count("\n", 0, position), kind)
    return [Found(line, lines[line]) for line in sorted(lines)]


def _chunks(file: Path) -> Iterator[tuple[int, str]]:
    """Yield parts of a text, each with the number of its first line; bytes become characters one by one, but UTF-16 is read."""
    try:
        with file.open("rb") as stream:
            start = stream.read(8192)
            wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
            if b"\0" in start and not wide:
                return
            stream.seek(0)
            line, rest, left = 1, "", READ_AT_MOST
            while left > 0 and (chunk := stream.read(CHUNK_CHARACTERS)):
                left -= len(chunk)
                text = rest + chunk.decode("utf-16" if wide else "latin-1", errors="replace")
                yield line, text
                rest = text[-OVERLAP_CHARACTERS:] if len(chunk) == CHUNK_CHARACTERS else ""
                line += text.count("\n", 0, len(text) - len(rest))
    except OSError:  # packing it says so
        return


def _found(text: str) -> Iterator[tuple[int, str]]:
    """Yield position and kind of what looks like a secret, without the stand-ins of examples."""
    for kind, pattern in _FORMS.items():
        if kind in _HINTS and not any(hint in text for hint in _HINTS[kind]):
            continue
        for match in pattern.finditer(text):
            values = match.groupdict()
            value = next((part for name, part in values.items() if part and name != "user"), "").strip(",;.")
            if not (value and (_PLACEHOLDER.search(value) or value == values.get("user"))):
                yield match.start(), kind
    for match in _ASSIGNED.finditer(text):
        before = _NAME.search(text, max(0, match.start() - 40), match.start())
        name = (before[0] if before else "") + re.split(r"[\"'\])\s:=]", match[0], maxsplit=1)[0]
        if kind := _assigned(name, match["value"]):
            yield match.start(), kind


def _assigned(name: str, value: str) -> str | None:
    if kind := key_under_name(name.rpartition(".")[2], value):
        return kind
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value) and len(set(value)) > 9
    is_meant = mixed and looks_secret(name) and not _PLACEHOLDER.search(value) and not _ATTRIBUTE.fullmatch(value)
    return "password or key" if is_meant else None
