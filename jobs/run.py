"""Runs a pipeline on the cluster that `ray job submit` has chosen.

    ray job submit --working-dir . -- python jobs/run.py --config configs/employment.yaml

The job's upload is deleted with the job, so the store must lie elsewhere: set MLOPS_RAY_STORE and
MLOPS_RAY_REGISTRY (``--runtime-env-json``), and give data by absolute paths all nodes can read.
The last line on stdout is the run as JSON; the exit code is that of `mlops-ray run`.
"""

from __future__ import annotations

import argparse
import json
import sys

import mlops_ray


def main() -> int:
    """Run the pipeline that the command line names."""
    parser = argparse.ArgumentParser(description="Run a pipeline as a Ray job.")
    parser.add_argument("--config", required=True, help="pipeline file inside the upload")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    try:
        mlops_ray.relaunch(arguments.config, overrides=arguments.set)  # From here, captured code.
        pipeline = mlops_ray.Pipeline(arguments.config, overrides=arguments.set)
        run = pipeline.run(progress=mlops_ray.terminal_progress())
    except mlops_ray.MlopsRayError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a job speaks through its log
        return mlops_ray.exit_code(error)
    print(json.dumps({"schema": "mlops-ray/run/v1", **run.to_json()}))  # noqa: T201 - the result
    return 0 if run.state == "sealed" else 3


if __name__ == "__main__":
    sys.exit(main())
