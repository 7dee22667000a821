-- Changes entities, one item after the other. Of the changes of an item, all are made or none.
--
-- KEYS    per item: topic hash, outbox part, fields, lives of the bucket; of an item with an idempotency key, the record of that key
-- ARGV    1 to 4 as in writing.lua; 5 and 6 how many fields an entity has at most, and how many bytes of names and values; per item:
--         the number of changes, "x" to delete, or "o" to delete if the life is over; life in ms, "=" and its end in ms since 1970, or ""; lifetime of the idempotency key
--         in ms or ""; digest of the changes, or without a key as how many changes of the entity they count; then per change: "+" to add, "=" to set or "-" to remove, the field, and the number or value
-- returns per item: {1, epoch, revision, time, created}  changed; created is 1 if the entity is new
--                   {2, epoch, revision, time}           the idempotency key was used for the same changes
--                   {3, digest}                          the idempotency key was used for other changes; "x" for a deletion
--                   {4}                                  the entity would be new, nothing changed
--                   {5, removed}                         deleted; removed is 0 if there was no entity
--                   {6, removed}                         the idempotency key was used for this deletion
--                   {7, field}                           the field holds no whole number, nothing changed
--                   {8, field}                           the sum is out of range, nothing changed
--                   {9, fields}                          there would be too many fields, nothing changed
--                   {10, bytes}                          there would be too many bytes, nothing changed
--                   error                                a key holds something else, nothing changed
local replies, key, arg, item = {}, 1, 7, 0
local most_fields, most_bytes, limit = tonumber(ARGV[5]), tonumber(ARGV[6]), 9007199254740991

-- The fields as they are, by their names, as far as the changes name them; or an error.
local function former(fields, first, changes)
  local names, known = {}, {}
  for number = 1, changes do
    names[number] = ARGV[first + 3 * number - 2]
  end
  if changes == 0 then
    return known
  end
  local values = pcall('HMGET', fields, unpack(names))
  if values.err then
    return values
  end
  for number, name in ipairs(names) do
    known[number] = values[number]
  end
  return known
end

-- The sum as text, or nil with the reply that says why there is none. Sums beyond 2^53 are not exact, but are beyond the limit.
local function sum(value, added, name)
  local number = string.match(value or '0', '^-?%d+$') and tonumber(value or 0)
  if not number or number < -limit or number > limit then
    return nil, {7, name}
  end
  number = number + added
  if number < -limit or number > limit then
    return nil, {8, name}
  end
  return number == 0 and '0' or text(number)
end

