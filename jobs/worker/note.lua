-- Keeps why a try failed, for when the job is given up; not if it has ended meanwhile.
-- KEYS: stream, job
-- ARGV: group, entry, code, reason, ttl_ms
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return end
redis.call('HSET', KEYS[2], 'last_code', ARGV[3], 'last_reason', ARGV[4])
-- A job of Cluster Serving's clients has no hash before its end: this one goes if the job never ends.
if redis.call('HLEN', KEYS[2]) == 2 then redis.call('PEXPIRE', KEYS[2], ARGV[5]) end
