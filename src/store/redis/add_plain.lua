-- The beginning of the script that adds to topics, one item after the other, where no item has bounds, a lease or an idempotency
-- key. Nearly all additions are of this kind, so this script takes no step that it can leave out. Apart from that it does the
-- same as write.lua. This part ends at the first item that needs more than an addition, and ends the script if there is none:
-- so the functions in the files behind it are only made for a script that needs them. add_marks.lua is the end of the script.
--
-- KEYS    per item: topic hash; in a Cluster also its outbox part
-- ARGV    1 to 4 as in writing.lua; 5 for each item the number of its outbox part, a digit; "" if the outbox parts are among KEYS;
--         6 for each item "1" if its counter is to get the direct form (direct.lua), else "0"; "" if none is;
--         per item: sum, changes; these are left out if all of them are 1
-- returns per item: value          added
--                   {value, new, direct}
--                                  added; `new` is 1 if the topic is new, `direct` is 1 if it has the direct form now; else 0
--                   {}             the topic would be new, nothing changed
--                   nil            out of range, nothing changed
--                   error          its key holds no topic, nothing changed
--         as MessagePack, which costs an origin less to decode; as a list if an item is an error
local call, pcall, type, KEYS, ARGV = redis.call, redis.pcall, type, KEYS, ARGV
local parts, directs, each, given, sum, changes, first = ARGV[5], ARGV[6], 1, #ARGV > 6, '1', '1', 1
if parts == '' then
  each = 2
end
local replies, items, item, value, is_first = {}, #KEYS / each, 1

local function is_to_be_direct()
  return directs ~= '' and string.byte(directs, item) == 49
end

for key = 1, #KEYS, each do
  local topic = KEYS[key]
  if given then
    sum, changes = ARGV[2 * item + 5], ARGV[2 * item + 6]
    first = tonumber(changes)
  end
  value = pcall('HINCRBY', topic, 'v', sum)
  if type(value) == 'table' or value < -9007199254740991 or value > 9007199254740991 then
    break
  end
  is_first = call('HINCRBY', topic, 'c', changes) == first
  if is_first or directs ~= '' and is_to_be_direct() then
    break
  end
  replies[item] = value
  item = item + 1
end
if item > items then
  return cmsgpack.pack(replies)
end
