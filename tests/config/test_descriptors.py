from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from embit.descriptor.checksum import add_checksum, checksum

from stratum.config.descriptors import KEYS, descriptor
from stratum.config.pool import read_pool
from stratum.config.values import Fault

Document = dict[str, Any]
Complaints = Callable[..., dict[str, str]]

#: BIP 380's valid vector.
RAW = "raw(deadbeef)#89f8spxm"

#: BIP 32, test vector 2, chain m.
XPUB = (
    "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY4"
    "7LJhkJ8UB7WEGuduB"
)


def test_descriptors_are_read_though_nothing_is_paid_to_them_yet(document: Document) -> None:
    document["payout"] |= {"fee_bps": 0, "reserve_bps": 0, "fee_descriptor": RAW}
    assert read_pool(document, {})


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "written",
    [
        "raw(deadbeef)",  # BIP 380's invalid vectors from here
        "raw(deadbeef)#",
        "raw(deadbeef)#89f8spxmx",
        "raw(deadbeef)#89f8spx",
        "raw(dedbeef)#89f8spxm",
        "raw(deadbeef)##9f8spxm",
        "raw(Ü)#00000000",
        "#89f8spxm",
        "",
        1,
    ],
)
def test_descriptor_whose_checksum_is_missing_or_wrong_is_refused(
    document: Document, complaints: Complaints, key: str, written: object
) -> None:
    document["payout"][key] = written
    found = complaints(document)
    assert found.keys() == {f"payout.{key}"}
    assert "deadbeef" not in found[f"payout.{key}"]


def test_every_change_of_one_character_is_noticed() -> None:
    for place in range(len(RAW)):
        for other in "0fq#":
            if RAW[place] != other:
                with pytest.raises(Fault):
                    descriptor(RAW[:place] + other + RAW[place + 1 :])


def test_private_key_is_refused_and_not_shown(document: Document, complaints: Complaints) -> None:
    document["payout"]["fee_descriptor"] = f"wpkh({XPUB.replace('xpub', 'xprv')})#00000000"
    found = complaints(document)["payout.fee_descriptor"]
    assert "holds a private key" in found and "661MyM" not in found


def test_two_descriptors_for_the_same_money_are_refused(
    document: Document, complaints: Complaints
) -> None:
    document["payout"] |= {"fee_descriptor": RAW, "carry_descriptor": RAW}
    found = complaints(document)
    assert found.keys() == {"payout.carry_descriptor"}
    assert "is the same as fee_descriptor" in found["payout.carry_descriptor"]


def test_hardened_steps_have_two_spellings_and_are_the_same_key() -> None:
    apostrophe = f"wpkh([d34db33f/84'/0'/0']{XPUB}/0/*)"
    letter = f"wpkh([d34db33f/84h/0h/0h]{XPUB}/0/*)"
    assert checksum(apostrophe) != checksum(letter)
    assert descriptor(add_checksum(apostrophe)) == descriptor(add_checksum(letter)) == letter
