-- Claims the unpublished changes of entities.
--
-- KEYS    per entity: topic hash, outbox part, fields
-- ARGV    as in claiming.lua; no history is kept of an entity
-- returns per entity: as claim.lua; but in the place of the value, the names and values of the fields, in any order
local replies = {}
for key = 1, #KEYS, 3 do
  local reply = claim(KEYS[key], KEYS[key + 1])
  if type(reply) == 'table' and not reply.err then
    local fields = pcall('HGETALL', KEYS[key + 2])
    reply[1] = fields.err and {} or fields
  end
  replies[#replies + 1] = reply
end
return replies
