-- Removes topics that have not been claimed since a given time and of which nothing is left to announce.
--
-- KEYS    per topic: topic hash, outbox part, number of topics, part of the names
-- ARGV    1 the time, in ms since 1970; 2 "1" to remove the topics; otherwise they are only counted
-- returns the number of these topics
local before, pruned = tonumber(ARGV[1]), 0
for key = 1, #KEYS, 4 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  local state = pcall('HMGET', topic, 'e', 's', 'p', 'a', 'r', 'c', 'n', 'v')
  if not state.err and state[1] then
    local name = name_of(topic, outbox)
    local _, changes = value_and_changes(topic, state[8], state[6])
    local revision = text((state[5] or 0) + (changes or 0))
    local done = state[3] == revision and state[4] == revision and not call('ZSCORE', outbox, name)
    if state[2] and tonumber(state[2]) < before and done then
      pruned = pruned + 1
      if ARGV[2] == '1' then
        call('DEL', topic)
        call('DEL', history_of(topic, outbox))
        call('DEL', address_of(topic, outbox))
        call('DEL', number_of(topic))
        call('DEL', events_of(topic, outbox))
        -- The fields and the end of the life, if the topic is an entity.
        call('DEL', string.sub(topic, 1, #outbox - 2) .. 'f:' .. name)
        pcall('ZREM', string.sub(topic, 1, #outbox - 2) .. 'lives', name)
        delete_visitors(topic, outbox)
        if state[7] and state[7] ~= '0' then
          pcall('DECR', KEYS[key + 2])
        end
        pcall('ZREM', KEYS[key + 3], name)
      end
    elseif not state[2] and ARGV[2] == '1' then
      -- The version before has written the topic without a time. It may have changed just now.
      call('HSETNX', topic, 's', text(now))
    end
  end
end
return pruned
