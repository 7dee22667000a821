-- Returns the names of entities whose lives are over.
--
-- KEYS    lives of buckets
-- ARGV    1 the most names
local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local names, limit = {}, tonumber(ARGV[1])
for _, lives in ipairs(KEYS) do
  if #names >= limit then
    break
  end
  local over = redis.pcall('ZRANGEBYSCORE', lives, '-inf', now, 'LIMIT', 0, limit - #names)
  -- If another program has written something else to the key, the reply is an error, which has no items.
  for _, name in ipairs(over) do
    names[#names + 1] = name
  end
end
return names
