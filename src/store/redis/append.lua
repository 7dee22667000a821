-- Appends events to feeds, or deletes feeds, one item after the other.
--
-- KEYS    per item: topic hash, outbox part, stream of the events; of an item with an idempotency key, the record of that key
-- ARGV    1 to 4 as in writing.lua; 5 most events, 6 most bytes and 7 greatest age in ms that a feed keeps; 8 how many times as much
--         may wait for its announcement; per item: number of events, or "x" to delete; lifetime of the idempotency key in ms or "";
--         digest of the events, or "x" for a deletion; when the events were taken in ms, or "" for now; then the events
-- returns per item: {1, epoch, revision, time, created}  appended; the revision is that of the last event; created is 1 or 0
--                   {2, epoch, revision, time}           the idempotency key was used for the same events
--                   {3, digest}                          the idempotency key was used for other events; "x" for a deletion
--                   {4}                                  the feed would be new, nothing changed
--                   {5, 1} or {5, 0}                     deleted, or there was no feed
--                   {6, 1} or {6, 0}                     the idempotency key was used for this deletion
--                   error                                a key holds something else, nothing changed
local replies, key, arg, item = {}, 1, 9, 0
local most_events, most_bytes, oldest, factor = tonumber(ARGV[5]), tonumber(ARGV[6]), now - ARGV[7], tonumber(ARGV[8])

