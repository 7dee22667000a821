-- Returns topics whose marks are overdue. It looks into one outbox part after the other until the limit is reached.
--
-- KEYS    outbox parts
-- ARGV    1 limit, 2 longest lease in ms
-- returns names
local limit = tonumber(ARGV[1])
local names = {}

local function collect(outbox, least, greatest)
  -- If another program has written something else to the key, the reply is an error, which has no items.
  for _, name in ipairs(redis.pcall('ZRANGEBYSCORE', outbox, least, greatest, 'LIMIT', 0, limit - #names)) do
    names[#names + 1] = name
  end
end

for _, outbox in ipairs(KEYS) do
  if #names >= limit then
    break
  end
  collect(outbox, '-inf', text(now))
  -- A mark that is due later than the longest lease is from before the clock was set back.
  collect(outbox, '(' .. text(now + ARGV[2]), '+inf')
end
return names
