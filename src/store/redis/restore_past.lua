-- Gives a topic the past that it had in another store, in the place of its own. The topic must exist.
--
-- KEYS    history, topic hash
-- ARGV    1 "1" if only a topic is meant that was created in the present hour and has no past of its own; 2 how many hours follow;
--         then each hour and its value; then each day and its value; the oldest first
-- returns 1, or 0 if nothing has changed
local hour = math.floor(now / 3600000)
local day = math.floor(hour / 24)
local history, topic = KEYS[1], KEYS[2]
local state = pcall('HMGET', topic, 'e', 'r', 'c', 'd', 'p', 'b', 'h', 'v')
if state.err then
  return state
end
state[8], state[3] = value_and_changes(topic, state[8], state[3])
if not state[1] or state[4] == text((state[2] or 0) + (state[3] or 0)) then
  return 0
end
local number, sign, value = string.match(state[7] or '', '^(%d+)([n:i])(-?%d+)$')
number = tonumber(number)
-- Whether the topic has been announced since it was created, as in recording.lua.
local is_announced = state[5] and not (state[6] and tonumber(state[5]) <= (tonumber(state[6]) or 0))
-- The present hour is that of a claim, which knows its value better than the other store.
local is_open = is_announced and number == hour
if ARGV[1] == '1' and is_announced and not (is_open and sign == 'n') then
  return 0
end

local points = {}
local function add(unit, from, to, present)
  for index = from, to, 2 do
    local at = tonumber(ARGV[index])
    -- What lies ahead was written by a clock that is ahead.
    if at < present or at == present and not is_open then
      points[#points + 1], points[#points + 2] = unit .. ARGV[index], ARGV[index + 1]
    end
  end
end

local hours = 2 + 2 * tonumber(ARGV[2])
add('h', 3, hours, hour)
add('d', hours + 1, #ARGV, day)
if #points == 0 then
  return 0
end
call('DEL', history)
call('HSET', history, unpack(points))
if is_open then
  call('HSET', topic, 'h', text(number) .. ':' .. value)
elseif is_announced then
  -- What an earlier claim has left is no part of this past, and the next claim opens an hour of its own.
  call('HSET', topic, 'h', '')
else
  -- "i" keeps the first claim from beginning a history: see recording.lua. An origin of the version before reads the hour and the value.
  call('HSET', topic, 'h', text(hour) .. 'i' .. (state[8] or 0))
end
return 1
