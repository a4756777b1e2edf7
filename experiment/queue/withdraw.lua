-- Takes back a job that no worker has claimed.
-- KEYS: stream, job, stats
-- ARGV: group, prefix of photo keys
-- Returns 1, or 0 if a worker has it or it has ended.
local stream, job, stats = unpack(KEYS)
local known = redis.call('HMGET', job, 'state', 'entry')
if known[1] ~= 'queued' then return 0 end
local pending = redis.pcall('XPENDING', stream, ARGV[1], known[2], known[2], 1)  -- no worker: no group
if not pending.err and #pending > 0 then return 0 end
local entry = redis.call('XRANGE', stream, known[2], known[2])
if #entry > 0 then
  local fields = entry[1][2]
  for i = 1, #fields, 2 do
    if fields[i] == 'photo' then
      local photo = ARGV[2] .. fields[i + 1]
      if redis.call('HINCRBY', photo, 'refs', -1) <= 0 then redis.call('UNLINK', photo) end
    end
  end
  redis.call('XDEL', stream, known[2])
end
redis.call('DEL', job)
redis.call('HINCRBY', stats, 'withdrawn', 1)
return 1
