-- Takes the marks of announced topics from the outbox.
--
-- KEYS    per claim: topic hash, outbox
-- ARGV    1 grace in ms; per claim: epoch, revision
local call = redis.call
local time = call('TIME')
local due = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])

for key = 1, #KEYS, 2 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  local epoch, revision = ARGV[key + 1], ARGV[key + 2]
  local state = call('HMGET', topic, 'e', 'p', 'r', 'c', 'a')
  if state[1] == epoch and state[2] == revision and state[5] ~= revision then
    -- What follows "lc:{bN}:t:", one character more than "lc:{bN}:o".
    local name = string.sub(topic, #outbox + 2)
    if (state[3] or 0) + (state[4] or 0) == tonumber(revision) then
      call('HSET', topic, 'a', revision, 'r', revision, 'c', 0)
      call('ZREM', outbox, name)
    else
      call('HSET', topic, 'a', revision)
      call('ZADD', outbox, 'XX', due, name)
    end
  end
end
return 0
