-- Claims one entry that was delivered before: no two workers get the same one, and the delivery is counted.
-- (XREADGROUP of one's own history counts too, but Redis forgets that count when it is started again.)
-- KEYS: stream
-- ARGV: group, worker, idle_ms, entries after this one, of this worker (missing: of all)
-- Returns nothing, or {entry, fields, deliveries with this one, now_us}
local group, worker, idle_ms, after = unpack(ARGV)
local found = redis.call('XPENDING', KEYS[1], group, 'IDLE', idle_ms, '(' .. after, '+', 16, unpack(ARGV, 5))
for _, pending in ipairs(found) do
  local claimed = redis.call('XCLAIM', KEYS[1], group, worker, idle_ms, pending[1])[1]
  if claimed then
    local time = redis.call('TIME')
    return { claimed[1], claimed[2], pending[4] + 1, time[1] * 1000000 + time[2] }
  end
  redis.call('XACK', KEYS[1], group, pending[1])  -- somebody removed it from the stream
end
