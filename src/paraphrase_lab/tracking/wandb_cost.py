"""The cost of a training job is known only when it has ended: then it goes into the summary of its run in W&B."""

import logging
from collections.abc import Iterable

from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runs.wandb_access import WandbError, connect, in_sentences

log = logging.getLogger(__name__)
TOLD = "cost_told_usd"
"""In run.json, so that it is sent once."""


def tell_costs(records: Iterable[RunRecord]) -> None:
    """Send the costs of runs that were online to W&B; where it cannot be asked, a warning: run.json has them."""
    pending = [record for record in records if _untold(record) is not None]
    if not pending:
        return
    try:
        api = connect()
        for record in pending:
            tracking, cost = record.values["tracking"], _untold(record)
            known = tracking["wandb"]
            with in_sentences():
                run = api.run(f"{known['entity']}/{known['project']}/{known['id']}")
                run.summary["sagemaker/cost_usd"] = cost
                run.summary.update()
            record.note(tracking={**tracking, "wandb": {**known, TOLD: cost}})
    except WandbError as error:
        log.warning("W&B is not told what the jobs have cost, which is in run.json: %s", error)


def _untold(record: RunRecord) -> float | None:
    known = (record.values.get("tracking") or {}).get("wandb") or {}
    cost = (record.values.get("job") or {}).get("cost_of_all_attempts_usd")
    return cost if known.get("mode") == "online" and known.get(TOLD) != cost else None
