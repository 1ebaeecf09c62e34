"""Metrics for Prometheus (docs/contract.md, section 7): `metrics` counts events, `gauges` are read at each scrape."""

from asf.adapters.prometheus.collectors import Reading
from asf.adapters.prometheus.metrics import CONTENT_TYPE, PrometheusMetrics
from asf.adapters.prometheus.shared_page import SharedPage

__all__ = ["CONTENT_TYPE", "PrometheusMetrics", "Reading", "SharedPage"]
