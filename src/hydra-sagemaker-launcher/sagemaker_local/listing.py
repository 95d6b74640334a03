"""Filters, order and pages of the List operations."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from sagemaker_local.errors import invalid

DEFAULT_PAGE = 10
DEFAULT_ORDER = {"TrainingJob": "Ascending", "Endpoint": "Descending"}
TIME_FILTERS = {
    "CreationTimeAfter": ("CreationTime", 1),
    "CreationTimeBefore": ("CreationTime", -1),
    "LastModifiedTimeAfter": ("LastModifiedTime", 1),
    "LastModifiedTimeBefore": ("LastModifiedTime", -1),
}


def page_of(
    summaries: Sequence[dict[str, Any]], request: dict[str, Any], kind: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return one page and, if more follow, its NextToken. `kind`, TrainingJob or Endpoint, begins the names of the fields."""
    sort_by = request.get("SortBy", "CreationTime")
    sort_field = sort_by if sort_by == "CreationTime" else f"{kind}{sort_by}"
    is_descending = request.get("SortOrder", DEFAULT_ORDER[kind]) == "Descending"
    positions = {
        (summary[sort_field], summary[f"{kind}Name"]): summary for summary in summaries if _matches(summary, request, kind)
    }
    order = sorted(positions, reverse=is_descending)
    if token := request.get("NextToken"):
        try:
            value, name = json.loads(base64.urlsafe_b64decode(token))
        except ValueError:
            raise invalid("Invalid NextToken") from None
        last = (value, name)
        order = [position for position in order if (position < last if is_descending else position > last)]
    size = request.get("MaxResults", DEFAULT_PAGE)
    page = [positions[position] for position in order[:size]]
    token = base64.urlsafe_b64encode(json.dumps(order[size - 1]).encode()).decode() if len(order) > size else None
    return page, {"NextToken": token} if token else {}


def _matches(summary: dict[str, Any], request: dict[str, Any], kind: str) -> bool:
    if request.get("NameContains", "") not in summary[f"{kind}Name"]:
        return False
    if request.get("StatusEquals", summary[f"{kind}Status"]) != summary[f"{kind}Status"]:
        return False
    wanted = request.get("WarmPoolStatusEquals")
    if wanted is not None and summary.get("WarmPoolStatus", {}).get("Status") != wanted:
        return False
    return all(sign * summary[field] > sign * request[name] for name, (field, sign) in TIME_FILTERS.items() if name in request)
