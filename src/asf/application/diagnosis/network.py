"""Checks the address, the limit of open files, and a running server."""

import errno
import resource
import socket
import ssl
from urllib.parse import urlsplit

import requests

from asf.adapters.address_binding import NOT_ON_THIS_MACHINE, bind
from asf.application.diagnosis.finding import Finding, Severity, problem
from asf.client.connection_failures import reason_of
from asf.settings import url_of

RESPONSE_SECONDS = 3.0
"""Timeout of a request to a server."""


def examine_address(host: str, port: int) -> Finding:
    """Return whether the address is free, or ASF is running there."""
    error = _listening_error(host, port)
    if error is None:
        text = f"{port} is free on {host}" if port else "any free port (ASF_PORT=0)"
        return Finding("port", Severity.OK, text)
    if error.errno == errno.EADDRINUSE and is_running(host, port):
        return Finding("port", Severity.OK, f"ASF is already running on port {port}")
    return problem("port", *explain_listening_error(host, port, error))


def explain_listening_error(host: str, port: int, error: OSError) -> tuple[str, str]:
    """Return what is wrong with ASF_HOST or ASF_PORT, without a full stop, and what to do about it."""
    any_address = "Use an address of this machine: 127.0.0.1 for this machine only, 0.0.0.0 for all networks."
    if isinstance(error, socket.gaierror):
        return f"ASF_HOST '{host}' cannot be resolved: {error.strerror}", any_address
    if error.errno == errno.EADDRINUSE:
        remedy = f"Stop the other program or set another ASF_PORT. To find the program: ss -ltnp 'sport = :{port}'"
        return f"Port {port} on {host} is in use (ASF_PORT)", remedy
    if error.errno in NOT_ON_THIS_MACHINE:
        return f"ASF_HOST '{host}' is not an address of this machine: {error.strerror}", any_address
    if error.errno in {errno.EACCES, errno.EPERM}:
        remedy = "Ports below 1024 need a privilege: set a higher ASF_PORT, or put a proxy in front."
        return f"Port {port} on {host} is not permitted (ASF_PORT)", remedy
    return f"Cannot listen on ASF_HOST '{host}', ASF_PORT {port}: {error.strerror or error}", "Correct them."


def is_running(host: str, port: int) -> bool:
    """Return whether a server responds on this machine, at the address that the settings name."""
    return port != 0 and examine_server(url_of(host, port)).severity is Severity.OK


def examine_server(url: str, *, ready: bool = False, token: str | None = None) -> Finding:
    """Return whether a server is running at `url`; with `ready`, whether it accepts listeners. Uses no proxy.

    Its answer has the reasons why it is not ready if `token` is that of its internal API.
    """
    route, status = ("/asf/ready", "ready") if ready else ("/asf/health", "ok")
    try:
        with requests.Session() as session:
            session.trust_env = False  # No proxy: the server itself must respond.
            headers = {"Authorization": f"Bearer {token}"} if ready and token else {}
            response = session.get(url + route, timeout=RESPONSE_SECONDS, headers=headers)
            body = response.json()
    except (requests.RequestException, ValueError) as error:
        reason = reason_of(error)
        because = "" if reason is None else f": {reason}"
        return problem("server", f"No ASF server responded at {url}{route}{because}", "Start it: asf serve")
    answer = body if isinstance(body, dict) else {}
    if response.ok and answer.get("status") == status:
        version = f" (ASF {answer['version']})" if "version" in answer else ""
        return Finding("server", Severity.OK, f"{url} is {status}{version}")
    details = answer.get("details")
    text = f"{url} is not {status}: {details or f'HTTP status {response.status_code}'}"
    return problem("server", text, "See its log, or run asf doctor.")


def examine_webhook_receiver(url: str) -> Finding:
    """Return whether the receiver of webhooks at `url` accepts connections. Sends no request, and hides the path."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), RESPONSE_SECONDS) as connection:
            if parts.scheme == "https":
                ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname).close()
    except OSError as error:
        text = f"{parts.hostname}:{port} cannot be reached: {error.strerror or error}"
        return Finding("webhooks", Severity.ADVICE, text, "Start the receiver, or correct ASF_WEBHOOK_URL.")
    return Finding("webhooks", Severity.OK, f"{parts.hostname}:{port} accepts connections")


def examine_file_limit(needed: int, hard_limit: int) -> Finding:
    """Return whether `needed` files, as many as the settings permit, can be open.

    The server raises its limit to `hard_limit`, which may be RLIM_INFINITY.
    """
    if hard_limit == resource.RLIM_INFINITY or hard_limit >= needed:
        return Finding("open files", Severity.OK, f"limit is sufficient ({needed} needed)")
    remedy = f"Raise it (ulimit -Hn {needed}; with systemd, LimitNOFILE={needed}), or lower ASF_MAX_LISTENERS."
    return problem("open files", f"limit is too low ({hard_limit}, but up to {needed} needed)", remedy)


def _listening_error(host: str, port: int) -> OSError | None:
    try:
        for one in bind(host, port, _create_socket).sockets:
            one.close()
    except OSError as error:
        return error
    return None


def _create_socket(family: int) -> socket.socket:
    created = socket.socket(family, socket.SOCK_STREAM)
    created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return created
