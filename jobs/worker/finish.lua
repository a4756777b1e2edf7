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
local ended, counted = {}, { done = 0, failed = 0 }
local i = 8
while i <= #ARGV do
  local entry, id, photo, old, in_bulk, value, state, more = unpack(ARGV, i, i + 7)
  local fields = { unpack(ARGV, i + 8, i + 7 + more) }
  i = i + 8 + more
  local original = dead ~= '' and redis.call('XRANGE', stream, entry, entry) or {}
  -- Either alone tells that nobody ended it: Redis may have lost the claim (a crash, appendfsync everysec), or
  -- somebody the entry. Only the end of a job removes both.
  local was_claimed = redis.call('XACK', stream, group, entry)
  local was_there = redis.call('XDEL', stream, entry)
  local is_first = was_claimed + was_there > 0
  ended[#ended + 1] = is_first and 1 or 0
  if is_first then
    local job = jobs .. id
    if value ~= '' then fields[more + 1], fields[more + 2] = 'value', value end
    redis.call('HSET', job, 'state', state, 'ended_ms', now_ms, 'entry', entry, unpack(fields))
    redis.call('HINCRBY', job, 'ended_times', 1)
    redis.call('PEXPIRE', job, ttl_ms)
    if old ~= '' then
      redis.call('HSET', old, 'value', value ~= '' and value or 'NaN')
      redis.call('PEXPIRE', old, ttl_ms)
    end
    if #original > 0 then
      local kept = original[1][2]
      for n = 1, more, 2 do  -- the reason, beside the entry's own fields, which `jobs dead requeue` puts back
        kept[#kept + 1] = 'dead_' .. fields[n]
        kept[#kept + 1] = fields[n + 1]
      end
      kept[#kept + 1] = 'dead_fingerprint'
      kept[#kept + 1] = redis.call('HGET', job, 'fingerprint') or ''
      redis.call('XADD', dead, '*', unpack(kept))
      if photo ~= '' then redis.call('PEXPIRE', photos .. photo, photo_ttl_ms) end
    elseif photo ~= '' and redis.call('HINCRBY', photos .. photo, 'refs', -1) <= 0 then
      redis.call('UNLINK', photos .. photo)
    end
    if in_bulk == '1' then redis.call('ZADD', unread, now_ms, id) end
    redis.call('PUBLISH', channels .. id, state)
    counted[state] = counted[state] + 1
  else
    redis.call('HINCRBY', stats, 'stale', 1)
  end
end
redis.call('ZREMRANGEBYSCORE', unread, '-inf', now_ms - ttl_ms)
local all = counted.done + counted.failed
if all > 0 then
  redis.call('HINCRBY', stats, 'done', counted.done)
  redis.call('HINCRBY', stats, 'failed', counted.failed)
  local slot = tostring(tonumber(time[1]) % 16)
  local second, before = string.match(redis.call('HGET', rate, slot) or '', '(%d+):(%d+)')
  if second == time[1] then all = all + tonumber(before) end
  redis.call('HSET', rate, slot, time[1] .. ':' .. all)
end
return ended
