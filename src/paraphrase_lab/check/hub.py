"""The second stage on names of the Hugging Face Hub, and on local models: is a name wrong, or the network not there?"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from paraphrase_lab.check.model_directory import local_model_findings, needs_own_code
from paraphrase_lab.check.training import data_sets, data_source
from paraphrase_lab.configuration.quoting import named_in_mixture
from paraphrase_lab.errors import UserError

TIMEOUT_SECONDS = 3.0
PRETRAINED = "paraphrase_lab.model.encoder.Pretrained"


def hub_problems(plain: dict[str, Any]) -> list[str]:
    model, data = plain["model"], plain["data"]
    problems = []
    if model["_target_"] == PRETRAINED and isinstance(model.get("name"), str):
        local = local_model_findings(model, data["max_length"])
        problems += [_model_problem(model)] if local is None else local
    for place, node in data_sets(data).items():
        try:
            name = getattr(data_source({"data": node}), "hub_name", None)
        except UserError:
            continue  # reported with the number of pairs
        if name is not None:
            problem = _data_problem(name, node.get("revision"))
            problems.append(problem and named_in_mixture(problem, place))
    return [problem for problem in problems if problem is not None]


def _model_problem(model: dict[str, Any]) -> str | None:
    name, revision = model["name"], model.get("revision")
    is_trusted = bool(model.get("trust_remote_code"))
    try:
        cached = try_to_load_from_cache(name, "config.json", revision=revision)
    except HFValidationError:
        return f"model.name={name} is neither a directory here nor a name of the Hub, OWNER/NAME."
    if isinstance(cached, str):
        try:
            return None if is_trusted else _own_code(name, json.loads(Path(cached).read_text(encoding="utf-8")))
        except ValueError:
            return f"model.name={name} is in the local cache with a config.json that is no JSON: delete {cached}."
    offline = f"model.name=DIRECTORY; or 'hf download {name}' where there is a network, then HF_HUB_OFFLINE=1"
    return _asked(name, revision, "model", f"model.name={name}", offline, is_trusted)


def _own_code(name: str, config: Any) -> str | None:
    needed = needs_own_code(config) if isinstance(config, dict) else None
    return needed and f"model.name={name} {needed}."


def _data_problem(name: str, revision: str | None) -> str | None:
    from datasets import config

    prepared = Path(config.HF_DATASETS_CACHE) / name.replace("/", "___")  # by the datasets library
    downloaded = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}"
    if prepared.is_dir() or downloaded.is_dir():
        return None
    offline = "data.path=DIRECTORY with the files of train, validation and test; or load it once where there is a network"
    return _asked(name, revision, "dataset", f"the data set {name}", offline)


@cache
def _asked(name: str, revision: str | None, kind: str, subject: str, offline: str, is_trusted: bool = False) -> str | None:
    """Return what the Hub says against a name; `offline` tells how to do without it, `is_trusted` that its code may run."""
    if constants.HF_HUB_OFFLINE:
        return f"{subject} is not in the local cache, and HF_HUB_OFFLINE is set. Without a network: {offline}."
    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{name}"
    api = HfApi(endpoint=constants.ENDPOINT)
    try:
        ask = api.model_info if kind == "model" else api.dataset_info
        found = ask(name, revision=revision, timeout=TIMEOUT_SECONDS)
    except GatedRepoError:
        return f"{subject} is gated: accept its terms at {page}, then type 'hf auth login'."
    except RevisionNotFoundError:
        return f"{subject} has no revision '{revision}': see {page}/commits/main."
    except RepositoryNotFoundError:
        search = f"{constants.ENDPOINT}/{kind}s?search={name}"
        return f"{subject} is not on the Hub, or private: look for it at {search}, or type 'hf auth login'."
    except HFValidationError:
        return f"{subject} is neither a directory here nor a name of the Hub, OWNER/NAME."
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "an error")
        return f"{subject} could not be looked up: the Hub answered {status}. Without the Hub: {offline}."
    except Exception as error:  # connection errors come from whichever HTTP library is in use
        return (
            f"{subject} could not be looked up: the network does not reach {constants.ENDPOINT} ({type(error).__name__}); "
            f"the name may be right. Without a network: {offline}."
        )
    return None if is_trusted else _own_code(name, getattr(found, "config", None))
