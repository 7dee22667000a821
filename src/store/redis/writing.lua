-- The beginning of the scripts that change values, behind shared.lua.
--
-- ARGV    1 epoch for topics that are new, or claimed under a new master; 2 grace in ms;
--         3 longest lease in ms; 4 "" if every item may create its topic, else for each item "1" if it may and "0" if
--         it may not
local creators = ARGV[4]

-- Whether an error concerns one item alone, whose key holds no topic. Other errors, such as that this is no master, concern all
-- items.
local function is_of_one(failure)
  return string.find(failure.err, '^WRONGTYPE') or string.find(failure.err, '^ERR hash value')
end

-- The sum with the opposite sign, as text, since sums may be beyond 2^53. Redis does not take "-0" for a number.
local function opposite(sum)
  if string.sub(sum, 1, 1) == '-' then
    return string.sub(sum, 2)
  end
  return sum == '0' and sum or '-' .. sum
end

local function undo(topic, sum)
  call('HINCRBY', topic, 'v', opposite(sum))
  if call('HEXISTS', topic, 'e') == 0 then
    call('DEL', topic)
  end
end

-- Gives a new topic its epoch. If the topic was deleted a short while ago, brings back the hash of the deleted topic instead:
-- then its revisions go on, so that listeners see the new value as the next event. When this function is called, the hash of the
-- topic holds only the present change. Returns the epoch, the gate, and the time at which the gate was shut, as far as the topic
-- has them.
local function begin(topic, outbox)
  local rest = rest_of(topic, outbox)
  if call('EXISTS', rest) == 0 then
    call('HSET', topic, 'e', ARGV[1], 'm', master())
    return {}
  end
  local change = call('HMGET', topic, 'v', 'c')
  call('RENAME', rest, topic)
  call('PERSIST', topic)
  call('HSET', topic, 'v', change[1], 'c', change[2], 'b', call('HGET', topic, 'd') or 0)
  call('HDEL', topic, 'd')
  return call('HMGET', topic, 'e', 'g', 's')
end

-- Adds the mark of a topic to the outbox. Scripts call this function for the first change since the last acknowledgement or
-- deletion: the mark stays until the next acknowledgement, so the other changes need not look for the mark. Only this function
-- finds out that a topic is new. Returns whether the topic was created, or nil if it is new and the item (counted from 1) must
-- not create it: then the topic is as it was before the item added `sum`.
local function mark(topic, outbox, item, sum)
  local known = call('HMGET', topic, 'e', 'g', 's', 'd')
  -- If `d` equals `r`, the topic is deleted and the deletion is not acknowledged yet. An origin of the version before that
  -- changes such a topic leaves `d`, so `d` alone does not show a deletion.
  local deleted = known[4] and known[4] == call('HGET', topic, 'r')
  local created = not known[1] or deleted
  if created and creators ~= '' and string.byte(creators, item) ~= 49 then
    if deleted then
      call('HINCRBY', topic, 'v', opposite(sum))
      call('HSET', topic, 'c', 0)
    else
      call('DEL', topic)
    end
    return nil
  end
  if created then
    if deleted then
      call('HDEL', topic, 'd')
      call('HSET', topic, 'b', known[4])
    else
      known = begin(topic, outbox)
    end
    count(topic, outbox)
  end
  -- NX, since a mark with a lease keeps its lease.
  call('ZADD', outbox, 'NX', due(known[2], known[3], ARGV[2], ARGV[3]), name_of(topic, outbox))
  return created
end
