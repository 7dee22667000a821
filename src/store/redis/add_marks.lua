-- The end of the script that begins with add_plain.lua, behind writing.lua: goes on at the item at which that part has stopped.
-- `value` is what HINCRBY has returned for this item. If the value is within the range, `is_first` says whether the item is the first change since
-- the last acknowledgement.
local is_begun, has_error = true, false

-- The key of the part of the outbox that has the mark of an item: "lc:{bN}:oM" for "lc:{bN}:t:<topic>".
local function outbox_of(topic, item)
  if each == 2 then
    return KEYS[2 * item]
  end
  return string.match(topic, '^lc:{b%d+}:') .. 'o' .. string.sub(parts, item, item)
end

-- Adds ones to a counter that has the direct form, and returns the reply. Returns nil if the counter has not this form, or the item adds something else.
local function add_ones(topic)
  local state = sum == changes and pcall('HMGET', topic, 'v', 'c')
  if state and not state.err and select(3, value_and_changes(topic, state[1], state[2])) then
    local number = pcall('INCRBY', number_of(topic), sum)
    if type(number) == 'number' and number >= zero_of_direct / 2 then
      return {number - zero_of_direct, 0, 1}
    end
  end
end

-- Marks a topic if it has changed for the first time since the last acknowledgement, and returns the reply.
local function finish(topic)
  local created = false
  if is_first then
    created = mark(topic, outbox_of(topic, item), item, sum)
    if created ~= false then
      forget_number(topic)
    end
    if created == nil then
      return {}
    end
  end
  local is_direct = is_to_be_direct() and make_direct(topic, value)
  return (created or is_direct) and {value, created and 1 or 0, is_direct and 1 or 0} or value
end

while item <= items do
  local topic, reply = KEYS[each * (item - 1) + 1], nil
  if not is_begun then
    if given then
      sum, changes = ARGV[2 * item + 5], ARGV[2 * item + 6]
      first = tonumber(changes)
    end
    value = pcall('HINCRBY', topic, 'v', sum)
  end
  if type(value) == 'table' then
    if not is_of_one(value) then
      return value
    end
    reply = add_ones(topic)
    if not reply and end_direct(topic) then
      value, is_begun = pcall('HINCRBY', topic, 'v', sum), false
    end
  end
  if not reply then
    if type(value) == 'table' then
      has_error, reply = true, value
    elseif value < -9007199254740991 or value > 9007199254740991 then
      undo(topic, sum)
      reply = false
    else
      if not is_begun then
        is_first = call('HINCRBY', topic, 'c', changes) == first
      end
      reply = finish(topic)
    end
  end
  replies[item] = reply
  item, is_begun = item + 1, false
end
return has_error and replies or cmsgpack.pack(replies)
