"""Recognises answers that are none of the service: a proxy's page, an empty body, half of an answer.

botocore reads an empty answer from each of them, as long as its status is 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hydra_sagemaker.aws.call_errors import WEB_PAGE

HTML = re.compile(r"\s*(?:<!doctype html|<html)", re.IGNORECASE)
TITLE = re.compile(r"<title[^>]*>(.{1,200}?)</title>", re.IGNORECASE | re.DOTALL)
ALWAYS_THERE = {
    "CreateTrainingJob": ("TrainingJobArn",),
    "DescribeTrainingJob": ("TrainingJobStatus", "SecondaryStatus"),
    "GetCallerIdentity": ("Account",),
    "GetObject": ("ETag",),
    "GetRole": ("Role",),
    "HeadObject": ("ETag",),
    "ListObjectsV2": ("KeyCount",),
    "ListTrainingJobs": ("TrainingJobSummaries",),
    "PutObject": ("ETag",),
}
"""Members of every answer. What the service model calls required is not: a failed job is described without ModelArtifacts."""


def refuse_foreign_answers(client: Any) -> None:
    """Make the calls of a client of boto3 raise HTTPClientError for them, so that they count as not answered."""
    client.meta.events.register("before-parse", _refuse_web_page)
    client.meta.events.register("after-call", _refuse_incomplete)


def _refuse_web_page(response_dict: Mapping[str, Any], **_: Any) -> None:
    from botocore.exceptions import HTTPClientError

    body = response_dict["body"]
    if response_dict["headers"].get("content-type", "").startswith("text/html") and isinstance(body, bytes):
        text = body[:4096].decode(errors="replace")
        if HTML.match(text):
            title = TITLE.search(text)
            named = f" ({' '.join(title[1].split())})" if title else ""
            raise HTTPClientError(error=f"{WEB_PAGE}{named} answers in place of the service, as that of a proxy does")


def _refuse_incomplete(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
    from botocore.exceptions import HTTPClientError

    if http_response.status_code >= 300:
        return
    if missing := [name for name in ALWAYS_THERE.get(model.name, ()) if name not in parsed]:
        raise HTTPClientError(error=f"the answer is cut off or none of the service: it lacks {', '.join(missing)}")
