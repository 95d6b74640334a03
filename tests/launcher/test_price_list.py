"""Prices of today from AWS's price list, which an HTTP server on this machine plays."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from hydra_apps import AWS, App
from hydra_sagemaker.aws import price_list
from hydra_sagemaker.pricing.prices import Prices, price_table
from hydra_sagemaker.settings import SageMakerLauncherConf

pytest.importorskip("boto3")
HOURLY = {"eu-west-1": {"ml.m5.large": "0.128", "ml.g5.xlarge": "1.57"}, "us-east-1": {"ml.m5.large": "0.115"}}


def product(region: str, name: str, usd: str, component: str = "Training", unit: str = "Hrs") -> str:
    attributes = {"regionCode": region, "instanceName": name, "component": component, "instanceType": f"{name}-{component}"}
    price = {"unit": unit, "pricePerUnit": {"USD": usd}}
    return json.dumps({
        "product": {"productFamily": "ML Instance", "attributes": attributes},
        "terms": {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": price}}}},
    })  # fmt: skip


class PriceList:
    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []
        self.answer: tuple[int, str] | None = None
        """What it answers instead of prices."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceList]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append(asked)
            wanted = {one["Field"]: one["Value"] for one in asked["Filters"]}
            region, name = wanted["regionCode"], wanted["instanceName"]
            usd = HOURLY.get(region, {}).get(name)
            pages = [[product(region, name, "9", "Hosting")], [product(region, name, usd)] if usd else []]
            page = int(asked.get("NextToken", 0))
            more = {} if page else {"NextToken": "1"}
            status, text = found.answer or (200, json.dumps({"FormatVersion": "aws_v1", "PriceList": pages[page], **more}))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *words: Any) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    found = PriceList(f"http://127.0.0.1:{http.server_port}")
    values = environment(tmp_path, found)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    yield found
    http.shutdown()
    thread.join()
    http.server_close()


def environment(directory: Path, server: PriceList) -> dict[str, str]:
    files = {name: os.devnull for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}
    cache = {"XDG_CACHE_HOME": str(directory / "cache"), "NO_PROXY": "127.0.0.1"}
    return {**files, **keys, **cache, "AWS_ENDPOINT_URL_PRICING": server.url}


def asked(*types: str, prices: Prices | None = None, **settings: Any) -> Prices:
    prices = prices or Prices()
    price_list.ask(prices, SageMakerLauncherConf(**{"region": "eu-west-1", **settings}), types)
    return prices


def test_prices_of_the_jobs_region(server: PriceList) -> None:
    prices = asked("ml.m5.large", "ml.g5.xlarge", "ml.p3.2xlarge")
    assert (prices.of("ml.m5.large"), prices.of("ml.g5.xlarge")) == (0.128, 1.57)
    assert prices.of("ml.p3.2xlarge") == price_table()["ml.p3.2xlarge"].usd_per_hour
    day = prices.dated_of("ml.m5.large")
    said = prices.described(["ml.m5.large", "ml.g5.xlarge", "ml.p3.2xlarge"])
    assert f"prices: eu-west-1 on demand, AWS's price list of {day}; us-east-1 on demand, " in said
    assert "other regions differ" not in prices.described(["ml.m5.large"])
    assert {one["ServiceCode"] for one in server.asked} == {"AmazonSageMaker"} and len(server.asked) == 6  # two pages each


def test_an_answer_counts_for_a_day(server: PriceList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked("ml.m5.large")
    count = len(server.asked)
    assert asked("ml.m5.large").of("ml.m5.large") == 0.128 and len(server.asked) == count
    assert asked("ml.m5.large", region="us-east-1").of("ml.m5.large") == 0.115 and len(server.asked) > count
    file = tmp_path / "cache/hydra-sagemaker-launcher/prices.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    kept["eu-west-1"]["ml.m5.large"][1] -= 25 * 3600
    file.write_text(json.dumps(kept), encoding="utf-8")
    count = len(server.asked)
    asked("ml.m5.large")
    assert len(server.asked) > count
    for damaged in ("[]", "{", '{"eu-west-1": {"ml.m5.large": 3}}'):
        file.write_text(damaged, encoding="utf-8")
        assert asked("ml.m5.large").of("ml.m5.large") == 0.128


def test_given_prices_are_not_asked_for(server: PriceList) -> None:
    assert asked("ml.m5.large", prices=Prices({"ml.m5.large": 1.0})).of("ml.m5.large") == 1.0
    assert server.asked == []


@pytest.mark.parametrize(
    "answer, said",
    [
        ((400, '{"__type": "AccessDeniedException", "message": "no"}'), "AccessDeniedException: no"),
        ((200, '{"PriceList": ["<html>"]}'), "its answer is none"),
    ],
)
def test_the_table_stays_where_nobody_answers(server: PriceList, answer: tuple[int, str], said: str) -> None:
    server.answer = answer
    prices = asked("ml.m5.large")
    count = len(server.asked)
    assert prices.of("ml.m5.large") == price_table()["ml.m5.large"].usd_per_hour
    assert prices.described(["ml.m5.large"]).endswith(f"other regions differ; AWS's price list was not asked: {said}")
    assert len(asked("ml.g5.xlarge", prices=prices).current) == 0 and len(server.asked) == count, "it is asked once"


def test_without_credentials_or_with_another_sagemaker(server: PriceList, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked("ml.m5.large", profile="nosuch").not_asked == "The config profile (nosuch) could not be found"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert asked("ml.m5.large").not_asked == "there are no AWS credentials"
    monkeypatch.delenv("AWS_ENDPOINT_URL_PRICING")
    assert asked("ml.m5.large", endpoint_url="http://127.0.0.1:1").not_asked == ""
    assert server.asked == []


def test_the_plan_of_a_dry_run_has_them(app: App, server: PriceList, tmp_path: Path) -> None:
    finished = app.run(*AWS, "x=1,2", "hydra.launcher.max_run_hours=10", env=environment(tmp_path, server))
    assert (
        finished.code == 0
        and "2 jobs, at most $2.56 (instances only; prices: eu-west-1 on demand, AWS's price" in finished.output
    )
