"""Tags of the training jobs and endpoints served here; moto keeps those of everything else."""

from __future__ import annotations

import threading
from typing import Any

from sagemaker_local.account import arn
from sagemaker_local.errors import ApiError

OUR_ARNS = (arn("training-job", ""), arn("endpoint", ""))


class Tags:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tags: dict[str, dict[str, str]] = {}
        self.operations = {"AddTags": self._add_tags, "ListTags": self._list_tags, "DeleteTags": self._delete_tags}

    def add(self, resource: str, tags: list[dict[str, str]]) -> None:
        with self._lock:
            self._tags.setdefault(resource, {}).update({tag["Key"]: tag["Value"] for tag in tags})

    def forget(self, resource: str) -> None:
        with self._lock:
            self._tags.pop(resource, None)

    def _of(self, request: dict[str, Any]) -> dict[str, str]:
        if (tags := self._tags.get(request["ResourceArn"])) is None:
            raise ApiError("ValidationException", f"Could not find the resource {request['ResourceArn']}.")
        return tags

    def _list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            return {"Tags": [{"Key": key, "Value": value} for key, value in self._of(request).items()]}

    def _add_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._of(request).update({tag["Key"]: tag["Value"] for tag in request["Tags"]})
        return self._list_tags(request)

    def _delete_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            tags = self._of(request)
            for key in request["TagKeys"]:
                tags.pop(key, None)
        return {}
