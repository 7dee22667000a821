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

-- The key of the hash of a topic that was deleted. It has the hash tag of the topic, too, and expires.
local function rest_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'd:' .. name_of(topic, outbox)
end

-- The key of the part of the bucket's names in which the topic is: "lc:{bN}:nM" for "lc:{bN}:oM".
local function names_of(outbox)
  return string.sub(outbox, 1, #outbox - 2) .. 'n' .. string.sub(outbox, -1)
end

-- Counts a topic and adds its name to the names, unless `counted`, the field `n` of the topic, says that both are done. A
-- failure, such as a missing right or a slot that moves to another node, must not end the script before its other steps.
local function count(topic, outbox, counted)
  if counted == '2' then
    return
  end
  local is_counted = counted and counted ~= '0'
  if is_counted or type(pcall('INCR', count_of(topic, outbox))) == 'number' then
    pcall('ZADD', names_of(outbox), 0, name_of(topic, outbox))
    call('HSET', topic, 'n', 2)
  end
end

-- Undoes `count`: the topic is no longer counted, and its name is no longer among the names.
local function discount(topic, outbox, counted)
  if counted and counted ~= '0' then
    pcall('DECR', count_of(topic, outbox))
  end
  pcall('ZREM', names_of(outbox), name_of(topic, outbox))
end

-- The key of the history of a topic.
local function history_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'h:' .. name_of(topic, outbox)
end

-- The key of the address of a page.
local function address_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'u:' .. name_of(topic, outbox)
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

-- Completes a topic that an origin of a version before has written: such origins keep no names, the oldest ones count no topics,
-- and keep the value of the last claim in `w`. If `w` stayed, they would announce that value with the id of this claim.
local function take_over(topic, outbox, counted, w)
  if w then
    pcall('HDEL', topic, 'w')
  end
  count(topic, outbox, counted)
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
