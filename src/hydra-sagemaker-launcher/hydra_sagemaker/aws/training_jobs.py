"""The calls about training jobs: lists, descriptions, stops."""

from __future__ import annotations

from typing import Any

from hydra_sagemaker.aws.clients import Clients, api_call, persistently

PAGE = 100
"""The most jobs in an answer of ListTrainingJobs; its default of 10 needs ten times the calls."""
NOT_FOUND = ("ResourceNotFound", "ValidationException")
"""Codes of DescribeTrainingJob for a job that does not exist."""


class TrainingJobs:
    """Each call raises Throttled, Unreachable or NotPermitted."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def listed(self, *, patient: bool = False, **query: Any) -> list[dict[str, Any]]:
        """Read all pages. With patience a refused page is read again, not all of them."""
        summaries: list[dict[str, Any]] = []
        while True:
            page = persistently(lambda query=query: self._page(query)) if patient else self._page(query)
            summaries += page["TrainingJobSummaries"]
            if not page.get("NextToken"):
                return summaries
            query = query | {"NextToken": page["NextToken"]}

    def _page(self, query: dict[str, Any]) -> dict[str, Any]:
        with api_call("ListTrainingJobs"):
            return self.clients.sagemaker.list_training_jobs(MaxResults=PAGE, **query)

    def described(self, name: str) -> dict[str, Any] | None:
        """Return the description, None where there is no such job."""
        with api_call(f"DescribeTrainingJob {name}", accepted=NOT_FOUND):
            return self.clients.sagemaker.describe_training_job(TrainingJobName=name)
        return None

    def keep_warm(self, name: str, seconds: int) -> None:
        """Change how long a job's machines are kept; 0 ends their warm pool. Raises CallFailed where it has none that lives."""
        with api_call(f"UpdateTrainingJob {name}"):
            resources = {"KeepAlivePeriodInSeconds": seconds}
            self.clients.sagemaker.update_training_job(TrainingJobName=name, ResourceConfig=resources)

    def stop(self, name: str) -> None:
        with api_call(f"StopTrainingJob {name}", accepted=NOT_FOUND):  # it has ended, or is being stopped already
            self.clients.sagemaker.stop_training_job(TrainingJobName=name)
