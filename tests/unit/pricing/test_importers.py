"""GPU catalogues of others become rate cards that the price book can read."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.importers import rate_card, read_catalog
from stream_jobs.pricing.rate_cards import RateCardFile
from stream_jobs.pricing.yaml_models import load_model
from tests.unit.pricing.events import event

GPUHUNT = """instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size
p5.48xlarge,us-east-1,98.32,192,2048,8,H100,80,False,
p5.48xlarge,us-east-1,24.58,192,2048,8,H100,80,True,
m5.large,us-east-1,0.096,2,8,0,,,False,
p4d.24xlarge,us-east-1,9.83,96,1152,8,A100,40,True,
"""
SKYPILOT = """InstanceType,AcceleratorName,AcceleratorCount,vCPUs,Memory,Price,SpotPrice,Region,AvailabilityZone,GpuInfo
p5.48xlarge,H100,8.0,192,2048,98.32,24.58,us-east-1,us-east-1a,"{'Gpus': []}"
p5.48xlarge,H100,8.0,192,2048,98.32,,us-east-1,us-east-1b,"{'Gpus': []}"
m5.large,,,2,8,0.096,0.04,us-east-1,us-east-1a,
"""


@pytest.mark.parametrize(
    ("name", "text", "accelerator"), [("gpuhunt", GPUHUNT, "H100-80GB"), ("skypilot", SKYPILOT, "H100")]
)
def test_a_catalogue_becomes_a_rate_card_that_prices(tmp_path: Path, name: str, text: str, accelerator: str) -> None:
    """Per GPU and hour, spot beside on demand; CPU instances and spot-only offers are left out."""
    (tmp_path / "catalog.csv").write_text(text)
    offers = read_catalog(tmp_path / "catalog.csv", name)
    (tmp_path / "card.yaml").write_text(rate_card(offers, "aws", "https://example.com", date(2026, 11, 21)))
    card = load_model(RateCardFile, tmp_path / "card.yaml")
    (found,) = card.accelerators
    assert (found.names, found.usd_per_hour) == ([accelerator], Decimal("12.29"))
    assert found.purchase_options["spot"].usd_per_hour == Decimal("3.0725")
    usage = {
        "kind": "compute", "accelerator": accelerator, "instance_type": "p5.48xlarge", "purchase_option": "spot",
        "gpu_seconds": 3600,
    }  # fmt: skip
    pricing = PriceBook.of(card_files=[card]).price(facts_of(event(usage, provider="aws", region="us-east-1")))
    assert (pricing.list_cost, pricing.contracted_cost) == (12_290_000_000_000, 3_072_500_000_000)


def test_a_catalogue_that_cannot_be_read_says_what_and_where(tmp_path: Path) -> None:
    """All bad lines at once; a file of the other format is named as such."""
    path = tmp_path / "catalog.csv"
    path.write_text(GPUHUNT.replace("98.32", "free").replace("24.58", "-1"))
    with pytest.raises(ConfigError) as caught:
        read_catalog(path, "gpuhunt")
    assert [problem.partition("catalog.csv")[2] for problem in caught.value.problems] == [
        ":2: price: 'free' is not a number",
        ":3: price: '-1' is not above zero",
    ]
    path.write_text(SKYPILOT)
    with pytest.raises(ConfigError, match="another format"):
        read_catalog(path, "gpuhunt")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_catalog(tmp_path / "absent.csv", "gpuhunt")
    with pytest.raises(ConfigError, match="nothing to import"):
        rate_card([], "aws", "x", date(2026, 1, 1))


def test_names_from_a_catalogue_cannot_break_the_yaml(tmp_path: Path) -> None:
    """Whatever stands in a cell is text."""
    nasty = 'x", {y: [z'
    (tmp_path / "c.csv").write_text(SKYPILOT.replace("p5.48xlarge", '"' + nasty.replace('"', '""') + '"'))
    text = rate_card(read_catalog(tmp_path / "c.csv", "skypilot"), "aws", nasty, date(2026, 1, 1))
    (tmp_path / "c.yaml").write_text(text)
    card = load_model(RateCardFile, tmp_path / "c.yaml")
    assert (card.source, card.accelerators[0].instance_types) == (nasty, [nasty])
