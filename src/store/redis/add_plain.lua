-- Adds to topics, one item after the other, where no item has bounds, a lease or an idempotency key. Nearly all additions are
-- of this kind, so this script takes no step that it can leave out. Apart from that it does the same as write.lua.
--
-- KEYS    per item: topic hash, outbox part
-- ARGV    1 to 4 as in writing.lua; per item: sum, changes; these are left out if all of them are 1
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
    local created = mark(topic, KEYS[2 * item], item, sum)
    if created then
      value = {value, 1, 1}
    elseif created == nil then
      value = {}
    end
  end
  replies[item] = value
end
return replies
