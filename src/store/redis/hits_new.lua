-- The beginning of the script that counts hits of pages and of their sites. Most calls have new keys only, and no visits, so this part takes no step
-- that it can leave out. It ends at the first topic that needs more than an addition, and ends the script if there is none: so the functions in the
-- files behind it are only made for a script that needs them. hits.lua is the end of the script, and says what KEYS and ARGV are.
local call, pcall, type, KEYS, ARGV, byte = redis.call, redis.pcall, type, KEYS, ARGV, string.byte
local fresh, numbers, is_late = tonumber(ARGV[11]), ARGV[12], false

-- Adds members to a set. Returns how many of them are new. Redis keeps the set as long as a key must be remembered that was added now. A set that was
-- just created has no end yet; a set has too early an end if its process could not send what it had added last for some time.
local function add_to_set(to, ...)
  local added = call('SADD', to, ...)
  if call('PTTL', to) < tonumber(ARGV[9]) then
    call('PEXPIRE', to, ARGV[10])
  end
  return added
end

-- If new keys are in their set already, this call was cut off from its origin before Redis has executed it, and the origin has sent it again over
-- another connection: Redis has counted the hits there, and no origin waits for the answer of this call.
if fresh > 0 then
  is_late = add_to_set(KEYS[1], unpack(ARGV, 13, 12 + fresh)) < fresh
end

-- The values of the pages and then of the sites to which this part has added. At the last one it has stopped: its value is beyond the range, or an
-- error, or this is its first change since the last acknowledgement.
local values, stopped = {}, 0

if ARGV[8] == '' and not is_late then
  local pages, counts = #numbers / 6, {}
  for number = 1, #KEYS - 1 do
    local count
    if number <= pages then
      local a, b, _, _, c, d = byte(numbers, 6 * number - 5, 6 * number)
      local site = 256 * c + d
      count = 256 * a + b
      counts[site] = (counts[site] or 0) + count
    else
      count = counts[number - pages]
    end
    local topic, sum = KEYS[number + 1], count == 1 and '1' or count
    local value = pcall('HINCRBY', topic, 'v', sum)
    values[number] = value
    if type(value) == 'table' or value > 9007199254740991 or call('HINCRBY', topic, 'c', sum) == count then
      stopped = number
      break
    end
  end
  if stopped == 0 then
    values[#KEYS] = {}
    return cmsgpack.pack(values)
  end
end
