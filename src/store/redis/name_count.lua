-- Returns the number of names in parts of the names of buckets.
--
-- KEYS    the parts
local names = 0
for _, part in ipairs(KEYS) do
  names = names + redis.call('ZCARD', part)
end
return names
