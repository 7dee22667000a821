-- Returns the history of a topic.
--
-- KEYS    history, topic hash
-- returns the present time in ms since 1970; then fields and values of the history, in any order; then the open hour, see
--         recording.lua
local time = redis.call('TIME')
local history = redis.pcall('HGETALL', KEYS[1])
local open = redis.pcall('HGET', KEYS[2], 'h')
return {time[1] * 1000 + math.floor(time[2] / 1000), history.err and {} or history, type(open) == 'string' and open or ''}
