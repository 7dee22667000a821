-- Shuts the sweep, where it is not shut already.
--
-- KEYS    its key, whose value is until when it is shut
-- ARGV    1 pause in ms
-- returns 1 where it was open, else 0
local shut = tonumber(call('GET', KEYS[1]) or '')
-- Shut for longer than the pause, it is from before the clock was set back.
if shut and now < shut and shut <= now + ARGV[1] then
  return 0
end
call('SET', KEYS[1], text(now + ARGV[1]), 'PX', ARGV[1])
return 1
