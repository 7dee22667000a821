-- Returns the states of entities.
--
-- KEYS    per entity: topic hash, fields
-- returns per entity: as read.lua; but in the place of the value, the names and values of the fields, in any order
local replies = {}
for key = 1, #KEYS, 2 do
  local topic = KEYS[key]
  local state = redis.pcall('HMGET', topic, 'e', 'r', 'c', 'p', 'd')
  if not state.err and not state[1] then
    -- See read.lua.
    state = redis.pcall('HMGET', string.gsub(topic, '}:t:', '}:d:', 1), 'e', 'r', 'c', 'p', 'd')
  end
  if state.err then
    replies[#replies + 1] = state
  else
    local revision = (state[2] or 0) + (state[3] or 0)
    local gone = state[5] and tonumber(state[5]) == revision
    local fields = state[1] and not gone and redis.pcall('HGETALL', KEYS[key + 1]) or {}
    replies[#replies + 1] = {fields.err and {} or fields, state[1], revision, state[4], gone and 1 or nil}
  end
end
return replies
