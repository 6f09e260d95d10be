"""The stack as CloudFormation sees it: transformed by SAM, its parameters and conditions filled in.

References are resolved to plain text: `!Ref InboundQueue` to `InboundQueue`, `!GetAtt InboundQueue.Arn` to
`InboundQueue.Arn`, also within `!Sub`. The stack is called `oms`.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from samtranslator.translator.transform import transform  # type: ignore[import-untyped]  # it ships no types
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # it ships no types

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"

_PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "oms",
    "AWS::URLSuffix": "amazonaws.com",
}
logging.getLogger("samtranslator.feature_toggle").setLevel(logging.ERROR)  # of switches that AWS alone has
_SUBSTITUTION = re.compile(r"\$\{([^!}]+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A transformed and resolved template.

    Attributes:
        resources: what would be made, by logical id.
        outputs: values by name.
    """

    resources: dict[str, dict[str, Any]]
    outputs: dict[str, str]

    def of(self, type_: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and properties of every resource of a type."""
        for name, resource in self.resources.items():
            if resource["Type"] == type_:
                yield name, resource.get("Properties", {})

    def properties(self, reference: str) -> dict[str, Any]:
        """Properties of the resource that a reference names: `Queue` or `Queue.Arn`."""
        properties: dict[str, Any] = self.resources[reference.partition(".")[0]]["Properties"]
        return properties


def load(path: Path = ROOT / "template.yaml", **parameters: str) -> Template:
    """Read, transform and resolve a template.

    Args:
        path: of the template.
        parameters: values of its parameters; the others have their defaults.

    Raises:
        KeyError: a reference to something that the template does not have.
    """
    source = yaml_parse(path.read_text())
    for resource in source["Resources"].values():  # as `sam package` leaves them
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://bucket/key"
    values = {name: parameter["Default"] for name, parameter in source["Parameters"].items()} | parameters
    with patch.dict("os.environ", AWS_DEFAULT_REGION=REGION):
        transformed = transform(source, values, _NoManagedPolicies())
    return _Resolver(transformed, values).template()


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


class _Resolver:
    def __init__(self, transformed: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self._transformed = transformed
        resources = {name: name for name in transformed["Resources"]}
        self._names: dict[str, Any] = resources | _PSEUDO_PARAMETERS | dict(parameters)

    def template(self) -> Template:
        resources = {
            name: self._resolve(resource)
            for name, resource in self._transformed["Resources"].items()
            if self._holds(resource.get("Condition"))
        }
        outputs = self._transformed["Outputs"].items()
        return Template(resources, {name: self._resolve(output["Value"]) for name, output in outputs})

    def _holds(self, condition: str | None) -> bool:
        return condition is None or bool(self._resolve(self._transformed["Conditions"][condition]))

    def _resolve(self, value: Any) -> Any:
        match value:
            case {"Ref": name}:
                return self._names[name]
            case {"Fn::GetAtt": [name, attribute]}:
                return f"{self._names[name]}.{attribute}"
            case {"Fn::Sub": [text, variables]}:
                return self._substitute(text, {k: self._resolve(v) for k, v in variables.items()})
            case {"Fn::Sub": text}:
                return self._substitute(text, {})
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self._resolve(parts))
            case {"Fn::If": [condition, yes, no]}:
                return self._resolve(yes if self._holds(condition) else no)
            case {"Fn::Equals": [left, right]}:
                return self._resolve(left) == self._resolve(right)
            case {"Fn::Not": [condition]}:
                return not self._resolve(condition)
            case dict():
                return {name: self._resolve(part) for name, part in value.items()}
            case list():
                return [self._resolve(part) for part in value]
            case _:
                return value

    def _substitute(self, text: str, variables: Mapping[str, str]) -> str:
        def resolved(match: re.Match[str]) -> str:
            name, dot, attribute = match[1].partition(".")
            return variables[name] if name in variables else f"{self._names[name]}{dot}{attribute}"

        return _SUBSTITUTION.sub(resolved, text).replace("${!", "${")
