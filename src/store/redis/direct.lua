-- The direct form of a counter, in which an addition of ones is one command, INCR of a key of its own, without a script. That key, "lc:{bN}:c:<topic>",
-- has the value of the counter, plus 2^40. The field `v` is "@" and the value with which the counter got this form. All additions since were of ones, so
-- the value has grown by as much as the number of changes has.
--
-- A counter has this form only while it has a mark: it gets the form in a step that adds to it when the mark is there, and loses it in the step
-- that removes the mark, or in any step that changes it in another way. Then the key is deleted. An addition that comes after that makes the key anew, and
-- tells by its answer, which is far below 2^40, that it has counted nothing. What it leaves in the key counts for nothing, either.
local zero_of_direct = 1099511627776

-- The key with the value of a counter that has this form.
local function number_of(topic)
  return (string.gsub(topic, '}:t:', '}:c:', 1))
end

local function is_counter(topic)
  return string.find(topic, '}:t:counter-', 1, true)
end

-- The value and the number of changes since the last acknowledgement of a topic with these fields `v` and `c`. The third is whether it has the direct
-- form, the fourth whether Redis has lost the key: then the value is the one with which the counter got the form.
local function value_and_changes(topic, v, c)
  local before = v and string.byte(v) == 64 and tonumber(string.sub(v, 2))
  if not before then
    return v, c, false, false
  end
  local number = redis.pcall('GET', number_of(topic))
  number = type(number) == 'string' and tonumber(number)
  local is_lost = not number or number < zero_of_direct / 2
  local value = is_lost and before or number - zero_of_direct
  return string.format('%.0f', value), string.format('%.0f', c + value - before), true, is_lost
end

-- Brings a topic that has a mark into the direct form, if it is a counter whose value fits. Returns whether it is.
local function make_direct(topic, value)
  if value < -zero_of_direct / 2 or value > zero_of_direct / 2 or not is_counter(topic) then
    return false
  end
  redis.call('HSET', topic, 'v', string.format('@%.0f', value))
  redis.call('SET', number_of(topic), string.format('%.0f', zero_of_direct + value))
  return true
end

-- Brings a topic out of the direct form. Returns whether it had this form. If its key holds no topic, it had not.
local function end_direct(topic)
  local state = redis.pcall('HMGET', topic, 'v', 'c')
  if state.err then
    return false
  end
  local value, changes, is_direct, is_lost = value_and_changes(topic, state[1], state[2])
  -- Redis may refuse changes; then it refuses what the caller does next, too.
  if not is_direct or type(redis.pcall('HSET', topic, 'v', value, 'c', changes)) == 'table' then
    return false
  end
  redis.call('DEL', number_of(topic))
  if is_lost then
    -- The revisions go back. So the next claim draws a new epoch, as under another master, and no acknowledgement fits before.
    redis.call('HSET', topic, 'm', '')
    redis.call('HDEL', topic, 'p')
  end
  return true
end

-- Deletes the key of a counter that was just created, or was not. Additions without a script may have left it, or Redis has lost the counter's
-- other key.
local function forget_number(topic)
  if is_counter(topic) then
    redis.pcall('DEL', number_of(topic))
  end
end
