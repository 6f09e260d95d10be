"""Where the local stack lives on disk, and what is known of a deployed one."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

from oms.problems import Code, Problem

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
CREDENTIAL = "test"
"""Access key and secret of the local stack, which asks for any."""


class ClientSettings(TypedDict):
    """Keyword arguments of `boto3.client`."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed local stack.

    Args:
        endpoint_url: where every AWS service answers.
        region: its AWS region.
        api_url: base of the REST API, with the stage, without a slash at the end.
        outputs: outputs of the template by name.
        resources: physical ids by logical id: names of tables and functions, URLs of queues.
    """

    endpoint_url: str
    region: str
    api_url: str
    outputs: dict[str, str]
    resources: dict[str, str]

    def client_settings(self) -> ClientSettings:
        """Arguments that make `boto3.client` talk to this stack and to nothing else."""
        return client_settings(self.endpoint_url)

    def environment(self) -> dict[str, str]:
        """The same as variables, for code that makes its own clients and for other programs."""
        return aws_environment(self.endpoint_url)


def client_settings(endpoint_url: str) -> ClientSettings:
    """Arguments that make `boto3.client` talk to a local endpoint."""
    return {
        "endpoint_url": endpoint_url,
        "region_name": REGION,
        "aws_access_key_id": CREDENTIAL,
        "aws_secret_access_key": CREDENTIAL,
    }


def aws_environment(endpoint_url: str) -> dict[str, str]:
    """Variables that point every AWS SDK and tool at a local endpoint, whatever the user's profiles say."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one local stack: state, logs, build and pid files; each program has its own file."""

    folder: Path

    @property
    def stack_file(self) -> Path:
        """What is deployed, as JSON of `Stack`."""
        return self.folder / "stack.json"

    @property
    def state(self) -> Path:
        """What MiniStack saves when it stops."""
        return self.folder / "state"

    @property
    def temporary(self) -> Path:
        """Temporary files of MiniStack and its functions; cleared at every start."""
        return self.folder / "tmp"

    @property
    def build(self) -> Path:
        """The folders of the functions and layers as built."""
        return self.folder / "build"

    @property
    def template(self) -> Path:
        """The template as built, in JSON; its paths are relative to `build`."""
        return self.build / "template.json"

    @property
    def build_cache(self) -> Path:
        """What `sam build` keeps to build only what has changed."""
        return self.folder / "build-cache"

    def log(self, program: str) -> Path:
        """Output of one program of the stack."""
        return self.folder / f"{program}.log"

    def load(self) -> Stack | None:
        """What is deployed here; None before the first deployment."""
        try:
            return Stack(**json.loads(self.stack_file.read_text()))
        except FileNotFoundError:
            return None

    def save(self, stack: Stack) -> None:
        """Remember what is deployed here, whole or not at all."""
        new = self.stack_file.with_suffix(".new")
        new.write_text(json.dumps(asdict(stack), indent=2) + "\n")
        new.replace(self.stack_file)


def default_home() -> Home:
    """The project's own stack, in `.local/`, or in the folder that OMS_LOCAL names."""
    return Home(Path(os.environ.get("OMS_LOCAL", ROOT / ".local")).resolve())


def load_stack(home: Home | None = None) -> Stack:
    """The deployed local stack.

    Raises:
        Problem: `unavailable` when none has been deployed.
    """
    home = home or default_home()
    if stack := home.load():
        return stack
    raise Problem(Code.UNAVAILABLE, f"No local stack in {home.folder}: run `make up` first")
