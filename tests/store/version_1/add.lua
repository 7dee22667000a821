-- What stands before the text of every script that works on marks.
local call, pcall, type, KEYS, ARGV = redis.call, redis.pcall, type, KEYS, ARGV
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Numbers up to 2^53 are exact here, but their default text is not.
local function text(number)
  return string.format('%.0f', number)
end

-- What follows "lc:{bN}:t:", which is as long as "lc:{bN}:oM".
local function name_of(topic, outbox)
  return string.sub(topic, #outbox + 1)
end

-- The replication id of this master. Who may not ask has one master for ever.
local known
local function master()
  if not known then
    local info = redis.pcall('INFO', 'replication')
    known = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or 'unknown'
  end
  return known
end
-- What follows in the scripts that add.
--
-- ARGV    1 epoch for topics that are new, or claimed under a new master; 2 grace in ms

-- Whether an error is that of one item, whose key holds no topic. Others, as that this is no master, are everybody's.
local function is_of_one(failure)
  return string.find(failure.err, '^WRONGTYPE') or string.find(failure.err, '^ERR hash value')
end

-- As text: sums may be beyond 2^53. "-0" is no number to Redis.
local function opposite(sum)
  if string.sub(sum, 1, 1) == '-' then
    return string.sub(sum, 2)
  end
  return sum == '0' and sum or '-' .. sum
end

local function undo(topic, sum)
  call('HINCRBY', topic, 'v', opposite(sum))
  if call('HEXISTS', topic, 'e') == 0 then
    call('DEL', topic)
  end
end

-- For the first change since the last acknowledgement: the mark stays until the next one, so the others need not look
-- for it.
local function mark(topic, outbox)
  if call('HSETNX', topic, 'e', ARGV[1]) == 1 then
    call('HSET', topic, 'm', master())
  end
  -- NX: a mark that is leased keeps its lease.
  call('ZADD', outbox, 'NX', text(now + ARGV[2]), name_of(topic, outbox))
end
-- Adds to topics, one item after the other, with everything that may be asked of it.
--
-- KEYS    per item: topic hash, outbox; of an item with an idempotency key, that key's record as a third
-- ARGV    1, 2 as above; per item: sum, changes, least and greatest allowed new value, lease in ms or "",
--         lifetime of the idempotency key in ms or ""
-- returns per item: value                      added
--                   nil                        out of range, nothing changed
--                   {value, epoch, id, prev}   added and claimed; prev is "0" before the first claim,
--                                              and "epoch-revision" when the epoch is new
--                   {value}                    the idempotency key was used with this amount
--                   {amount, 0}                ... was used with this other amount
--                   error                      its key holds no topic, nothing changed
local replies, key, arg = {}, 1, 3

local function is_failure(reply)
  return type(reply) == 'table' and reply.err
end

local function claim(topic, outbox, value, unacknowledged, lease)
  local before = call('HMGET', topic, 'p', 'e', 'r', 'm')
  local prev, revision = before[1] or '0', text((before[3] or 0) + unacknowledged)
  -- As in claim.lua.
  if before[4] ~= master() then
    prev = before[1] and before[2] .. '-' .. prev or prev
    before[2] = ARGV[1]
    call('HSET', topic, 'e', before[2], 'm', master(), 'a', '')
  end
  call('HSET', topic, 'q', prev, 'p', revision, 'w', text(value))
  call('ZADD', outbox, text(now + lease), name_of(topic, outbox))
  return {value, before[2], revision, prev}
end

local function add(topic, outbox, sum, changes, least, greatest, lease)
  local value = pcall('HINCRBY', topic, 'v', sum)
  if is_failure(value) then
    return value
  end
  if value < least or value > greatest then
    undo(topic, sum)
    return false
  end
  local unacknowledged = call('HINCRBY', topic, 'c', changes)
  if unacknowledged == tonumber(changes) then
    mark(topic, outbox)
  end
  if lease ~= '' then
    return claim(topic, outbox, value, unacknowledged, lease)
  end
  return value
end

local function add_once(record, lifetime, sum, ...)
  local used = call('GET', record)
  if used then
    local amount, value = string.match(used, '^(%S+) (%S+)$')
    -- Again, so that who waits for replicas to have it waits also for what somebody else has written.
    call('SET', record, used, 'KEEPTTL')
    if amount == sum then
      return {tonumber(value)}
    end
    return {tonumber(amount), 0}
  end
  local reply = add(...)
  if reply and not is_failure(reply) then
    local value = type(reply) == 'table' and reply[1] or reply
    call('SET', record, sum .. ' ' .. text(value), 'PX', lifetime)
  end
  return reply
end

while key <= #KEYS do
  local topic, outbox, sum, changes = KEYS[key], KEYS[key + 1], ARGV[arg], ARGV[arg + 1]
  local least, greatest = tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3])
  local lease, lifetime = ARGV[arg + 4], ARGV[arg + 5]
  key, arg = key + 2, arg + 6
  local reply
  if lifetime ~= '' then
    reply = add_once(KEYS[key], lifetime, sum, topic, outbox, sum, changes, least, greatest, lease)
    key = key + 1
  else
    reply = add(topic, outbox, sum, changes, least, greatest, lease)
  end
  if is_failure(reply) and not is_of_one(reply) then
    return reply
  end
  replies[#replies + 1] = reply
end
return replies
