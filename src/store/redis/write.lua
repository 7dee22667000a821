-- Changes topics, one item after the other. An item may add, set or delete, and may have bounds, a lease and an idempotency key.
--
-- KEYS    per item: topic hash, outbox part; of an item with a lease, the history, if one is kept; of an item with an idempotency
--         key, the record of that key; of a visit of a site, its visitors and their sketch
-- ARGV    1 to 4 as in writing.lua; 5 and 6 how many hours and days of history are kept; per item: change, changes, least and
--         greatest allowed new value, lease in ms or "", lifetime of the idempotency key in ms or ""; "*" before it if a repetition
--         is answered with the present value. The change is a number to add, "=" and a number to set, or "x" to delete;
--         7 "v" if items have one argument more: the visit, as in visiting.lua, or ""
-- returns per item: value                      changed; after a deletion 1, or 0 if there was no topic
--                   {value, 1, 1}              changed, the topic is new
--                   {}                         the topic would be new, nothing changed
--                   nil                        out of range, nothing changed
--                   {value, epoch, id, prev}   changed and claimed; prev is "0" before the first claim, and
--                                              "epoch-revision" when the epoch is new; a fifth, 1, if the
--                                              topic is new
--                   {value}                    the idempotency key was used for this change
--                   {change, 0}                the idempotency key was used for this other change
--                   error                      its key holds no topic, nothing changed
local replies, key, arg, item = {}, 1, 8, 0
local arguments = ARGV[7] == 'v' and 7 or 6

local function is_failure(reply)
  return type(reply) == 'table' and reply.err
end

-- Whether the reply says that the item has changed its topic, now or when its key was used first.
local function is_applied(reply)
  return type(reply) == 'number' or reply and not reply.err and #reply ~= 0 and #reply ~= 2
end

-- The key of the history of the item that is being written, if the item has a lease and a history is kept.
local history

local function claim(topic, outbox, value, lease)
  local before = call('HMGET', topic, 'p', 'e', 'r', 'm', 's', 'g', 'n', 'w', 'c', 'd', 'b', 'h')
  local prev, revision = before[1] or '0', text((before[3] or 0) + (before[9] or 0))
  -- Another master may have used the same revisions: see claim.lua.
  if before[4] ~= master() then
    prev = before[1] and before[2] .. '-' .. prev or prev
    before[2] = ARGV[1]
    call('HSET', topic, 'e', before[2], 'm', master(), 'a', '')
  end
  local gone = before[10] == revision
  local open = not gone
    and recorded(history, text(value), before[12], tonumber(before[5]), before[1], before[11], ARGV[5], ARGV[6])
  if open then
    call('HSET', topic, 'q', prev, 'p', revision, 's', text(now), 'h', open)
  else
    call('HSET', topic, 'q', prev, 'p', revision, 's', text(now))
  end
  if before[6] and tonumber(before[5]) > now then
    -- A gate that was shut in the future was shut before the clock was set back. Such a gate counts as open, and must stay open.
    call('HSET', topic, 'g', text(now))
  end
  if not gone then
    take_over(topic, outbox, before[7], before[8])
  end
  call('ZADD', outbox, text(now + lease), name_of(topic, outbox))
  return {value, before[2], revision, prev}
end

-- Marks a topic that has just got its new value, and claims it if there is a lease.
local function finish(item, topic, outbox, sum, value, is_first, lease)
  local created
  if is_first then
    created = mark(topic, outbox, item, sum)
    if created == nil then
      return {}
    elseif created then
      forget_number(topic)
    end
  end
  if lease ~= '' then
    local claimed = claim(topic, outbox, value, lease)
    claimed[5] = created and 1 or nil
    return claimed
  end
  return created and {value, 1, 1} or value
end

local function add(item, topic, outbox, sum, changes, least, greatest, lease)
  local value = pcall('HINCRBY', topic, 'v', sum)
  if is_failure(value) and is_of_one(value) and end_direct(topic) then
    value = pcall('HINCRBY', topic, 'v', sum)
  end
  if is_failure(value) then
    return value
  end
  if value < least or value > greatest then
    undo(topic, sum)
    return false
  end
  local is_first = call('HINCRBY', topic, 'c', changes) == tonumber(changes)
  return finish(item, topic, outbox, sum, value, is_first, lease)
