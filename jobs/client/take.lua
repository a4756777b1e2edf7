-- Removes results that a reader has just read, each only if no other reader was first and it is still the same.
-- KEYS: unread
-- ARGV: prefix of job keys, prefix of Cluster Serving's results, then for each job: id, entry as read or ""
-- Returns for each job 1 if its result is this reader's.
local taken = {}
for i = 3, #ARGV, 2 do
  local id, entry = ARGV[i], ARGV[i + 1]
  local found = redis.call('HMGET', ARGV[1] .. id, 'state', 'entry')
  local has_ended = found[1] == 'done' or found[1] == 'failed'
  local mine = has_ended and found[2] == entry
  taken[#taken + 1] = mine and 1 or 0
  if mine then redis.call('UNLINK', ARGV[1] .. id, ARGV[2] .. id) end
  -- Of a job that was sent again, or whose result has expired, nothing is unread; its next end notes it anew.
  if mine or not has_ended then redis.call('ZREM', KEYS[1], id) end
end
return taken
