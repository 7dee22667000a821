-- Shuts the sweep if it is open.
--
-- KEYS    the key of the sweep, whose value is the time until which the sweep is shut
-- ARGV    1 pause in ms
-- returns 1 if the sweep was open, else 0
local shut = tonumber(call('GET', KEYS[1]) or '')
-- A sweep that is shut for longer than the pause was shut before the clock was set back.
if shut and now < shut and shut <= now + ARGV[1] then
  return 0
end
call('SET', KEYS[1], text(now + ARGV[1]), 'PX', ARGV[1])
return 1
