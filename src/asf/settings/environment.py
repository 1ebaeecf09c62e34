"""Variables of the environment that begin with ASF_ and are not settings: typing errors, and those of Kubernetes.

For a Service called `asf`, Kubernetes sets variables such as ASF_PORT=tcp://10.96.0.17:5006 in every pod of its
namespace ("service links"). They are not meant for ASF.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from asf.settings.table import VARIABLES

PREFIX = "ASF_"
PORT = "ASF_PORT"

COMMAND_LINE_VARIABLES = frozenset({"ASF_TOKEN", "ASF_URL"})
"""Variables of the command line that are not settings of the server."""

MIN_SIMILARITY = 0.6
"""Of two names without the prefix, from 0 to 1, for the one to be suggested for the other."""

LINK_NAME = re.compile(r"ASF(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
LINK_PORT_NAME = re.compile(r"ASF(_\w+)?_PORT")
LINK_URL = re.compile(r"(tcp|udp|sctp)://.*")


def is_service_link(name: str, value: str) -> bool:
    """Return whether Kubernetes has set this variable for a Service whose name begins with `asf`."""
    if LINK_PORT_NAME.fullmatch(name) and LINK_URL.fullmatch(value):
        return True
    return bool(LINK_NAME.fullmatch(name)) and name not in VARIABLES


def without_service_links(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that Kubernetes has set for a Service."""
    return {name: value for name, value in environment.items() if not is_service_link(name, value)}


def environment_warnings(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each variable that looks like a setting and is none, with the most similar setting's name.

    The variables of Kubernetes have one line together, if they would otherwise change a setting. Values, which may be
    secret, are not in the lines.
    """
    known = VARIABLES | COMMAND_LINE_VARIABLES
    if is_service_link(PORT, environment.get(PORT, "")):
        yield (
            "ASF_PORT is ignored: Kubernetes has set it for a Service called asf. To set the port, set "
            "enableServiceLinks: false in the pod's spec, or rename the Service."
        )
    for name in sorted(without_service_links(environment)):
        if name.upper().startswith(PREFIX) and name not in known:
            similar = get_close_matches(
                name.upper().removeprefix(PREFIX),
                [one.removeprefix(PREFIX) for one in sorted(known)],
                n=1,
                cutoff=MIN_SIMILARITY,
            )
            hint = f" Did you mean {PREFIX}{similar[0]}?" if similar else ""
            yield f"{name} is not a setting and is ignored.{hint}"
