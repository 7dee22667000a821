-- Counts hits of pages, each once for its key, and of their sites, behind hits_new.lua, shared.lua, counting.lua, visiting.lua and writing.lua. Goes
-- on where hits_new.lua has stopped. Not for a Cluster, where a page and its site can be on different nodes.
--
-- A key that a process has made for a new visitor is a member of the set of its period. Any other key has a record of its own.
--
-- KEYS    if there are new keys, their set; then per page: topic hash, and for each hit whose key is not new as in `is_new`; then per site: topic
--         hash, and if there are visits, its visitors and their sketch
-- ARGV    1 to 4 as in writing.lua; 5 the number of the outbox part of each page and then of each site, one digit each; 6 how many
--         days of visitors are kept; 7 the number of pages; 8 "v" if there are visits, else "" if all keys are new, else "o"; 9 the lifetime of all
--         keys in ms; 10 that of a set to which keys are added; 11 the number of new keys; 12 per page in two bytes each: how many of its hits
--         have new keys, how many have others, and the number of its site; 13 and further: the new keys as members of their set, in the order of
--         the pages; then per page: for each hit whose key is not new an argument as in `is_new`; and if there are visits, for each hit, those with
--         new keys first, the visit, as in visiting.lua, or ""
-- returns per page, then per site: value       counted, or the present value if all hits are repetitions; 0 if none of a site is counted
--                   {value, 1, 1}              counted, the topic is new
--                   nil                        out of range, none is counted
--                   error                      its key holds no topic, none is counted
--         and then which hits are repetitions: the first one of the call is 1
--         as MessagePack, which costs an origin less to decode; as a list if an item is an error
local parts, days, pages, has_visits, lifetime = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8] == 'v', ARGV[9]
local set, key, member, arg = KEYS[1], fresh > 0 and 2 or 1, 13, 13 + fresh
local replies, counts, visits, used, hits, has_written, has_error = {}, {}, {}, {}, 0, false, false

-- A key that was found to be used: its record, or its set.
local used_record, used_set

-- Adds `count`, which is `sum` as text, to the topic that has this number among pages and sites, unless hits_new.lua has done so. Redis takes a text
-- faster than a number.
local function add(topic, number, count, sum)
  if number < stopped then
    return values[number]
  end
  local is_first = number == stopped
  local value = is_first and values[number] or pcall('HINCRBY', topic, 'v', sum)
  if type(value) == 'table' then
    return value
  elseif value > 9007199254740991 then
    undo(topic, sum)
    return false
  end
  if is_first or call('HINCRBY', topic, 'c', sum) == count then
    local outbox = string.match(topic, '^lc:{b%d+}:') .. 'o' .. string.sub(parts, number, number)
    if mark(topic, outbox, number, sum) then
      return {value, 1, 1}
    end
  end
  return value
end

local function is_refused(reply)
  return not reply or type(reply) == 'table' and reply.err
end

-- Whether the key of the hit is new. The argument says where the key is recorded, and the key of Redis for that comes first at `KEYS[key]`:
--   ""           in a record of its own
--   "s" member   in a set
--   "r" member   in a set, else in a record of its own, whose key follows: a client says that the key is from this set
-- A key that is new is recorded, and added to `recorded`, so that it can be forgotten.
local function is_new(argument, recorded)
  local kind = byte(argument)
  if kind == 115 then
    local set = KEYS[key]
    key = key + 1
    if add_to_set(set, string.sub(argument, 2)) == 0 then
      used_set = set
      return false
    end
    recorded[#recorded + 1] = {'SREM', set, string.sub(argument, 2)}
    return true
  elseif kind then
    key = key + 1
    if call('SISMEMBER', KEYS[key - 1], string.sub(argument, 2)) == 1 then
      used_set, key = KEYS[key - 1], key + 1
      return false
    end
  end
  local record = KEYS[key]
  key = key + 1
  if not call('SET', record, '1 *', 'NX', 'PX', lifetime) then
    used_record = record
    return false
  end
  recorded[#recorded + 1] = {'DEL', record}
  return true
end

-- Forgets the keys of a page that this call has recorded: the new ones, and others.
local function forget(first, count, recorded)
  if count > 0 then
    call('SREM', set, unpack(ARGV, first, first + count - 1))
  end
  for _, command in ipairs(recorded or {}) do
    call(unpack(command))
  end
end

if is_late then
  used_set = set
end

for page = 1, pages do
  local a, b, c, d, e, f = byte(numbers, 6 * page - 5, 6 * page)
  local topic, new, others, site, recorded = KEYS[key], 256 * a + b, 256 * c + d, 256 * e + f, nil
  local first, fresh_here = member, new
  key, member = key + 1, member + new
  if is_late then
    for hit = hits + 1, hits + new do
      used[#used + 1] = hit
    end
    new, fresh_here = 0, 0
  end
  hits = hits + member - first
  if others > 0 then
    recorded = {}
    for hit = hits + 1, hits + others do
      if is_new(ARGV[arg], recorded) then
        new = new + 1
      else
        used[#used + 1] = hit
      end
      arg = arg + 1
    end
    hits = hits + others
  end
  local reply
  if new > 0 then
    reply = add(topic, page, new, new == 1 and '1' or text(new))
  else
    reply = pcall('HGET', topic, 'v')
    if type(reply) ~= 'table' then
      reply = tonumber(reply or 0)
    end
  end
  local of_page = member - first + others
  if is_refused(reply) then
    forget(first, fresh_here, recorded)
    if reply and not is_of_one(reply) then
      return reply
    end
    has_error = has_error or reply
  else
    has_written = has_written or new > 0
    counts[site] = (counts[site] or 0) + new
    if has_visits then
      local of_site = visits[site] or {}
      for visit = arg, arg + of_page - 1 do
        of_site[#of_site + 1] = ARGV[visit]
      end
      visits[site] = of_site
    end
  end
  if has_visits then
    arg = arg + of_page
  end
  replies[page] = reply
end

local site, each = 1, has_visits and 3 or 1
while key <= #KEYS do
  local reply = 0
  if (counts[site] or 0) > 0 then
    reply = add(KEYS[key], pages + site, counts[site], text(counts[site]))
  end
  if is_refused(reply) then
    if reply and not is_of_one(reply) then
      return reply
    end
    has_error = has_error or reply
  elseif has_visits then
    for _, visit in ipairs(visits[site] or {}) do
      if visit ~= '' then
        count_visitor(KEYS[key + 1], KEYS[key + 2], visit, days)
      end
    end
  end
  replies[pages + site] = reply
  key, site = key + each, site + 1
end
if used[1] and not has_written then
  -- A caller that waits for replicas must also wait for a key that another caller has recorded, so Redis writes the record again, or the end of
  -- the set, which it writes behind the members of the set.
  local left = used_set and call('PTTL', used_set) or 0
  if left > 0 then
    call('PEXPIRE', used_set, left)
  end
  local value = used_record and pcall('GET', used_record)
  if type(value) == 'string' then
    call('SET', used_record, value, 'KEEPTTL')
  end
end
replies[pages + site] = used
return has_error and replies or cmsgpack.pack(replies)
