-- What follows in the scripts that add.
--
-- ARGV    1 epoch for topics that are new, or claimed under a new master; 2 grace in ms;
--         3 longest lease in ms; 4 "" where every item may create its topic, else for each item "1" where it may and
--         "0" where not
local creators = ARGV[4]

-- Whether an error is that of one item, whose key holds no topic. Others, as that this is no master, are everybody's.
local function is_of_one(failure)
  return string.find(failure.err, '^WRONGTYPE') or string.find(failure.err, '^ERR hash value')
end

-- As text: sums may be beyond 2^53. "-0" is no number to Redis.
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

-- For the first change since the last acknowledgement: the mark stays until the next one, so the others need not look
-- for it. Only here does a topic show that it is new. Returns whether it was created; nil where the item, counted from
-- 1, must not create it: then nothing of it is left.
local function mark(topic, outbox, item)
  local known = call('HMGET', topic, 'e', 'g', 's')
  local created = not known[1]
  if created then
    if creators ~= '' and string.byte(creators, item) ~= 49 then
      call('DEL', topic)
      return nil
    end
    call('HSET', topic, 'e', ARGV[1], 'm', master(), 'n', 1)
    pcall('INCR', count_of(topic, outbox))
  end
  -- NX: a mark that is leased keeps its lease.
  call('ZADD', outbox, 'NX', due(known[2], known[3], ARGV[2], ARGV[3]), name_of(topic, outbox))
  return created
end