end

local function set(item, topic, outbox, value, lease)
  end_direct(topic)
  local done = pcall('HSET', topic, 'v', value)
  if is_failure(done) then
    return done
  end
  -- The change is undone only if it would create the topic. Such a topic had no value before, or 0, so it is
  -- restored when its hash is deleted or `value` is subtracted.
  return finish(item, topic, outbox, value, tonumber(value), call('HINCRBY', topic, 'c', 1) == 1, lease)
end

local function delete(topic, outbox, lease)
  end_direct(topic)
  local before = pcall('HMGET', topic, 'e', 'r', 'c', 'd', 'n', 'g', 's')
  if is_failure(before) then
    return before
  end
  local revision = (before[2] or 0) + (before[3] or 0)
  if not before[1] or before[4] == text(revision) then
    return 0
  end
  revision = text(revision + 1)
  -- `r` and `c` are as after an acknowledgement, so that the next change finds out that it creates the topic again.
  call('HSET', topic, 'v', 0, 'r', revision, 'c', 0, 'd', revision, 'h', '')
  discount(topic, outbox, before[5])
  call('DEL', history_of(topic, outbox))
  delete_visitors(topic, outbox)
  call('ZADD', outbox, 'NX', due(before[6], before[7], ARGV[2], ARGV[3]), name_of(topic, outbox))
  if lease ~= '' then
    return claim(topic, outbox, 0, lease)
  end
  return 1
end

local function write(item, topic, outbox, change, changes, least, greatest, lease)
  local kind = string.byte(change)
  if kind == 61 then
    return set(item, topic, outbox, string.sub(change, 2), lease)
  elseif kind == 120 then
    return delete(topic, outbox, lease)
  end
  return add(item, topic, outbox, change, changes, least, greatest, lease)
end

local function write_once(record, lifetime, change, ...)
  local used = call('GET', record)
  if used then
    local first, value = string.match(used, '^(%S+) (%S+)$')
    -- The record is written again, so that a caller that waits for replicas also waits for a record that another caller
    -- has written.
    call('SET', record, used, 'KEEPTTL')
    if first == change then
      if value == '*' then
        local topic = select(2, ...)
        local state = call('HMGET', topic, 'v', 'c')
        value = value_and_changes(topic, state[1], state[2]) or 0
      end
      return {tonumber(value)}
    end
    return {first, 0}
  end
  local reply = write(...)
  local value = reply
  if type(reply) == 'table' then
    value = reply[1]
    if change == 'x' and value then
      value = 1
    end
  end
  -- An item that has failed has no value, and neither has an item whose topic would be new.
  if value then
    -- In the place of the value, "*" means the present value at the time of a repetition.
    local present = string.sub(lifetime, 1, 1) == '*'
    call('SET', record, change .. ' ' .. (present and '*' or text(value)), 'PX', present and string.sub(lifetime, 2) or lifetime)
  end
  return reply
end

while key <= #KEYS do
  local topic, outbox, change, changes = KEYS[key], KEYS[key + 1], ARGV[arg], ARGV[arg + 1]
  local least, greatest = tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3])
  local lease, lifetime = ARGV[arg + 4], ARGV[arg + 5]
  local visit = arguments == 7 and ARGV[arg + 6] or ''
  key, arg, item = key + 2, arg + arguments, item + 1
  if lease ~= '' and keeps_history(ARGV[5], ARGV[6]) then
    history, key = KEYS[key], key + 1
  end
  local reply
  if lifetime ~= '' then
    reply = write_once(KEYS[key], lifetime, change, item, topic, outbox, change, changes, least, greatest, lease)
    key = key + 1
  else
    reply = write(item, topic, outbox, change, changes, least, greatest, lease)
  end
  if is_failure(reply) and not is_of_one(reply) then
    return reply
  end
  if visit ~= '' then
    if is_applied(reply) then
      count_visitor(KEYS[key], KEYS[key + 1], visit, ARGV[6])
    end
    key = key + 2
  end
  replies[#replies + 1] = reply
end
return replies
