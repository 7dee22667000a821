-- Counts the visitors of sites. Scripts that use this part have shared.lua before it.

-- Ends the day whose visitors are in the sketch: only their number stays.
local function end_day(visitors, sketch, counted, day, kept)
  local different = pcall('PFCOUNT', sketch)
  if type(different) == 'number' and different > 0 then
    call('HINCRBY', visitors, 'a', different)
    -- A day can end twice if the clock is set back.
    call('HINCRBY', visitors, text(counted), different)
  end
  call('DEL', sketch)
  for _, field in ipairs(call('HKEYS', visitors)) do
    local number = tonumber(field)
    if number and number < day - kept then
      call('HDEL', visitors, field)
    end
  end
end

-- Counts a visitor of a site in a day. `visit` is the number of the day, a space and the digest of the visitor. A hit must not fail
-- because of its visitor: if other programs have written the keys, the visitor is not counted.
local function count_visitor(visitors, sketch, visit, kept)
  local day, visitor = string.match(visit, '^(%d+) (%x+)$')
  local counted = pcall('HGET', visitors, 'd')
  if type(counted) == 'table' then
    return
  end
  day, counted = tonumber(day), tonumber(counted or '')
  -- A visit on the day before comes from an origin that has not noticed midnight yet. A day further ahead was counted before the
  -- clock was set back.
  if day ~= counted and (not counted or day ~= counted - 1) then
    if counted then
      end_day(visitors, sketch, counted, day, tonumber(kept))
    end
    call('HSET', visitors, 'd', text(day))
  end
  pcall('PFADD', sketch, visitor)
end
