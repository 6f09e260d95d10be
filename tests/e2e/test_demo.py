"""The whole system on the deployed local stack: the demo's story, twice, without a reset in between."""

import json
import os
import subprocess
import sys

from infra.local.stack import Home, Stack


def test_the_story_ends_well_and_can_be_told_again(stack: Stack, local_home: Home) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "infra.cli.main", "demo"],
            env={**os.environ, "OMS_LOCAL": str(local_home.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        verdict = json.loads(done.stdout)
        assert (verdict["orders"], verdict["returns"], verdict["problems"]) == (19, 2, [])
        assert verdict["sold_out_elsewhere_s"] > 0
        assert verdict["tracking_number"].startswith("DX")
        assert verdict["events_verified"] == ["order.placed", "shipment.shipped"]