-- What the changes make of the fields: the names and values to set, the names to remove, and the numbers of fields and bytes
-- afterwards; or nil and a reply.
local function planned(fields, state, created, first, changes)
  local known = created and {} or former(fields, first, changes)
  if known.err then
    return nil, known
  end
  -- The number of fields matters only if it changes.
  local count, is_empty = 0, false
  for number = 1, created and 0 or changes do
    if not known[number] or ARGV[first + 3 * (number - 1)] == '-' then
      count = pcall('HLEN', fields)
      is_empty = count == 0
      break
    end
  end
  if type(count) == 'table' then
    return nil, count
  end
  local bytes = (created or is_empty) and 0 or tonumber(state[4] or 0)
  local set, removed = {}, {}
  for number = 1, changes do
    local at = first + 3 * (number - 1)
    local form, name, value, before = ARGV[at], ARGV[at + 1], ARGV[at + 2], known[number]
    if before then
      count, bytes = count - 1, bytes - #name - #before
    end
    if form == '-' then
      removed[#removed + 1] = name
    else
      if form == '+' then
        local refusal
        value, refusal = sum(before, value, name)
        if not value then
          return nil, refusal
        end
      end
      count, bytes = count + 1, bytes + #name + #value
      set[#set + 1] = name
      set[#set + 1] = value
    end
  end
  if count > most_fields then
    return nil, {9, count}
  elseif bytes > most_bytes then
    return nil, {10, bytes}
  end
  return {set, removed, bytes}
end

-- `times` is as how many changes of the entity these count, as text.
local function merge(topic, outbox, fields, lives, first, changes, life, times)
  local state = pcall('HMGET', topic, 'e', 'r', 'c', 'v', 'd')
  if state.err then
    return state
  end
  local revision = (state[2] or 0) + (state[3] or 0)
  local created = not state[1] or state[5] == text(revision)
  if created and creators ~= '' and string.byte(creators, item) ~= 49 then
    return {4}
  end
  local plan, refusal = planned(fields, state, created, first, changes)
  if not plan then
    return refusal
  end
  if created then
    -- Fields can be left of an entity whose hash another program has removed.
    call('DEL', fields)
  end
  if #plan[1] > 0 then
    call('HSET', fields, unpack(plan[1]))
  end
  if #plan[2] > 0 then
    call('HDEL', fields, unpack(plan[2]))
  end
  if created or plan[3] ~= tonumber(state[4] or 0) then
    call('HSET', topic, 'v', text(plan[3]))
  end
  local pending = call('HINCRBY', topic, 'c', times)
  if pending == tonumber(times) then
    mark(topic, outbox, item, '0')
    -- An entity that is created again goes on with the epoch and the revision of the one that was deleted.
    state = call('HMGET', topic, 'e', 'r', 'c')
    pending = state[3]
  end
  if life ~= '' then
    local ends = string.match(life, '^=(%d+)$')
    call('ZADD', lives, ends or text(now + life), name_of(topic, outbox))
  end
  return {1, state[1], text((state[2] or 0) + pending), text(now), created and 1 or 0}
end

local function delete(topic, outbox, fields, lives)
  local state = pcall('HMGET', topic, 'e', 'r', 'c', 'd', 'n', 'g', 's')
  if state.err then
    return state
  end
  pcall('ZREM', lives, name_of(topic, outbox))
  local revision = (state[2] or 0) + (state[3] or 0)
  if not state[1] or state[4] == text(revision) then
    return {5, 0}
  end
  revision = text(revision + 1)
  -- `r` and `c` are as after an acknowledgement, so that the next change finds out that it creates the entity again.
  call('HSET', topic, 'v', 0, 'r', revision, 'c', 0, 'd', revision)
  discount(topic, outbox, state[5])
  call('DEL', fields)
  call('ZADD', outbox, 'NX', due(state[6], state[7], ARGV[2], ARGV[3]), name_of(topic, outbox))
  return {5, 1}
end

local function write(topic, outbox, fields, lives, first, changes, life, times)
  if changes == 'x' then
    return delete(topic, outbox, fields, lives)
  elseif changes == 'o' then
    local ends = pcall('ZSCORE', lives, name_of(topic, outbox))
    local is_over = type(ends) == 'string' and tonumber(ends) <= now
    return is_over and delete(topic, outbox, fields, lives) or {5, 0}
  end
  return merge(topic, outbox, fields, lives, first, tonumber(changes), life, times)
end

local function write_once(record, lifetime, digest, ...)
  local used = call('GET', record)
  if used then
    -- The record is written again, so that a caller that waits for replicas also waits for a record of another caller.
    call('SET', record, used, 'KEEPTTL')
    local first, epoch, revision, time = string.match(used, '^(%S+) (%d+) ?(%d*) ?(%d*)$')
    if first ~= digest then
      return {3, first or used}
    end
    return first == 'x' and {6, tonumber(epoch)} or {2, epoch, revision, time}
  end
  local reply = write(...)
  if reply[1] == 1 then
    call('SET', record, digest .. ' ' .. table.concat(reply, ' ', 2, 4), 'PX', lifetime)
  elseif reply[1] == 5 then
    call('SET', record, 'x ' .. reply[2], 'PX', lifetime)
  end
  return reply
end

while key <= #KEYS do
  local topic, outbox, fields, lives = KEYS[key], KEYS[key + 1], KEYS[key + 2], KEYS[key + 3]
  local changes, life, lifetime, digest = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3]
  key, arg, item = key + 4, arg + 4, item + 1
  local reply
  if lifetime ~= '' then
    reply = write_once(KEYS[key], lifetime, digest, topic, outbox, fields, lives, arg, changes, life, '1')
    key = key + 1
  else
    reply = write(topic, outbox, fields, lives, arg, changes, life, digest)
  end
  if reply.err and not is_of_one(reply) then
    return reply
  end
  arg = arg + 3 * (tonumber(changes) or 0)
  replies[#replies + 1] = reply
end
return replies
