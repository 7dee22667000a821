-- Completes topics that a version before has written: counts them, keeps their names, and gives them the present time as the time of
-- their last claim if they have none.
--
-- KEYS    per topic: topic hash, outbox part
-- returns the number of topics that were not complete before
local found = 0
for key = 1, #KEYS, 2 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  local state = pcall('HMGET', topic, 'e', 'n', 'd', 'r', 'c')
  -- If another program has written something else to the key, the reply is an error, which has no items.
  local gone = state[3] and tonumber(state[3]) == (state[4] or 0) + (state[5] or 0)
  if state[1] and state[2] ~= '2' and not gone then
    call('HSETNX', topic, 's', text(now))
    take_over(topic, outbox, state[2])
    found = found + 1
  end
end
return found
