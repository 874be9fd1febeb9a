"""The chain of the audit log: whatever is done to a log that was written, it shows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.audit import DIGEST_HEADER, Anchor, Chain, Check, Entry, Who, digest

NOW = "2026-11-25T09:00:00Z"
Row = tuple[bytes, dict[str, bytes]]


def row(chain: Chain, entry: Entry) -> Row:
    value, headers = chain.encode(entry, NOW)
    return value, {name: found or b"" for name, found in headers}


def read(household: str) -> Entry:
    return Entry(
        "read", "household", "ok", Who("anna", "community", "0a1b2c3d"), households=(household,), rows=1
    )


def a_log() -> list[Row]:
    """Two writers, one beginning after the other's second record, and both going on."""
    first = Chain("api-1", None)
    log = [row(first, Entry("opened", "audit", "ok")), row(first, read("H1"))]
    second = Chain("cli-2", Anchor(1, digest(log[-1][0])))
    log += [row(second, Entry("opened", "audit", "ok")), row(first, read("H2")), row(second, read("H3"))]
    return log


def checked(log: list[Row]) -> Check:
    check = Check()
    for offset, (value, headers) in enumerate(log):
        check.take(offset, value, headers)
    return check


def test_a_log_that_nobody_touched_has_no_faults() -> None:
    check = checked(a_log())
    assert check.faults == []
    assert check.writers == {"api-1": 3, "cli-2": 2}
    assert check.records == 5
    assert check.head == Anchor(4, digest(a_log()[-1][0]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_other_byte_of_any_record_is_found(data: st.DataObject) -> None:
    log = a_log()
    at = data.draw(st.integers(0, len(log) - 1))
    value, headers = log[at]
    place = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != value[place]))
    log[at] = (value[:place] + bytes([other]) + value[place + 1 :], headers)
    assert [fault.offset for fault in checked(log).faults][:1] == [at]


def test_who_also_reckons_the_header_anew_is_found_by_the_next_record() -> None:
    log = a_log()
    value = log[1][0].replace(b"H1", b"H9")
    log[1] = (value, {DIGEST_HEADER: digest(value).encode()})
    faults = [(fault.offset, fault.message) for fault in checked(log).faults]
    assert faults == [
        (2, "it begins cli-2 after a record that does not stand there"),
        (3, "it follows another number 2 of api-1 than stands there"),
    ]


def test_a_record_that_was_taken_out_is_found_whether_or_not_the_offsets_close_up() -> None:
    log = a_log()
    closed_up = checked(log[:3] + log[4:] + [row_after(log)])
    assert [fault.offset for fault in closed_up.faults] == [4]
    check = Check()
    for offset, (value, headers) in enumerate(log):
        if offset != 3:
            check.take(offset, value, headers)
    assert [(fault.offset, fault.message) for fault in check.faults] == [(4, "record 3 before it is missing")]


def row_after(log: list[Row]) -> Row:
    """The next record of api-1."""
    chain = Chain("api-1", None)
    for _ in range(3):
        row(chain, read("H0"))
    chain._previous = digest(log[3][0])
    return row(chain, read("H4"))


def test_records_that_were_put_in_or_swapped_are_found() -> None:
    log = a_log()
    forged = Chain("api-1", None)
    row(forged, Entry("opened", "audit", "ok"))
    assert checked([*log, row(forged, read("H7"))]).faults
    assert checked([log[0], log[3], log[2], log[1], log[4]]).faults


def test_the_same_bytes_sent_again_are_no_fault() -> None:
    log = a_log()
    assert checked([*log[:2], *log[:2], *log[2:]]).faults == []


def test_a_head_that_was_noted_shows_what_was_cut_off_or_written_anew() -> None:
    log = a_log()
    head = checked(log).head
    assert head is not None
    assert checked([*log, row_after(log)]).stands(head)
    assert not checked(log[:4]).stands(head)
    other = Chain("api-1", None)
    assert not checked([row(other, read(f"H{n}")) for n in range(6)]).stands(head)


def test_what_is_no_record_is_found() -> None:
    check = checked([*a_log(), (b"{}", {DIGEST_HEADER: digest(b"{}").encode()}), (b"\xff", {})])
    assert [fault.message for fault in check.faults] == [
        "it is no audit record",
        "its bytes are not those that its header tells the SHA-256 of",
        "it is no audit record",
    ]
