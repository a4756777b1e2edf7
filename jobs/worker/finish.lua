-- Ends jobs, each at most once: result, acknowledgement and deletion in one step.
-- KEYS: stream, unread, rate, stats
-- ARGV: group, prefix of job keys, prefix of photo keys, prefix of channels, ttl_ms, photo_ttl_ms, dead stream or "",
--       then for each job: entry, id, photo's sha256 or "", key of the old result or "", 1 if its result is taken in
--       bulk, value, state, number of fields, field, value, ... (of the job's hash; with a dead stream also of its
--       entry there)
-- Returns for each job 1, or 0 if it has ended already or its entry is gone.
local stream, unread, rate, stats = unpack(KEYS)
local group, jobs, photos, channels, ttl_ms, photo_ttl_ms, dead = unpack(ARGV, 1, 7)
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Each command here goes into the append-only file, so there are as few as can be: this script is most of what the queue
-- costs. A claim or an entry alone tells that nobody ended the job: Redis may have lost the claim (a crash, appendfsync
-- everysec), or somebody the entry. Only the end of a job removes both.
local endings, entries, ended, unclaimed = {}, {}, {}, false
local i = 8
while i <= #ARGV do
  local entry, more = ARGV[i], ARGV[i + 7]
  endings[#endings + 1] = { i, dead ~= '' and redis.call('XRANGE', stream, entry, entry) or {} }
  entries[#entries + 1] = entry
  ended[#ended + 1] = redis.call('XACK', stream, group, entry)
  unclaimed = unclaimed or ended[#ended] == 0
  i = i + 8 + more
end
if unclaimed then
  for n, entry in ipairs(entries) do ended[n] = math.max(ended[n], redis.call('XDEL', stream, entry)) end
else
  redis.call('XDEL', stream, unpack(entries))
end

local counted, are_in_bulk = { done = 0, failed = 0, stale = 0 }, false
for n, ending in ipairs(endings) do
  i = ending[1]
  local entry, id, photo, old, in_bulk, value, state, more = unpack(ARGV, i, i + 7)
  local fields, original = { unpack(ARGV, i + 8, i + 7 + more) }, ending[2]
  if ended[n] == 1 then
    local job = jobs .. id
    if value ~= '' then fields[more + 1], fields[more + 2] = 'value', value end
    local times = (redis.call('HGET', job, 'ended_times') or 0) + 1
    redis.call('HSET', job, 'state', state, 'ended_ms', now_ms, 'entry', entry, 'ended_times', times, unpack(fields))
    redis.call('PEXPIRE', job, ttl_ms)
    if old ~= '' then
      redis.call('HSET', old, 'value', value ~= '' and value or 'NaN')
      redis.call('PEXPIRE', old, ttl_ms)
    end
    if #original > 0 then
      local kept = original[1][2]
      for name = 1, more, 2 do  -- the reason, beside the entry's own fields, which `jobs dead requeue` puts back
        kept[#kept + 1] = 'dead_' .. fields[name]
        kept[#kept + 1] = fields[name + 1]
      end
      kept[#kept + 1] = 'dead_fingerprint'
      kept[#kept + 1] = redis.call('HGET', job, 'fingerprint') or ''
      redis.call('XADD', dead, '*', unpack(kept))
      if photo ~= '' then redis.call('PEXPIRE', photos .. photo, photo_ttl_ms) end
    elseif photo ~= '' then
      if tonumber(redis.call('HGET', photos .. photo, 'refs') or 1) <= 1 then
        redis.call('UNLINK', photos .. photo)
      else
        redis.call('HINCRBY', photos .. photo, 'refs', -1)
      end
    end
    if in_bulk == '1' then
      redis.call('ZADD', unread, now_ms, id)
      are_in_bulk = true
    end
    redis.call('PUBLISH', channels .. id, state)
  else
    state = 'stale'
  end
  counted[state] = counted[state] + 1
end
if are_in_bulk then redis.call('ZREMRANGEBYSCORE', unread, '-inf', now_ms - ttl_ms) end
for what, count in pairs(counted) do
  if count > 0 then redis.call('HINCRBY', stats, what, count) end
end
local all = counted.done + counted.failed
if all > 0 then
  local slot = tostring(tonumber(time[1]) % 16)
  local second, before = string.match(redis.call('HGET', rate, slot) or '', '(%d+):(%d+)')
  if second == time[1] then all = all + tonumber(before) end
  redis.call('HSET', rate, slot, time[1] .. ':' .. all)
end
return ended
