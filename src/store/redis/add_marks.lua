-- The end of the script that begins with add_plain.lua, behind writing.lua: goes on at the item at which that part has stopped.
-- `value` is what HINCRBY has returned for this item. If the value is within the range, the item is the first change since the
-- last acknowledgement.
local is_first, has_error = true, false

-- The key of the part of the outbox that has the mark of an item: "lc:{bN}:oM" for "lc:{bN}:t:<topic>".
local function outbox_of(topic, item)
  if each == 2 then
    return KEYS[2 * item]
  end
  return string.match(topic, '^lc:{b%d+}:') .. 'o' .. string.sub(parts, item, item)
end

while item <= items do
  local topic = KEYS[each * (item - 1) + 1]
  if not is_first then
    if given then
      sum, changes = ARGV[2 * item + 4], ARGV[2 * item + 5]
      first = tonumber(changes)
    end
    value = pcall('HINCRBY', topic, 'v', sum)
  end
  if type(value) == 'table' then
    if not is_of_one(value) then
      return value
    end
    has_error = true
  elseif value < -9007199254740991 or value > 9007199254740991 then
    undo(topic, sum)
    value = false
  elseif is_first or call('HINCRBY', topic, 'c', changes) == first then
    local created = mark(topic, outbox_of(topic, item), item, sum)
    if created then
      value = {value, 1, 1}
    elseif created == nil then
      value = {}
    end
  end
  replies[item] = value
  item, is_first = item + 1, false
end
return has_error and replies or cmsgpack.pack(replies)
