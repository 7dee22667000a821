-- Counts topics and keeps their names, in the step that creates or deletes a topic. This file is a part of the scripts that change or
-- claim topics, unless the store is a Cluster: there counting_later.lua is in its place.
local counts_at_once = true

-- The key of the bucket's number of topics. It is not one of KEYS, since few calls need it. It has the hash tag of the topic,
-- so it is in the same slot.
local function count_of(topic, outbox)
  return string.sub(topic, 1, #outbox - 2) .. 'topics'
end

-- The key of the part of the bucket's names in which the topic is: "lc:{bN}:nM" for "lc:{bN}:oM".
local function names_of(outbox)
  return string.sub(outbox, 1, #outbox - 2) .. 'n' .. string.sub(outbox, -1)
end

-- Counts a topic and adds its name to the names, unless `counted`, the field `n` of the topic, says that both are done. A
-- failure, such as a missing right, must not end the script before its other steps.
local function count(topic, outbox, counted)
  if counted == '2' then
    return
  end
  local is_counted = counted and counted ~= '0'
  if is_counted or type(pcall('INCR', count_of(topic, outbox))) == 'number' then
    pcall('ZADD', names_of(outbox), 0, name_of(topic, outbox))
    call('HSET', topic, 'n', 2)
  end
end

-- Undoes `count`: the topic is no longer counted, and its name is no longer among the names. The field is set to 0 and not removed: an
-- origin of the version before would count a topic without the field.
local function discount(topic, outbox, counted)
  if counted and counted ~= '0' then
    pcall('DECR', count_of(topic, outbox))
  end
  pcall('ZREM', names_of(outbox), name_of(topic, outbox))
  call('HSET', topic, 'n', 0)
end

-- Completes a topic that an origin of a version before has written: such origins keep no names, the oldest ones count no topics,
-- and keep the value of the last claim in `w`. If `w` stayed, they would announce that value with the id of this claim.
local function take_over(topic, outbox, counted, w)
  if w then
    pcall('HDEL', topic, 'w')
  end
  count(topic, outbox, counted)
end
