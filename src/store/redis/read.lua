-- Returns the states of topics.
--
-- KEYS    topic hashes
-- returns per topic: {value, epoch, revision, published revision}; epoch is nil if the topic has never
--                    changed, and published revision is nil if it was never claimed; an error if a key holds no topic
local replies = {}
for index, topic in ipairs(KEYS) do
  local state = redis.pcall('HMGET', topic, 'v', 'e', 'r', 'c', 'p')
  replies[index] = state.err and state or {state[1], state[2], (state[3] or 0) + (state[4] or 0), state[5]}
end
return replies
