-- Returns how many different visitors a site had.
--
-- KEYS    visitors, sketch
-- returns the present time in ms since 1970; fields and values of the visitors, in any order; how many visitors are in the sketch
local time = redis.call('TIME')
local visitors = redis.pcall('HGETALL', KEYS[1])
-- The right to count is asked for here, so that a user without the right learns of it.
local counted = redis.call('PFCOUNT', KEYS[2])
return {time[1] * 1000 + math.floor(time[2] / 1000), visitors.err and {} or visitors, counted}
