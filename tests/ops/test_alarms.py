"""The alarms that are handed out ask for metrics that there are, and the page about them names them all."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.stack.places import CHECKOUT
from shared.runtime.parking import EARLY, POISON
from shared.runtime.telemetry import Metrics

RULES = CHECKOUT / "deploy/alerts.yml"
PAGE = CHECKOUT / "docs/alarms.md"
DURATION = re.compile(r"[1-9][0-9]*[smh]")


def alarms(file: Path = RULES) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(file.read_text("utf-8"))["groups"] for rule in group["rules"]]


def labels_of() -> dict[str, set[str]]:
    """Metric -> the labels it has."""
    return {
        collector._name: set(collector._labelnames)
        for collector in vars(Metrics()).values()
        if hasattr(collector, "_labelnames")
    }


def asked_in(expression: str) -> dict[str, dict[str, str]]:
    """Metric -> the labels that the expression asks for."""
    found = re.findall(r"(zikao_\w+)(?:{([^}]*)})?", expression)
    return {name: dict(re.findall(r'(\w+)="([^"]*)"', labels)) for name, labels in found}


@pytest.mark.parametrize("alarm", alarms(), ids=lambda alarm: alarm["alert"])
def test_an_alarm_asks_for_metrics_and_labels_that_there_are(alarm: dict[str, Any]) -> None:
    asked, known = asked_in(alarm["expr"]), labels_of()
    assert asked
    for metric, labels in asked.items():
        assert labels.keys() <= known[metric]
        assert labels.get("kind", POISON) in (POISON, EARLY)
    said = re.findall(r"\$labels\.(\w+)", alarm["annotations"]["summary"])
    assert set(said) <= {"service", "instance"}.union(*(known[metric] for metric in asked))


@pytest.mark.parametrize("alarm", alarms(), ids=lambda alarm: alarm["alert"])
def test_an_alarm_waits_a_while_says_how_urgent_it_is_and_stands_on_the_page(alarm: dict[str, Any]) -> None:
    assert DURATION.fullmatch(alarm["for"])
    assert alarm["labels"]["severity"] in ("page", "ticket")
    (row,) = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| `{alarm['alert']}` |")]
    for metric in asked_in(alarm["expr"]):
        assert f"`{metric}`" in row


def test_everything_that_can_wait_has_an_alarm() -> None:
    asked = {metric for alarm in alarms() for metric in asked_in(alarm["expr"])}
    waiting = {name for name in labels_of() if "lag" in name or "parked" in name}
    assert {name for name in waiting - asked if name.replace("_events", "_seconds") not in asked} == set()
    assert len(waiting) == 8


def test_a_metric_that_there_is_not_would_be_noticed() -> None:
    assert "zikao_parked_stream" not in labels_of()
    assert asked_in('max(zikao_parked_stream{kind="poison"}) > 0') == {"zikao_parked_stream": {"kind": "poison"}}
