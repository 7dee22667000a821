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
-- Claims the unpublished changes of topics.
--
-- KEYS    per topic: topic hash, outbox part
-- ARGV    1 interval in ms for which the gate stays shut, 2 lease in ms,
--         3 epoch for topics whose epoch was drawn under another master, 4 longest lease in ms,
--         5 grace in ms
-- returns per topic: 0                         nothing to announce
--                    ms                        the gate is shut for this long
--                    {value, epoch, id, prev}  announce; prev is "0" before the first claim, and
--                                              "epoch-revision" when the epoch is new
--                    an error                  its key holds no topic
local opens, leased = text(now + ARGV[1]), text(now + ARGV[2])
local shuts, from = ARGV[1] ~= '0', text(now)
local replies = {}

local function fresh(topic, outbox, name, state, revision)
  local shut, gate = tonumber(state[8]), tonumber(state[7])
  -- A gate that was shut in the future was shut before the clock was set back. It would stay shut for too long.
  if gate and shut <= now and now < gate then
    -- The origin that gets this answer claims again when the gate opens, so the mark is not overdue before then and the grace.
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
  if shuts or gate then
    call('HSET', topic, 'q', prev, 'p', revision, 's', from, 'g', opens)
  else
    call('HSET', topic, 'q', prev, 'p', revision, 's', from)
  end
  take_over(topic, outbox, state[10], state[11])
  call('ZADD', outbox, leased, name)
  return {tonumber(state[1]), epoch, revision, prev}
end

local function again(topic, outbox, name, state)
  local due = tonumber(call('ZSCORE', outbox, name) or '')
  -- A lease that lasts longer than the longest lease is from before the clock was set back.
  if not due or (now < due and due <= now + ARGV[4]) then
    return 0
  end
  call('ZADD', outbox, leased, name)
  -- A claim is repeated only if the topic has not changed since. So its value is the present value.
  return {tonumber(state[1]), state[6], state[4], state[5]}
end

for key = 1, #KEYS, 2 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  local name = name_of(topic, outbox)
  local state = pcall('HMGET', topic, 'v', 'r', 'c', 'p', 'q', 'e', 'g', 's', 'm', 'n', 'w')
  local reply
  if state.err then
    reply = state
  elseif not state[6] then
    -- Redis has lost the topic (evicted or deleted by another program). Its mark would stay without an end.
    call('ZREM', outbox, name)
    reply = 0
  else
    local revision = text((state[2] or 0) + (state[3] or 0))
    if revision ~= state[4] or state[9] ~= master() then
      -- Under a new master a topic without a change is announced, too: listeners may have seen a value that is lost.
      reply = fresh(topic, outbox, name, state, revision)
    else
      reply = again(topic, outbox, name, state)
    end
  end
  replies[#replies + 1] = reply
end
return replies
