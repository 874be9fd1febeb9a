"""The first start of a ledger, and the check on every later one that Kafka and Redis belong together."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from agents.ledger.charter import Charter, CharterStore
from agents.ledger.errors import LedgerMismatchError, LedgerMissingError
from agents.redis_link import RedisLink
from rules.state_format import FORMAT, WRITES, NewerFormatError

_NEW = "new "
#: Stands before the id in Redis until Kafka has it too, so that a crash in between is told from a Kafka
#: that was emptied under a used Redis.

_STATE_FORMAT = "state-format"

_ANEW = "`hearthwatch down && hearthwatch local reset`"


async def found(link: RedisLink, store: CharterStore, name: str) -> str:
    """The id of the ledger, the same in Kafka and Redis; made up on the first start.

    Raises:
        LedgerMissingError: partitions have started, but this Redis is empty.
        LedgerMismatchError: Kafka and Redis belong to different ledgers.
    """
    key = f"{name}:identity"
    charter = await store.read()
    if charter.ledger is None:
        # Redis decides which of several first workers names the ledger.
        await link.call("SET", key, _NEW + secrets.token_hex(8), "NX")
        held = _text(await link.call("GET", key)) or ""
        if held.startswith(_NEW):
            ledger = held.removeprefix(_NEW)
            await store.write({"ledger": ledger})
            await link.call("SET", key, ledger)
            return ledger
        again = await store.read()  # another worker may have been quicker
        if again.ledger != held:
            raise LedgerMismatchError(
                f"Redis holds the data of ledger {held}, but Kafka holds no ledger: it was emptied, or is"
                f" another one; point the settings at the right pair, or empty Redis too (embedded: {_ANEW})"
            )
        return held
    there = _text(await link.call("GET", key))
    if there is None and charter.started:
        raise LedgerMissingError(
            f"Redis does not hold ledger {charter.ledger}, though {len(charter.started)} partitions have"
            " started: restore Redis, or run `hearthwatch rebuild` to make its state from Kafka again"
        )
    if there is not None and there.removeprefix(_NEW) != charter.ledger:
        raise LedgerMismatchError(
            f"Redis holds ledger {there.removeprefix(_NEW)}, Kafka ledger {charter.ledger}:"
            " point the settings at the right pair"
        )
    if there != charter.ledger:
        await link.call("SET", key, charter.ledger)
    return charter.ledger


async def check_made_with(store: CharterStore, made_with: Mapping[str, str]) -> None:
    """Compare digests of files with those that the data was made with; write down what is new.

    Raises:
        LedgerMismatchError: a file has changed.
    """
    known = (await store.read()).made_with
    for what, digest in made_with.items():
        if known.get(what, digest) == digest:
            continue
        if what == "clock":
            raise LedgerMismatchError(
                f"the data was made with the clock `{known[what]}`, not `{digest}`: start with that one"
                f" (HEARTHWATCH_CLOCK), or begin anew with {_ANEW}"
            )
        raise LedgerMismatchError(
            f"the data was made with another {what} (digest {known[what][:12]}, now {digest[:12]}):"
            f" start with the old {what} file, or begin anew with {_ANEW}"
        )
    missing = {f"made-with/{what}": digest for what, digest in made_with.items() if what not in known}
    if missing:
        await store.write(missing)


async def check_format(store: CharterStore) -> Charter:
    """Compare the format of states with what this program reads; write down what it may write from now on.

    Returns:
        The charter as it was read for that.

    Raises:
        NewerFormatError: a newer program has worked here.
    """
    charter = await store.read()
    found = charter.made_with.get(_STATE_FORMAT)
    # Format 1 is older than this entry.
    known = 1 if found is None else int(found)
    if known > FORMAT:
        raise NewerFormatError(
            f"a newer program has worked here and writes states of format {known},"
            f" this program knows {FORMAT}: run that one"
        )
    if known < WRITES:
        await store.write({f"made-with/{_STATE_FORMAT}": str(WRITES)})
    return charter


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
