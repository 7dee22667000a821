-- The topics whose marks are overdue, from as many outboxes as it takes.
--
-- KEYS    outboxes
-- ARGV    1 limit, 2 longest lease in ms
-- returns names
local limit = tonumber(ARGV[1])
local names = {}

local function collect(outbox, least, greatest)
  -- An error, where somebody else has put something there, has no items.
  for _, name in ipairs(redis.pcall('ZRANGEBYSCORE', outbox, least, greatest, 'LIMIT', 0, limit - #names)) do
    names[#names + 1] = name
  end
end

for _, outbox in ipairs(KEYS) do
  if #names >= limit then
    break
  end
  collect(outbox, '-inf', text(now))
  -- From before the clock was set back.
  collect(outbox, '(' .. text(now + ARGV[2]), '+inf')
end
return names
