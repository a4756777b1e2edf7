-- Puts a dead letter back into the queue, as a new job of the same name: its tries are counted from the start.
-- KEYS: dead, stream, job, photo, unread, old result or the job again
-- ARGV: letter, id, photo_ttl_ms, is_old ("1": of a client of Cluster Serving)
-- Returns {"requeued"}, {"gone"}, {"queued"}, {"done"}, {"photo_expired"}
local dead, stream, job, photo, unread, old = unpack(KEYS)
local letter, id, photo_ttl_ms, is_old = unpack(ARGV)
local found = redis.call('XRANGE', dead, letter, letter)[1]
if not found then return {'gone'} end
local state = redis.call('HGET', job, 'state')
if state == 'queued' or state == 'done' then return {state} end  -- somebody submitted that name again

local entry, fingerprint, has_photo = {}, '', false
for i = 1, #found[2], 2 do
  local name, value = found[2][i], found[2][i + 1]
  if name == 'dead_fingerprint' then fingerprint = value
  elseif string.sub(name, 1, 5) ~= 'dead_' and name ~= 'begin_by_ms' and name ~= 'submitted_us' then
    -- (that deadline has passed, and it waits from now on)
    entry[#entry + 1] = name
    entry[#entry + 1] = value
    has_photo = has_photo or name == 'photo'
  end
end
if is_old ~= '1' and has_photo then
  if redis.call('EXISTS', photo) == 0 then return {'photo_expired'} end
  redis.call('PEXPIRE', photo, photo_ttl_ms)
end
local time = redis.call('TIME')
local entry_id = redis.call('XADD', stream, '*', unpack(entry))
redis.call('DEL', job, old)
redis.call('ZREM', unread, id)
if is_old ~= '1' then
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', job, 'fingerprint', fingerprint, 'state', 'queued', 'entry', entry_id, 'submitted_ms', now_ms)
end
redis.call('XDEL', dead, letter)
return {'requeued'}
