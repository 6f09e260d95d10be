"""AWS's DynamoDB Local for tests and benchmarks: fetched once, run on the loopback interface.

Its jar is in the npm package `amplify-dynamodb-simulator`, so no registry but npm is needed. A JDK starts it
through `infra/local/dynamodb/LoopbackDynamoDB.java`.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from oms.runtime.clients import TRIES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parent.parent
LAUNCHER = ROOT / "infra/local/dynamodb/LoopbackDynamoDB.java"
PACKAGE = "amplify-dynamodb-simulator@2.9.30"  # DynamoDB Local 1.25.1
INTEGRITY = "sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
HOME = ROOT / ".tools/dynamodb-local"
EMULATOR = HOME / PACKAGE / "package/emulator"

HOW_TO_GET = (
    "DynamoDB Local needs a JDK (17 or later) and npm: `apt-get install default-jdk-headless npm` on Debian "
    "and Ubuntu, `brew install openjdk node` on macOS; then `make dynamodb-local`."
)


class DynamoDBLocalError(RuntimeError):
    """DynamoDB Local cannot be fetched or started; the message says what to do."""


def install() -> Path:
    """Fetch DynamoDB Local into `.tools`, unless it is there, and return its folder.

    Raises:
        DynamoDBLocalError: npm is missing, the download failed, or the tarball is not the one we know.
    """
    if EMULATOR.exists():
        return EMULATOR
    npm = shutil.which("npm")
    if npm is None:
        raise DynamoDBLocalError(HOW_TO_GET)
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME) as download:
        packed = subprocess.run(
            [npm, "pack", "--silent", PACKAGE], cwd=download, capture_output=True, text=True, check=False
        )
        if packed.returncode != 0:
            raise DynamoDBLocalError(f"`npm pack {PACKAGE}` failed: {packed.stderr.strip()}")
        (tarball,) = Path(download).glob("*.tgz")
        check_integrity(tarball)
        unpacked = Path(download) / "unpacked"
        with tarfile.open(tarball) as archive:
            archive.extractall(unpacked, filter="data")
        shutil.rmtree(HOME / PACKAGE, ignore_errors=True)
        unpacked.rename(HOME / PACKAGE)  # last, and at once: a broken-off install leaves nothing half done
    return EMULATOR


def check_integrity(tarball: Path) -> None:
    """Refuse a tarball whose SHA-512 is not the committed one.

    Raises:
        DynamoDBLocalError: it is another file than the one this project was tested with.
    """
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise DynamoDBLocalError(f"{PACKAGE} has integrity {found}, expected {INTEGRITY}")


@contextmanager
def running() -> Iterator[str]:
    """Run an empty in-memory DynamoDB Local for the duration of the block; yields its endpoint URL.

    Raises:
        DynamoDBLocalError: no JDK, not installed, or it did not start; the message says what to do.
    """
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None or not EMULATOR.exists():
        raise DynamoDBLocalError(HOW_TO_GET)
    command = [
        java,
        "-Xmx1g",
        "-XX:TieredStopAtLevel=1",  # runs are too short to pay for the optimising compiler
        f"-Djava.library.path={EMULATOR / 'DynamoDBLocal_lib'}",
        "-cp",
        f"{EMULATOR / 'DynamoDBLocal.jar'}:{EMULATOR / 'DynamoDBLocal_lib'}/*",
        str(LAUNCHER),
    ]
    with (
        tempfile.TemporaryFile(mode="w+") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as server,
    ):
        assert server.stdin is not None and server.stdout is not None
        endpoint = server.stdout.readline().strip()
        if not endpoint:
            server.wait()
            log.seek(0)
            raise DynamoDBLocalError(f"DynamoDB Local did not start:\n{log.read()[-2000:]}")
        try:
            yield endpoint
        finally:
            server.stdin.close()  # the launcher ends with its input


def connect(endpoint: str, connections: int = 64, *, as_deployed: bool = False) -> "DynamoDBClient":
    """A low-level client of DynamoDB Local that checks requests and never retries: tests see every error.

    Args:
        endpoint: URL from `running`.
        connections: how many threads may call at the same time without queueing for a connection.
        as_deployed: leave checking to the service, and retry when it breaks down, as the functions' clients
            do: on a busy machine DynamoDB Local waits too long for its own locks.
    """
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - DynamoDB Local takes any
        config=Config(
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": TRIES if as_deployed else 1},
            parameter_validation=not as_deployed,
        ),
    )


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        sys.exit("usage: python -m tests.dynamodb_local install")
    try:
        install()
    except DynamoDBLocalError as error:
        sys.exit(str(error))
