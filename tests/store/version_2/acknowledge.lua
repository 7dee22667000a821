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
-- Removes the marks of announced topics from the outbox.
-- Acknowledging an older claim than the last one, or the same claim twice, changes nothing.
--
-- KEYS    per claim: topic hash, outbox part
-- ARGV    1 grace in ms, 2 longest lease in ms; per claim: epoch, revision

for key = 1, #KEYS, 2 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  local epoch, revision = ARGV[key + 2], ARGV[key + 3]
  local state = call('HMGET', topic, 'e', 'p', 'r', 'c', 'a')
  if state[1] == epoch and state[2] == revision and state[5] ~= revision then
    local name = name_of(topic, outbox)
    if (state[3] or 0) + (state[4] or 0) == tonumber(revision) then
      call('HSET', topic, 'a', revision, 'r', revision, 'c', 0)
      call('ZREM', outbox, name)
    else
      call('HSET', topic, 'a', revision)
      local gate = call('HMGET', topic, 'g', 's')
      call('ZADD', outbox, 'XX', due(gate[1], gate[2], ARGV[1], ARGV[2]), name)
    end
  end
end
return 0
