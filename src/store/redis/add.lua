-- Adds to topics, one item after the other.
--
-- KEYS    per item: topic hash, outbox; of an item with an idempotency key, that key's record as a third
-- ARGV    1 epoch for topics that are new, or claimed under a new master; 2 grace in ms, 3 "plain" or "full"
--         per item, plain: sum, changes
--         per item, full:  sum, changes, least and greatest allowed new value, lease in ms or "",
--                          lifetime of the idempotency key in ms or ""
-- returns per item: value                      added
--                   nil                        out of range, nothing changed
--                   {value, epoch, id, prev}   added and claimed; prev is "0" before the first claim,
--                                              and "epoch-revision" when the epoch is new
--                   {value}                    the idempotency key was used with this amount
--                   {amount, 0}                ... was used with this other amount
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = string.format('%.0f', now + ARGV[2])
local epoch, full = ARGV[1], ARGV[3] == 'full'
local replies, key, arg = {}, 1, 4

-- Numbers up to 2^53 are exact here, but their default text is not.
local function text(number)
  return string.format('%.0f', number)
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

-- What follows "lc:{bN}:t:", one character more than "lc:{bN}:o".
local function name_of(topic, outbox)
  return string.sub(topic, #outbox + 2)
end

-- As in claim.lua.
local known
local function master()
  if not known then
    local info = redis.pcall('INFO', 'replication')
    known = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or 'unknown'
  end
  return known
end

-- Notes changes. The first since the last acknowledgement marks the topic; the mark stays until the next one, so the
-- others need not look for it.
local function note(topic, outbox, changes)
  local unacknowledged = call('HINCRBY', topic, 'c', changes)
  if unacknowledged == tonumber(changes) then
    if call('HSETNX', topic, 'e', epoch) == 1 then
      call('HSET', topic, 'm', master())
    end
    -- NX: a mark that is leased keeps its lease.
    call('ZADD', outbox, 'NX', due, name_of(topic, outbox))
  end
  return unacknowledged
end

local function claim(topic, outbox, value, unacknowledged, lease)
  local before = call('HMGET', topic, 'p', 'e', 'r', 'm')
  local prev, revision = before[1] or '0', text((before[3] or 0) + unacknowledged)
  -- As in claim.lua.
  if before[4] ~= master() then
    prev = before[1] and before[2] .. '-' .. prev or prev
    before[2] = epoch
    call('HSET', topic, 'e', epoch, 'm', master(), 'a', '')
  end
  call('HSET', topic, 'q', prev, 'p', revision, 'w', text(value))
  call('ZADD', outbox, text(now + lease), name_of(topic, outbox))
  return {value, before[2], revision, prev}
end

local function add(topic, outbox, sum, changes, least, greatest, lease)
  local value = call('HINCRBY', topic, 'v', sum)
  if value < least or value > greatest then
    undo(topic, sum)
    return false
  end
  local unacknowledged = note(topic, outbox, changes)
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
  if reply then
    local value = type(reply) == 'table' and reply[1] or reply
    call('SET', record, sum .. ' ' .. text(value), 'PX', lifetime)
  end
  return reply
end

while key <= #KEYS do
  local topic, outbox, sum, changes = KEYS[key], KEYS[key + 1], ARGV[arg], ARGV[arg + 1]
  key, arg = key + 2, arg + 2
  local reply
  if full then
    local least, greatest = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1])
    local lease, lifetime = ARGV[arg + 2], ARGV[arg + 3]
    arg = arg + 4
    if lifetime ~= '' then
      reply = add_once(KEYS[key], lifetime, sum, topic, outbox, sum, changes, least, greatest, lease)
      key = key + 1
    else
      reply = add(topic, outbox, sum, changes, least, greatest, lease)
    end
  else
    reply = add(topic, outbox, sum, changes, -9007199254740991, 9007199254740991, '')
  end
  replies[#replies + 1] = reply
end
return replies
