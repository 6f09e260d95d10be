"""Build and deploy the template of production into the local stack."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import yaml
from botocore.exceptions import ClientError

from infra.local.stack import REGION, ROOT, ClientSettings, Home, Stack, aws_environment, client_settings
from oms.problems import Code, Problem

STACK_NAME = "oms"
BUCKET = "oms-artifacts"
"""As in samconfig.toml."""

DIGEST_PARAMETER = "/oms-local/sources"
"""Kept in the deployed stack itself, so that it is lost or rolled back together with what it describes."""

BUILDERS = ("infra/artifacts.py", "infra/precompile.py", "infra/artifact.mk", ".python-version")
"""What makes the artefacts; the cache of `sam build` does not watch it."""

SOURCES = (*BUILDERS, "template.yaml", "samconfig.toml", "functions", "layers")
"""What decides what is deployed."""


def source_digest(names: tuple[str, ...] = SOURCES) -> str:
    """Digest of the files that decide what is deployed, bytecode left out."""
    digest = hashlib.sha256()
    for file in sorted(_files(names)):
        digest.update(f"{file.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files(names: tuple[str, ...]) -> Iterator[Path]:
    for name in names:
        path = ROOT / name
        if path.is_dir():
            yield from (file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")
        else:
            yield path


def deployed_digest(settings: ClientSettings) -> str | None:
    """Digest of the sources that the running stack was deployed from; None when there is no stack in it."""
    try:
        answer = boto3.client("ssm", **settings).get_parameter(Name=DIGEST_PARAMETER)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise
    return answer["Parameter"]["Value"]


def build(home: Home) -> None:
    """Run `sam build` for this machine, unless these very sources were built last.

    Raises:
        Problem: `bad_request` when the build fails.
    """
    sources, builders = source_digest(), source_digest(BUILDERS)
    built, cached = home.folder / "built", home.build_cache / "builders"
    if _text(built) == sources and home.template.exists():
        return
    built.unlink(missing_ok=True)
    if _text(cached) != builders:
        shutil.rmtree(home.build_cache, ignore_errors=True)
        home.build_cache.mkdir(parents=True)
    _sam(home, "build", {}, "--build-dir", home.build, "--cache-dir", home.build_cache)
    # The SAM CLI reads a template seven times, and JSON a hundred times faster than YAML.
    document = yaml.load((home.build / "template.yaml").read_bytes(), yaml.CSafeLoader)
    home.template.write_text(json.dumps(document, default=str))
    cached.write_text(builders)
    built.write_text(sources)


def _text(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


def deploy(home: Home, endpoint_url: str, sources: str) -> Stack:
    """Deploy what `build` has made, and set what CloudFormation ignores here.

    Raises:
        Problem: `bad_request` when the deployment fails.
    """
    settings = client_settings(endpoint_url)
    boto3.client("s3", **settings).create_bucket(Bucket=BUCKET)
    _sam(home, "deploy", aws_environment(endpoint_url), "--template-file", home.template, "--region", REGION)
    stack = _describe(endpoint_url)
    _finish_tables(home, stack)
    boto3.client("ssm", **settings).put_parameter(
        Name=DIGEST_PARAMETER, Value=sources, Type="String", Overwrite=True
    )
    return stack


def _sam(home: Home, command: str, environment: dict[str, str], *arguments: str | Path) -> None:
    """Run a command of the SAM CLI with the settings of `local`; its output is shown only if it fails."""
    machine = platform.machine()
    architecture = machine.replace("aarch64", "arm64")  # as Lambda spells it
    system = "apple-darwin" if sys.platform == "darwin" else "unknown-linux-gnu"
    log = home.log(f"sam-{command}")
    with log.open("wb") as output:
        result = subprocess.run(
            [
                *(ROOT / ".tools/sam/bin/sam", command),
                *("--config-file", ROOT / "samconfig.toml", "--config-env", "local"),
                *("--parameter-overrides", f"Architecture={architecture}", "Environment=local", *arguments),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                **environment,
                "OMS_PLATFORM": f"{machine.replace('arm64', 'aarch64')}-{system}",
                "SAM_CLI_POLL_DELAY": "0.5",
                "SAM_CLI_TELEMETRY": "0",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        print(log.read_text(), file=sys.stderr)
        raise Problem(Code.BAD_REQUEST, f"`sam {command}` failed: see above, or {log}")


def _describe(endpoint_url: str) -> Stack:
    cloudformation = boto3.client("cloudformation", **client_settings(endpoint_url))
    description = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    by_type = {resource["ResourceType"]: resource.get("PhysicalResourceId", "") for resource in resources}
    api, stage = by_type["AWS::ApiGateway::RestApi"], by_type["AWS::ApiGateway::Stage"]
    return Stack(
        endpoint_url=endpoint_url,
        region=REGION,
        api_url=f"{endpoint_url}/_aws/execute-api/{api}/{stage}",
        outputs={output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])},
        resources={
            resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "") for resource in resources
        },
    )


def _finish_tables(home: Home, stack: Stack) -> None:
    dynamodb = boto3.client("dynamodb", **stack.client_settings())
    for logical_id, resource in json.loads(home.template.read_bytes())["Resources"].items():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        table = stack.resources[logical_id]
        properties = resource["Properties"]
        if recovery := properties.get("PointInTimeRecoverySpecification"):
            dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)
        wanted = properties.get("TimeToLiveSpecification")
        current = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        if wanted and wanted["Enabled"] and current["TimeToLiveStatus"] == "DISABLED":
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
