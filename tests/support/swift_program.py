"""OpenStack Swift with its S3 API, in one process on free ports of loopback: a program of the environment it is in.

Its arguments are a folder for what it keeps, an access key and a secret. It prints its port when it can be used.
"""

import sys
from pathlib import Path

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402 - the standard library has to be patched first
from swift.common import storage_policy, utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

SWIFT_CONF = """
[swift-hash]
swift_hash_path_suffix = suffix
swift_hash_path_prefix = prefix
[storage-policy:0]
name = default
default = yes
"""

BACKEND_CONF = """
[DEFAULT]
devices = {folder}/devices
mount_check = false
swift_dir = {folder}
log_level = WARNING
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{egg}
"""

PROXY_CONF = """
[DEFAULT]
swift_dir = {folder}
log_level = WARNING
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""

EGGS = {"account": "account", "container": "container", "object": "mem_object"}


def main(folder: Path, access_key: str, secret: str) -> None:
    """Serve until the process is ended."""
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(SWIFT_CONF)
    utils.set_swift_dir(str(folder))
    utils.validate_hash_conf()
    storage_policy.reload_storage_policies()
    for kind, egg in EGGS.items():
        listener = eventlet.listen(("127.0.0.1", 0))
        _make_ring(folder, kind, listener.getsockname()[1])
        _serve(folder, kind, listener, BACKEND_CONF.format(folder=folder, kind=kind, egg=egg))
    listener = eventlet.listen(("127.0.0.1", 0))
    user = access_key.replace(":", "_")
    thread = _serve(folder, "proxy", listener, PROXY_CONF.format(folder=folder, user=user, secret=secret))
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - for whoever started the program
    thread.wait()


def _make_ring(folder: Path, kind: str, port: int) -> None:
    """Say that all is on one server."""
    builder = RingBuilder(1, 1, 0)
    builder.add_dev(
        {"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": port, "device": "disk"}
    )
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def _serve(folder: Path, kind: str, listener: object, conf: str) -> eventlet.greenthread.GreenThread:
    path = folder / f"{kind}-server.conf"
    path.write_text(conf)
    app = loadapp(str(path))
    return eventlet.spawn(wsgi.server, listener, app, log_output=False, keepalive=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
