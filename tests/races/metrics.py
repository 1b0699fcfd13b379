"""What a process of the service counts, as its /metrics show it."""

from prometheus_client.parser import text_string_to_metric_families

from tests.accounts import http_client
from tests.running import RunningProcess


def counted(process: RunningProcess, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels, by the name in the text; 0 where there is none yet."""
    with http_client(process.url) as client:
        response = client.get("/metrics")
    assert response.status_code == 200, response.text
    return sum(
        sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
