-- Returns the number of marks in outbox parts.
--
-- KEYS    outbox parts
local marks = 0
for _, outbox in ipairs(KEYS) do
  marks = marks + redis.call('ZCARD', outbox)
end
return marks
