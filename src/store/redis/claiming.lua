-- Claims one topic. This file is a part of the scripts that claim, behind shared.lua, counting.lua and recording.lua.
--
-- ARGV    1 interval in ms for which the gate stays shut, 2 lease in ms,
--         3 epoch for topics whose epoch was drawn under another master, 4 longest lease in ms,
--         5 grace in ms, 6 and 7 how many hours and days of history are kept
local opens, leased = text(now + ARGV[1]), text(now + ARGV[2])
local shuts, from = ARGV[1] ~= '0', text(now)

local function marks(gone, counted)
  local marks = gone and 1 or 0
  if not counts_at_once and counted ~= (gone and '0' or '2') then
    marks = marks + 2
  end
  return marks > 0 and marks or nil
end

local function fresh(topic, outbox, history, name, state, revision)
  local shut, gate = tonumber(state[8]), tonumber(state[7])
  -- A gate that was shut in the future was shut before the clock was set back. It would stay shut for too long.
  if gate and shut <= now and now < gate then
    -- The origin that gets this answer claims again when the gate opens, so the mark becomes overdue only a grace after the gate
    -- opens.
    call('ZADD', outbox, due(gate, shut, ARGV[5], ARGV[4]), name)
    return gate - now
  end
  local prev, epoch = state[4] or '0', state[6]
  -- Another master, or this one before it lost its last changes, may have used this revision for another value.
  if state[9] ~= master() then
    prev, epoch = state[4] and epoch .. '-' .. prev or prev, ARGV[3]
    -- The same revision may have been acknowledged in the epoch before, so `a` is emptied.
    call('HSET', topic, 'e', epoch, 'm', master(), 'a', '')
  end
  local gone = state[12] == revision
  local open = not gone and recorded(history, state[1], state[14], shut, state[4], state[13], ARGV[6], ARGV[7])
  if not shuts and not gate then
    call('HSET', topic, 'q', prev, 'p', revision, 's', from, 'h', open or state[14] or '')
  elseif open then
    call('HSET', topic, 'q', prev, 'p', revision, 's', from, 'g', opens, 'h', open)
  else
    call('HSET', topic, 'q', prev, 'p', revision, 's', from, 'g', opens)
  end
  if not gone then
    take_over(topic, outbox, state[10], state[11])
  end
  call('ZADD', outbox, leased, name)
  return {tonumber(state[1]), epoch, revision, prev, marks(gone, state[10])}
end

local function again(topic, outbox, history, name, state)
  local due = tonumber(call('ZSCORE', outbox, name) or '')
  -- A lease that lasts longer than the longest lease is from before the clock was set back.
  if not due or (now < due and due <= now + ARGV[4]) then
    return 0
  end
  call('ZADD', outbox, leased, name)
  if not state[14] and state[12] ~= state[4] then
    -- An origin of a version before has claimed the topic, so its value is not in the history yet.
    local open = recorded(history, state[1], state[14], state[8], state[4], state[13], ARGV[6], ARGV[7])
    if open then
      call('HSET', topic, 'h', open)
    end
  end
  -- A claim is repeated only if the topic has not changed since. So its value is the present value.
  return {tonumber(state[1]), state[6], state[4], state[5], state[12] == state[4] and 1 or nil}
end

local fields = {'v', 'r', 'c', 'p', 'q', 'e', 'g', 's', 'm', 'n', 'w', 'd', 'b', 'h'}

-- Claims a topic: the reply is an item of the reply of claim.lua. Without a history, `history` is nil.
local function claim(topic, outbox, history)
  local name = name_of(topic, outbox)
  local state = pcall('HMGET', topic, unpack(fields))
  if state.err then
    return state
  elseif not state[6] then
    -- Redis has lost the topic (evicted or deleted by another program). Without this step its mark would stay for ever.
    call('ZREM', outbox, name)
    -- If its other key is left, additions would go on there.
    pcall('DEL', number_of(topic))
    return 0
  end
  local value, changes, _, is_lost = value_and_changes(topic, state[1], state[3])
  if is_lost and end_direct(topic) then
    state = call('HMGET', topic, unpack(fields))
  else
    state[1], state[3] = value, changes
  end
  local revision = text((state[2] or 0) + (state[3] or 0))
  if revision ~= state[4] or state[9] ~= master() then
    -- Under a new master a topic without a change is announced, too: listeners may have seen a value that is lost.
    return fresh(topic, outbox, history, name, state, revision)
  end
  return again(topic, outbox, history, name, state)
end
