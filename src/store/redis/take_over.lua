-- Gives topics that the version before has written what it did not know: they are counted, and have a time of the last
-- claim, which is now where none was kept.
--
-- KEYS    per topic: topic hash, outbox
-- returns how many were not counted before
local found = 0
for key = 1, #KEYS, 2 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  local state = pcall('HMGET', topic, 'e', 'n')
  -- An error, where somebody else has put something there, has no items.
  if state[1] and not state[2] then
    call('HSETNX', topic, 's', text(now))
    take_over(topic, outbox, state[2])
    found = found + 1
  end
end
return found
