"""What every connection is made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import conninfo

# A NAT or a firewall forgets connections and tells nobody. What is gone so is noticed within a minute:
# where nothing is sent, by probes; where something is, by its acknowledgement that does not come.
DEFAULTS: Mapping[str, int] = {
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 30,  # seconds
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}


def options(address: str, name: str = "fontsight") -> dict[str, Any]:
    """For psycopg.connect, with this address; what the address sets itself is left to it.

    name: by which pg_stat_activity tells our connections from others.
    """
    given = conninfo.conninfo_to_dict(address)
    return {
        "application_name": name,
        "prepare_threshold": None,  # a transaction pooler has another session each time
        **{option: value for option, value in DEFAULTS.items() if option not in given},
    }
