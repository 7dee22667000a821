-- The beginning of the script that adds to topics, one item after the other, where no item has bounds, a lease or an idempotency
-- key. Nearly all additions are of this kind, so this script takes no step that it can leave out. Apart from that it does the
-- same as write.lua. This part ends at the first item that needs more than an addition, and ends the script if there is none:
-- so the functions in the files behind it are only made for a script that needs them. add_marks.lua is the end of the script.
--
-- KEYS    per item: topic hash; in a Cluster also its outbox part
-- ARGV    1 to 4 as in writing.lua; 5 for each item the number of its outbox part, a digit; "" if the outbox parts are among KEYS;
--         per item: sum, changes; these are left out if all of them are 1
-- returns per item: value          added
--                   {value, 1, 1}  added, the topic is new
--                   {}             the topic would be new, nothing changed
--                   nil            out of range, nothing changed
--                   error          its key holds no topic, nothing changed
--         as MessagePack, which costs an origin less to decode; as a list if an item is an error
local call, pcall, type, KEYS, ARGV = redis.call, redis.pcall, type, KEYS, ARGV
local parts, each, given, sum, changes, first = ARGV[5], 1, #ARGV > 5, '1', '1', 1
if parts == '' then
  each = 2
end
local replies, items, item, value = {}, #KEYS / each, 1

for key = 1, #KEYS, each do
  local topic = KEYS[key]
  if given then
    sum, changes = ARGV[2 * item + 4], ARGV[2 * item + 5]
    first = tonumber(changes)
  end
  value = pcall('HINCRBY', topic, 'v', sum)
  if type(value) == 'table' or value < -9007199254740991 or value > 9007199254740991
    or call('HINCRBY', topic, 'c', changes) == first then
    break
  end
  replies[item] = value
  item = item + 1
end
if item > items then
  return cmsgpack.pack(replies)
end
