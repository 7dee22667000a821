-- The beginning of every script that works on marks.
local call, pcall, type, KEYS, ARGV = redis.call, redis.pcall, type, KEYS, ARGV
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A number as text. Numbers up to 2^53 are exact in Lua, but the text that Lua makes of them by default is not.
local function text(number)
  return string.format('%.0f', number)
end

-- The name of a topic: its key without "lc:{bN}:t:", which is as long as the key "lc:{bN}:oM" of an outbox part.
local function name_of(topic, outbox)
  return string.sub(topic, #outbox + 1)
end

-- The key of the bucket's number of topics. It is not one of KEYS, since few calls need it. It has the hash tag of the topic,
-- so it is in the same slot.
local function count_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'topics'
end

-- When a mark without a lease becomes overdue: a grace after now, or after the gate opens, since no origin can announce the
-- topic before. A gate that was shut in the future is from before the clock was set back. The mark must not be due later
-- than the longest lease, or it would count as one from before the clock was set back, too.
local function due(gate, shut, grace, longest)
  gate = tonumber(gate)
  if gate and now < gate and tonumber(shut) <= now then
    return text(math.min(gate + grace, now + longest))
  end
  return text(now + grace)
end

-- Completes a topic that an origin of the version before has written: such origins count no topics, and keep the value of the
-- last claim in `w`. If `w` stayed, they would announce that value with the id of this claim.
local function take_over(topic, outbox, counted, w)
  -- A failure here, such as a missing right or a slot that moves to another node, must not end the script before its
  -- other steps.
  if w then
    pcall('HDEL', topic, 'w')
  end
  if not counted and type(pcall('INCR', count_of(topic, outbox))) == 'number' then
    call('HSET', topic, 'n', 1)
  end
end

-- The replication id of this master. Without the right to ask for it, all masters count as the same one.
local known
local function master()
  if not known then
    local info = redis.pcall('INFO', 'replication')
    known = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or 'unknown'
  end
  return known
end
-- The beginning of the scripts that add, behind shared.lua.
--
-- ARGV    1 epoch for topics that are new, or claimed under a new master; 2 grace in ms;
--         3 longest lease in ms; 4 "" if every item may create its topic, else for each item "1" if it may and "0" if
--         it may not
local creators = ARGV[4]

-- Whether an error concerns one item alone, whose key holds no topic. Other errors, such as that this is no master, concern all
-- items.
local function is_of_one(failure)
  return string.find(failure.err, '^WRONGTYPE') or string.find(failure.err, '^ERR hash value')
end

-- The sum with the opposite sign, as text, since sums may be beyond 2^53. Redis does not take "-0" for a number.
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

-- Adds the mark of a topic to the outbox. It is called for the first change since the last acknowledgement: the mark stays until
-- the next acknowledgement, so the other changes need not look for it. Only this function finds out that a topic is new.
-- Returns whether the topic was created, or nil if it is new and the item (counted from 1) must not create it: then nothing
-- of the topic is left.
local function mark(topic, outbox, item)
  local known = call('HMGET', topic, 'e', 'g', 's')
  local created = not known[1]
  if created then
    if creators ~= '' and string.byte(creators, item) ~= 49 then
      call('DEL', topic)
      return nil
    end
    call('HSET', topic, 'e', ARGV[1], 'm', master(), 'n', 1)
    pcall('INCR', count_of(topic, outbox))
  end
  -- NX, since a mark with a lease keeps its lease.
  call('ZADD', outbox, 'NX', due(known[2], known[3], ARGV[2], ARGV[3]), name_of(topic, outbox))
  return created
end
-- Adds to topics, one item after the other. An item may have bounds, a lease and an idempotency key.
--
-- KEYS    per item: topic hash, outbox part; of an item with an idempotency key, that key's record as a third
-- ARGV    1 to 4 as in adding.lua; per item: sum, changes, least and greatest allowed new value, lease in ms or "",
--         lifetime of the idempotency key in ms or ""
-- returns per item: value                      added
--                   {value, 1, 1}              added, the topic is new
--                   {}                         the topic would be new, nothing changed
--                   nil                        out of range, nothing changed
--                   {value, epoch, id, prev}   added and claimed; prev is "0" before the first claim,
--                                              and "epoch-revision" when the epoch is new; a fifth, 1,
--                                              where the topic is new
--                   {value}                    the idempotency key was used with this amount
--                   {amount, 0}                ... was used with this other amount
--                   error                      its key holds no topic, nothing changed
local replies, key, arg, item = {}, 1, 5, 0

local function is_failure(reply)
  return type(reply) == 'table' and reply.err
end

local function claim(topic, outbox, value, unacknowledged, lease)
  local before = call('HMGET', topic, 'p', 'e', 'r', 'm', 's', 'g', 'n', 'w')
  local prev, revision = before[1] or '0', text((before[3] or 0) + unacknowledged)
  -- Another master may have used the same revisions: see claim.lua.
  if before[4] ~= master() then
    prev = before[1] and before[2] .. '-' .. prev or prev
    before[2] = ARGV[1]
    call('HSET', topic, 'e', before[2], 'm', master(), 'a', '')
  end
  call('HSET', topic, 'q', prev, 'p', revision, 's', text(now))
  if before[6] and tonumber(before[5]) > now then
    -- A gate that was shut in the future was shut before the clock was set back. It counts as open, and must stay open.
    call('HSET', topic, 'g', text(now))
  end
  take_over(topic, outbox, before[7], before[8])
  call('ZADD', outbox, text(now + lease), name_of(topic, outbox))
  return {value, before[2], revision, prev}
end

local function add(item, topic, outbox, sum, changes, least, greatest, lease)
  local value = pcall('HINCRBY', topic, 'v', sum)
  if is_failure(value) then
    return value
  end
  if value < least or value > greatest then
    undo(topic, sum)
    return false
  end
  local unacknowledged = call('HINCRBY', topic, 'c', changes)
  local created
  if unacknowledged == tonumber(changes) then
    created = mark(topic, outbox, item)
    if created == nil then
      return {}
    end
  end
  if lease ~= '' then
    local claimed = claim(topic, outbox, value, unacknowledged, lease)
    claimed[5] = created and 1 or nil
    return claimed
  end
  return created and {value, 1, 1} or value
end

local function add_once(record, lifetime, sum, ...)
  local used = call('GET', record)
  if used then
    local amount, value = string.match(used, '^(%S+) (%S+)$')
    -- The record is written again, so that a caller that waits for replicas also waits for a record that another caller
    -- has written.
    call('SET', record, used, 'KEEPTTL')
    if amount == sum then
      return {tonumber(value)}
    end
    return {tonumber(amount), 0}
  end
  local reply = add(...)
  local value = reply
  if type(reply) == 'table' then
    value = reply[1]
  end
  -- An item that has failed has no value, and neither has an item whose topic would be new.
  if value then
    call('SET', record, sum .. ' ' .. text(value), 'PX', lifetime)
  end
  return reply
end

while key <= #KEYS do
  local topic, outbox, sum, changes = KEYS[key], KEYS[key + 1], ARGV[arg], ARGV[arg + 1]
  local least, greatest = tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3])
  local lease, lifetime = ARGV[arg + 4], ARGV[arg + 5]
  key, arg, item = key + 2, arg + 6, item + 1
  local reply
  if lifetime ~= '' then
    reply = add_once(KEYS[key], lifetime, sum, item, topic, outbox, sum, changes, least, greatest, lease)
    key = key + 1
  else
    reply = add(item, topic, outbox, sum, changes, least, greatest, lease)
  end
  if is_failure(reply) and not is_of_one(reply) then
    return reply
  end
  replies[#replies + 1] = reply
end
return replies
