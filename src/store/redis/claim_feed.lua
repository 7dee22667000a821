-- Claims the unpublished events of feeds.
--
-- KEYS    per feed: topic hash, outbox part, stream of the events
-- ARGV    1 interval in ms for which the gate stays shut, 2 lease in ms, 3 longest lease in ms, 4 grace in ms
-- returns per feed: 0                                       nothing to announce
--                   ms                                      the gate is shut for this long
--                   {epoch, revision, prev, marks, events}  announce; prev is "0" before the first claim, and then
--                                                           "epoch-revision"; marks are 1 if the feed is deleted, 2 if
--                                                           count.lua must count it, 3 for both, else 0
--                   an error                                its key holds no topic
local opens = ARGV[1] ~= '0' and text(now + ARGV[1])
local replies = {}

-- The events of a stream behind one revision, up to another one, as XRANGE answers them: {id, {"e", epoch, "t", time, "d", data}}.
local function events_between(stream, after, last)
  return call('XRANGE', stream, text(after + 1), text(last))
end

-- The revision of an id that is kept as `epoch-revision`, and 0 for "0".
local function revision_of(id)
  return tonumber(string.match(id, '%d+$'))
end

-- The answer to a claim: {epoch, revision, prev, marks, events}. Marks are 0, or 1 if the feed is deleted.
local function announcement(stream, epoch, revision, prev, gone)
  local events = gone and {} or events_between(stream, revision_of(prev), tonumber(revision))
  return {epoch, revision, prev, gone and 1 or 0, events}
end

-- Claims what a feed has up to its revision. `gate` is until when the gate is shut, or nil if it stays as it is. An event has the
-- epoch in which it was appended, so a claim never changes an epoch, as claims of numbers do.
local function claim_feed(topic, outbox, stream, lease, gate)
  local state = call('HMGET', topic, 'e', 'r', 'c', 'l', 'd')
  local revision, prev = text((state[2] or 0) + (state[3] or 0)), state[4] or '0'
  call('HSET', topic, 'q', prev, 'p', revision, 'l', state[1] .. '-' .. revision, 's', text(now))
  if gate then
    call('HSET', topic, 'g', gate)
  end
  call('ZADD', outbox, text(now + lease), name_of(topic, outbox))
  return announcement(stream, state[1], revision, prev, state[5] == revision)
end

local function fresh(topic, outbox, stream, name, state)
  local gate, shut = tonumber(state[6]), tonumber(state[7])
  -- A gate that was shut in the future was shut before the clock was set back. It would stay shut for too long.
  if gate and shut <= now and now < gate then
    call('ZADD', outbox, due(gate, shut, ARGV[4], ARGV[3]), name)
    return gate - now
  end
  local reply = claim_feed(topic, outbox, stream, ARGV[2], opens or gate and text(now))
  local gone = reply[4] == 1
  if not gone then
    count(topic, outbox, state[8])
  end
  if not counts_at_once and state[8] ~= (gone and '0' or '2') then
    reply[4] = reply[4] + 2
  end
  return reply
end

local function again(topic, outbox, stream, name, state)
  local due = tonumber(call('ZSCORE', outbox, name) or '')
  -- A lease that lasts longer than the longest lease is from before the clock was set back.
  if not due or (now < due and due <= now + ARGV[3]) then
    return 0
  end
  call('ZADD', outbox, text(now + ARGV[2]), name)
  local epoch = string.match(call('HGET', topic, 'l'), '^%d+')
  return announcement(stream, epoch, state[4], state[5], state[9] == state[4])
end

for key = 1, #KEYS, 3 do
  local topic, outbox, stream = KEYS[key], KEYS[key + 1], KEYS[key + 2]
  local name = name_of(topic, outbox)
  local state = pcall('HMGET', topic, 'e', 'r', 'c', 'p', 'q', 'g', 's', 'n', 'd', 'l')
  local reply
  if state.err then
    reply = state
  elseif not state[1] then
    -- Redis has lost the feed (evicted or deleted by another program). Without this step its mark would stay for ever.
    call('ZREM', outbox, name)
    reply = 0
  -- An origin of a version before has changed `p` and not `l`, if it has claimed the feed: it knows no events, so it has shown none.
  elseif not state[10] or (state[2] or 0) + (state[3] or 0) ~= revision_of(state[10]) then
    reply = fresh(topic, outbox, stream, name, state)
  else
    reply = again(topic, outbox, stream, name, state)
  end
  replies[#replies + 1] = reply
end
return replies
