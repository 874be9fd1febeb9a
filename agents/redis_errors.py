"""What an error of Redis means: it passes, it is ours, or settings are wrong; and what a person can do."""

from __future__ import annotations

import os
import socket
from typing import Final

import redis.exceptions

#: User or password are wrong.
REFUSED: Final = (
    redis.exceptions.AuthenticationError,
    redis.exceptions.AuthorizationError,
    redis.exceptions.AuthenticationWrongNumberOfArgsError,
    redis.exceptions.NoPermissionError,
)
_PASSING: Final = (  # of an answer that will be another one later
    "LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "MOVED", "ASK", "OOM", "MISCONF",
    "NOREPLICAS", "BUSY", "UNKILLABLE", "UNBLOCKED",
)  # fmt: skip


def passing(error: BaseException) -> str | None:
    """A word for an error that passes by itself or by an operator's hand; None for one that does not."""
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return "loading"
    if isinstance(error, (redis.exceptions.ReadOnlyError, redis.exceptions.OutOfMemoryError)):
        return "refused-write"
    if isinstance(error, (redis.exceptions.ClusterError, redis.exceptions.RedisClusterException)):
        return "lost"
    if isinstance(error, (redis.exceptions.MovedError, redis.exceptions.TryAgainError)):
        return "lost"
    if isinstance(error, redis.exceptions.ResponseError):
        word = str(error).split(" ", 1)[0]
        return "refused-write" if word in _PASSING else None
    return "lost"


REMEDIES: Final = {
    "lost": "`hearthwatch up` starts an embedded one with all workers, `hearthwatch local up` the servers"
    " alone; HEARTHWATCH_REDIS_URL names yours",
    "loading": "wait until it has read its data",
    "refused-write": "see whether its memory or disk is full, or it is a replica",
}
"""What a person can do, by the word of :func:`passing`."""


def cause_of(error: BaseException) -> str:
    """Why, in a few words: the system's where there are any, otherwise the client's first line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):  # its numbers are not the system's
            return "its name is not known here"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    told = str(error).strip().splitlines()
    return told[0].rstrip(".") if told else type(error).__name__
