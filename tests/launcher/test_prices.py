"""The price table, and the most that one attempt at a job can cost."""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from itertools import groupby
from typing import Any

import botocore.session
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.pricing.prices import Listed, Prices, bound_of_settings, machines, price_table, prices_of
from hydra_sagemaker.settings import SageMakerLauncherConf

GPU_FAMILIES = {"g4dn", "g5", "g6", "g6e", "p3", "p3dn", "p4d", "p4de", "p5"}
SIZES = {"medium": 0.25, "large": 0.5}
PRICES = Prices(listed={"ml.g5.xlarge": Listed(1.5, "2026-09-27"), "ml.p3.2xlarge": Listed(4.0, "2025-06-16")})


def settings(**fields: Any) -> SageMakerLauncherConf:
    return SageMakerLauncherConf(**{"instance_type": "ml.g5.xlarge", "max_run_hours": 2.0, **fields})


def family(instance_type: str) -> str:
    return instance_type.split(".")[1]


def size(instance_type: str) -> float:
    word = instance_type.split(".")[2]
    return SIZES.get(word) or float(word.removesuffix("xlarge") or 1)


def test_what_is_in_the_table() -> None:
    model = botocore.session.Session().get_service_model("sagemaker")
    assert set(price_table()) <= set(model.shape_for("TrainingInstanceType").enum)
    assert GPU_FAMILIES | {"m5", "c5", "r5"} <= {family(name) for name in price_table()}
    assert all(price.usd_per_hour > 0 for price in price_table().values())
    days = {datetime.date.fromisoformat(price.dated) for price in price_table().values()}
    assert max(days) >= datetime.date(2026, 9, 27)


def test_the_table_is_of_one_piece() -> None:
    """Within a family without GPUs twice the machine costs twice as much: a slip of the pen would not."""
    without_gpu = sorted(name for name in price_table() if family(name) not in GPU_FAMILIES and "trn" not in name)
    compared = 0
    for _, names in groupby(without_gpu, family):
        rates = [price_table()[name].usd_per_hour / size(name) for name in names]
        assert max(rates) < 1.02 * min(rates)
        compared += len(rates)
    assert compared > 50


def test_given_prices_take_precedence() -> None:
    prices = prices_of(settings(price_per_hour={"ml.g5.xlarge": 2.25, "ml.new.xlarge": 9.0}))
    assert (prices.of("ml.g5.xlarge"), prices.of("ml.new.xlarge"), prices.of("ml.no.xlarge")) == (2.25, 9.0, None)
    assert prices.dated_of("ml.g5.xlarge") is None
    assert prices.of("ml.m5.large") == price_table()["ml.m5.large"].usd_per_hour


@pytest.mark.parametrize("usd", [-1.0, float("nan"), float("inf")])
def test_no_price(usd: float) -> None:
    with pytest.raises(LauncherError, match=r"price_per_hour: \S+ for ml.x.large is no price. It must be US dollars"):
        prices_of(settings(price_per_hour={"ml.x.large": usd}))


def test_the_source_of_prices() -> None:
    assert PRICES.described(["ml.g5.xlarge"]) == "instances only; prices: us-east-1 on demand, 2026-09-27; other regions differ"
    both = Prices({"ml.x.large": 1.0}, PRICES.listed).described(["ml.x.large", "ml.p3.2xlarge", "ml.g5.xlarge"])
    assert "2025-06-16 to 2026-09-27; other regions differ; ml.x.large as given" in both
    assert PRICES.described(["ml.no.xlarge"]) == "instances only; prices: unknown"


@pytest.mark.parametrize(
    ("fields", "usd"),
    [
        ({}, 3.0),
        ({"instance_count": 4}, 12.0),
        ({"max_run_hours": 0.5}, 0.75),
        ({"spot": True}, 3.0),
        ({"instance_type": "ml.no.xlarge"}, None),
        ({"instance_type": None}, None),
        ({"extra": {"StoppingCondition": {"MaxRuntimeInSeconds": 36000}}}, 15.0),
        ({"extra": {"StoppingCondition": {"MaxRuntimeInSeconds": None}}}, 36.0),  # SageMaker's default, a day
        ({"extra": {"ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 2}}}, 16.0),
        ({"extra": {"ResourceConfig": None}}, 3.0),
    ],
)
def test_bound(fields: dict[str, Any], usd: float | None) -> None:
    assert bound_of_settings(settings(**fields), PRICES).usd == (None if usd is None else pytest.approx(usd))


def test_bound_in_words() -> None:
    bound = bound_of_settings(settings(instance_count=2, instance_type="ml.no.xlarge"), PRICES)
    assert (bound.hours, bound.instances, bound.unpriced) == (2.0, "2 x ml.no.xlarge", ("ml.no.xlarge",))


def test_several_kinds_of_machines() -> None:
    g5 = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2}
    p3 = {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1}
    groups, preferences = {"InstanceGroups": [g5, p3, g5]}, {"InstancePreferences": [g5, p3]}
    selected = {**preferences, "SelectedInstanceType": "ml.g5.xlarge", "SelectedInstanceCount": 2}
    assert list(machines(groups)) == [{"ml.g5.xlarge": 4, "ml.p3.2xlarge": 1}]
    bounds = [
        bound_of_settings(settings(max_run_hours=1, extra={"ResourceConfig": config}), PRICES)
        for config in (groups, preferences, selected)
    ]
    assert [bound.usd for bound in bounds] == [10.0, 4.0, 3.0]
    assert bounds[1].instances == "2 x ml.g5.xlarge or ml.p3.2xlarge"


def test_one_unknown_price_is_enough() -> None:
    wanted = [{"InstanceType": name, "InstanceCount": 1} for name in ("ml.g5.xlarge", "ml.no.xlarge")]
    for config in ({"InstanceGroups": wanted}, {"InstancePreferences": wanted}):
        bound = bound_of_settings(settings(extra={"ResourceConfig": config}), PRICES)
        assert (bound.usd, bound.unpriced) == (None, ("ml.no.xlarge",))


@pytest.mark.parametrize("plus", ["", "+"])
def test_a_price_on_the_command_line(plus: str) -> None:
    override = OverridesParser.create().parse_override(f"{plus}hydra.launcher.price_per_hour={{ml.g5.xlarge: 1.41}}")
    assert override.value() == {"ml.g5.xlarge": 1.41}


def test_nothing_heavy() -> None:
    names = [f"hydra_sagemaker.{name}" for name in ("pricing.prices", "pricing.cost", "display.tables")]
    code = f"import importlib, sys\n[importlib.import_module(name) for name in {names}]\nprint(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not re.search(r"'(boto3|botocore|hydra|omegaconf|torch)'", done.stdout)
