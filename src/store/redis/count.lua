-- Brings the number of topics and the names in line with topics: counts and names those that exist, and forgets those that were deleted.
-- Doing so twice changes nothing.
--
-- KEYS    per topic: topic hash, outbox part, number of topics, part of the names
-- ARGV    1 "1" to give topics that have no time of their last claim the present time
-- returns the number of topics that were not counted or not named before
local found = 0
for key = 1, #KEYS, 4 do
  local topic, count, names = KEYS[key], KEYS[key + 2], KEYS[key + 3]
  local name = name_of(topic, KEYS[key + 1])
  local state = pcall('HMGET', topic, 'e', 'n', 'd', 'r', 'c')
  -- If another program has written something else to the key, the reply is an error, which has no items.
  local counted = state[2]
  if not state[1] or (state[3] and tonumber(state[3]) == (state[4] or 0) + (state[5] or 0)) then
    -- The topic is deleted. Its name shows whether it is still counted, or the field `n`, if only a version before has counted it.
    if pcall('ZREM', names, name) == 1 or counted == '1' then
      pcall('DECR', count)
    end
    if state[1] and counted ~= '0' then
      call('HSET', topic, 'n', 0)
    end
  elseif counted ~= '2' then
    local named = pcall('ZADD', names, 0, name)
    if counted == '1' or named == 0 or type(pcall('INCR', count)) == 'number' then
      call('HSET', topic, 'n', 2)
    end
    if ARGV[1] == '1' then
      call('HSETNX', topic, 's', text(now))
    end
    found = found + 1
  end
end
return found
