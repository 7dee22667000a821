-- How many topics buckets have.
--
-- KEYS    their counts
local topics = 0
for _, count in ipairs(KEYS) do
  topics = topics + (redis.call('GET', count) or 0)
end
return topics
