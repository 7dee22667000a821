-- How many marks outboxes hold.
--
-- KEYS    outboxes
local marks = 0
for _, outbox in ipairs(KEYS) do
  marks = marks + redis.call('ZCARD', outbox)
end
return marks
