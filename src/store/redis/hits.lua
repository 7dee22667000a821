-- Counts hits of pages, each once for its key, and of their sites, behind shared.lua, counting.lua, visiting.lua and writing.lua. Not for a Cluster,
-- where a page and its site can be on different nodes.
--
-- KEYS    per page: topic hash, and the record of the key of each of its hits; then per site: topic hash, and if there are visits, its visitors
--         and their sketch
-- ARGV    1 to 4 as in writing.lua; 5 the number of the outbox part of each page and then of each site, one digit each; 6 how many
--         days of visitors are kept; 7 the number of pages; 8 "v" if there are visits; per page: the number of its hits, the lifetime
--         of their keys in ms, the number of its site, and if there are visits, for each hit the visit, as in visiting.lua, or ""
-- returns per page two items, its answer and which of its hits are repetitions (the first hit of the page is 1); then per site its answer:
--                   value                      counted, or the present value if all hits are repetitions; 0 if none of a site is counted
--                   {value, 1, 1}              counted, the topic is new
--                   nil                        out of range, none is counted
--                   error                      its key holds no topic, none is counted
local parts, kept, pages, has_visits = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8] == 'v'
local replies, counts, visits, key, arg, repeated, has_written = {}, {}, {}, 1, 9, nil, false

-- Adds `count` to the number of the topic that has this number among pages and sites.
local function add(topic, number, count)
  local value = pcall('HINCRBY', topic, 'v', count)
  if type(value) == 'table' then
    return value
  elseif value > 9007199254740991 then
    undo(topic, text(count))
    return false
  end
  if call('HINCRBY', topic, 'c', count) == count then
    local outbox = string.match(topic, '^lc:{b%d+}:') .. 'o' .. string.sub(parts, number, number)
    if mark(topic, outbox, number, count) then
      return {value, 1, 1}
    end
  end
  return value
end

local function is_refused(reply)
  return not reply or type(reply) == 'table' and reply.err
end

-- Writes the records of a page's hits. Returns those that are new, and which hits are repetitions.
local function use_keys(first, count, lifetime)
  local new, used = {}, {}
  for hit = 1, count do
    local record = KEYS[first + hit]
    if call('SET', record, '1 *', 'NX', 'PX', lifetime) then
      new[#new + 1] = record
    else
      used[#used + 1], repeated = hit, record
    end
  end
  return new, used
end

for page = 1, pages do
  local topic, count, site = KEYS[key], tonumber(ARGV[arg]), tonumber(ARGV[arg + 2])
  local new, used = use_keys(key, count, ARGV[arg + 1])
  local reply
  if #new == 0 then
    reply = pcall('HGET', topic, 'v')
    if type(reply) ~= 'table' then
      reply = tonumber(reply or 0)
    end
  else
    reply = add(topic, page, #new)
  end
  if is_refused(reply) then
    for _, record in ipairs(new) do
      call('DEL', record)
    end
    if reply and not is_of_one(reply) then
      return reply
    end
  else
    has_written = has_written or #new > 0
    counts[site] = (counts[site] or 0) + #new
    if has_visits then
      local of_site = visits[site] or {}
      for hit = 1, count do
        of_site[#of_site + 1] = ARGV[arg + 2 + hit]
      end
      visits[site] = of_site
    end
  end
  replies[2 * page - 1], replies[2 * page] = reply, used
  key, arg = key + count + 1, arg + 3 + (has_visits and count or 0)
end

local site, each = 1, has_visits and 3 or 1
while key <= #KEYS do
  local reply = 0
  if (counts[site] or 0) > 0 then
    reply = add(KEYS[key], pages + site, counts[site])
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
  replies[2 * pages + site] = reply
  key, site = key + each, site + 1
end
if repeated and not has_written then
  -- A caller that waits for replicas must also wait for a record that another caller has written, so a record is written again.
  local used = pcall('GET', repeated)
  if type(used) == 'string' then
    call('SET', repeated, used, 'KEEPTTL')
  end
end
return replies
