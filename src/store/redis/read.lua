-- The states of topics.
--
-- KEYS    topic hashes
-- returns per topic: {value, epoch, revision, published revision}, each nil where there is none
local replies = {}
for index, topic in ipairs(KEYS) do
  replies[index] = redis.call('HMGET', topic, 'v', 'e', 'r', 'p')
end
return replies
