-- Removes the marks of announced topics from the outbox.
-- The hash of a deleted topic is renamed, and expires.
-- Acknowledging an older claim than the last one, or the same claim twice, changes nothing.
--
-- KEYS    per claim: topic hash, outbox part
-- ARGV    1 grace in ms, 2 longest lease in ms, 3 lifetime of a tombstone in ms; per claim: epoch, revision

for key = 1, #KEYS, 2 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  local epoch, revision = ARGV[key + 3], ARGV[key + 4]
  local state = call('HMGET', topic, 'e', 'p', 'r', 'c', 'a', 'd', 'v')
  if state[1] == epoch and state[2] == revision and state[5] ~= revision then
    local name = name_of(topic, outbox)
    local value, changes, is_direct, is_lost = value_and_changes(topic, state[7], state[4])
    if not is_lost and (state[3] or 0) + (changes or 0) == tonumber(revision) then
      if is_direct then
        call('HSET', topic, 'v', value)
        call('DEL', number_of(topic))
      end
      call('HSET', topic, 'a', revision, 'r', revision, 'c', '0')
      call('ZREM', outbox, name)
      if state[6] == revision then
        local rest = rest_of(topic, outbox)
        -- If the Redis user has no right to rename the hash, the hash stays, which does no harm.
        if not pcall('RENAME', topic, rest).err then
          pcall('PEXPIRE', rest, ARGV[3])
        end
      end
    else
      call('HSET', topic, 'a', revision)
      local gate = call('HMGET', topic, 'g', 's')
      call('ZADD', outbox, 'XX', due(gate[1], gate[2], ARGV[1], ARGV[2]), name)
    end
  end
end
return 0
