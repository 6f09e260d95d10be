"""Every use case is in the lab, or says why not; and what a step claims to drive is really entered."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pytest

from infra.lab.coverage import use_cases, watched
from infra.lab.invariants import Outcome, public_events
from infra.lab.simulation import Plan, lab, simulate
from infra.lab.steps import EXEMPT, STEPS
from oms.orders.replacing import REPLACED_SHIPPED

MOST_SEEDS = range(1, 61)
"""In which everything has to happen; there are no more runs than that takes."""

ORDERS = 12

SEEN: set[str] = set()
"""Which of `RARE` has happened in the runs of this module."""


def _states(outcome: Outcome, prefix: str) -> set[tuple[str, str]]:
    """States that items whose partition or sort key begins so have gone from and to."""
    return {
        (change.old["st"]["S"] if change.old and "st" in change.old else "", change.new["st"]["S"])
        for change in outcome.cloud.changes
        if change.new and "st" in change.new and prefix in (change.key.pk[:2], change.key.sk[:2])
    }


def _shops_by_number(outcome: Outcome) -> Counter[str]:
    return Counter(sent.channel_order_id for sent in outcome.world.orders.values() if sent.taken)


RARE: Mapping[str, Callable[[Outcome], bool]] = {
    "a count that leaves out a parcel of which nobody has told": lambda outcome: any(
        name.startswith("count after") for name in outcome.world.acted
    ),
    "a shipment before its acceptance": lambda outcome: ("released", "closed") in _states(outcome, "F#"),
    "something said of an order before it came": lambda outcome: any(
        change.new and change.new.get("t") == {"S": "stub"} for change in outcome.cloud.changes
    ),
    "two shops with the same order number": lambda outcome: max(_shops_by_number(outcome).values()) > 1,
    "a cart that becomes an order": lambda outcome: ("held", "confirmed") in _states(outcome, "H#"),
    "a refund that its channel has given back": lambda outcome: any(
        refund.id.startswith("channel.") for refund in outcome.refunds
    ),
    "a parcel of which its carrier alone tells that it has arrived": lambda outcome: bool(
        outcome.world.silent
    ),
    "a return that its channel announces": lambda outcome: any(
        str(name).startswith("return ref ") and " open " in name for name in outcome.world.acted
    ),
    "an order that does not add up": lambda outcome: any(
        known.code == "totals_unbalanced" for order in outcome.orders.values() for known in order.exceptions
    ),
    "an order that is held, as the one that it replaces has left": lambda outcome: any(
        known.code == REPLACED_SHIPPED for order in outcome.orders.values() for known in order.exceptions
    ),
    "a transfer that comes in": lambda outcome: any(
        name.endswith("#transfer.received") for name in public_events(outcome)
    ),
}
"""What is seldom, and has to happen all the same."""


@pytest.fixture(scope="module")
def entered() -> Iterator[set[str]]:
    """Modules of use cases of which a function was entered in a few runs."""
    modules: set[str] = set()

    def see(outcome: Outcome) -> None:
        SEEN.update(name for name, happened in RARE.items() if happened(outcome))
        modules.update(name.partition(".")[0] for name in names)

    with lab(), watched() as names:
        for seed in MOST_SEEDS:
            simulate(Plan(seed, ORDERS), see=see)
            if RARE.keys() == SEEN and modules | EXEMPT.keys() >= use_cases().keys():
                break
        yield modules


@pytest.mark.usefixtures("entered")
@pytest.mark.parametrize("name", RARE)
def test_what_is_seldom_happens_in_some_run(name: str) -> None:
    assert name in SEEN


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
