-- Adds to topics, one item after the other.
--
-- KEYS    per item: topic hash, outbox; of an item with an idempotency key, that key's record as a third
-- ARGV    1 epoch for topics that are new or of another history, 2 grace in ms, 3 "plain" or "full"
--         per item, plain: sum, changes
--         per item, full:  sum, changes, least and greatest allowed new value, lease in ms or "",
--                          lifetime of the idempotency key in ms or ""
-- returns per item: value                      added
--                   nil                        out of range, nothing changed
--                   {value, epoch, id, prev}   added and claimed; prev as claim.lua's
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
  if call('HEXISTS', topic, 'r') == 0 then
    call('DEL', topic)
  end
end

-- As claim.lua has it; asked for only where it is needed.
local known
local function history()
  if not known then
    local info = redis.pcall('INFO', 'replication')
    known = type(info) == 'string' and string.match(info, 'master_replid:(%x%x%x%x%x%x%x)')
    known = known and text(tonumber(known, 16)) or '0'
  end
  return known
end

local function claim(topic, outbox, name, value, revision, lease)
  local before = call('HMGET', topic, 'p', 'e', 'l')
  local prev, own = before[1] or '0', before[2]
  if before[3] ~= history() then
    if before[1] then
      prev = prev .. ' ' .. own
    end
    own = epoch
    call('HSET', topic, 'e', own, 'l', history())
  end
  call('HSET', topic, 'q', prev, 'p', text(revision), 'w', text(value))
  call('ZADD', outbox, text(now + lease), name)
  return {value, own, revision, prev}
end

local function add(topic, outbox, sum, changes, least, greatest, lease)
  local value = call('HINCRBY', topic, 'v', sum)
  if value < least or value > greatest then
    undo(topic, sum)
    return false
  end
  local revision = call('HINCRBY', topic, 'r', changes)
  if revision == tonumber(changes) then
    call('HSET', topic, 'e', epoch, 'l', history())
  end
  -- What follows "lc:{bN}:t:", one character more than "lc:{bN}:o".
  local name = string.sub(topic, #outbox + 2)
  if lease ~= '' then
    return claim(topic, outbox, name, value, revision, lease)
  end
  -- NX: a mark that is leased keeps its lease.
  call('ZADD', outbox, 'NX', due, name)
  return value
end

local function add_once(record, lifetime, sum, ...)
  local used = call('GET', record)
  if used then
    local amount, value = string.match(used, '^(%S+) (%S+)$')
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
