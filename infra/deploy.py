"""Build and deploy the stack to AWS: python -m infra.deploy build|deploy ENVIRONMENT.

The environments are those of samconfig.toml; credentials and region are the caller's.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "samconfig.toml"
BUILT_TEMPLATE = ROOT / ".aws-sam" / "build" / "template.yaml"
PLATFORMS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
"""Platform of the wheels, as uv spells it, by Lambda architecture; Lambda runs Python 3.13 on glibc 2.34."""


def environments() -> dict[str, dict[str, str]]:
    """Template parameters by environment of samconfig.toml, the local one left out."""
    config = tomllib.loads(CONFIG.read_text())
    return {
        name: dict(pair.split("=", 1) for pair in settings["global"]["parameters"]["parameter_overrides"])
        for name, settings in config.items()
        if name not in {"version", "local"}
    }


def sam(environment: str, *arguments: str | Path) -> int:
    """Run the SAM CLI with the settings of an environment; returns its exit status."""
    platform = PLATFORMS[environments()[environment]["Architecture"]]
    return subprocess.run(
        [ROOT / ".tools/sam/bin/sam", *arguments, "--config-file", CONFIG, "--config-env", environment],
        cwd=ROOT,
        env={**os.environ, "OMS_PLATFORM": platform, "SAM_CLI_TELEMETRY": "0"},
        check=False,
    ).returncode


def main() -> int:
    """Run the command line; a deployment never follows a failed build, which would deploy the sources."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("command", choices=["build", "deploy"])
    parser.add_argument("environment", choices=sorted(environments()))
    arguments = parser.parse_args()
    status = sam(arguments.environment, "build")
    if status == 0 and arguments.command == "deploy":
        status = sam(arguments.environment, "deploy", "--template-file", BUILT_TEMPLATE)
    return status


if __name__ == "__main__":
    sys.exit(main())
