-- Returns some fields of entities.
--
-- KEYS    per entity: topic hash, fields
-- ARGV    the names of the fields
-- returns per entity: the value of each field, nil if the entity does not have it; 0 if there is no such entity
local replies = {}
for key = 1, #KEYS, 2 do
  local state = redis.pcall('HMGET', KEYS[key], 'e', 'r', 'c', 'd')
  local exists = not state.err and state[1]
  if exists and state[4] then
    exists = tonumber(state[4]) ~= (state[2] or 0) + (state[3] or 0)
  end
  local values = exists and (#ARGV > 0 and redis.pcall('HMGET', KEYS[key + 1], unpack(ARGV)) or {}) or 0
  replies[#replies + 1] = type(values) == 'table' and values.err and 0 or values
end
return replies
