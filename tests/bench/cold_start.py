"""Cold starts: a fresh process of each function, as built, up to its first answer."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from infra.lab.memory_table import MemoryTable
from infra.local.deployment import build
from infra.local.stack import ROOT, Home
from oms.channels.envelope import unseal
from oms.channels.registry import adapter
from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.orders.commands import PlaceOrder
from oms.runtime import settings
from oms.store import keys
from oms.store.configuration import document_of, encode_document
from oms.store.table import Table
from oms.store.writes import put
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.aws_stub import serving
from tests.builders import CHANNEL, network
from tests.shelves import fill

RUNS = 9
EVENTS = ROOT / "events"
TABLE = "orders"

REFERENCE = "import boto3; boto3.client('dynamodb')"
"""What every function in Python that uses DynamoDB has to do first."""

CALL = """
import json
from functions.{name}.handler import handler
answer = handler(json.loads({event!r}), None)
assert answer is None or not answer.get("batchItemFailures") and answer.get("statusCode", 200) < 300, answer
"""

REPORT = """
import sys, time
with open("/proc/self/status") as file:
    (held,) = (line.split()[1] for line in file if line.startswith("VmHWM"))
print("answered", time.process_time() * 1000, len(sys.modules), held, flush=True)
"""

SAMPLES: Mapping[str, str] = {
    "api": "api_get_order.json",
    "availability": "availability_sold.json",
    "clock": "clock_page.json",
    "outbox": "outbox_placed.json",
    "returns": "returns_requested.json",
}
"""Trigger events of the functions that have several samples, or one of another name: the least to do."""

OTHER_ORDER, ORDER = "WZWMPET4FZPW64CTVT4HHEAGLE", "XI5CSKZB5W7S34XQJERWEU743F"
"""Orders that the samples are about; all starts are about the second, which `intake.json` places."""

STORY: Sequence[tuple[str, tuple[str, ...]]] = (
    ("placed", ("sourcing", "clock", "api")),
    ("released", ("fulfillment",)),
    ("delivered", ("returns",)),
)
"""How far the order has come when a function starts; for all others it is not there yet."""

VALUES: Mapping[str, str] = {
    "table_name": TABLE,
    "keys_secret": "keys",
    "channel_secret_prefix": "channels/",
    "inbound_max_bytes": "1000000",
    "stream_failures": "raise",
    "reach": "any",
}
SECRETS = {
    f"channels/{CHANNEL.id}": json.dumps({"kind": "shopify", "secrets": ["sample-client-secret"]}),
    "keys": "key of the look-up hashes",
}

type Row = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Start:
    """What one cold start took: milliseconds, those of the processor, modules, the most kilobytes held."""

    ms: float
    cpu_ms: float
    modules: int
    memory_kb: int


@dataclass(frozen=True, slots=True)
class Program:
    """A program, with the folders that it finds its modules in."""

    text: str
    folders: Sequence[Path]

    def start(self, environment: Mapping[str, str], *, compiled: bool) -> Start:
        """Run it in a fresh process; without valid bytecode Python compiles what it imports."""
        bytecode = () if compiled else ("-X", "pycache_prefix=/nowhere", "-B")
        paths = [str(folder) for folder in self.folders]
        text = f"import sys; sys.path[:0] = {paths!r}\n{self.text}{REPORT}"
        begin = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-I", "-S", *bytecode, "-c", text],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for said in process.stdout:
                if said.startswith("answered"):
                    ms = (time.perf_counter() - begin) * 1000
                    cpu_ms, modules, held = said.split()[1:]
                    return Start(ms, float(cpu_ms), int(modules), int(held))
        raise RuntimeError(f"no answer: {self.text}")

    @property
    def bytes(self) -> int:
        """Size of its folders."""
        return sum(
            file.stat().st_size for folder in self.folders for file in folder.rglob("*") if file.is_file()
        )


def measure() -> Iterator[Row]:
    """Time to the first answer (least, ms), also beside a process that only makes a DynamoDB client.

    Runs take turns, so that what else the machine does falls on all alike, and the quickest of each counts;
    on a busy one the processor's time (`cpu_ms`, `cpu_times`) says more. `compiling_ms` is without valid
    bytecode, `memory_mb` the most that the process holds, `package_mb` what is unpacked for it.
    """
    home = Home(ROOT / ".local" / "bench")
    home.folder.mkdir(parents=True, exist_ok=True)
    build(home)
    programs = {"reference": Program(REFERENCE, [home.build / "DependenciesLayer" / "python"])}
    programs |= _functions(home.build)
    warm: dict[str, list[Start]] = {name: [] for name in programs}
    cold: dict[str, list[Start]] = {name: [] for name in programs}
    with serving(SECRETS) as stub:
        for turn in range(RUNS):
            for name, program in programs.items():
                stub.table = _stocked(name)
                warm[name].append(program.start(_environment(name, stub.url), compiled=True))
                if turn % 3 == 0:
                    stub.table = _stocked(name)
                    cold[name].append(program.start(_environment(name, stub.url), compiled=False))
    reference, cpu_reference = _least(warm["reference"])
    for name, starts in warm.items():
        ms, cpu_ms = _least(starts)
        yield {
            "function": name,
            "ms": round(ms),
            "times": round(ms / reference, 2),
            "cpu_ms": round(cpu_ms),
            "cpu_times": round(cpu_ms / cpu_reference, 2),
            "compiling_ms": round(min(start.ms for start in cold[name])),
            "modules": starts[0].modules,
            "memory_mb": round(max(start.memory_kb for start in starts) / 1024),
            "package_mb": round(programs[name].bytes / 1024**2, 1),
        }


def _least(starts: Sequence[Start]) -> tuple[float, float]:
    """The least milliseconds, and the least of the processor."""
    return min(start.ms for start in starts), min(start.cpu_ms for start in starts)


def _functions(artifacts: Path) -> dict[str, Program]:
    """Every function of the built template, with its own layers."""
    template = json.loads((artifacts / "template.json").read_bytes())
    shared = template["Globals"]["Function"]["Layers"]
    programs = {}
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        name = properties["Handler"].split(".")[1]
        layers = {layer["Ref"] for layer in (*shared, *properties.get("Layers", ()))}
        folders = [artifacts / properties["CodeUri"], *(artifacts / layer / "python" for layer in layers)]
        event = (EVENTS / SAMPLES.get(name, f"{name}.json")).read_text().replace(OTHER_ORDER, ORDER)
        programs[name] = Program(CALL.format(name=name, event=event), folders)
    return programs


def _environment(name: str, url: str) -> dict[str, str]:
    """The settings of a function, all queues being one."""
    given = dict(VALUES)
    for field in fields(settings.FUNCTIONS[name]) if name in settings.FUNCTIONS else ():
        if field.name.endswith("_queue_url") or field.name.endswith("_letters_url"):
            given[field.name] = f"{url}/queue"
        given.setdefault(field.name, json.dumps({"wms": f"{url}/queue"}) if "urls" in field.name else "wms")
    return {key.upper(): value for key, value in given.items()} | {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }


def _order() -> PlaceOrder:
    delivery = unseal(json.loads((EVENTS / "intake.json").read_text())["Records"][0]["body"])
    (command,) = adapter(delivery.adapter).parse(delivery)
    assert isinstance(command, PlaceOrder)
    return command


def _stocked(name: str) -> MemoryTable:
    """A table with the network, stock, and the order as far as the function's event needs it."""
    memory = MemoryTable(TABLE)
    client: Any = memory
    table = Table(client, TABLE)
    configured = network()
    for kind in ("channel", "pool", "location"):
        things = getattr(configured, f"{kind}s")
        documents = {each: document_of(thing) for each, thing in things.items()}
        table.commit(put(keys.snapshot(kind), encode_document(documents, 1)))
    command = _order()
    for sku in {line.sku for line in command.lines if line.sku}:
        fill(table, sku, wh_madrid=50)
    stages = [stage for stage, functions in STORY if name in functions]
    if not stages:
        return memory
    now = command.placed_at + timedelta(minutes=1)
    place_order(table, configured, command, now)
    if stages == ["placed"]:
        return memory
    works = release_order(table, configured, ORDER, now + timedelta(days=1))
    if stages == ["delivered"]:
        for work in works:
            fact = FulfillmentFact("m", FactKind.SHIPPED, now, ORDER, work.id, (Package("p1"),))
            record_fulfillment(table, fact, now)
    return memory
