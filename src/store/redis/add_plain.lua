-- Adds to topics of which nothing else is asked, one after the other: nearly all additions, so no step is taken that
-- could be spared. Otherwise as add.lua.
--
-- KEYS    per item: topic hash, outbox
-- ARGV    1, 2 as above; per item: sum, changes
-- returns per item: value    added
--                   nil      out of range, nothing changed
local replies = {}

for key = 1, #KEYS, 2 do
  local topic, sum, changes = KEYS[key], ARGV[key + 2], ARGV[key + 3]
  local value = call('HINCRBY', topic, 'v', sum)
  if value < -9007199254740991 or value > 9007199254740991 then
    undo(topic, sum)
    value = false
  elseif call('HINCRBY', topic, 'c', changes) == tonumber(changes) then
    mark(topic, KEYS[key + 1])
  end
  replies[#replies + 1] = value
end
return replies
