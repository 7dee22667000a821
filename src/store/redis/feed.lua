-- Reads the events of a feed up to its last claim, or all of them.
--
-- KEYS    1 topic hash, 2 stream of the events, 3 what is left of the topic hash of a feed that was deleted
-- ARGV    1 "after", "before" or "all"; 2 a revision; 3 the most events
-- returns {time, epoch, revision, published, begun, former, events}: the time in ms; epoch is "" if there is no feed, and published is
--         "0" if it was never claimed, else `epoch-revision`; begun is the revision of the last deletion, or 0; former has the epochs before, the last one first, as `epoch:revision`
--         with commas between them; events are those behind the revision, the first ones, with "all" also those behind the last claim; or
--         those before the revision, the last ones and the newest of them first; as XRANGE answers them
local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local fields = {'e', 'r', 'c', 'p', 'l', 'k', 'd', 'v'}
local state = redis.call('HMGET', KEYS[1], unpack(fields))
if not state[1] then
  -- The deletion is what the listeners of the feed have seen last.
  state = redis.call('HMGET', KEYS[3], unpack(fields))
end
local revision = string.format('%.0f', (state[2] or 0) + (state[3] or 0))
-- The value of a feed is how many events were appended since its last deletion.
local begun = string.format('%.0f', math.max(revision - (state[8] or 0), 0))
if not state[1] or state[7] == revision then
  return {now, state[1] or '', revision, state[5] or '0', begun, state[6] or '', {}}
end
local events, last = {}, state[4] or '0'
local number = tonumber(ARGV[2])
if ARGV[3] ~= '0' then
  if ARGV[1] ~= 'before' then
    local newest = ARGV[1] == 'all' and '+' or last
    events = redis.call('XRANGE', KEYS[2], string.format('%.0f', number + 1), newest, 'COUNT', ARGV[3])
  else
    local newest = string.format('%.0f', math.max(math.min(number - 1, tonumber(last)), 0))
    events = redis.call('XREVRANGE', KEYS[2], newest, '-', 'COUNT', ARGV[3])
  end
end
return {now, state[1], revision, state[5] or '0', begun, state[6] or '', events}
