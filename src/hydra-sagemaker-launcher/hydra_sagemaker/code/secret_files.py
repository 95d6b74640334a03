"""Finds secrets in the files that would be sent: by a file's name, and by what stands in it. Nothing here prints a value."""

from __future__ import annotations

import codecs
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from hydra_sagemaker.code.archive_members import UNREADABLE, members_of
from hydra_sagemaker.secret_forms import FORMS, form, forms_in
from hydra_sagemaker.secret_names import key_under_name, looks_secret

CHUNK_CHARACTERS = 1 << 20
OVERLAP_CHARACTERS = 4096
"""A secret at the border of two chunks is found in the second one."""
READ_AT_MOST = 20_000_000
"""Bytes of a file; larger ones are data."""
_BASE64_KEY = tuple(
    b64encode(bytes(shift) + b"PRIVATE KEY").decode()[-(-8 * shift // 6) : 8 * (shift + 11) // 6] for shift in range(3)
)
"""Three forms of it within a longer text."""
FILE_FORMS = (
    *(one for one in FORMS if one.kind != "private key"),
    form(  # a program that reads keys names their first line, and only a key continues after it
        "private key",
        "PRIVATE KEY|PuTTY-User-Key-File-|AGE-SECRET-KEY-|LS0tLS1CRUdJTi",
        r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}(?=[\s\\rn\"',]{1,40}"
        r"(?:[\w-]{1,40}: .{1,200}[\s\\rn\"',]{1,40}){0,9}[A-Za-z0-9+/=]{16})"
        r"|\bPuTTY-User-Key-File-\d|\bAGE-SECRET-KEY-1[0-9A-Z]{20}"
        rf"|LS0tLS1CRUdJTi[A-Za-z0-9+/]{{0,16}}(?:{'|'.join(_BASE64_KEY)})",
    ),
    form(
        "bearer token",
        "earer |uthorization",
        r"\b[Bb]earer (?=[A-Za-z_.~+/-]{0,200}\d)[\w.~+/-]{24}|\b[Aa]uthorization\\?[\"']?\]?\s?[:=,]\s?[bf]?\\?[\"']?"
        r"(?:Basic|[Tt]oken) (?=[A-Za-z]{0,200}\d)[A-Za-z0-9+/]{16}",
    ),
    form("password on a command line", "sshpass", r"\bsshpass -p ?[\"']?(?P<ssh>[^\s\"'$<{]{6,200})"),
    form(
        "password on a command line",
        "curl ",
        r"\bcurl [^\n]{0,300}?(?:-u|--user)[ =]?[\"']?(?P<user>[^\s:\"']{1,100}):(?P<curl>[^\s\"'$<{:]{6,200})",
    ),
    form(
        "password on a command line",
        "mysql",
        r"\bmysql(?:dump|admin|import)? [^\n]{0,200}? -p(?P<mysql>(?=[^\s\d]{0,50}\d)[^\s\"'$<{=-]{8,200})",
    ),
    form(
        "password or key",
        "SECRET_KEY",
        r"\bSECRET_KEY\\?[\"']?\]?\s?=\s?\\?[\"'](?=[^\"'\n]{0,49}\d)[a-z0-9!@#$%^&*(_=+)-]{50}\\?[\"']",
    ),
    form(
        "password or key",
        '"auth|_auth',
        r"[\"_]auth[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?=[A-Za-z]{0,99}\d)(?=[a-z0-9]{0,99}[A-Z])[A-Za-z0-9+/]{16,200}={0,2}(?=[\"'\s]|$)",
    ),
    form("password or key", "Fernet(", r"\bFernet\(b?[\"'][\w-]{43}=[\"']"),
    form(
        "password or key",
        "Client(|ogin(|authenticate(",
        r"\b(?:Client|[Ll]ogin|authenticate)\(\s{0,9}\\?[\"'](?=[A-Za-z]{0,64}\d)(?=[a-z0-9]{0,64}[A-Z])[A-Za-z0-9]{32,64}\\?[\"']",
    ),
    form(
        "AWS secret access key",
        "ecret access key|ecret Access Key",
        r"(?i:secret access key)[^\n]{0,40}\n[^\n]{0,100},[ \t]?(?=[^\n]{0,39}\d)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
    ),
)
_ASSIGNED = re.compile(
    r"(?:[Kk][Ee][Yy]|[Tt][Oo][Kk][Ee][Nn]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Pp][Aa][Ss][Ss]|[Pp][Ww][Dd]|wandb|WANDB)[\w.-]{0,30}(?:"
    # NAME=…, "name": …, environ['NAME'] = …, name: str = …, and a value in the next line
    r"[\"'\])\\]{0,4}[ \t]{0,20}(?:=>|:=|:[ \t]{0,5}[A-Za-z][\w.\[\] |]{1,30}=|[:=])[ \t(]{0,20}\r?\n?[ \t]{0,20}"
    r"(?:\$\{oc\.env:\w{1,60},[ \t]?)?"
    r"|\\?[\"'],[ \t]{0,5}(?=\\?[\"'])"  # getenv('NAME', '…')
    r"|\\?[\"']?[\s,{]{1,20}\\?[\"']?(?:value|default)\\?[\"']?[ \t]{0,5}[:=][ \t]{0,5}"  # - name: NAME, value: …
    r"|>(?=[^<>\s]{10,200}</)|,[ \t]?(?=[^{}\s]{10,200}\})"  # <name>…</name>, ${oc.env:NAME,…}
    r")(?:[brufBRUF]{1,2}(?=\\?[\"']))?(?P<quote>\\?[\"']|)(?P<value>[\w+/=.~!@#%^&-]{10,200})(?P=quote)(?=[\"'\s,;})\]<\\]|/>|$)"
)
_TYPED = re.compile(
    r"(?:\b(?:setx|setenv|ENV|ARG|set -g?x|set -xg|%env) +|--)"
    r"(?P<name>[\w-]{0,40}(?i:key|token|secret|password|passwd)[\w-]{0,20})[ \t]+"
    r"(?P<quote>[\"']?)(?P<value>[\w+/=.~!@#%^&-]{16,200})(?P=quote)(?=[\"'\s\\)]|$)"
)
"""A variable that a shell or a Dockerfile sets, and an option of a command."""
_PASSWORD = re.compile("pass|pwd", re.IGNORECASE)
LONG = 16
"""Characters of a value that is taken for a secret under any such name; passwords are shorter."""
_NAME = re.compile(r"[\w.-]{0,40}$")
_ATTRIBUTE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_PLACEHOLDER = re.compile(
    r"your|my.?(?:password|secret|token|key)|example|placeholder|change.?me|redacted|x{4}|\*{3}|\.{3}|[<>{}()|\\…]|\[|\]|\$|%[sd]"
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
    member: str = ""
    """File in an archive."""


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
    """Return the secrets in a text file, or in the text files of an archive, by line, each line once.

    There are none in what is not text or cannot be read.
    """
    try:
        with file.open("rb") as stream:
            found = _secrets_of(stream)
    except OSError:  # packing it says so
        return []
    if not found:
        for name, content in members_of(file):
            with suppress(*UNREADABLE):
                found += _secrets_of(content, name)
    return found


def _secrets_of(stream: IO[bytes], member: str = "") -> list[Found]:
    lines: dict[int, str] = {}
    for first_line, text in _chunks_of(stream):
        for position, kind in _found(text):
            lines.setdefault(first_line + text.count("\n", 0, position), kind)
    return [Found(line, lines[line], member) for line in sorted(lines)]


def _chunks_of(stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Yield parts of a text, each with the number of its first line."""
    start = stream.read(8192)
    if (encoding := _encoding(start)) is None:
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    line, rest, left, chunk = 1, "", READ_AT_MOST, start + stream.read(CHUNK_CHARACTERS - len(start))
    while chunk and left > 0:
        left -= len(chunk)
        following = stream.read(CHUNK_CHARACTERS)
        text = rest + decoder.decode(chunk, final=not following)
        yield line, text
        rest = text[-OVERLAP_CHARACTERS:] if following else ""
        line += text.count("\n", 0, len(text) - len(rest))
        chunk = following


def _encoding(start: bytes) -> str | None:
    """Return how the beginning of a file is read, None for one that is no text; bytes become characters one by one at best."""
    for mark, encoding in ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16")):
        if start.startswith(mark):
            return encoding
    if start.startswith(codecs.BOM_UTF16_BE):
        return "utf-16"
    if b"\0" not in start:
        return "latin-1"
    for encoding, others in (
        ("utf-16-le", start[1::2]),
        ("utf-16-be", start[::2]),
        ("utf-32-le", start[1::4]),
        ("utf-32-be", start[::4]),
    ):
        if (
            others.count(0) * 2 > len(others)
            and start.decode(encoding, errors="replace").replace("\r", "").replace("\n", "").replace("\t", "").isprintable()
        ):
            return encoding
    return None


def _found(text: str) -> Iterator[tuple[int, str]]:
    """Yield position and kind of what looks like a secret, without the stand-ins of examples."""
    for kind, _, pattern in forms_in(text, FILE_FORMS):
        for match in pattern.finditer(text):
            values = match.groupdict()
            value = next((part for name, part in values.items() if part and name != "user"), "").strip(",;.")
            if not (value and (_PLACEHOLDER.search(value) or value == values.get("user"))):
                yield match.start(), kind
    for match in _ASSIGNED.finditer(text):
        before = _NAME.search(text, max(0, match.start() - 40), match.start())
        name = (before[0] if before else "") + re.split(r"[\"'\])\s:=,>{\\]", match[0], maxsplit=1)[0]
        is_variable = not match["quote"] and text[match.end() : match.end() + 1] in (",", ")") and match["value"].isidentifier()
        if kind := _assigned(name, match["value"], is_variable=is_variable):
            yield match.start(), kind
    for match in _TYPED.finditer(text):
        if kind := _assigned(match["name"], match["value"]):
            yield match.start(), kind


def _assigned(name: str, value: str, *, is_variable: bool = False) -> str | None:
    if kind := key_under_name(name.rpartition(".")[2], value):
        return kind
    if is_variable or not looks_secret(name) or _PLACEHOLDER.search(value) or _ATTRIBUTE.fullmatch(value):
        return None
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value) and len(set(value)) > 9
    strong = re.search(r"\d", value) and re.search(r"[a-z]", value) and re.search(r"[A-Z]", value) and len(set(value)) > 7
    is_meant = mixed if len(value) >= LONG else strong and _PASSWORD.search(name)
    return "password or key" if is_meant else None
