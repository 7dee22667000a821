-- Returns the history of a topic.
--
-- KEYS    history
-- returns the present time in ms since 1970; then fields and values, in any order
local time = redis.call('TIME')
local history = redis.pcall('HGETALL', KEYS[1])
return {time[1] * 1000 + math.floor(time[2] / 1000), history.err and {} or history}
