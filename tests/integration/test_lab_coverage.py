"""Every use case is in the lab, or says why not; and what a step claims to drive is really entered."""

from collections.abc import Iterator

import pytest

from infra.lab.coverage import use_cases, watched
from infra.lab.simulation import Plan, lab, simulate
from infra.lab.steps import EXEMPT, STEPS

SEEDS = range(1, 9)
ORDERS = 12


@pytest.fixture(scope="module")
def entered() -> Iterator[set[str]]:
    """Modules of use cases of which a function was entered in a few runs."""
    with lab(), watched() as names:
        for seed in SEEDS:
            simulate(Plan(seed, ORDERS))
        yield {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", sorted(use_cases()))
def test_a_use_case_is_in_the_lab_or_says_why_not(module: str, entered: set[str]) -> None:
    driven = {name for step in STEPS.values() for name in step.drives}
    assert (module in driven) != (module in EXEMPT), (
        f"{module}: enter a step into `infra.lab.steps` that drives it, or a reason into EXEMPT"
    )
    assert module in entered or module in EXEMPT, f"no step of the lab has reached {module}"


def test_steps_and_exemptions_name_use_cases_that_there_are() -> None:
    named = {name for step in STEPS.values() for name in step.drives} | EXEMPT.keys()
    assert named <= use_cases().keys()
