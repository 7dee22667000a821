-- Returns the states of topics.
--
-- KEYS    topic hashes
-- returns per topic: {value, epoch, revision, published revision}, and a fifth, 1, if the topic is deleted. Epoch is nil if the
--                    topic has never changed, and published revision is nil if it was never claimed; an error if a key holds
--                    no topic
local replies = {}
for index, topic in ipairs(KEYS) do
  local state = redis.pcall('HMGET', topic, 'v', 'e', 'r', 'c', 'p', 'd')
  if not state.err and not state[2] then
    -- If the topic was deleted a short while ago, its hash has the key "lc:{bN}:d:<topic>". The first "}:t:" of a key is the end
    -- of its hash tag.
    local rest = string.gsub(topic, '}:t:', '}:d:', 1)
    state = redis.pcall('HMGET', rest, 'v', 'e', 'r', 'c', 'p', 'd')
  end
  if state.err then
    replies[index] = state
  else
    local value, changes = value_and_changes(topic, state[1], state[4])
    local revision = (state[3] or 0) + (changes or 0)
    local gone = state[6] and tonumber(state[6]) == revision
    replies[index] = {value, state[2], revision, state[5], gone and 1 or nil}
  end
end
return replies
