"""The local stack: python -m infra.local up|down|logs."""

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import boto3
from botocore.exceptions import EndpointConnectionError

from infra.local.deployment import build, deploy, deployed_digest, source_digest
from infra.local.logs import LogTail
from infra.local.ministack import STOP_SECONDS, MiniStack, choose_port, running_stack
from infra.local.process import Background
from infra.local.stack import Home, client_settings, default_home, load_stack
from oms.problems import Code, Problem

LOGS_BACK_SECONDS = 60
LOGS_POLL_SECONDS = 1.0


def up(home: Home) -> None:
    """Start the stack, or bring it up to date, and print where it is."""
    home.folder.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        ministack = MiniStack(home)
        port = choose_port(home)
        endpoint_url = f"http://127.0.0.1:{port}"
        if ministack.process.pid() is None:
            with _step(f"MiniStack starts on port {port}"):
                ministack.start(port)
        sources = source_digest()
        if deployed_digest(client_settings(endpoint_url)) != sources or home.load() is None:
            with _step("sam build"):
                build(home)
            with _step("sam deploy"):
                home.save(deploy(home, endpoint_url, sources))
        forwarder = _forwarder(home)
        if forwarder.pid() is None:
            command = [sys.executable, "-m", "infra.local.forwarder"]
            environment = {**os.environ, "OMS_LOCAL": str(home.folder)}
            forwarder.start(command, environment, home.log("forwarder"))
    stack = load_stack(home)
    print(f"API       {stack.api_url}")
    print(f"endpoint  {stack.endpoint_url} (AWS_ENDPOINT_URL; any credentials; region {stack.region})")
    print(f"the rest  {home.stack_file}")


def down(home: Home) -> None:
    """Stop the stack and save its data."""
    if not home.folder.exists():
        return
    with _alone(home):
        _forwarder(home).stop(STOP_SECONDS)
        ministack = MiniStack(home)
        if ministack.process.pid() is not None:
            with _step("MiniStack saves its state and stops"):
                ministack.stop()


def logs(home: Home) -> None:
    """Print the lines of all functions as they come, until interrupted."""
    stack = running_stack(home)
    names = {physical: logical for logical, physical in stack.resources.items()}
    client = boto3.client("logs", **stack.client_settings())
    tail = LogTail(client, since_ms=int((time.time() - LOGS_BACK_SECONDS) * 1000))
    while True:
        try:
            lines = tail.poll()
        except EndpointConnectionError as error:
            raise Problem(Code.UNAVAILABLE, "The local stack has stopped") from error
        for line in lines:
            if not line.message.startswith(("START RequestId:", "END RequestId:")):
                moment = time.strftime("%H:%M:%S", time.gmtime(line.timestamp_ms / 1000))
                print(f"{moment} {names.get(line.function, line.function)}: {line.message}", flush=True)
        time.sleep(LOGS_POLL_SECONDS)


COMMANDS = {"up": up, "down": down, "logs": logs}


def _forwarder(home: Home) -> Background:
    return Background("the forwarder of metrics", home.folder / "forwarder.pid")


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Wait for another `make up` or `make down` of the same stack."""
    with (home.folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _step(what: str) -> Iterator[None]:
    print(f"{what} ..", end=" ", file=sys.stderr, flush=True)
    begin = time.monotonic()
    yield
    print(f"{time.monotonic() - begin:.1f} s", file=sys.stderr)


def main() -> int:
    """Run the command of the first argument on the stack of `default_home`."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    try:
        with suppress(KeyboardInterrupt):
            COMMANDS[parser.parse_args().command](default_home())
    except Problem as problem:
        print(f"\n{problem.detail}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
