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

-- The key of the hash of a topic that was deleted. It has the hash tag of the topic, too, and expires.
local function rest_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'd:' .. name_of(topic, outbox)
end

-- The key of the history of a topic.
local function history_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'h:' .. name_of(topic, outbox)
end

-- The key of the address of a page.
local function address_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'u:' .. name_of(topic, outbox)
end

-- The key of the events of a feed.
local function events_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'x:' .. name_of(topic, outbox)
end

-- Deletes the visitors of a site. While a slot moves from one node of a Cluster to another, Redis refuses a command with several keys
-- some of which are not at this node, so each key has a command of its own.
local function delete_visitors(topic, outbox)
  local bucket, name = string.sub(topic, 1, #outbox - 2), name_of(topic, outbox)
  call('DEL', bucket .. 'v:' .. name)
  call('DEL', bucket .. 's:' .. name)
end

-- When a mark without a lease becomes overdue: a grace after now, or after the gate opens, since no origin can announce the
-- topic before. A gate that was shut in the future is from before the clock was set back. The mark must not be due later
-- than the longest lease, or it would count as one from before the clock was set back, too.
-- All calls in a script give the same grace, so a grace after now is made once: for a mark, to make it is a tenth of the work.
local after_grace
local function due(gate, shut, grace, longest)
  gate = tonumber(gate)
  if gate and now < gate and tonumber(shut) <= now then
    return text(math.min(gate + grace, now + longest))
  end
  after_grace = after_grace or text(now + grace)
  return after_grace
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
