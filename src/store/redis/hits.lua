-- Counts hits of pages, each once for its key, and of their sites, behind shared.lua, counting.lua, visiting.lua and writing.lua. Not for a Cluster,
-- where a page and its site can be on different nodes.
--
-- KEYS    per page: topic hash, and the record of the key of each of its hits; then per site: topic hash, and if there are visits, its visitors
--         and their sketch
-- ARGV    1 to 4 as in writing.lua; 5 the number of the outbox part of each page and then of each site, one digit each; 6 how many
--         days of visitors are kept; 7 the number of pages; 8 "v" if there are visits; 9 the lifetime of all keys in ms; per page: the
--         number of its hits, the number of its site, and if there are visits, for each hit the visit, as in visiting.lua, or ""
-- returns per page, then per site: value       counted, or the present value if all hits are repetitions; 0 if none of a site is counted
--                   {value, 1, 1}              counted, the topic is new
--                   nil                        out of range, none is counted
--                   error                      its key holds no topic, none is counted
--         and then which hits are repetitions: the first one of the call is 1
local parts, kept, pages, has_visits, lifetime = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8] == 'v', ARGV[9]
local replies, counts, visits, used, is_used, key, arg, hits, has_written = {}, {}, {}, {}, {}, 1, 10, 0, false

-- Adds `count`, which is `sum` as text, to the topic that has this number among pages and sites. Redis takes a text faster than a number.
local function add(topic, number, count, sum)
  local value = pcall('HINCRBY', topic, 'v', sum)
  if type(value) == 'table' then
    return value
  elseif value > 9007199254740991 then
    undo(topic, sum)
    return false
  end
  if call('HINCRBY', topic, 'c', sum) == count then
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

-- Removes the records of a page's hits that this call has written.
local function forget(first, count, before)
  for hit = 1, count do
    if not is_used[before + hit] then
      call('DEL', KEYS[first + hit])
    end
  end
end

for page = 1, pages do
  local topic, count, site, new = KEYS[key], tonumber(ARGV[arg]), tonumber(ARGV[arg + 1]), 0
  for hit = 1, count do
    if call('SET', KEYS[key + hit], '1 *', 'NX', 'PX', lifetime) then
      new = new + 1
    else
      used[#used + 1], is_used[hits + hit] = hits + hit, KEYS[key + hit]
    end
  end
  local reply
  if new > 0 then
    reply = add(topic, page, new, new == count and ARGV[arg] or text(new))
  else
    reply = pcall('HGET', topic, 'v')
    if type(reply) ~= 'table' then
      reply = tonumber(reply or 0)
    end
  end
  if is_refused(reply) then
    forget(key, count, hits)
    if reply and not is_of_one(reply) then
      return reply
    end
  else
    has_written = has_written or new > 0
    counts[site] = (counts[site] or 0) + new
    if has_visits then
      local of_site = visits[site] or {}
      for hit = 1, count do
        of_site[#of_site + 1] = ARGV[arg + 1 + hit]
      end
      visits[site] = of_site
    end
  end
  replies[page] = reply
  key, arg, hits = key + count + 1, arg + 2 + (has_visits and count or 0), hits + count
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
  elseif has_visits then
    for _, visit in ipairs(visits[site] or {}) do
      if visit ~= '' then
        count_visitor(KEYS[key + 1], KEYS[key + 2], visit, kept)
      end
    end
  end
  replies[pages + site] = reply
  key, site = key + each, site + 1
end
if used[1] and not has_written then
  -- A caller that waits for replicas must also wait for a record that another caller has written, so a record is written again.
  local repeated = is_used[used[1]]
  local value = pcall('GET', repeated)
  if type(value) == 'string' then
    call('SET', repeated, value, 'KEEPTTL')
  end
end
replies[pages + site] = used
return replies
