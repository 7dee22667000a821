-- Claims what is unpublished of topics.
--
-- KEYS    per topic: topic hash, outbox
-- ARGV    1 interval in ms for which the gate stays shut, 2 lease in ms, 3 epoch for topics of another history
-- returns per topic: 0                         nothing to announce
--                    ms                        the gate is shut for so long
--                    {value, epoch, id, prev}  announce; prev is "0" before the first claim, and "revision epoch"
--                                              where it is of another epoch
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local opens = string.format('%.0f', now + ARGV[1])
local leased = string.format('%.0f', now + ARGV[2])
local shuts, from = ARGV[1] ~= '0', string.format('%.0f', now)
local replies = {}

-- Which history of the data this Redis goes on with: another after each start as a master and each promotion. Not
-- everybody may ask; then there is but one.
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%x%x%x%x%x%x%x)')
history = history and string.format('%.0f', tonumber(history, 16)) or '0'

local function fresh(topic, outbox, name, state)
  local shut, gate = tonumber(state[7]), tonumber(state[6])
  -- A gate shut in the future is from before the clock was set back: it would stay shut for too long.
  if gate and shut <= now and now < gate then
    return gate - now
  end
  local prev, epoch = state[3] or '0', state[5]
  if state[8] ~= history then
    -- What was published since a copy was made, or was not replicated yet, may be forgotten here. Its ids must not
    -- come back with other values: listeners would take them for known.
    if state[3] then
      prev = prev .. ' ' .. epoch
    end
    epoch = ARGV[3]
    -- The same revision may have been acknowledged in the epoch before.
    call('HSET', topic, 'e', epoch, 'l', history, 'a', '')
  end
  call('HSET', topic, 'q', prev, 'p', state[2], 'w', state[1])
  if shuts then
    call('HSET', topic, 's', from, 'g', opens)
  end
  call('ZADD', outbox, leased, name)
  return {tonumber(state[1]), epoch, state[2], prev}
end

local function again(topic, outbox, name, state)
  local due = call('ZSCORE', outbox, name)
  if not due or tonumber(due) > now then
    return 0
  end
  call('ZADD', outbox, leased, name)
  local claimed = call('HMGET', topic, 'w', 'q')
  return {tonumber(claimed[1]), state[5], state[3], claimed[2]}
end

for key = 1, #KEYS, 2 do
  local topic, outbox = KEYS[key], KEYS[key + 1]
  -- What follows "lc:{bN}:t:", one character more than "lc:{bN}:o".
  local name = string.sub(topic, #outbox + 2)
  local state = call('HMGET', topic, 'v', 'r', 'p', 'q', 'e', 'g', 's', 'l')
  local reply
  if not state[2] then
    -- Redis has forgotten the topic (evicted, deleted): its mark would stay for ever.
    call('ZREM', outbox, name)
    reply = 0
  elseif state[2] ~= state[3] or state[8] ~= history then
    -- In another history also what was announced: listeners may have been told what is lost.
    reply = fresh(topic, outbox, name, state)
  else
    reply = again(topic, outbox, name, state)
  end
  replies[#replies + 1] = reply
end
return replies
