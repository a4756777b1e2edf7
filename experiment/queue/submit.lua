-- Accepts a job or says why not, in one step.
-- KEYS: stream, job, photo, full, rate, stats
-- ARGV: id, fingerprint, most_jobs, most_memory_share, photo_ttl_ms, deadline_ms or "", photo or "",
--       then field, value, ... of the entry
-- Returns {"accepted"}, {"known", state}, {"conflict"}, {"full", "jobs"|"memory", jobs, used, limit, ended_per_s, running}
local stream, job, photo, full, rate, stats = unpack(KEYS)
local id, fingerprint, most_jobs, share = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local known = redis.call('HMGET', job, 'fingerprint', 'state')
if known[1] then
  if known[1] == fingerprint then return {'known', known[2]} end
  if known[2] == 'queued' then return {'conflict'} end
end

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local jobs = redis.call('XLEN', stream)
local info = redis.pcall('INFO', 'memory')  -- may be forbidden to this user; then only the length counts
local used, limit = 0, 0
if type(info) == 'string' then
  used = tonumber(string.match(info, 'used_memory:(%d+)')) or 0
  limit = tonumber(string.match(info, 'maxmemory:(%d+)')) or 0
end

-- Once full, it stays so until a tenth is free: otherwise Retry-After would be a lottery.
local room = redis.call('EXISTS', full) == 1 and 0.9 or 1
local why = nil
if jobs >= most_jobs * room then why = 'jobs'
elseif limit > 0 and used + #ARGV[7] >= limit * share * room then why = 'memory' end
if why then
  redis.pcall('SET', full, why, 'EX', 60)  -- with no memory at all these two fail, and the answer is the same
  redis.pcall('HINCRBY', stats, 'refused', 1)
  local ended, first, now_s = 0, nil, now_ms / 1000
  local seconds = redis.call('HGETALL', rate)
  for i = 1, #seconds, 2 do
    local second, count = string.match(seconds[i + 1], '(%d+):(%d+)')
    second = tonumber(second)
    if second >= now_s - 10 then
      ended = ended + tonumber(count)
      if not first or second < first then first = second end
    end
  end
  local over = first and math.max(now_s - first, 0.2) or 1
  local claims = redis.pcall('XPENDING', stream, 'serving')
  local running = type(claims[1]) == 'number' and claims[1] or 0
  return {'full', why, jobs, used, limit, tostring(ended / over), running}
end
redis.call('DEL', full)

if #ARGV[7] > 0 then
  redis.call('HSETNX', photo, 'data', ARGV[7])
  redis.call('HINCRBY', photo, 'refs', 1)
  redis.call('PEXPIRE', photo, ARGV[5])
end
local entry = {}
for i = 8, #ARGV do entry[#entry + 1] = ARGV[i] end
entry[#entry + 1] = 'submitted_us'  -- the entry's own time has only milliseconds
entry[#entry + 1] = time[1] .. string.format('%06d', tonumber(time[2]))
if ARGV[6] ~= '' then
  entry[#entry + 1] = 'begin_by_ms'
  entry[#entry + 1] = tostring(now_ms + tonumber(ARGV[6]))
end
local entry_id = redis.call('XADD', stream, '*', unpack(entry))
redis.call('DEL', job)
redis.call('HSET', job, 'fingerprint', fingerprint, 'state', 'queued', 'entry', entry_id, 'submitted_ms', now_ms)
redis.call('HINCRBY', stats, 'accepted', 1)
return {'accepted'}
