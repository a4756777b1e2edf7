-- What a worker says of itself, for as long as somebody has its name; that of dead workers is taken away.
-- KEYS: about
-- ARGV: worker, about it as JSON, prefix of leases
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if redis.call('EXISTS', ARGV[3] .. name) == 0 then redis.call('HDEL', KEYS[1], name) end
end
