-- The topics whose marks are overdue, from as many outboxes as it takes.
--
-- KEYS    outboxes
-- ARGV    1 limit
-- returns names
local overdue, limit = text(now), tonumber(ARGV[1])
local names = {}

for _, outbox in ipairs(KEYS) do
  if #names >= limit then
    break
  end
  -- An error, where somebody else has put something there, has no items.
  for _, name in ipairs(redis.pcall('ZRANGEBYSCORE', outbox, '-inf', overdue, 'LIMIT', 0, limit - #names)) do
    names[#names + 1] = name
  end
end
return names
