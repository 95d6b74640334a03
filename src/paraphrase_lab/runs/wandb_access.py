"""Asking W&B for something, rather than recording a run there: with its errors as sentences, and without ever a prompt."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from netrc import NetrcParseError, netrc
from typing import Any
from urllib.parse import urlsplit

from paraphrase_lab.errors import UserError

RUNS_PER_REQUEST = 100
_ABOUT_THE_KEY = re.compile(r"not logged in|API key|\b40[13]\b|permission|unauthorized|Invalid credentials", re.IGNORECASE)


class WandbError(UserError):
    """W&B cannot be asked, or does not have what was asked for."""


class NoProject(WandbError):
    """Nothing was ever sent to it, or it is somebody else's."""


def has_key(settings: Any) -> bool:
    """Look for a key in the environment, in W&B's settings and in netrc; nothing is asked for and nothing is contacted."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE") or settings.api_key:
        return True
    for file in [os.environ["NETRC"]] if "NETRC" in os.environ else ["~/.netrc", "~/_netrc"]:
        try:
            if netrc(os.path.expanduser(file)).authenticators(urlsplit(settings.base_url).netloc):
                return True
        except FileNotFoundError:
            continue
        except (OSError, NetrcParseError):
            return True  # W&B says what is wrong with the file, as soon as it is online
    return False


def connect() -> Any:
    """Return a `wandb.Api`.

    Raises:
        WandbError: no key, a key that is refused, or no answer.
    """
    import wandb

    settings = wandb.setup().settings
    if not has_key(settings):
        raise WandbError(
            "W&B cannot be asked: there is no API key",
            hint="`wandb login` stores one for this machine, WANDB_API_KEY gives one to this process",
        )
    wandb.termsetup(settings.model_copy(update={"silent": True}), None)  # what is saved where is said by the verbs
    with in_sentences():
        return wandb.Api()


@contextmanager
def in_sentences() -> Iterator[None]:
    """Turn errors of W&B's client into sentences.

    Raises:
        WandbError: for what the client raises within.
    """
    try:
        yield
    except Exception as error:  # those of W&B's own have no class in common
        if not isinstance(error, ValueError | TimeoutError) and not type(error).__module__.startswith("wandb."):
            raise
        import wandb

        settings = wandb.setup().settings
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].strip(" .")
        if "did not respond" not in said and _ABOUT_THE_KEY.search(said):
            raise WandbError(
                f"W&B refuses the API key: {said}",
                hint=f"`wandb login --relogin` stores another one; yours are at {settings.app_url}/authorize",
            ) from error
        raise WandbError(
            f"W&B at {settings.base_url} does not answer as it should: {said}",
            hint="try again later; what is on this machine is shown by `paraphrase runs` and `paraphrase report` without W&B",
        ) from error


def runs_of(api: Any, entity: str, project: str, filters: dict[str, Any]) -> list[Any]:
    """Return the runs of a project with their configuration and summary, filtered by the server, the oldest first.

    Raises:
        NoProject: there is no such project.
        WandbError: no answer.
    """
    with in_sentences():
        runs = api.runs(f"{entity}/{project}", filters=filters, per_page=RUNS_PER_REQUEST, lazy=False)
        try:
            return list(runs)
        except ValueError as error:
            if "Could not find project" not in str(error):
                raise
        known = sorted(one.name for one in api.projects(entity))
    raise NoProject(
        f"W&B has no project {entity}/{project}, or you may not see it",
        valid=f"projects of {entity}: {', '.join(known) or 'none'}",
        hint="runs that were recorded offline make their project when `wandb sync` uploads them",
    )
