-- Returns the number of topics in buckets.
--
-- KEYS    per bucket: its number of topics
local topics = 0
for _, count in ipairs(KEYS) do
  topics = topics + (redis.call('GET', count) or 0)
end
return topics
