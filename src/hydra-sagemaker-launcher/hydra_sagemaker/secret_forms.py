"""The forms of secrets that say themselves what they are."""

from __future__ import annotations

import re
from typing import NamedTuple


class Form(NamedTuple):
    kind: str
    hints: tuple[str, ...]
    """One of these stands in every text that has the form: most texts have none, and cost nothing more."""
    pattern: re.Pattern[str]
    """Groups are the part that a person would replace in an example; `user` is the name that stands before it."""


def form(kind: str, hints: str, pattern: str) -> Form:
    return Form(kind, tuple(hints.split("|")), re.compile(pattern))


_URL_SECRETS = (
    r"(?i:access_?token|refresh_?token|id_?token|auth_?token|token|api_?key|apikey|client_secret|secret|password|passwd|signature"
    r"|sig|x-amz-signature|x-amz-security-token|x-goog-signature|hmac|sas)"
)
_DSN_PASSWORD = r"(?i:password|passwd|pwd|accountkey|sharedaccesskey|sharedsecretkey)"
_API_KEYS = {
    "sk-": r"(?<![\w-])sk-(?:[A-Za-z0-9]{20}|(?:ant|proj|svcacct|or)-[\w-]{20}|lf-[0-9a-f]{8}-[0-9a-f]{4}-)",
    "k_live_|k_test_": r"\b[rs]k_(?:live|test)_\w{20}",
    "SG.": r"\bSG\.[\w-]{22}\.[\w-]{30}",
    "gsk_|r8_|nvapi-|xai-|pplx-|npm_": r"\b(?:gsk_|r8_|nvapi-|xai-|pplx-|npm_)[\w-]{27}",
    "dckr_pat_|dop_v1_|doo_v1_|dor_v1_": r"\b(?:dckr_pat|do[opr]_v1)_[\w-]{27}",
    "dapi": r"\bdapi[0-9a-f]{32}",
    "hvs.": r"\bhvs\.[\w-]{20}",
    "pcsk_": r"\bpcsk_\w{30}",
    "lsv2_": r"\blsv2_[ps][tk]_[0-9a-f]{32}",
    "tvly-": r"\btvly-[A-Za-z0-9-]{28}",
    "KGAT_": r"\bKGAT_[0-9a-f]{30}",
    "fw_": r"\bfw_(?=[A-Za-z]{0,22}\d)[A-Za-z0-9]{22}",
    "rpa_": r"\brpa_[A-Z0-9]{40}",
    "dp.st.|dp.pt.|dp.ct.|dp.sa.": r"\bdp\.[spc][ta]\.[\w.]{40}",
    "lin_api_": r"\blin_api_\w{40}",
    "ntn_|figd_": r"\b(?:ntn|figd)_[\w-]{40}",
    "secret_": r"secret_(?:(?=[A-Za-z]{0,42}\d)[A-Za-z0-9]{43}\b|\w{2,40}_[0-9a-f]{32}\.\w{20})",
    "pat": r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "glsa_": r"\bglsa_\w{32}",
    "PMAK-": r"\bPMAK-[0-9a-f]{24}-",
    "shpat_|shpca_|shppa_|shpss_": r"\bshp(?:at|ca|pa|ss)_[0-9a-f]{32}",
    "sq0": r"\bsq0(?:atp|csp)-[\w-]{22}",
    "ATATT3": r"\bATATT3[\w=-]{50}",
    ".atlasv1.": r"\w{14}\.atlasv1\.[\w-]{60}",
    "key-": r"key-[0-9a-f]{32}\b",
}
FORMS = (
    form("AWS access key id", "AKIA|ASIA", r"\b(?:AKIA|ASIA)(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}\b"),
    form("GitHub token", "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_", r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22}"),
    form("GitLab token", "glpat-|glrt-|gldt-|glptt-|glcbt-", r"\bgl(?:pat|rt|dt|ptt|cbt)-[\w-]{20}"),
    form("Hugging Face token", "hf_|api_org_", r"\b(?:hf|api_org)_[A-Za-z0-9]{30}"),
    *(form("API key", hints, pattern) for hints, pattern in _API_KEYS.items()),
    form("Azure secret", "Q~", r"(?<![\w~.-])[\w~.]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])"),
    form("bot token", ":AA", r"\b\d{8,10}:AA[\w-]{33}\b"),
    form(
        "bot token",
        "discord|Discord|DISCORD",
        r"(?<![\w.-])[MNO](?=[\w-]{0,27}\d)[\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-])",
    ),
    form(
        "bot token",
        "webhook",
        r"\bdiscord(?:app)?\.com/api/webhooks/\d{15,20}/[\w-]{30}|\bwebhook\.office\.com/webhookb2/\w{8}-",
    ),
    form("Google API key", "AIza|GOCSPX-|ya29.", r"\bAIza[\w-]{35}|\bGOCSPX-[\w-]{20}|\bya29\.[\w-]{30}"),
    form("Slack token", "xox|xapp-", r"\bxox[abeoprs]-[\w-]{10}|\bxapp-\d-\w{8,14}-\d{10,16}-[0-9a-f]{20}"),
    form("Slack token", "hooks.slack.com", r"\bhooks\.slack\.com/services/\w{8,20}/\w{8,20}/\w{16}"),
    form("PyPI token", "pypi-AgE", r"\bpypi-AgE[\w-]{20}"),
    form(
        "Weights & Biases key",
        "wandb_v|wandb login|wandb.login",
        r"\bwandb_v\d+_\w{20}|\bwandb login (?:-\S{1,40} ){0,4}[0-9a-f]{40}\b"
        r"|\bwandb\.login\(\s{0,9}(?:\w{1,10}\s?=\s?)?\\?[\"'][0-9a-f]{40}\b",
    ),
    form(
        "private key",
        "PRIVATE KEY|PuTTY-User-Key-File-|AGE-SECRET-KEY-",
        r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY|\bPuTTY-User-Key-File-\d|\bAGE-SECRET-KEY-1[0-9A-Z]{20}",
    ),
    form("JSON web token", "eyJ", r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,2000}\.[\w-]{10}"),
    form(
        "password in a URL", "://", r"\b[a-z][a-z0-9+.-]{0,20}://(?P<user>[^/\s:@]{0,200}):(?P<password>(?!\$)[^/\s@]{1,500})@"
    ),
    form("token in a URL", "=", rf"[?&#]{_URL_SECRETS}=(?P<token>[\w.~%+/-]{{8,2000}})"),
    form("token in a URL", "?key=|&key=", r"[?&]key=(?P<key>(?=[\w-]{0,100}\d)(?=[\w-]{0,100}[A-Za-z])[\w-]{20,200})"),
    form(
        "token in a URL", "://", r"\bhttps?://(?P<only>(?=[A-Za-z_-]{0,200}\d)(?=[\d_-]{0,200}[A-Za-z])[\w-]{20,200})@(?!sha)"
    ),
    form(
        "password of a connection",
        "assword=|ASSWORD=|asswd=|ASSWD=|wd=|WD=|ey=|EY=",
        rf"(?:^|[;\s\"']){_DSN_PASSWORD}=(?P<pwd>[^;\s\"'$<{{]{{3,200}});"
        rf"|=[^;=\n]{{1,200}};\ ?{_DSN_PASSWORD}=(?P<last>[^;\s\"'$<{{]{{3,200}})"
        r"|\b(?:host|dbname|user)=\S{1,200}(?: \w{1,30}=\S{1,200}){0,8} password=(?P<word>[^\s\"'$<{]{3,200})",
    ),
    form(
        "netrc password",
        "login",
        r"\b(?:machine\s{1,9}\S{1,200}|default)\s{1,9}login\s{1,9}\S{1,200}\s{1,9}"
        r"(?:account\s{1,9}\S{1,200}\s{1,9})?password\s{1,9}(?P<netrc>\S{1,200})"
        r"|\bmachine\s{1,9}\S{1,200}\s{1,9}password\s{1,9}(?P<first>\S{1,200})\s{1,9}login\s",
    ),
)


def forms_in(text: str, forms: tuple[Form, ...] = FORMS) -> list[Form]:
    """Return the forms whose hints stand in a text."""
    return [one for one in forms if any(hint in text for hint in one.hints)]
