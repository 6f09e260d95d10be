"""A journal is read as it was written, whatever its entries mean."""

import pytest

from oms.orders.journal import JournalEntry
from oms.store.journal import decode_journal, encode_journal
from tests.builders import NOW


@pytest.mark.parametrize("kinds", [(), ("placed",), ("delivered", "closed")])
def test_an_entry_may_mean_nothing_to_the_outside_or_several_things(kinds: tuple[str, ...]) -> None:
    journal = (JournalEntry(1, NOW, kinds, {"units": 2}),)
    assert decode_journal(encode_journal(journal)) == journal
