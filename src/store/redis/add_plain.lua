-- Adds to topics of which nothing else is asked, one after the other: nearly all additions, so no step is taken that
-- could be spared. Otherwise as add.lua.
--
-- KEYS    per item: topic hash, outbox
-- ARGV    1 to 4 as above; per item: sum, changes; nothing of it where all of them are 1
-- returns per item: value          added
--                   {value, 1, 1}  added, the topic is new
--                   {}             the topic would be new, nothing changed
--                   nil            out of range, nothing changed
--                   error          its key holds no topic, nothing changed
local replies = {}
local given, sum, changes, first = #ARGV > 4, '1', '1', 1

for item = 1, #KEYS / 2 do
  local topic = KEYS[2 * item - 1]
  if given then
    sum, changes = ARGV[2 * item + 3], ARGV[2 * item + 4]
    first = tonumber(changes)
  end
  local value = pcall('HINCRBY', topic, 'v', sum)
  if type(value) == 'table' then
    if not is_of_one(value) then
      return value
    end
  elseif value < -9007199254740991 or value > 9007199254740991 then
    undo(topic, sum)
    value = false
  elseif call('HINCRBY', topic, 'c', changes) == first then
    local created = mark(topic, KEYS[2 * item], item)
    if created then
      value = {value, 1, 1}
    elseif created == nil then
      value = {}
    end
  end
  replies[item] = value
end
return replies
