-- Returns the salt of the present day (UTC), and makes it if there is none yet. Redis forgets the salt at the end of the day.
--
-- KEYS    the salt, behind the number of its day and a space
-- ARGV    1 a new random salt
-- returns the present time in ms since 1970; the salt
local length = 86400000
local day = text(math.floor(now / length))
local kept = call('GET', KEYS[1])
local of, salt = string.match(kept or '', '^(%d+) (%S+)$')
-- A salt of another day is there only if the clock was set.
if of ~= day then
  salt = ARGV[1]
  call('SET', KEYS[1], day .. ' ' .. salt, 'PX', text(length - now % length))
end
return {now, salt}
