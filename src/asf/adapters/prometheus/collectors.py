"""Collectors that read values when Prometheus scrapes, instead of counting each change."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Reading = tuple[str, str, Callable[[], float]]
"""Name, help and current value of a gauge or counter that another part keeps."""


class Readings(Collector):
    """Values without labels, of one `family`: gauges or counters."""

    def __init__(self, family: Callable[..., Metric], readings: list[Reading]) -> None:
        self._family = family
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """Yield one metric for each reading."""
        for name, description, read in self._readings:
            yield self._family(name, description, value=read())


class ReadingsByLabel(Collector):
    """A gauge with one label."""

    def __init__(self, name: str, description: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        self._name = name
        self._description = description
        self._label = label
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield the gauge, with one sample for each value of the label."""
        family = GaugeMetricFamily(self._name, self._description, labels=[self._label])
        for value, reading in self._read().items():
            family.add_metric([value], reading)
        yield family
