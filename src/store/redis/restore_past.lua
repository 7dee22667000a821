-- Gives a topic the past that it had in another store, in the place of its own. The topic must exist.
--
-- KEYS    history, topic hash
-- ARGV    1 "1" if only a topic is meant that was created in the present hour and has no past of its own; 2 how many hours follow;
--         then each hour and its value; then each day and its value; the oldest first
-- returns 1, or 0 if nothing has changed
local hour = math.floor(now / 3600000)
local day = math.floor(hour / 24)
local history, topic = KEYS[1], KEYS[2]
local state = pcall('HMGET', topic, 'e', 'r', 'c', 'd', 'p', 'b', 'h')
if state.err then
  return state
elseif not state[1] or state[4] == text((state[2] or 0) + (state[3] or 0)) then
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

local points, last_hour, last_day, latest = {}, nil, nil, nil
local function add(unit, from, to, present)
  local last
  for index = from, to, 2 do
    local at = tonumber(ARGV[index])
    -- What lies ahead was written by a clock that is ahead.
    if at < present or at == present and not is_open then
      points[#points + 1], points[#points + 2] = unit .. ARGV[index], ARGV[index + 1]
      last, latest = at, ARGV[index + 1]
    end
  end
  return last
end

local hours = 2 + 2 * tonumber(ARGV[2])
last_hour = add('h', 3, hours, hour)
local latest_of_hours = latest
last_day = add('d', hours + 1, #ARGV, day)
if #points == 0 then
  return 0
end
-- The latest value is the open hour, from which the next claim goes on: see recording.lua. A day that no hour tells is known by its first.
if not is_open then
  if last_hour and not (last_day and last_day > math.floor(last_hour / 24)) then
    number, value = last_hour, latest_of_hours
  else
    number, value = last_day * 24, latest
  end
end
call('DEL', history)
call('HSET', history, unpack(points))
-- "i" stands in the place of ":" until the first claim, which otherwise would begin a history.
call('HSET', topic, 'h', text(number) .. (is_announced and ':' or 'i') .. value)
return 1
