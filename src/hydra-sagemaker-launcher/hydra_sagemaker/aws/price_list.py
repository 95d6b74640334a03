"""Asks AWS's price list what an hour of an instance costs today, in the jobs' region.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import read_json, write_atomically
from hydra_sagemaker.pricing.prices import Listed, Prices
from hydra_sagemaker.settings import SageMakerLauncherConf

WHAT = "AWS's price list"
ENDPOINT_REGION = "us-east-1"
FRESH_SECONDS = 24 * 3600
CONNECT_SECONDS, READ_SECONDS = 3, 10


def ask(prices: Prices, settings: SageMakerLauncherConf, instance_types: Collection[str]) -> None:
    """Add today's prices of these instance types to `prices`; where they cannot be had, note why: the table stays.

    An answer counts for a day, in a file of the user's cache too; a failure counts for this process.
    """
    wanted = sorted(name for name in instance_types if name not in {*prices.given, *prices.current})
    elsewhere = settings.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
    if not wanted or prices.not_asked or (elsewhere and not os.environ.get("AWS_ENDPOINT_URL_PRICING")):
        return  # another SageMaker than Amazon's has no prices
    try:
        _ask(prices, settings, wanted)
    except LauncherError as error:
        prices.not_asked = str(error).splitlines()[0].removeprefix(f"{WHAT}: ")
    except (AttributeError, KeyError, TypeError, ValueError):
        prices.not_asked = "its answer is none"


def recall(prices: Prices, region: str | None) -> None:
    """Add the answers of the last day to `prices`, without asking anybody."""
    if region is not None:
        prices.region = region
        prices.current |= _remembered(region)


def _ask(prices: Prices, settings: SageMakerLauncherConf, wanted: Collection[str]) -> None:
    import boto3
    from botocore.config import Config

    from hydra_sagemaker.aws.clients import api_call

    with api_call(WHAT):
        session = boto3.Session(profile_name=settings.profile, region_name=settings.region)
        prices.region = region = session.region_name
        if region is None:
            raise LauncherError("no AWS region is set")
        known = _remembered(region)
        prices.current |= {name: known[name] for name in wanted if name in known}
        if not (missing := [name for name in wanted if name not in known]):
            return
        if session.get_credentials() is None:
            raise LauncherError("there are no AWS credentials")
        limits = Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"mode": "standard", "total_max_attempts": 2}
        )
        client = session.client("pricing", region_name=ENDPOINT_REGION, config=limits)
        try:
            found = {name: usd for name in missing if (usd := _price(client, region, name)) is not None}
        finally:
            client.close()
    now = time.time()
    prices.current |= {name: Listed(usd, _day(now)) for name, usd in found.items()}
    if found:
        _remember(region, found, now)


def _price(client: Any, region: str, instance_type: str) -> float | None:
    """Return US dollars an hour of training on demand; None where the list does not have it, or has it twice."""
    fields = {"regionCode": region, "instanceName": instance_type, "component": "Training"}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()]
    pages = client.get_paginator("get_products").paginate(ServiceCode="AmazonSageMaker", Filters=filters)
    found = {usd for page in pages for product in page["PriceList"] for usd in _hourly(json.loads(product), fields)}
    return found.pop() if len(found) == 1 else None


def _hourly(product: Mapping[str, Any], fields: Mapping[str, str]) -> Iterator[float]:
    attributes = product.get("product", {}).get("attributes", {})
    if any(attributes.get(field) != value for field, value in fields.items()):
        return
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            usd = float(dimension.get("pricePerUnit", {}).get("USD", 0))
            if usd > 0 and dimension.get("unit") == "Hrs":
                yield usd


def _file() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "hydra-sagemaker-launcher" / "prices.json"


def _kept() -> dict[str, dict[str, tuple[float, float]]]:
    """Return US dollars and the time of the answer, by region and instance type; nothing from a file of another form."""
    try:
        return {
            str(region): {str(name): (float(usd), float(asked)) for name, (usd, asked) in answers.items()}
            for region, answers in (read_json(_file()) or {}).items()
        }
    except (AttributeError, TypeError, ValueError):
        return {}


def _remembered(region: str) -> dict[str, Listed]:
    """Return the answers of the last day, by instance type."""
    now = time.time()
    return {
        name: Listed(usd, _day(asked))
        for name, (usd, asked) in _kept().get(region, {}).items()
        if 0 <= now - asked < FRESH_SECONDS
    }


def _remember(region: str, found: Mapping[str, float], now: float) -> None:
    kept = _kept()
    kept[region] = {**kept.get(region, {}), **{name: (usd, now) for name, usd in found.items()}}
    try:
        write_atomically(_file(), json.dumps(kept, indent=1))
    except OSError:
        return  # it is asked again the next time


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
