-- Writes the history of topics. This file is a part of each script that claims topics.
--
-- The field `h` of a topic is the open hour of its history: the number of the hour of the last claim, ":", and the value of that
-- claim. "n" stands in the place of ":" while no hour of the topic is complete and the value before this hour was 0. The value of
-- an open hour goes into the history with the first claim of another hour. So most claims only write one field more. "i" stands there
-- from an import of the past to the first claim, which goes on from that past: no hour is open then, and the value counts for nothing.
local hour = math.floor(now / 3600000)
local day, hour_text = math.floor(hour / 24), text(hour)

-- Whether histories are kept. If so, the key of the history of each claimed topic is among KEYS. While a slot moves from one node
-- of a Cluster to another, a script would write a key that is not among KEYS at the new node although the old node still has that
-- key, and the move could not be finished.
local function keeps_history(hours, days)
  return hours ~= '0' or days ~= '0'
end

-- Deletes the fields of one unit of a history that are too old, and those that do not lie before the present hour or day. Such
-- fields were written before the clock was set back, or by a version that wrote the open hour into the history, too.
local function trim(history, fields, unit, present, most)
  local numbers = {}
  for _, field in ipairs(fields) do
    local number = string.sub(field, 1, 1) == unit and tonumber(string.sub(field, 2))
    if number and (number >= present or most == 0) then
      pcall('HDEL', history, field)
    elseif number then
      numbers[#numbers + 1] = number
    end
  end
  while #numbers > most do
    local oldest = 1
    for index, number in ipairs(numbers) do
      if number < numbers[oldest] then
        oldest = index
      end
    end
    pcall('HDEL', history, unit .. text(table.remove(numbers, oldest)))
  end
end

-- Writes the value of an hour that is over into the history, and also as the value of its day if the day is over.
local function complete(history, number, sign, value, hours, days)
  local points = {}
  if sign == 'n' then
    -- What another topic of the same name has left, if anything, is no part of this history.
    pcall('DEL', history)
    points = {'h0', 0, 'd0', 0}
  end
  if hours ~= '0' then
    points[#points + 1], points[#points + 2] = 'h' .. text(number), value
  end
  local of_day = math.floor(number / 24)
  if days ~= '0' and of_day < day then
    points[#points + 1], points[#points + 2] = 'd' .. text(of_day), value
  end
  if #points > 0 then
    pcall('HSET', history, unpack(points))
  end
end

-- Returns the field `h` for the first claim of an hour, or for a claim before which the clock was set back.
local function open_hour(history, value, open, hours, days)
  local number, sign, last = string.match(open or '', '^(%d+)([n:])(-?%d+)$')
  number = tonumber(number)
  if number and number < hour then
    complete(history, number, sign, last, hours, days)
    sign = ':'
  end
  local fields = pcall('HKEYS', history)
  if not fields.err then
    trim(history, fields, 'h', hour, tonumber(hours))
    trim(history, fields, 'd', day, tonumber(days))
  end
  return hour_text .. (sign or ':') .. value
end

-- Returns the field `h` for a claim of `value`, or nil if no history is kept. `hours` and `days` say how many of them are kept.
-- `open` is the field before the claim, `claimed` the time of the claim before this one, `published` the revision of that claim,
-- and `born` the revision of the deletion after which the topic was created again. A failure must not end the script before its
-- other steps.
local function recorded(history, value, open, claimed, published, born, hours, days)
  if not keeps_history(hours, days) then
    return nil
  elseif not published or (born and tonumber(published) <= (tonumber(born) or 0)) then
    if not open or not string.find(open, 'i', 1, true) then
      return hour_text .. 'n' .. value
    end
    open = nil
  end
  local digits = #hour_text
  if open and string.sub(open, 1, digits) == hour_text and not (claimed and now < tonumber(claimed)) then
    return string.sub(open, 1, digits + 1) .. value
  end
  return open_hour(history, value, open, hours, days)
end
