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
