-- Takes the marks of announced topics from the outbox.
--
-- KEYS    per claim: topic hash, outbox
-- ARGV    1 grace in ms; per claim: epoch, revision
local due = text(now + ARGV[1])

for key = 1, #KEYS, 2 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  local epoch, revision = ARGV[key + 1], ARGV[key + 2]
  local state = call('HMGET', topic, 'e', 'p', 'r', 'c', 'a')
  if state[1] == epoch and state[2] == revision and state[5] ~= revision then
    local name = name_of(topic, outbox)
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
