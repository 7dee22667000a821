-- Returns the topics of a bucket that have the greatest values.
--
-- KEYS    the parts of the names of the bucket
-- ARGV    1 the least and 2 the greatest name, as ZRANGEBYLEX takes them, 3 limit
-- returns names and values: at least those that can be among the first `limit` of all topics, where of equal values the topic comes
--         first whose name does (by bytes)
local limit = tonumber(ARGV[3])
local found = {}

-- Lua compares texts as the locale of Redis says. So the order of equal values is that in which Redis has returned the names.
local function comes_first(a, b)
  if a[2] ~= b[2] then
    return a[2] > b[2]
  end
  return a[3] < b[3]
end

local function cut(some)
  table.sort(some, comes_first)
  for index = #some, limit + 1, -1 do
    some[index] = nil
  end
  return #some == limit and some[limit][2] or -math.huge
end

for _, part in ipairs(KEYS) do
  local names = redis.pcall('ZRANGEBYLEX', part, ARGV[1], ARGV[2])
  local topics, some, least = string.sub(part, 1, #part - 2) .. 't:', {}, -math.huge
  -- If another program has written something else to the key, the reply is an error, which has no items.
  for index, name in ipairs(names) do
    local value = redis.pcall('HGET', topics .. name, 'v')
    value = type(value) == 'string' and tonumber((value_and_changes(topics .. name, value, 0)))
    if value and value >= least then
      some[#some + 1] = {name, value, index}
      if #some == 2 * limit then
        least = cut(some)
      end
    end
  end
  cut(some)
  for _, topic in ipairs(some) do
    found[#found + 1] = topic
  end
end

table.sort(found, comes_first)
local replies, least = {}, found[limit] and found[limit][2] or -math.huge
for _, topic in ipairs(found) do
  if topic[2] < least then
    break
  end
  replies[#replies + 1] = topic[1]
  replies[#replies + 1] = string.format('%.0f', topic[2])
end
return replies
