-- The topics whose marks are overdue, from as many outboxes as it takes.
--
-- KEYS    outboxes
-- ARGV    1 limit
-- returns names
local call = redis.call
local time = call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local limit = tonumber(ARGV[1])
local names = {}

for _, outbox in ipairs(KEYS) do
  if #names >= limit then
    break
  end
  for _, name in ipairs(call('ZRANGEBYSCORE', outbox, '-inf', now, 'LIMIT', 0, limit - #names)) do
    names[#names + 1] = name
  end
end
return names