-- Drops the oldest events of a stream beyond what a feed keeps, but never the newest event. Events behind the last claim may be
-- `factor` times as many. Returns how long the events are that stay.
local function trim(stream, claimed, revision, bytes)
  local left = call('XLEN', stream)
  local function goes(number, entry)
    local waits = number > claimed
    local times = waits and factor or 1
    local over = left > most_events * times or bytes > most_bytes * times
    return number < revision and (over or not waits and tonumber(entry[2][4]) < oldest)
  end
  repeat
    local is_full = left > most_events or bytes > most_bytes
    local ids = {}
    for _, entry in ipairs(call('XRANGE', stream, '-', '+', 'COUNT', is_full and 64 or 1)) do
      if not goes(tonumber(string.match(entry[1], '^%d+')), entry) then
        break
      end
      left, bytes = left - 1, bytes - #entry[2][6]
      ids[#ids + 1] = entry[1]
    end
    if #ids > 0 then
      call('XDEL', stream, unpack(ids))
    end
  until #ids == 0
  return bytes
end

-- Makes a feed that does not exist. Its stream can be left of a feed whose hash another program has removed.
local function create(topic, outbox, stream, deleted)
  if deleted then
    call('HSET', topic, 'b', deleted)
    call('HDEL', topic, 'd')
  else
    call('HSET', topic, 'v', 0, 'c', 0)
    begin(topic, outbox)
  end
  call('DEL', stream)
  call('HSET', topic, 'y', 0)
  count(topic, outbox)
end

-- Another master may have used the same revisions: so its events and deletions are in another epoch. The epochs before are kept with their last
-- revisions that this master has, as the events up to there are those that listeners have seen.
local function change_epoch(topic, epoch, revision)
  local former = epoch .. ':' .. text(revision)
  local number = 1
  for before in string.gmatch(call('HGET', topic, 'k') or '', '[^,]+') do
    number = number + 1
    if number <= 8 then
      former = former .. ',' .. before
    end
  end
  call('HSET', topic, 'e', ARGV[1], 'm', master(), 'k', former, 'a', '')
end

local function append(topic, outbox, stream, first, events, taken)
  local fields = {'e', 'r', 'c', 'd', 'p', 'm', 'y', 'g', 's'}
  local state = pcall('HMGET', topic, unpack(fields))
  local kind = call('TYPE', stream).ok
  if state.err then
    return state
  elseif kind ~= 'none' and kind ~= 'stream' then
    return redis.error_reply('WRONGTYPE ' .. stream .. ' holds no events')
  end
  local deleted = state[4] and state[4] == text((state[2] or 0) + (state[3] or 0)) and state[4]
  local created = not state[1] or deleted
  if created then
    if creators ~= '' and string.byte(creators, item) ~= 49 then
      return {4}
    end
    create(topic, outbox, stream, deleted)
    state = call('HMGET', topic, unpack(fields))
  end
  local before = (state[2] or 0) + (state[3] or 0)
  if state[6] ~= master() then
    change_epoch(topic, state[1], before)
    state[1] = ARGV[1]
  end
  local bytes, time = tonumber(state[7] or 0), taken ~= '' and taken or text(now)
  for number = 1, events do
    local data = ARGV[first + number - 1]
    call('XADD', stream, text(before + number) .. '-0', 'e', state[1], 't', time, 'd', data)
    bytes = bytes + #data
  end
  local revision = before + events
  bytes = trim(stream, tonumber(state[5] or 0), revision, bytes)
  call('HSET', topic, 'c', text((state[3] or 0) + events), 'y', text(bytes))
  call('HINCRBY', topic, 'v', events)
  -- NX, since a mark with a lease keeps its lease.
  call('ZADD', outbox, 'NX', due(state[8], state[9], ARGV[2], ARGV[3]), name_of(topic, outbox))
  return {1, state[1], text(revision), time, created and 1 or 0}
end

local function delete(topic, outbox, stream)
  local state = pcall('HMGET', topic, 'e', 'r', 'c', 'd', 'n', 'g', 's', 'm')
  if state.err then
    return state
  end
  local revision = (state[2] or 0) + (state[3] or 0)
  if not state[1] or state[4] == text(revision) then
    return {5, 0}
  end
  if state[8] ~= master() then
    change_epoch(topic, state[1], revision)
  end
  revision = text(revision + 1)
  -- `r` and `c` are as after an acknowledgement, as with numbers.
  call('HSET', topic, 'v', 0, 'r', revision, 'c', 0, 'd', revision, 'y', 0)
  discount(topic, outbox, state[5])
  call('DEL', stream)
  call('ZADD', outbox, 'NX', due(state[6], state[7], ARGV[2], ARGV[3]), name_of(topic, outbox))
  return {5, 1}
end

local function write(topic, outbox, stream, first, events, taken)
  if events == 'x' then
    return delete(topic, outbox, stream)
  end
  return append(topic, outbox, stream, first, tonumber(events), taken)
end

local function write_once(record, lifetime, digest, ...)
  local used = call('GET', record)
  if used then
    -- The record is written again, so that a caller that waits for replicas also waits for a record of another caller.
    call('SET', record, used, 'KEEPTTL')
    local first, epoch, revision, time = string.match(used, '^(%S+) (%d+)-?(%d*) ?(%d*)$')
    if first ~= digest then
      return {3, first or used}
    end
    return first == 'x' and {6, tonumber(epoch)} or {2, epoch, revision, time}
  end
  local reply = write(...)
  if reply[1] == 1 then
    call('SET', record, digest .. ' ' .. reply[2] .. '-' .. reply[3] .. ' ' .. reply[4], 'PX', lifetime)
  elseif reply[1] == 5 then
    call('SET', record, 'x ' .. reply[2], 'PX', lifetime)
  end
  return reply
end

while key <= #KEYS do
  local topic, outbox, stream = KEYS[key], KEYS[key + 1], KEYS[key + 2]
  local events, lifetime, digest, taken = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3]
  key, arg, item = key + 3, arg + 4, item + 1
  local reply
  if lifetime ~= '' then
    reply = write_once(KEYS[key], lifetime, digest, topic, outbox, stream, arg, events, taken)
    key = key + 1
  else
    reply = write(topic, outbox, stream, arg, events, taken)
  end
  if reply.err and not is_of_one(reply) then
    return reply
  end
  arg = arg + (tonumber(events) or 0)
  replies[#replies + 1] = reply
end
return replies
