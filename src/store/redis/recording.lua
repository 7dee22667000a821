-- Writes the history of topics. This file is a part of each script that claims topics.
local hour, day = math.floor(now / 3600000), math.floor(now / 86400000)
local hour_field, day_field = 'h' .. text(hour), 'd' .. text(day)

-- Deletes the fields of one unit of a history that are too old, and those in the future, which were written before the clock was
-- set back. One field more than `most` stays, which gives the value at the beginning of the others.
local function trim(history, fields, unit, present, most)
  local numbers = {}
  for _, field in ipairs(fields) do
    local number = string.sub(field, 1, 1) == unit and tonumber(string.sub(field, 2))
    if number and (number > present or most == 0) then
      call('HDEL', history, field)
    elseif number then
      numbers[#numbers + 1] = number
    end
  end
  while #numbers > most + 1 do
    local oldest = 1
    for index, number in ipairs(numbers) do
      if number < numbers[oldest] then
        oldest = index
      end
    end
    call('HDEL', history, unit .. text(table.remove(numbers, oldest)))
  end
end

-- Whether histories are kept. If so, the key of the history of each claimed topic is among KEYS. While a slot moves from one node
-- of a Cluster to another, a script would write a key that is not among KEYS at the new node although the old node still has that
-- key, and the move could not be finished.
local function keeps_history(hours, days)
  return hours ~= '0' or days ~= '0'
end

-- Writes the value of a topic into its history, as the value of the present hour and the present day. `hours` and `days` say how
-- many of them are kept. Writing the same value again changes nothing. `claimed` is the time of the claim before this one,
-- `published` the revision of that claim, and `born` the revision of the deletion after which the topic was created again. A
-- failure must not end the script before its other steps.
local function record(history, value, claimed, published, born, hours, days)
  if not keeps_history(hours, days) then
    return
  end
  local added
  local is_new = not published or (born and tonumber(published) <= (tonumber(born) or 0))
  if is_new then
    pcall('DEL', history)
  end
  if hours == '0' then
    added = pcall('HSET', history, day_field, value)
  elseif days == '0' then
    added = pcall('HSET', history, hour_field, value)
  else
    added = pcall('HSET', history, hour_field, value, day_field, value)
  end
  if type(added) ~= 'number' then
    return
  end
  if is_new then
    -- A new topic had the value 0 before.
    call('HSET', history, 'h0', 0, 'd0', 0)
  elseif added > 0 or (claimed and now < tonumber(claimed)) then
    local fields = pcall('HKEYS', history)
    if not fields.err then
      trim(history, fields, 'h', hour, tonumber(hours))
      trim(history, fields, 'd', day, tonumber(days))
    end
  end
end
