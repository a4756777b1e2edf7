-- Takes a worker's name, or renews the hold on it.
-- KEYS: lease
-- ARGV: who takes it, lease_ms, a holder that is known to be dead or ""
-- Returns nothing, or the holder.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
