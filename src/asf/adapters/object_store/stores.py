"""Clients of the object stores, built from the settings and from credentials in the environment."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from asf.adapters.locator_syntax import BUCKET_VARIABLES
from asf.adapters.object_store.failures import in_one_line

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

RETRY_SECONDS = 10
"""For how long a request to a store is retried, and the timeout of one attempt, in seconds."""


class InvalidStoreConfiguration(Exception):
    """The settings and the environment do not define a usable store. The text names the setting."""


def create_stores(
    s3_buckets: Iterable[str], gs_buckets: Iterable[str], az_containers: Iterable[str], s3_endpoint_url: str
) -> dict[str, "ObjectStore"]:
    """Return the stores by the prefix of their objects' URLs, such as `s3://bucket`. Sends no request.

    Credentials come from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`), or from the machine's own role. Without an
    `s3_endpoint_url` S3 is Amazon's, unless `AWS_ENDPOINT_URL` says otherwise. Raises `InvalidStoreConfiguration`.
    """
    client: ClientConfig = {"connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=RETRY_SECONDS)}
    retries: RetryConfig = {
        "max_retries": 50,  # `retry_timeout` is the limit that counts.
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=2),
            "base": 2,
        },
    }
    s3_client = client.copy()
    s3_config: S3Config = {}
    if s3_endpoint_url:
        s3_config["endpoint"] = s3_endpoint_url
        s3_client["allow_http"] = s3_endpoint_url.startswith("http:")
    kinds: dict[str, tuple[Iterable[str], Callable[[str], ObjectStore]]] = {
        "s3": (
            s3_buckets,
            lambda name: S3Store(name, config=s3_config, client_options=s3_client, retry_config=retries),
        ),
        "gs": (gs_buckets, lambda name: GCSStore(name, client_options=client, retry_config=retries)),
        "az": (az_containers, lambda name: AzureStore(name, client_options=client, retry_config=retries)),
    }
    created = {}
    for scheme, (names, create) in kinds.items():
        for name in names:
            try:
                created[f"{scheme}://{name}"] = create(name)
            except (BaseError, ValueError) as error:
                problem = f"{BUCKET_VARIABLES[scheme]}: '{name}' cannot be used: {in_one_line(error)}"
                raise InvalidStoreConfiguration(problem) from error
    return created
