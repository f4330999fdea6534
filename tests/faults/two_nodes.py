"""A Ray cluster of two nodes on this machine, for as long as standard input stays open.

``python tests/faults/two_nodes.py`` prints its address. The environment of this process is that of
the workers, so RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH protect the cluster. Sessions lie in
RAY_TMPDIR, whose path has to be short.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from ray.cluster_utils import Cluster

STORE_BYTES = 150 * 2**20


def main() -> None:
    """Start both nodes, print the address, wait, and take them down."""
    logging.disable(logging.WARNING)
    options = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    # Ray notes the address there before it makes the folder.
    (Path(os.environ["RAY_TMPDIR"]) / "ray").mkdir(exist_ok=True)
    cluster = Cluster(initialize_head=True, head_node_args=options)
    try:
        cluster.add_node(**options)
        cluster.wait_for_nodes()
        print(cluster.address, flush=True)  # noqa: T201 - for whoever started it
        sys.stdin.read()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
