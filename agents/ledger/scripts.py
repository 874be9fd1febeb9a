"""What runs inside Redis. Each script touches the keys of one partition, which share a hash tag.

The head of a partition is a hash: ``epoch`` (raised by every claim), ``generation`` (of the consumer
group), ``owner``, ``nonce`` (of the latest claim), ``commit`` (how many), ``next`` (the offset to read
next), ``day``, ``cursor``, and what snapshots need: ``tracked`` (its set of changed keys is whole) and
``snapped``. Numbers travel as decimal text, so nothing is lost to Lua's floats.
Only ``unpack`` is chunked: Lua's stack holds no more than 8,000 values.
"""

from __future__ import annotations

from typing import Final

from agents.redis_link import Script

#: KEYS head, marks, counts. ARGV generation, owner, nonce, create (1 or 0).
CLAIM: Final = Script(
    "claim",
    """
local head = redis.call('HMGET', KEYS[1], 'epoch', 'generation', 'nonce', 'commit', 'owner')
if not head[4] then
  if ARGV[4] ~= '1' then return {'ABSENT'} end
  redis.call('HSET', KEYS[1], 'commit', '0', 'next', '0', 'tracked', '1')
end
if head[2] and tonumber(head[2]) > tonumber(ARGV[1]) then return {'STALE', head[2], head[5]} end
if head[3] ~= ARGV[3] then
  redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'owner', ARGV[2], 'nonce', ARGV[3])
end
return {'OK', redis.call('HMGET', KEYS[1], 'epoch', 'commit', 'next', 'day', 'cursor'),
        redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
""",
)

#: KEYS head, states, marks, days, counts, changed, index. ARGV epoch, commit, commit + 1, next, day or "",
#: cursor or "", then eight counts of arguments (states to set, states to delete, marks, days to set, days to
#: remove, counts, members of the index to remove and to add), then these arguments.
COMMIT: Final = Script(
    "commit",
    """
local head = redis.call('HMGET', KEYS[1], 'epoch', 'commit', 'next')
if head[1] ~= ARGV[1] then return {'FENCED', head[1], head[2], head[3]} end
if head[2] ~= ARGV[2] then
  if head[2] == ARGV[3] and head[3] == ARGV[4] then return {'ALREADY'} end
  return {'ELSEWHERE', head[1], head[2], head[3]}
end
local at = 15
local function each(command, key, count)
  local last = at + tonumber(count) - 1
  while at <= last do
    local to = math.min(at + 1999, last)
    redis.call(command, key, unpack(ARGV, at, to))
    at = to + 1
  end
end
each('HSET', KEYS[2], ARGV[7])
each('HDEL', KEYS[2], ARGV[8])
each('HSET', KEYS[3], ARGV[9])
each('ZADD', KEYS[4], ARGV[10])
each('ZREM', KEYS[4], ARGV[11])
each('HSET', KEYS[5], ARGV[12])
each('ZREM', KEYS[7], ARGV[13])
each('ZADD', KEYS[7], ARGV[14])
redis.call('HSET', KEYS[1], 'commit', ARGV[3], 'next', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'day', ARGV[5]) end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'cursor', ARGV[6]) end
local changed = {}
local held = 14 + tonumber(ARGV[7])
for i = 15, held, 2 do changed[#changed + 1] = ARGV[i] end
for i = held + 1, held + tonumber(ARGV[8]) do changed[#changed + 1] = ARGV[i] end
for i = 1, #changed, 2000 do
  redis.call('SADD', KEYS[6], unpack(changed, i, math.min(i + 1999, #changed)))
end
return {'OK'}
""",
)

#: KEYS head, states. ARGV epoch, field... . Fenced: a zombie that read its successor's states would send
#: other bytes under the numbers of its old offsets.
LOAD: Final = Script(
    "load",
    """
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return {'FENCED', epoch} end
local out = {'OK'}
local at = 2
while at <= #ARGV do
  local to = math.min(at + 1999, #ARGV)
  out[#out + 1] = redis.call('HMGET', KEYS[2], unpack(ARGV, at, to))
  at = to + 1
end
return out
""",
)

#: KEYS head, days. ARGV epoch, day, limit.
DUE: Final = Script(
    "due",
    """
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return {'FENCED', epoch} end
return {'OK', redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])}
""",
)

#: KEYS days. ARGV day or instant, limit. A script, because clients give pairs back in forms of their own.
NEXT_DUE: Final = Script(
    "next-due",
    "return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])",
)

#: KEYS head. A recreated group counts its generations from 1 again; whoever held the partition is fenced.
ADOPT: Final = Script(
    "adopt",
    """
if redis.call('HEXISTS', KEYS[1], 'commit') == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'generation', '0', 'owner', 'adopted', 'nonce', '')
return 1
""",
)

#: KEYS states. ARGV cursor, how many about. A script, so that the client does not dress the reply up.
SCAN: Final = Script("scan", "return redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])")
