-- Returns the first names of topics, in order, of each of several parts.
--
-- KEYS    parts of the names of buckets
-- ARGV    1 the greatest name, as ZRANGEBYLEX takes it, 2 limit for each part,
--         3 the least name, the same for all parts, or one for each part
-- returns per part: names
local replies = {}
for index, part in ipairs(KEYS) do
  local least = #ARGV > 3 and ARGV[index + 2] or ARGV[3]
  local names = redis.pcall('ZRANGEBYLEX', part, least, ARGV[1], 'LIMIT', 0, ARGV[2])
  -- If another program has written something else to the key, there are no names in it.
  replies[index] = names.err and {} or names
end
return replies
