"""The part of a routes file about channels and members: ways to tell somebody, and whose they are.

No address and no key may stand in the file itself: they are written as ``${NAME}``, and taken from the
environment or a file of secrets when something is sent.
"""

from __future__ import annotations

import re
from typing import Final, cast

from casework.alerts.routes import CHANNEL_KINDS, Channel, ChannelKind, Language, Member, Rate, Retry
from casework.alerts.spans import read_span
from rules.titles import LANGUAGES, read_titles
from streams.timestamps import SECOND
from streams.yamlfile import Node, suggest

ID: Final = re.compile(r"[a-z][a-z0-9-]*")
REFERENCE: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
"""What stands for a secret."""

_OPTIONS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "apprise": ((), ("address",)),
    "webhook": (("address", "secret"), ()),
    "alertmanager": (("address",), ()),
    "file": (("path",), ()),
    "terminal": ((), ()),
}
"""Kind -> its required and its optional keys, besides those of every kind."""
_ALWAYS: Final = ("timeout", "rate", "retry")


def read_channels(node: Node | None) -> dict[str, Channel | None]:
    """Channels by id, in the order of the file; None for a faulty one."""
    found: dict[str, Channel | None] = {}
    for item in node.sequence("channels") or [] if node is not None else []:
        if item.kind != "mapping":
            item.mapping("a channel")
            continue
        id_ = new_id(item.get("id"), "channel", found)
        channel = _channel(item, id_ or "?")
        if item.get("id") is None:
            continue
        if id_ is not None:
            found[id_] = channel
    return found


def new_id(
    node: Node | None, what: str, found: dict[str, Channel | None] | dict[str, Member | None]
) -> str | None:
    """An id that does not stand twice."""
    return None if node is None else node.new_id(f"a {what}'s id", ID, "`street-007`", what, found)


def _channel(item: Node, id_: str) -> Channel | None:
    kind_node = item.get("kind")
    kind = kind_node.choice("kind", CHANNEL_KINDS) if kind_node is not None else None
    required, optional = _OPTIONS.get(kind or "", ((), ("address", "secret", "path")))
    item.mapping(f"the channel `{id_}`", ("id", "kind", *required), (*optional, *_ALWAYS))
    address = _address(item.get("address"), "address", must_hide=kind == "apprise")
    secret = _address(item.get("secret"), "secret", must_hide=True)
    path_node, timeout_node = item.get("path"), item.get("timeout")
    path = path_node.string("path") if path_node is not None else None
    timeout = read_span(timeout_node, "timeout", 15 * SECOND) // SECOND
    rate, retry = _rate(item.get("rate")), _retry(item.get("retry"))
    if kind is None:
        return None
    return Channel(id_, cast(ChannelKind, kind), address, secret, path, timeout, rate, retry)


def _rate(node: Node | None) -> Rate:
    default = Rate()
    if node is None or not node.mapping("rate", ("messages", "per"), ("digest",)):
        return default
    messages_node = node.get("messages")
    messages = messages_node.integer("messages", least=1) if messages_node is not None else None
    per = read_span(node.get("per"), "per", default.per)
    return Rate(messages or default.messages, per, read_span(node.get("digest"), "digest", default.digest))


def _retry(node: Node | None) -> Retry:
    default = Retry()
    if node is None or not node.mapping("retry", (), ("first", "most", "tries")):
        return default
    first, most = (
        read_span(node.get("first"), "first", default.first),
        read_span(node.get("most"), "most", default.most),
    )
    tries_node = node.get("tries")
    tries = tries_node.integer("tries", least=1, greatest=100) if tries_node is not None else None
    if first > most:
        node.source.fault(node, "first must not be longer than most: attempts grow apart, from first to most")
    return Retry(first, most, tries or default.tries)


def _address(node: Node | None, what: str, *, must_hide: bool) -> str | None:
    """An address or a key; where it is secret, at least in part a ``${NAME}``.

    A fault never shows what stands there: it may be somebody's number, or a key.
    """
    if node is None:
        return None
    if node.kind != "scalar":
        node.string(what)
        return None
    text = node.text
    if not text:
        node.source.fault(node, f"{what} must not be empty")
        return None
    if "${" in REFERENCE.sub("", text):
        expected = "expected one such as ${WECOM_KEY}"
        node.source.fault(node, f"{what} holds a malformed reference: {expected}", is_secret=True)
        return None
    if must_hide and not REFERENCE.search(text):
        hint = "write it as ${NAME} and set NAME, or NAME_FILE, in the environment of dispatch"
        node.source.fault(node, f"{what} is secret and must not stand in this file", hint, is_secret=True)
        return None
    return text


def read_members(node: Node | None, channels: dict[str, Channel | None]) -> dict[str, Member | None]:
    """Members by id, in the order of the file; None for a faulty one."""
    found: dict[str, Member | None] = {}
    for item in node.sequence("members") or [] if node is not None else []:
        if not item.mapping("a member", ("id", "contacts"), ("title", "language")):
            continue
        id_ = new_id(item.get("id"), "member", found)
        title, language = read_titles(item.get("title"), "title"), read_language(item.get("language"))
        contacts = _contacts(item.get("contacts"), channels)
        if id_ is not None:
            found[id_] = Member(id_, title, language, contacts)
    return found


def _contacts(node: Node | None, channels: dict[str, Channel | None]) -> dict[str, str]:
    contacts: dict[str, str] = {}
    if node is None or not node.mapping("contacts", (), None):
        return contacts
    if not node.keys():
        node.source.fault(node, "contacts must name at least one")
    personal = [id_ for id_, channel in channels.items() if channel is None or channel.is_personal]
    for key, value in node.items():
        if key.text not in channels:
            node.source.fault(key, f"unknown channel `{key.text}`", suggest(key.text, personal))
        elif key.text not in personal:
            message = f"the channel `{key.text}` needs no contact: it reaches a group, not single members"
            node.source.fault(key, message, suggest("", personal))
        address = _address(value, f"the contact by `{key.text}`", must_hide=True)
        contacts[key.text] = address or ""  # one mistake, one fault: there is a contact
    return contacts


def read_language(node: Node | None) -> Language | None:
    """A language of messages; None where it is missing or faulty."""
    language = node.choice("language", LANGUAGES) if node is not None else None
    return cast(Language, language) if language is not None else None
