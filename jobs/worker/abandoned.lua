-- Claims one entry that has not been heard of for a while, so that no two workers get the same one.
-- KEYS: stream
-- ARGV: group, worker, idle_ms
-- Returns nothing, or {entry, fields, deliveries with this one, now_ms}
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', 16)) do
  local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], pending[1])[1]
  if claimed then
    local time = redis.call('TIME')
    return { claimed[1], claimed[2], pending[4] + 1, time[1] * 1000 + math.floor(time[2] / 1000) }
  end
  redis.call('XACK', KEYS[1], ARGV[1], pending[1])  -- somebody removed it from the stream
end
