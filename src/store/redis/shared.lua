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

-- The replication id of this master. Who may not ask has one master for ever.
local known
local function master()
  if not known then
    local info = redis.pcall('INFO', 'replication')
    known = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or 'unknown'
  end
  return known
end
