"""The manifests of deploy/kubernetes: valid, and in agreement with the settings and the image."""

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from asf.settings import read_settings
from tests.support.secret_values import API_TOKEN, SECRET_KEY

DEPLOY = Path(__file__).parents[2] / "deploy"
VERSION = "1.31"
"""The oldest version of Kubernetes that its makers maintained when the manifests were written."""


def manifests() -> dict[str, dict[str, Any]]:
    """Return the manifests by kind."""
    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / "asf.yaml").read_text())
    return {document["kind"]: document for document in documents}


def pod() -> dict[str, Any]:
    """Return the specification of the pods."""
    found: dict[str, Any] = manifests()["Deployment"]["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("kind", manifests())
def test_the_manifests_are_valid(kind: str) -> None:
    """By the schemas of Kubernetes, which know all fields."""
    kubernetes_validate.validate(manifests()[kind], VERSION, strict=True)


def test_a_mistyped_field_is_found() -> None:
    """The schemas accept no other fields."""
    wrong = copy.deepcopy(manifests()["Deployment"])
    wrong["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_the_settings_are_accepted() -> None:
    """In production, with the variables that the image sets, too."""
    given = manifests()["ConfigMap"]["data"]
    assert all(isinstance(value, str) for value in given.values())
    settings = read_settings(
        given | {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY, "ASF_INTERNAL_API_TOKEN": API_TOKEN}
    )
    prestop = float(pod()["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod()["terminationGracePeriodSeconds"] > settings.drain_seconds + prestop
    assert f"{settings.upload_directory}".startswith("/var/lib/asf/")


def test_pods_run_as_the_image_does() -> None:
    """Its user, its port and its volumes; nothing else can be written."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    container = pod()["containers"][0]
    user = pod()["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}\n" in dockerfile
    assert f"EXPOSE {container['ports'][0]['containerPort']}\n" in dockerfile
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/asf", "/tmp"}  # noqa: S108 - a volume of the container
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_listeners_reach_what_they_need_and_nothing_else() -> None:
    """The Ingress has the same paths as the other proxies."""
    paths = [path["path"] for path in manifests()["Ingress"]["spec"]["rules"][0]["http"]["paths"]]
    haproxy = (DEPLOY / "haproxy.cfg").read_text()
    assert paths == [line.split()[-1] for line in haproxy.splitlines() if " path_beg /" in line and "acl is_" in line]


def test_service_links_are_off() -> None:
    """A Service that is called asf would set ASF_PORT to an address."""
    assert pod()["enableServiceLinks"] is False
