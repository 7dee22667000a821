-- What stands before the text of every script that works on marks.
local call, pcall, type, KEYS, ARGV = redis.call, redis.pcall, type, KEYS, ARGV
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Numbers up to 2^53 are exact here, but their default text is not.
local function text(number)
  return string.format('%.0f', number)
end

-- What follows "lc:{bN}:t:", which is as long as "lc:{bN}:oM".
local function name_of(topic, outbox)
  return string.sub(topic, #outbox + 1)
end

-- How many topics the bucket has. The key is not one of KEYS, as nearly no call needs it; it has the topic's hash tag, and
-- so its slot.
local function count_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'topics'
end

-- When a mark that is nobody's becomes overdue: a grace after now, or after the gate opens, as nobody can announce the
-- topic before. A gate shut in the future is from before the clock was set back. No later than the longest lease, or the
-- mark would be taken for one from then, too.
local function due(gate, shut, grace, longest)
  gate = tonumber(gate)
  if gate and now < gate and tonumber(shut) <= now then
    return text(math.min(gate + grace, now + longest))
  end
  return text(now + grace)
end

-- What an origin of the version before leaves to do when a topic is claimed: those counted no topics, and kept the value
-- claimed last in `w`. Left as it was, it would be announced by them with an id that it does not have.
local function take_over(topic, outbox, counted, w)
  -- Whatever fails here, as while the slot moves to another node or where a right is missing, must not end the script
  -- half-way.
  if w then
    pcall('HDEL', topic, 'w')
  end
  if not counted and type(pcall('INCR', count_of(topic, outbox))) == 'number' then
    call('HSET', topic, 'n', 1)
  end
end

-- The replication id of this master. Who may not ask has one master for ever.
local known
local function master()
  if not known then
    local info = redis.pcall('INFO', 'replication')
    known = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or 'unknown'
  end
  return known
end
