-- Renews a worker's hold on its name and on the entries that it works on, without counting a delivery.
-- KEYS: stream, lease
-- ARGV: group, worker, token, lease_ms, entry, ...
-- Returns 1, or 0 if somebody else has the name by now.
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
for i = 5, #ARGV do
  local mine = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if #mine > 0 then redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID') end
end
return 1
